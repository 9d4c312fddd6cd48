"""The table of a film: a row a face and frame."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from mien.displacement import Reference
from mien.faces.quality import Quality
from mien.files import replacing
from mien.labels import CLASSES, indices_to_texts

if TYPE_CHECKING:
    import polars as pl

BOX = ("left", "top", "right", "bottom")
QUALITY = tuple(field.name for field in fields(Quality))
TOP = 5
TABLES = (".parquet", ".csv", ".jsonl")
"""How the names of tables end."""
Probabilities = Literal["all", "top5"]


@dataclass(frozen=True, eq=False)
class Rows:
    """Faces of a piece of a film, before they are read; n of them, by rising time.

    Attributes:
        frame, track, person: shape (n,), int64.
        time: shape (n,), float64, seconds.
        box: shape (n, 4), float32, film pixels.
        quality: shape (n, k), float32: the measures of `Quality`.
        landmarks_photo: shape (n, 68, 2), float32, film pixels.
        landmarks_crop: shape (n, 68, 2), float32, crop pixels.
        feature: shape (n, size), float32.
    """

    frame: NDArray[np.int64]
    track: NDArray[np.int64]
    person: NDArray[np.int64]
    time: NDArray[np.float64]
    box: NDArray[np.float32]
    quality: NDArray[np.float32]
    landmarks_photo: NDArray[np.float32]
    landmarks_crop: NDArray[np.float32]
    feature: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.frame)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Of the arrays."""
        return tuple(field.name for field in fields(cls))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """By name."""
        return {name: getattr(self, name) for name in self.names()}


def to_table(
    rows: Rows,
    probabilities: NDArray[np.float64],
    actions: dict[str, NDArray[np.float32]],
    names: Sequence[str],
    references: Sequence[Reference],
    which: Probabilities,
    landmarks_as_text: bool,
) -> pl.DataFrame:
    """The table of some rows.

    Columns: `frame`, `time` in seconds, `track`, `person`; `left`, `top`, `right`, `bottom` of the face in film
    pixels; its `Quality`; `label`, `phrase`, `dominant`, `complementary`, `probability`, `neutral` of the reading;
    `reference`, `reference_photos`; the probabilities, `p_N_N`, `p_1_1`, ..., or `label_1`, `p_1` to `label_5`,
    `p_5`, falling; strengths of the facial actions, `AU1`, ..., as in `mien.inference.actions`; `landmarks`,
    x1 y1 ... x68 y68 in film pixels.

    Args:
        rows: n faces.
        probabilities: shape (n, 50).
        actions: column -> shape (n,), see `ExpressionModel.action_columns`.
        names: of the n persons.
        references: n of them, what each was compared with.
        which: of the probabilities.
        landmarks_as_text: one text for tables that hold no lists.
    """
    import polars as pl

    best = probabilities.argmax(axis=1) if len(rows) else np.zeros(0, np.int64)
    read = [CLASSES[i] for i in best]
    columns: dict[str, Any] = {
        "frame": rows.frame,
        "time": rows.time.round(4),
        "track": rows.track,
        "person": pl.Series(names, dtype=pl.String),
        **{name: rows.box[:, i].round(1) for i, name in enumerate(BOX)},
        **{name: rows.quality[:, i].round(3) for i, name in enumerate(QUALITY)},
        "label": pl.Series([str(emotion) for emotion in read], dtype=pl.String),
        "phrase": pl.Series([emotion.phrase for emotion in read], dtype=pl.String),
        "dominant": pl.Series([e.dominant and e.dominant.noun for e in read], dtype=pl.String),
        "complementary": pl.Series([e.complementary and e.complementary.noun for e in read], dtype=pl.String),
        "probability": probabilities.max(axis=1, initial=0).round(4),
        "neutral": probabilities[:, 0].round(4),
        "reference": pl.Series([reference.kind for reference in references], dtype=pl.String),
        "reference_photos": pl.Series([reference.photo_count for reference in references], dtype=pl.Int64),
    }
    if which == "all":
        columns |= {f"p_{emotion}": probabilities[:, i].round(4) for i, emotion in enumerate(CLASSES)}
    else:
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, :TOP]
        for place in range(TOP):
            columns[f"label_{place + 1}"] = pl.Series(indices_to_texts(order[:, place]), dtype=pl.String)
            values = np.take_along_axis(probabilities, order[:, place : place + 1], axis=1)[:, 0]
            columns[f"p_{place + 1}"] = values.round(4)
    columns |= {name: strengths.round(3) for name, strengths in actions.items()}
    flat = rows.landmarks_photo.reshape(-1, 136).round(1)
    if landmarks_as_text:
        texts = [" ".join(f"{value:.1f}" for value in row) for row in flat.tolist()]
        columns["landmarks"] = pl.Series(texts, dtype=pl.String)
    else:
        columns["landmarks"] = pl.Series(flat, dtype=pl.Array(pl.Float32, 136))
    return pl.DataFrame(columns)


@contextmanager
def _as_os_errors() -> Iterator[None]:
    """Raise what the operating system said where polars, which writes by itself, says it in a text."""
    import polars as pl

    try:
        yield
    except pl.exceptions.PolarsError as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise OSError(str(error)) from error
        raise OSError(int(number[1]), os.strerror(int(number[1]))) from error


def join_tables(parts: Sequence[Path], out: Path) -> None:
    """Write the tables of all pieces into one file, whole or not at all, one piece in memory at a time.

    Raises:
        OutputError: it cannot be written.
    """
    import polars as pl

    with replacing(out) as temporary, _as_os_errors():
        if out.suffix.lower() == ".parquet":
            pl.scan_parquet(list(parts)).sink_parquet(temporary)
            return
        with temporary.open("wb") as file:
            for number, part in enumerate(parts):
                table = pl.read_parquet(part)
                as_csv = out.suffix.lower() == ".csv"
                text = table.write_csv(include_header=number == 0) if as_csv else table.write_ndjson()
                file.write(text.encode())
