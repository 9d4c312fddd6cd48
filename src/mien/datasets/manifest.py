"""A manifest: which photos a set has, whose they are, and what they show.

One row a photo, before any photo is opened. Every layout on disk is read into this one form:

    path     str          relative to the root, with forward slashes
    subject  str          who is shown; photos of one subject share a reference
    label    str or null  label text (`3_6`, `N_N`); null where unknown
    split    str or null  `train`, `validation` or `test`; null where not decided
    status   str or null  why there is nothing to open: `missing`, `duplicate`, `unreadable`; null for a photo
    reason   str or null  the same for people

Subjects are compared by their names without spaces around them and in Unicode's composed form (NFC).
"""

from __future__ import annotations

import codecs
import io
import math
import os
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import polars as pl

from mien.datasets.splits import SPLIT_WORDS, parse_split
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

MISSING = "missing"
"""A label without its photo."""
DUPLICATE = "duplicate"
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
        notes: what to know about how it was understood, a line each.
        others: how names of files that are no photos end -> number of such files below the root.
    """

    root: Path
    table: pl.DataFrame
    layout: str
    notes: tuple[str, ...] = ()
    others: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def from_entries(cls, root: Path, entries: Iterable[Entry], layout: str) -> Manifest:
        """Build a manifest; entries that cannot be used stay in it with their reason.

        Of equal entries of a photo the first counts. Entries that contradict each other count not at all, for
        nobody can say which of them is right.

        Raises:
            DataError: no entries.
        """
        rows = [_with_text_name(_with_one_spelling(entry)) for entry in entries]
        table = pl.DataFrame(rows, schema=SCHEMA, orient="row")
        if table.is_empty():
            message = f"{root}: no photos that its layout knows; name another folder or table, or another --layout"
            raise DataError(message, path=root)
        said = pl.struct("subject", "label", "split")
        contradicted = (said.n_unique() > 1).over("path")
        again = pl.int_range(pl.len()).over("path") > 0
        twice = pl.col("status").is_null() & pl.col("path").is_duplicated()
        table = table.sort("path", maintain_order=True).with_columns(
            status=pl.when(twice & (contradicted | again)).then(pl.lit(DUPLICATE)).otherwise("status"),
            reason=pl.when(twice & contradicted)
            .then(pl.lit("listed twice with another subject, label or split; keep the right entry"))
            .when(twice & again)
            .then(pl.lit("listed twice; the first entry counts"))
            .otherwise("reason"),
        )
        return cls(root, table, layout, tuple(_spelled_alike(table["subject"].unique().to_list())))

    def with_table(self, table: pl.DataFrame) -> Manifest:
        """The same photos with other columns."""
        return replace(self, table=table)

    def noting(self, *notes: str | None, others: Mapping[str, int] | None = None) -> Manifest:
        """The same photos, and more to know about them; None is no note."""
        return replace(
            self,
            notes=(*(note for note in notes if note), *self.notes),
            others=self.others if others is None else others,
        )


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
    table = _read_columns(path, columns)
    needed = [columns.path, columns.subject]
    needed += [
        name for name in (columns.label, columns.split) if name not in (USUAL_COLUMNS.label, USUAL_COLUMNS.split)
    ]
    for name in needed:
        if name not in table.columns:
            raise DataError(
                f"{path}: column '{name}' is missing (there are: {', '.join(table.columns)}); add it, or name "
                "another one (--path-column, --subject-column, --label-column, --split-column)",
                path=path,
                column=name,
            )
    names = (columns.path, columns.subject, columns.label, columns.split)
    finder = _Finder(root or path.parent)
    entries = []
    unit, first = ("row", 1) if path.suffix.lower() == ".parquet" else ("line", 2)
    for number, row in enumerate(table.iter_rows(named=True), start=first):
        photo, subject, label, split = (_text_or_none(row.get(name)) for name in names)
        if all(_text_or_none(value) is None for value in row.values()):
            continue  # an empty line
        where = f"{path}, {unit} {number}"
        if photo is None or subject is None:
            empty = columns.path if photo is None else columns.subject
            raise DataError(f"{where}: '{empty}' must not be empty", path=path, line=number, column=empty)
        part = parse_split(split) if split else None
        if split and part is None:
            words = ", ".join(SPLIT_WORDS)
            message = f"{where}: split '{split}' is none of {words}"
            raise DataError(message, path=path, line=number, column=columns.split)
        entries.append(finder.find(Entry(photo, subject, parse_label(label, path, number, unit), part)))
    if not entries:
        raise DataError(f"{path}: has a head but no rows; write one for each photo", path=path)
    manifest = Manifest.from_entries(finder.root, entries, "table")
    without = None
    if columns.label not in table.columns:
        told = ", ".join(table.columns)
        without = f"the table has no column '{columns.label}' (there are: {told}); --label-column names another"
    missing = None
    if (manifest.table["status"] == MISSING).fill_null(False).all():
        missing = f"none of its photos is there; its paths are taken from {finder.root}"
    return manifest.noting(without, missing)


def decode_text(content: bytes) -> str:
    """Text in UTF-8 or UTF-16, with a byte order mark or without.

    Raises:
        UnicodeDecodeError: another encoding.
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    if b"\x00" in content[:2]:  # no text in UTF-8 has it; one in UTF-16 begins with a letter
        return content.decode("utf-16-be" if content[:1] == b"\x00" else "utf-16-le")
    return content.decode("utf-8-sig")


def parse_label(text: str | None, path: Path, line: int, unit: str = "line") -> str | None:
    """A label text in its one spelling, null kept.

    Raises:
        DataError: no such class; file and line are named.
    """
    if text is None:
        return None
    try:
        return str(CompoundEmotion.parse(text))
    except LabelError as error:
        raise DataError(f"{path}, {unit} {line}: {error}", path=path, line=line) from error


def label_or_none(text: str) -> str | None:
    """A label text in its one spelling; None where a text is none."""
    try:
        return str(CompoundEmotion.parse(text))
    except LabelError:
        return None


def _read_columns(path: Path, columns: Columns) -> pl.DataFrame:
    try:
        if path.suffix.lower() == ".parquet":
            return pl.read_parquet(path)
        text = decode_text(path.read_bytes())
        head = text.lstrip().partition("\n")[0]
        separator = next((mark for mark in ",;\t" if columns.path in _words(head.split(mark))), ",")
        table = pl.read_csv(io.BytesIO(text.encode()), infer_schema=False, separator=separator)
        return table.rename({name: name.strip() for name in table.columns}, strict=False)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, UnicodeDecodeError) as error:
        first_line = str(error).splitlines()[0]
        message = (
            f"{path}: not readable as a table ({first_line}); write CSV in UTF-8, with as many fields in a row as in "
            "the head, or Parquet"
        )
        raise DataError(message, path=path) from error


def _words(cells: Iterable[str]) -> set[str]:
    return {cell.strip().strip('"').strip() for cell in cells}


def _text_or_none(value: object) -> str | None:
    if isinstance(value, bytes):  # as some programs write text into Parquet
        value = value.decode(errors="replace")
    if isinstance(value, float):  # a column of numbers with gaps
        value = None if math.isnan(value) else int(value) if value.is_integer() else value
    text = "" if value is None else str(value).strip()
    return text or None


class _Finder:
    """Finds the photos of a table, whose paths may have backslashes, or accents spelled otherwise than on disk."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._names: dict[Path, dict[str, str]] = {}

    def find(self, entry: Entry) -> Entry:
        """The entry with the photo's path as it is on disk, or marked as missing."""
        path = PurePosixPath(entry.path).as_posix()  # ./a.jpg is a.jpg
        try:
            for candidate in (path, path.replace("\\", "/")):
                found = candidate if os.path.lexists(self.root / candidate) else self._spelled_otherwise(candidate)
                if found is not None:
                    return entry._replace(path=found)
        except (OSError, ValueError):
            return entry._replace(path=path)  # what is wrong with it comes out when it is opened
        reason = "listed, but not there; add the photo or take the line out"
        return entry._replace(path=path, status=MISSING, reason=reason)

    def _spelled_otherwise(self, path: str) -> str | None:
        folder, found = self.root, []
        for part in PurePosixPath(path).parts:
            name = part if os.path.lexists(folder / part) else self._composed(folder).get(_composed(part))
            if name is None:
                return None
            found.append(name)
            folder /= name
        return "/".join(found)

    def _composed(self, folder: Path) -> dict[str, str]:
        """Composed form of a name in a folder -> the name."""
        if folder not in self._names:
            names = os.listdir(folder) if os.path.isdir(folder) else []
            self._names[folder] = {_composed(name): name for name in names}
        return self._names[folder]


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _with_one_spelling(entry: Entry) -> Entry:
    return entry._replace(subject=_composed(entry.subject.strip()))


def _spelled_alike(subjects: Iterable[str]) -> Iterator[str]:
    """A line for each group of subjects that differ in case only."""
    groups: dict[str, list[str]] = {}
    for subject in sorted(subjects):
        groups.setdefault(subject.casefold(), []).append(subject)
    for group in groups.values():
        if len(group) > 1:
            told = " and ".join(repr(subject) for subject in group)
            yield f"subjects {told} differ only in case; if they are one person, give them one spelling"


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
