"""`mien reproduce`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mien.cli.console import print_json, print_table, progress_bar, stderr, stdout
from mien.cli.train import describe
from mien.studies.methods import Preset, study_methods

if TYPE_CHECKING:
    from mien.studies.methods import Method
    from mien.training.loop import Progress

_METHODS = ", ".join(key for key in study_methods("full") if key != "fused")


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog="Examples: mien reproduce prepared study  |  mien reproduce prepared study-full --preset full --set "
        "training.iterations=20000",
        help="Every table and figure of the paper, its figures beside ours: trains what is missing, reuses what is "
        "there, goes on after a kill.",
    )(reproduce)


def reproduce(
    prepared: Annotated[Path, typer.Argument(help="A prepared set, see `mien prepare`.")],
    out: Annotated[Path, typer.Argument(help="Folder for runs, report.html and report.json.")],
    preset: Annotated[
        Preset,
        typer.Option(
            help="quick: a small network, half an hour on two processors; full: the paper's, its 100,000 iterations."
        ),
    ] = "quick",
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe of all networks.")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="METHOD",
            help=f"Train only this one beside the fused network; may be repeated: {_METHODS}.",
        ),
    ] = None,
    faces: Annotated[str | None, typer.Option(help="A sentence for the report: on what faces it runs.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print report.json.")] = False,
) -> None:
    from mien.errors import require

    for module in ("torch", "matplotlib", "jinja2"):
        require(module, "train")
    from mien.datasets.prepared import PreparedSet
    from mien.studies.reproduce import reproduce_paper

    data = PreparedSet.open(prepared)
    with progress_bar("training", "steps") as show:

        def tell(method: Method, progress: Progress | None) -> None:
            if progress is None:
                stderr.print(f"training: {method.name}")
            else:
                show(progress.step, progress.steps, f"{method.name}: {describe(progress)}")

        content = reproduce_paper(data, out, preset, set_ or (), faces, only or (), tell)
    if json:
        print_json(content)
        return
    for table in content["tables"].values():
        _print(table)
    for sentence in content["findings"]:
        stdout.print(f"- {sentence}")
    stdout.print(f"report with pictures: {out}/report.html")


def _print(table: dict[str, Any]) -> None:
    stdout.print(f"\n{table['title']}")
    heads = list(next(iter(table["rows"].values())))
    rows = []
    for name, cells in table["rows"].items():
        row = [name]
        for cell in cells.values():
            ours = "-" if cell["ours"] is None else f"{cell['ours']:.4g}"
            row.append(ours if cell["paper"] is None else f"{ours} (paper {cell['paper']:.4g})")
        rows.append(row)
        if missing := {cell["why"] for cell in cells.values() if "why" in cell}:
            row[0] += f" ({', '.join(sorted(missing))})"
    print_table(["", *heads], rows)
