"""`mien train-actions`"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.console import print_json, print_table, refuse_output, stdout

if TYPE_CHECKING:
    from mien.training.actions import ActionFigures


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "train-actions",
        epilog="Examples: mien train-actions prepared --points points --out actions.safetensors",
        help="Learn to estimate facial actions from displacement, and measure it on unseen synthetic subjects.",
    )(train_actions)


def train_actions(
    prepared: Annotated[
        Path, typer.Argument(help="A prepared set of photos of `mien synth`, which still lie there.")
    ],
    points: Annotated[Path, typer.Option(help="Folder of `mien synth --points`, made with another seed.")],
    out: Annotated[Path, typer.Option(help="File for the estimates, ending in .safetensors.")],
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    from mien.datasets.prepared import PreparedSet
    from mien.training.actions import train_actions as train

    refuse_output(out, (".safetensors",))
    estimates, figures = train(PreparedSet.open(prepared), points)
    estimates.save(out)
    if json:
        print_json([asdict(figure) for figure in figures])
        return
    print_table(
        ["action", "neutral", "mean", "estimated", "error", "spread", ""], [_row(figure) for figure in figures]
    )
    stdout.print(f"{len(estimates.names)} actions in {out}")


def _row(figure: ActionFigures) -> list[str]:
    correlations = [f"{figure.correlation[kind]:.2f}" for kind in ("neutral", "mean", "estimated")]
    told = "" if figure.readable else "left out"
    return [figure.name, *correlations, f"{figure.error:.2f}", f"{figure.spread:.2f}", told]
