"""What all commands share: progress bars on stderr, tables and JSON on stdout."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table
from rich.text import Text

from mien.errors import MienError, OutputError
from mien.files import remove_leftovers, saying_where

debug = False
"""Whether errors come with their traceback."""
_STDOUT = Path("stdout")


class _Stdout(Console):
    """Says so where what it prints cannot be written."""

    def print(self, *objects: Any, **how: Any) -> None:
        with saying_where(_STDOUT):
            super().print(*objects, **how)
            self.file.flush()


# Names of files are no markup.
stderr = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
stdout = _Stdout(
    highlight=False,
    markup=False,
    emoji=False,
    soft_wrap=True,
    width=None if sys.stdout is not None and sys.stdout.isatty() else 160,
)


class _Rate(ProgressColumn):
    """Steps a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.0f}/s" if task.speed else "", style="progress.data.speed")


@contextmanager
def progress_bar(title: str, unit: str) -> Iterator[Callable[..., None]]:
    """A bar with count, rate and time left; gives a function (done, total, note='') to call.

    It appears with the first call, so that a refusal comes alone.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(table_column=Column(no_wrap=True, min_width=11)),  # a long note takes the room of others
        TextColumn(unit),
        _Rate(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    bars = Progress(*columns, console=stderr)

    def show(done: int, total: int, note: str = "") -> None:
        if not bars.tasks:  # what was done before this start is no part of the rate
            bars.add_task(title, total=total, completed=done, note="")
            bars.start()
        bars.update(bars.task_ids[0], completed=done, total=total, note=note)

    try:
        yield show
    finally:
        if bars.tasks:
            bars.stop()


def is_rank_zero() -> bool:
    """Whether this process is the first of those that `torchrun` started, or the only one."""
    return os.environ.get("RANK", "0") == "0"


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table; the first column to the left, the others to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for i, head in enumerate(heads):
        table.add_column(head, justify="left" if i == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(shown(cell)) for cell in row))
    stdout.print(table, soft_wrap=False)


def shown(text: str) -> str:
    """A text for people, in one line: control characters, and bytes that are no UTF-8, as escapes."""
    text = text.encode(errors="backslashreplace").decode()
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def print_json(content: Any) -> None:
    """JSON on stdout, and nothing else there; bytes of file names that are no UTF-8 stand there as escapes."""
    print_out(json.dumps(content, indent=2, ensure_ascii=False).encode(errors="backslashreplace").decode())


def print_out(text: str) -> None:
    """A line on stdout, at once; what its encoding lacks is escaped, so that no answer is lost."""
    encoding = sys.stdout.encoding or "utf-8"
    with saying_where(_STDOUT):
        print(text.encode(encoding, errors="backslashreplace").decode(encoding), flush=True)


def describe_others(others: Mapping[str, int]) -> str:
    """Files that are no photos, by how their names end: `2 .txt, 1 .mov`."""
    return ", ".join(f"{count} {suffix or 'without an ending'}" for suffix, count in others.items())


def print_error(error: MienError) -> None:
    """An error of a user's input, in one line on stderr, with the options that help."""
    import traceback

    from mien.errors import SeveralFacesError

    if debug:
        traceback.print_exception(error)
    options = " (--faces largest, --faces all)" if isinstance(error, SeveralFacesError) else ""
    print(f"mien: {shown(' '.join(str(error).split()))}{options}", file=sys.stderr)


def refuse_output(path: Path, endings: Sequence[str], inputs: Sequence[Path] = ()) -> None:
    """Refuse to write what would be something else than its name says, or over what is read, before any work.

    What a killed process had begun to write there is removed.

    Raises:
        OutputError: another ending than one of `endings` (none: any will do), one of the inputs, or in a folder that
            is not there or may not be written.
    """
    if endings and path.suffix.lower() not in endings:
        raise OutputError(f"{path}: name a file that ends in {', '.join(endings)}")
    if os.path.realpath(path) in {os.path.realpath(other) for other in inputs}:
        raise OutputError(f"{path}: is read as well, and would be lost; name another file")
    if not os.path.isdir(path.parent):
        raise OutputError(f"{path}: its folder does not exist; make it first, or choose another place")
    whole = Path(os.path.realpath(path))
    if not os.access(whole.parent, os.W_OK | os.X_OK):
        raise OutputError(f"{path}: it may not be written; choose another place or change the permissions")
    remove_leftovers(whole.parent, whole.name)
