"""The table of a film or a camera that is read once: rows as they come, kept also where it is stopped."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mien.errors import OutputError
from mien.files import write_parquet
from mien.video.results import FilmFrame
from mien.video.table import QUALITY, Probabilities, Rows, join_tables, to_table

if TYPE_CHECKING:
    import polars as pl

_TOGETHER = 300
"""Faces that are written at once."""


@contextmanager
def writing_rows(out: Path, which: Probabilities) -> Iterator[Callable[[FilmFrame], None]]:
    """Give a function that takes the frames; the table is whole when the context ends, however it ends.

    Args:
        out: .parquet, .csv or .jsonl.
        which: of the probabilities.

    Raises:
        OutputError: it cannot be written; the rows are kept then, and the message says where.
    """
    waiting: list[FilmFrame] = []
    parts: list[Path] = []
    as_text = out.suffix.lower() == ".csv"
    folder = Path(tempfile.mkdtemp(prefix="mien-"))

    def flush() -> None:
        part = folder / f"rows-{len(parts):06d}.parquet"
        write_parquet(part, frames_to_table(waiting, which, as_text))
        parts.append(part)
        waiting.clear()

    def take(frame: FilmFrame) -> None:
        if frame:  # without a face it gives no row
            waiting.append(frame.without_pixels())
        if sum(map(len, waiting)) >= _TOGETHER:
            flush()

    try:
        yield take
    finally:
        try:
            flush()
            join_tables(parts, out)
        except OutputError as error:
            raise OutputError(f"{error}; the rows so far are in {folder}", path=out, errno=error.errno) from error
        shutil.rmtree(folder, ignore_errors=True)


def frames_to_table(frames: list[FilmFrame], which: Probabilities, landmarks_as_text: bool) -> pl.DataFrame:
    """The table of some frames, as `to_table`."""
    seen = [(frame, face) for frame in frames for face in frame]
    read = [face.recognition for _, face in seen]
    quality = [[getattr(one.quality, name) for name in QUALITY] for one in read]

    def stack(rows: list[object], *shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return np.array(rows, dtype=np.float32).reshape(len(rows), *shape)

    rows = Rows(
        frame=np.array([frame.number for frame, _ in seen], np.int64),
        track=np.array([face.track for _, face in seen], np.int64),
        person=np.array([face.person for _, face in seen], np.int64),
        time=np.array([frame.time for frame, _ in seen], np.float64),
        box=stack([one.face.box.as_array() for one in read], 4),
        quality=stack(list(quality), len(QUALITY)),
        landmarks_photo=stack([one.face.landmarks_photo for one in read], 68, 2),
        landmarks_crop=stack([one.face.landmarks_crop for one in read], 68, 2),
        feature=np.zeros((len(seen), 0), np.float32),
    )
    probabilities = np.array([one.probabilities for one in read]).reshape(-1, 50)
    actions = {
        action.column: stack([one.actions[place].strength for one in read])
        for place, action in enumerate(read[0].actions if read else ())
    }
    names, references = [face.name for _, face in seen], [one.reference for one in read]
    return to_table(rows, probabilities, actions, names, references, which, landmarks_as_text)
