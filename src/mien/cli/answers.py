"""Where the answers of `mien predict` go: lines for people, JSON, JSON lines, CSV, Parquet.

Lines, JSON lines and CSV are written as they come; JSON and Parquet are whole at the end, also of a stopped run. A
file of before is replaced with the first answer, so a run that fails earlier leaves it as it was.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from mien.cli.console import print_out, shown, stdout
from mien.errors import OutputError, require
from mien.files import saying_where, write_text

if TYPE_CHECKING:
    from mien.inference import Recognition, Recognitions, Recognizer

FILE_ENDINGS = (".json", ".jsonl", ".csv", ".parquet")
_NAME_WIDTH = 36
_TOLD = 6
"""Movements that are told of each face."""


class Answers(Protocol):
    """Takes what was recognised, a photo after the other."""

    def add(self, read: Recognitions) -> None:
        """Take the answers of a photo."""

    def end(self) -> None:
        """Write what is still to be written."""


class Lines:
    """A line a face for people: name, expression, probability, and what else it may be.

    Args:
        names: of all photos, so that the columns stand below each other.
        explainer: explains each answer below its line; None: nothing does.
    """

    def __init__(self, names: list[str], explainer: Recognizer | None = None) -> None:
        self._explainer = explainer
        self._width = min(_NAME_WIDTH, max((len(shown(name)) for name in names), default=0))
        self._room = stdout.width if stdout.is_terminal else None

    def add(self, read: Recognitions) -> None:
        """Print the lines of a photo."""
        for face in read:
            name = shown(face.photo) + (f" [{face.place + 1}]" if len(read) > 1 else "")
            person = "" if face.person is None else f"{face.person:14}  "
            line = f"{name:{self._width}}  {person}{face.phrase:25} {face.probability:4.0%}"
            line += f"   ({', '.join(face.flags)})" if face.flags else ""
            others = ", ".join(f"{other.phrase} {p:.0%}" for other, p in face.top(3)[1:])
            whole = f"{line}   or {others}"
            print_out(whole if self._room is None or len(whole) <= self._room else line)
            if self._explainer is not None:
                self._explain(face, self._explainer)

    def end(self) -> None:
        """Nothing."""

    @staticmethod
    def _explain(face: Recognition, explainer: Recognizer) -> None:
        """What moved, and without which part of the face the answer would be another."""
        moved = ", ".join(f"{m.part} {m.change} {100 * m.amount:.0f}" for m in face.movements[:_TOLD])
        print_out(f"    moved, in percent of the distance of the eyes: {moved or 'nothing to speak of'}")
        if face.face.crop.size:
            without = sorted(explainer.explain(face).items(), key=lambda part: part[1])
            most = ", ".join(f"{part} {probability:.0%}" for part, probability in without[:3])
            print_out(f"    {face.phrase}, were a part as when neutral: {most}")


class Json:
    """A JSON array on stdout or in a file, whole at the end."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._entries: list[dict[str, Any]] = []

    def add(self, read: Recognitions) -> None:
        """Keep the entries of a photo."""
        self._entries += read.to_dict()

    def end(self) -> None:
        """Write them: an entry a line, so that it can be read and searched."""
        content = "[\n" + ",\n".join(_one_line(entry) for entry in self._entries) + "\n]"
        if self._path is None:
            print_out(content)
        else:
            write_text(self._path, content + "\n")


class _File:
    """A text file that is opened for the first answer."""

    def __init__(self, path: Path, newline: str | None = None) -> None:
        self._path, self._newline = path, newline

    @cached_property
    def open(self) -> TextIO:
        return self._path.open("w", encoding="utf-8", errors="backslashreplace", newline=self._newline)

    def close(self) -> None:
        if "open" in self.__dict__:
            self.open.close()


class JsonLines:
    """A line of JSON a face, on stdout or in a file, as it comes."""

    def __init__(self, file: _File | None) -> None:
        self._file = file

    def add(self, read: Recognitions) -> None:
        """Write the lines of a photo."""
        for entry in read.to_dict():
            if self._file is None:
                print_out(_one_line(entry))
            else:
                print(_one_line(entry), file=self._file.open, flush=True)

    def end(self) -> None:
        """Close the file."""
        if self._file is not None:
            _ = self._file.open  # there even where there are no answers
            self._file.close()


class Csv:
    """A row a face, columns as in `mien.inference.results.COLUMNS`, as it comes."""

    def __init__(self, file: _File) -> None:
        self._file = file

    @cached_property
    def _rows(self) -> csv.DictWriter[str]:
        from mien.inference.results import COLUMNS

        rows = csv.DictWriter(self._file.open, list(COLUMNS), lineterminator="\n")
        rows.writeheader()
        return rows

    def add(self, read: Recognitions) -> None:
        """Write the rows of a photo."""
        self._rows.writerows(read.to_rows())
        self._file.open.flush()

    def end(self) -> None:
        """Close the file."""
        _ = self._rows
        self._file.close()


class Parquet:
    """The same table as Parquet, whole at the end.

    Raises:
        MissingExtraError: the extra `tables` is not installed.
    """

    def __init__(self, path: Path) -> None:
        require("polars", "tables")  # needed at the very end
        self._path = path
        self._rows: list[dict[str, Any]] = []

    def add(self, read: Recognitions) -> None:
        """Keep the rows of a photo, without its pixels."""
        self._rows += read.to_rows()

    def end(self) -> None:
        """Write them."""
        from mien.files import write_parquet
        from mien.inference.results import rows_to_polars

        write_parquet(self._path, rows_to_polars(self._rows))


@contextmanager
def answers_to(
    names: list[str], output: Path | None, as_json: bool, as_lines: bool, explainer: Recognizer | None = None
) -> Iterator[Answers]:
    """Where the answers go; ends it also where the run is stopped on its way.

    Args:
        names: of all photos.
        output: a file, whose ending says in which form; None for stdout.
        as_json, as_lines: JSON, or JSON lines, on stdout.
        explainer: explains each answer, in lines for people.

    Raises:
        OutputError: the file cannot be written.
    """
    answers = _Placed(_open(names, output, as_json, as_lines, explainer), output or Path("stdout"))
    try:
        yield answers
    except BaseException:
        if answers.begun:
            answers.end()
        raise
    answers.end()


class _Placed:
    """Answers that say where they cannot be written, and know whether there are any."""

    def __init__(self, answers: Answers, place: Path) -> None:
        self._answers, self._place = answers, place
        self.begun = False

    def add(self, read: Recognitions) -> None:
        self.begun = True
        with saying_where(self._place):
            self._answers.add(read)

    def end(self) -> None:
        with saying_where(self._place):
            self._answers.end()


def _open(
    names: list[str], output: Path | None, as_json: bool, as_lines: bool, explainer: Recognizer | None
) -> Answers:
    if output is None:
        return Json(None) if as_json else JsonLines(None) if as_lines else Lines(names, explainer)
    if os.path.isdir(output) or (os.path.exists(output) and not os.access(output, os.W_OK)):
        raise OutputError(f"{output}: a folder, or a file that may not be written; choose another place")
    match output.suffix.lower():
        case ".json":
            return Json(output)
        case ".parquet":
            return Parquet(output)
        case ".jsonl":
            return JsonLines(_File(output))
        case ".csv":
            return Csv(_File(output, newline=""))
    raise OutputError(f"{output}: name a file that ends in {', '.join(FILE_ENDINGS)}")


def _one_line(entry: dict[str, Any]) -> str:
    """JSON in one line; names of files that are no UTF-8 as escapes."""
    ascii_only = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") != "utf8"
    return json.dumps(entry, ensure_ascii=ascii_only).encode(errors="backslashreplace").decode()
