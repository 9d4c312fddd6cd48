"""A manifest: which photos a set has, whose they are, and what they show.

One row a photo, before any photo is opened. Every layout on disk is read into this one form:

    path     str          relative to the root, with forward slashes
    subject  str          who is shown; photos of one subject share a reference
    label    str or null  label text (`3_6`, `N_N`); null where unknown
    split    str or null  `train`, `validation` or `test`; null where not decided
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from mien.errors import DataError, LabelError
from mien.labels import CompoundEmotion

SCHEMA: dict[str, pl.DataType] = {
    "path": pl.String(),
    "subject": pl.String(),
    "label": pl.String(),
    "split": pl.String(),
}
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Manifest:
    """Photos below a root folder.

    Attributes:
        root: folder that the paths are relative to.
        table: columns as in `SCHEMA`, sorted by path.
        layout: how it lay on disk (`icv-mefed`, `folders`, `table`).
    """

    root: Path
    table: pl.DataFrame
    layout: str

    @classmethod
    def from_rows(cls, root: Path, rows: Iterable[tuple[str, str, str | None, str | None]], layout: str) -> Manifest:
        """Build from (path, subject, label, split) rows; a path that stands twice is refused.

        Raises:
            DataError: no rows, or a path twice.
        """
        table = pl.DataFrame(list(rows), schema=SCHEMA, orient="row").sort("path")
        if table.is_empty():
            raise DataError(f"{root}: no photos listed")
        twice = table.filter(pl.col("path").is_duplicated())
        if not twice.is_empty():
            raise DataError(f"{root}: {twice['path'][0]} is listed twice; keep one entry")
        return cls(root, table, layout)


def read_table(path: Path, root: Path | None = None) -> Manifest:
    """Read a manifest from CSV or Parquet with the columns `path` and `subject`, and maybe `label`, `split`.

    Args:
        path: the file.
        root: folder that its paths are relative to; the file's own folder if None.

    Raises:
        DataError: unreadable, a column is missing, or a value is impossible; the row is named.
    """
    try:
        is_parquet = path.suffix.lower() == ".parquet"
        table = pl.read_parquet(path) if is_parquet else pl.read_csv(path, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        first_line = str(error).splitlines()[0]
        raise DataError(f"{path}: not readable as a table ({first_line}); write CSV or Parquet") from error
    for column in ("path", "subject"):
        if column not in table.columns:
            columns = ", ".join(table.columns)
            raise DataError(f"{path}: column '{column}' is missing (there are: {columns}); add it")
    rows = []
    for number, row in enumerate(table.iter_rows(named=True), start=2):
        photo, subject, label, split = (row.get(name) or None for name in SCHEMA)
        if photo is None or subject is None:
            raise DataError(f"{path}, line {number}: 'path' and 'subject' must not be empty")
        if split is not None and split not in SPLITS:
            raise DataError(f"{path}, line {number}: split '{split}' is none of {', '.join(SPLITS)}")
        rows.append((str(photo), str(subject), parse_label(label, f"{path}, line {number}"), split))
    return Manifest.from_rows(root or path.parent, rows, "table")


def parse_label(text: str | None, where: str) -> str | None:
    """A label text in its one spelling, null kept.

    Raises:
        DataError: no such class; `where` is named.
    """
    if text is None:
        return None
    try:
        return str(CompoundEmotion.parse(text))
    except LabelError as error:
        raise DataError(f"{where}: {error}") from error
