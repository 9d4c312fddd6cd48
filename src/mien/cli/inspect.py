"""`mien inspect`"""

from __future__ import annotations

import statistics
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.console import print_json, print_table, shown, stdout

if TYPE_CHECKING:
    from mien.evaluation.inspection import Inspection

SHOWN = 10
"""Leaks, and reasons, that are named one by one."""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog="Example: mien inspect prepared",
        help="Count what a prepared set holds, look for leaks, and draw a contact sheet with landmarks and the mean "
        "face of each emotion.",
    )(inspect)


def inspect(
    prepared: Annotated[Path, typer.Argument(help="A prepared set, see `mien prepare`.")],
    pictures: Annotated[
        Path | None, typer.Option(help="Folder for the pictures.", show_default="the prepared set's own")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    from mien.datasets.prepared import PreparedSet
    from mien.drawing.sheets import write_pictures
    from mien.evaluation.inspection import inspect as inspect_set

    opened = PreparedSet.open(prepared)
    opened.verify()
    inspection = inspect_set(opened)
    written = write_pictures(opened, pictures or prepared)
    if json:
        print_json(asdict(inspection) | {"pictures": [str(path) for path in written]})
        return
    _print(inspection)
    for path in written:
        stdout.print(f"picture: {path}")


def _print(seen: Inspection) -> None:
    per_subject = sorted(seen.subjects.values())
    rows = [("entries", str(seen.photos), _list(seen.statuses))]
    rows.append(("parts", str(sum(seen.splits.values())), _list(seen.splits)))
    rows.append(("subjects", str(len(per_subject)), _spread(per_subject, seen.subject_balance)))
    rows.append(("classes", f"{len(seen.labels)} of 50", _spread(sorted(seen.labels.values()), seen.class_balance)))
    print_table(("", "count", ""), rows)
    for reason, count in list(seen.reasons.items())[:SHOWN]:
        stdout.print(f"{count} x {reason}")
    for leak in seen.leaks[:SHOWN]:
        stdout.print(shown(f"leak: {leak.text}"))
    if len(seen.leaks) > SHOWN:
        stdout.print(f"... and {len(seen.leaks) - SHOWN} more leaks, all with --json")
    if not seen.leaks:
        stdout.print("no leaks: no subject in two parts, no picture under two subjects")


def _list(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _spread(counts: list[int], balance: float | None) -> str:
    if not counts:
        return "no labels"
    words = f"{counts[0]} to {counts[-1]} photos each, median {statistics.median(counts):g}"
    return words if balance is None else f"{words}, balance {balance:.2f} of 1"
