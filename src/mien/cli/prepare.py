"""`mien prepare`"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.console import print_json, progress_bar, shown, stderr, stdout
from mien.cli.execution import Ray, Workers, make_executor

if TYPE_CHECKING:
    from mien.datasets.preparation import Summary

SHOWN = 10
"""Photos and leaks that are named one by one."""
SOME_UNUSABLE = 1
"""Exit code."""

Share = Annotated[float, typer.Option(min=0, max=0.9, help="Share of subjects, for those without a split.")]


class Layout(StrEnum):
    """How the photos lie on disk."""

    ICV_MEFED = "icv-mefed"
    FOLDERS = "folders"
    TABLE = "table"


class Split(StrEnum):
    """How subjects are divided."""

    RANDOM = "random"
    CHALLENGE = "challenge"
    PAPER = "paper"


class Fallback(StrEnum):
    """What to do where no face is found."""

    NONE = "none"
    WHOLE = "whole"


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog="Examples: mien prepare faces faces-prepared  |  mien prepare iCV-MEFED prepared --split paper "
        "--landmark-size 1200  |  mien prepare photos.csv prepared --subject-column person. "
        "Exit code: 0 all photos are usable, 1 some are not (each has its reason in samples.parquet), 2 refused.",
        help="Turn a set of face photos into aligned crops and landmarks. SOURCE is a folder (iCV-MEFED's layout, "
        "subject/label/photo, subject/photo or label/photo) or a CSV or Parquet table with the columns path, subject "
        "and maybe label, split.",
    )(prepare)


def prepare(
    source: Annotated[Path, typer.Argument(help="The photos.")],
    out: Annotated[Path, typer.Argument(help="New folder for the prepared set; a begun one is gone on with.")],
    layout: Annotated[Layout | None, typer.Option(help="Of the source.  [default: recognised]")] = None,
    labels: Annotated[
        list[Path] | None, typer.Option(help="Label file of iCV-MEFED, may be repeated.  [default: found in SOURCE]")
    ] = None,
    path_column: Annotated[str, typer.Option(help="Of a table.")] = "path",
    subject_column: Annotated[str, typer.Option(help="Of a table.")] = "subject",
    label_column: Annotated[str, typer.Option(help="Of a table.")] = "label",
    split_column: Annotated[str, typer.Option(help="Of a table.")] = "split",
    split: Annotated[
        Split, typer.Option(help="By lot, or by the subject numbers of the iCV-MEFED challenge or of the paper.")
    ] = Split.RANDOM,
    validation: Share = 0.1,
    test: Share = 0.1,
    seed: Annotated[int, typer.Option(min=0, help="Of the lot that splits the subjects.")] = 0,
    landmark_size: Annotated[
        int | None, typer.Option(min=64, max=4096, help="Find landmarks on crops of this side too, as 1200.")
    ] = None,
    fallback: Annotated[
        Fallback, typer.Option(help="Where no face is found: record that, or take the whole photo for one.")
    ] = Fallback.NONE,
    workers: Workers = None,
    ray: Ray = None,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    from mien.datasets import Preparation
    from mien.datasets.manifest import Columns
    from mien.datasets.sources import read_source

    preparation = Preparation(
        landmark_size=landmark_size,
        whole_without_face=fallback is Fallback.WHOLE,
        split=split,
        validation=validation,
        test=test,
        seed=seed,
    )
    executor = make_executor(workers, ray)
    columns = Columns(path_column, subject_column, label_column, split_column)
    manifest = read_source(source, layout, labels=labels or (), columns=columns)
    with progress_bar("preparing", "photos") as show:
        summary = preparation.run(manifest, out, executor, show)
    if json:
        _print_as_json(summary)
    else:
        _print(summary, out)
    if summary.problems:
        raise typer.Exit(SOME_UNUSABLE)


def _print(summary: Summary, out: Path) -> None:
    for path, reason in summary.problems[:SHOWN]:
        stderr.print(shown(f"not usable: {path}: {reason}"), soft_wrap=True)
    if len(summary.problems) > SHOWN:
        more = len(summary.problems) - SHOWN
        stderr.print(f"... and {more} more, see the column 'reason' in samples.parquet", soft_wrap=True)
    for leak in summary.leaks[:SHOWN]:
        stderr.print(f"leak: {leak.text}", soft_wrap=True)
    if len(summary.leaks) > SHOWN:
        stderr.print(f"... and {len(summary.leaks) - SHOWN} more leaks, see mien inspect", soft_wrap=True)
    for note in summary.notes:
        stdout.print(note, soft_wrap=True)
    counts = ", ".join(f"{count} {status}" for status, count in summary.statuses.items())
    again = " (was up to date)" if summary.up_to_date else ""
    stdout.print(f"{summary.photos} photos in {out}: {counts}{again}", soft_wrap=True)


def _print_as_json(summary: Summary) -> None:
    from dataclasses import asdict

    problems = [{"path": path, "reason": reason} for path, reason in summary.problems]
    print_json(asdict(summary) | {"problems": problems})
