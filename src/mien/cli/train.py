"""`mien train`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.console import print_json, progress_bar, stdout

if TYPE_CHECKING:
    from mien.training.loop import Progress


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog="Examples: mien train prepared run --recipe quick  |  mien train prepared run --recipe paper --set "
        "training.iterations=2000  |  mien train prepared svm --recipe svm",
        help="Train a network or a linear model on a prepared set; recipes: quick, paper, svm, lda, or a TOML file.",
    )(train)


def train(
    prepared: Annotated[Path, typer.Argument(help="A prepared set, see `mien prepare`.")],
    run: Annotated[Path, typer.Argument(help="New folder for the trained run.")],
    recipe: Annotated[str, typer.Option(help="Name of a recipe, or a TOML file.")] = "quick",
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the recipe.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished run, or start.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the run's meta.json.")] = False,
) -> None:
    from mien.datasets.prepared import PreparedSet
    from mien.errors import require

    require("torch", "train")
    from mien.training.recipe import load_recipe
    from mien.training.train import train as train_run

    chosen = load_recipe(recipe, set_ or ())
    with progress_bar(f"training {recipe}", "steps") as show:

        def tell(progress: Progress) -> None:
            show(progress.step, progress.steps, describe(progress))

        meta = train_run(PreparedSet.open(prepared), run, chosen, name=recipe, resume=resume, report=tell)
    if json:
        print_json(meta)
        return
    best = meta["best"]
    at = f" at step {best['step']}" if "step" in best else ""
    stdout.print(f"{run}: validation top-1 {best['top1']:.3f}, top-5 {best['top5']:.3f}{at}")


def describe(progress: Progress) -> str:
    """Loss and newest validation, for the end of a progress bar."""
    seen = progress.line
    return f"loss {progress.loss:.3f}" + (f", validation top-1 {seen['top1']:.3f}" if seen else "")
