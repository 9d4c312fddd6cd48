"""`mien displacement`"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mien.cli.console import refuse_output, stderr, stdout


class ReferencePhotos(StrEnum):
    """Whose mean the reference is."""

    ALL = "all"
    SPLIT = "split"
    NEUTRAL = "neutral"


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog="Example: mien displacement prepared displacement.npz --reference neutral",
        help="Write how far each landmark of each photo lies from its place in the subject's reference: 136 numbers "
        "a photo, crop pixels, as .npz or .parquet.",
    )(displacement)


def displacement(
    prepared: Annotated[Path, typer.Argument(help="A prepared set, see `mien prepare`.")],
    out: Annotated[Path, typer.Argument(help="File to write, .npz or .parquet.")],
    reference: Annotated[
        ReferencePhotos,
        typer.Option(
            help="Mean of all photos of the subject, labelled or not (as in the paper); of those in the same part of "
            "the split; or of the neutral ones."
        ),
    ] = ReferencePhotos.ALL,
    landmark_size: Annotated[
        int | None, typer.Option(help="Landmarks from crops of this side, see `mien prepare`.")
    ] = None,
) -> None:
    from mien.datasets.displacements import displacement_table, write_displacement
    from mien.datasets.prepared import SAMPLES_FILE, PreparedSet

    refuse_output(out, (".npz", ".parquet"), [prepared / SAMPLES_FILE])
    table = displacement_table(PreparedSet.open(prepared, landmark_size), reference.value)
    write_displacement(table, out)
    without = table.filter(table["reference_photos"] == 0)
    if not without.is_empty():
        people = without["subject"].n_unique()
        stderr.print(f"{without.height} photos of {people} subjects have no neutral photo and no displacement")
    stdout.print(f"{table.height - without.height} photos in {out}")
