"""`mien prepare`"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.console import describe_others, print_json, progress_bar, shown, stderr, stdout
from mien.cli.execution import Ray, Workers, make_executor
from mien.cli.landmarks import Landmarker

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mien.datasets.manifest import Manifest
    from mien.datasets.preparation import Note, Summary
    from mien.datasets.prepared import Counts

SHOWN = 10
"""Photos and leaks that are named one by one."""
SOME_UNUSABLE = 1
"""Exit code."""
_NOTES: dict[Note, str] = {
    "several faces": "photos show several faces; the largest was taken",
    "no face found": "photos show no face that was found; the whole photo was taken",
    "repaired": "photos lack the end of their file, but no pixel",
    "unlabelled": "without a label, which count towards their subject's mean",
    "single photo": "subjects have one photo that can be used: their displacement from its mean is zero",
    "in no part": "labelled subjects are in no part of this split",
}

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


class Alignment(StrEnum):
    """How faces are aligned."""

    NORMALISED = "normalised"
    SIMILARITY = "similarity"


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
        help="Turn a set of face photos into aligned crops and landmarks. SOURCE is a folder (iCV-MEFED's layout, or "
        "subject/label/photo, label/photo, split/label/photo, split/subject/label/photo, subject/photo) or a CSV or "
        "Parquet table with the columns path, subject and maybe label, split. A label is C_D, N_N, or words: happy, "
        "neutral, happily surprised.",
    )(prepare)


def prepare(
    source: Annotated[Path, typer.Argument(help="The photos.")],
    out: Annotated[Path, typer.Argument(help="New folder for the prepared set; a begun one is gone on with.")],
    layout: Annotated[Layout | None, typer.Option(help="Of the source.", show_default="recognised")] = None,
    labels: Annotated[
        list[Path] | None,
        typer.Option(help="Label file of iCV-MEFED, may be repeated.", show_default="found in SOURCE"),
    ] = None,
    path_column: Annotated[str, typer.Option(help="Of a table.")] = "path",
    subject_column: Annotated[str, typer.Option(help="Of a table.")] = "subject",
    label_column: Annotated[str, typer.Option(help="Of a table.")] = "label",
    split_column: Annotated[str, typer.Option(help="Of a table.")] = "split",
    split: Annotated[
        Split, typer.Option(help="At random, or by the subject numbers of the iCV-MEFED challenge or of the paper.")
    ] = Split.RANDOM,
    validation: Share = 0.1,
    test: Share = 0.1,
    seed: Annotated[int, typer.Option(min=0, help="Of the random split of the subjects.")] = 0,
    landmark_size: Annotated[
        int | None, typer.Option(min=64, max=4096, help="Find landmarks on crops of this side too, as 1200.")
    ] = None,
    landmarker: Annotated[
        Landmarker,
        typer.Option(help="Predictor of landmarks: mien's own network, or dlib's regression trees, as in the paper."),
    ] = Landmarker.CNN,
    alignment: Annotated[
        Alignment, typer.Option(help="Stretch faces to one distance of the eyes, or align them as the paper does.")
    ] = Alignment.NORMALISED,
    fallback: Annotated[
        Fallback, typer.Option(help="Where no face is found: record that, or take the whole photo for one.")
    ] = Fallback.NONE,
    workers: Workers = None,
    ray: Ray = None,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    from mien.datasets import Preparation
    from mien.datasets.manifest import Columns
    from mien.datasets.prepared import Counts, read_samples
    from mien.datasets.sources import read_source

    preparation = Preparation(
        landmark_size=landmark_size,
        landmarker=landmarker.value,
        alignment=alignment.value,
        whole_without_face=fallback is Fallback.WHOLE,
        split=split,
        validation=validation,
        test=test,
        seed=seed,
    )
    executor = make_executor(workers, ray)
    columns = Columns(path_column, subject_column, label_column, split_column)
    manifest = read_source(source, layout, labels=labels or (), columns=columns)
    for note in manifest.notes:
        stderr.print(shown(note))
    with progress_bar("preparing", "photos") as show:
        summary = preparation.run(manifest, out, executor, show)
    counts = Counts.of(read_samples(out)[1])
    if json:
        _print_as_json(summary, counts, manifest)
    else:
        _print(summary, counts, manifest.others, out)
    if summary.problems:
        raise typer.Exit(SOME_UNUSABLE)


def _print(summary: Summary, counts: Counts, others: Mapping[str, int], out: Path) -> None:
    for path, reason in summary.problems[:SHOWN]:
        stderr.print(shown(f"not usable: {path}: {reason}"))
    if len(summary.problems) > SHOWN:
        more = len(summary.problems) - SHOWN
        stderr.print(f"... and {more} more, see the column 'reason' in samples.parquet")
    for leak in summary.leaks[:SHOWN]:
        stderr.print(shown(f"leak: {leak.text}"))
    if len(summary.leaks) > SHOWN:
        stderr.print(f"... and {len(summary.leaks) - SHOWN} more leaks, see mien inspect")
    for note, count in summary.notes.items():
        stdout.print(f"{count} {_NOTES[note]}")
    again = " (was up to date)" if summary.up_to_date else ""
    stdout.print(shown(f"{out}: {'; '.join(_facts(summary, counts, others))}{again}"))


def _facts(summary: Summary, counts: Counts, others: Mapping[str, int]) -> list[str]:
    """What was made, and what was not used."""
    labelled = f"{counts.labelled} labelled ({_many(counts.classes, 'class', 'classes')})"
    made = [_many(counts.photos, "photo"), _many(counts.subjects, "subject"), labelled]
    if counts.parts:
        made.append("parts " + ", ".join(f"{part} {count}" for part, count in counts.parts.items()))
    facts = [", ".join(made)]
    if unusable := {status: count for status, count in summary.statuses.items() if status != "ok"}:
        total = _many(sum(unusable.values()), "entry", "entries")
        facts.append(f"{total} not usable: " + ", ".join(f"{count} {status}" for status, count in unusable.items()))
    if others:
        facts.append(f"{_many(sum(others.values()), 'other file')}: {describe_others(others)}")
    return facts


def _many(count: int, one: str, more: str | None = None) -> str:
    return f"{count} {one if count == 1 else more or one + 's'}"


def _print_as_json(summary: Summary, counts: Counts, manifest: Manifest) -> None:
    from dataclasses import asdict

    problems = [{"path": path, "reason": reason} for path, reason in summary.problems]
    made = {"counts": asdict(counts), "other_files": dict(manifest.others), "source_notes": list(manifest.notes)}
    print_json(asdict(summary) | {"problems": problems} | made)
