"""`mien prepare`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.console import print_json, processor_count, progress_bar, stderr, stdout

Share = Annotated[float, typer.Option(min=0, max=0.9, help="Share of subjects, for those without a split.")]


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog="Example: mien prepare faces faces-prepared",
        help="Turn a set of face photos into aligned crops and landmarks. SOURCE is a folder (iCV-MEFED's layout, "
        "subject/label/photo, subject/photo or label/photo) or a CSV or Parquet table with the columns path, subject "
        "and maybe label, split.",
    )(prepare)


def prepare(
    source: Annotated[Path, typer.Argument(help="The photos.")],
    out: Annotated[Path, typer.Argument(help="New folder for the prepared set; a begun one is gone on with.")],
    validation: Share = 0.1,
    test: Share = 0.1,
    seed: Annotated[int, typer.Option(min=0, help="Of the lot that splits the subjects.")] = 0,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes.  [default: all processors]")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    from mien.datasets import prepare as prepare_set
    from mien.datasets.sources import read_source

    manifest = read_source(source)
    with progress_bar("preparing", "photos") as show:
        summary = prepare_set(
            manifest,
            out,
            validation=validation,
            test=test,
            seed=seed,
            workers=workers or processor_count(),
            progress=show,
        )
    if json:
        problems = [{"path": path, "reason": reason} for path, reason in summary.problems]
        print_json({"photos": summary.photos, "statuses": summary.statuses, "problems": problems})
        return
    for path, reason in summary.problems[:10]:
        stderr.print(f"not usable: {path!r}: {reason}", markup=False)
    if len(summary.problems) > 10:
        stderr.print(f"... and {len(summary.problems) - 10} more, see the column 'reason' in samples.parquet")
    counts = ", ".join(f"{count} {status}" for status, count in summary.statuses.items())
    again = " (was up to date)" if summary.up_to_date else ""
    stdout.print(f"{summary.photos} photos in {out}: {counts}{again}")
