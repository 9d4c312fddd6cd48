"""A manifest: which photos a set has, whose they are, and what they show.

One row a photo, before any photo is opened. Every layout on disk is read into this one form:

    path     str          relative to the root, with forward slashes
    subject  str          who is shown; photos of one subject share a reference
    label    str or null  label text (`3_6`, `N_N`); null where unknown
    split    str or null  `train`, `validation` or `test`; null where not decided
    status   str or null  why there is nothing to open: `missing`, `double`, `unreadable`; null for a photo
    reason   str or null  the same for people
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import polars as pl

from mien.errors import DataError, LabelError
from mien.labels import CompoundEmotion

SCHEMA: dict[str, pl.DataType] = {
    "path": pl.String(),
    "subject": pl.String(),
    "label": pl.String(),
    "split": pl.String(),
    "status": pl.String(),
    "reason": pl.String(),
}
SPLITS = ("train", "validation", "test")

MISSING = "missing"
"""A label without its photo."""
DOUBLE = "double"
"""An entry beyond the first, or entries that contradict each other."""
UNREADABLE = "unreadable"


class Entry(NamedTuple):
    """A row of a manifest; columns as in `SCHEMA`."""

    path: str
    subject: str
    label: str | None = None
    split: str | None = None
    status: str | None = None
    reason: str | None = None


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
    def from_entries(cls, root: Path, entries: Iterable[Entry], layout: str) -> Manifest:
        """Build a manifest; entries that cannot be used stay in it with their reason.

        Of equal entries of a photo the first counts. Entries that contradict each other count not at all, for
        nobody can say which of them is right.

        Raises:
            DataError: no entries.
        """
        table = pl.DataFrame([_with_text_name(entry) for entry in entries], schema=SCHEMA, orient="row")
        if table.is_empty():
            raise DataError(f"{root}: no photos listed")
        said = pl.struct("subject", "label", "split")
        contradicted = (said.n_unique() > 1).over("path")
        again = pl.int_range(pl.len()).over("path") > 0
        twice = pl.col("status").is_null() & pl.col("path").is_duplicated()
        table = table.sort("path", maintain_order=True).with_columns(
            status=pl.when(twice & (contradicted | again)).then(pl.lit(DOUBLE)).otherwise("status"),
            reason=pl.when(twice & contradicted)
            .then(pl.lit("listed twice with another subject, label or split; keep the right entry"))
            .when(twice & again)
            .then(pl.lit("listed twice; the first entry counts"))
            .otherwise("reason"),
        )
        return cls(root, table, layout)

    def with_table(self, table: pl.DataFrame) -> Manifest:
        """The same photos with other columns."""
        return Manifest(self.root, table, self.layout)


@dataclass(frozen=True)
class Columns:
    """What the columns of a table are called. The last two may be absent from it."""

    path: str = "path"
    subject: str = "subject"
    label: str = "label"
    split: str = "split"


USUAL_COLUMNS = Columns()


def read_table(path: Path, root: Path | None = None, columns: Columns = USUAL_COLUMNS) -> Manifest:
    """Read a manifest from CSV or Parquet.

    Args:
        path: the file.
        root: folder that its paths are relative to; the file's own folder if None.
        columns: their names. A label or split column that is named otherwise than usual has to be there.

    Raises:
        DataError: unreadable, a column is missing, or a value is impossible; the row is named.
    """
    try:
        is_parquet = path.suffix.lower() == ".parquet"
        table = pl.read_parquet(path) if is_parquet else pl.read_csv(path, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        first_line = str(error).splitlines()[0]
        raise DataError(f"{path}: not readable as a table ({first_line}); write CSV or Parquet") from error
    needed = [columns.path, columns.subject]
    needed += [
        name for name in (columns.label, columns.split) if name not in (USUAL_COLUMNS.label, USUAL_COLUMNS.split)
    ]
    for name in needed:
        if name not in table.columns:
            raise DataError(
                f"{path}: column '{name}' is missing (there are: {', '.join(table.columns)}); add it, or name "
                "another one (--path-column, --subject-column, --label-column, --split-column)"
            )
    names = (columns.path, columns.subject, columns.label, columns.split)
    entries = []
    for number, row in enumerate(table.iter_rows(named=True), start=2):
        photo, subject, label, split = (_text_or_none(row.get(name)) for name in names)
        if all(_text_or_none(value) is None for value in row.values()):
            continue  # an empty line
        if photo is None or subject is None:
            raise DataError(f"{path}, line {number}: '{columns.path}' and '{columns.subject}' must not be empty")
        if split is not None and split not in SPLITS:
            raise DataError(f"{path}, line {number}: split '{split}' is none of {', '.join(SPLITS)}")
        photo = PurePosixPath(photo).as_posix()  # ./a.jpg is a.jpg
        entries.append(Entry(photo, subject, parse_label(label, f"{path}, line {number}"), split))
    root = root or path.parent
    return Manifest.from_entries(root, (_missing_or_same(root, entry) for entry in entries), "table")


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


def _text_or_none(value: object) -> str | None:
    return None if value is None or value == "" else str(value)


def _missing_or_same(root: Path, entry: Entry) -> Entry:
    try:
        (root / entry.path).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return entry._replace(status=MISSING, reason="listed, but not there; add the photo or take the line out")
    except (OSError, ValueError):
        return entry  # what is wrong with it comes out when it is opened
    return entry


def _with_text_name(entry: Entry) -> Entry:
    """A file name that is no UTF-8 cannot stand in a table; it is shown escaped, and the photo is not used."""
    try:
        entry.path.encode()
        entry.subject.encode()
    except UnicodeEncodeError:
        path, subject = (text.encode(errors="backslashreplace").decode() for text in (entry.path, entry.subject))
        reason = "its name is not UTF-8; rename it"
        return entry._replace(path=path, subject=subject, status=UNREADABLE, reason=reason)
    return entry
