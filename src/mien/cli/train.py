"""`mien train`"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mien.cli.console import is_rank_zero, print_json, print_table, progress_bar, stderr, stdout

if TYPE_CHECKING:
    from mien.artifacts import RunMeta
    from mien.datasets.prepared import PreparedSet
    from mien.training.loop import Progress
    from mien.training.recipe import Recipe


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog="Examples: mien train prepared run  |  mien train prepared run --recipe paper --set "
        "training.iterations=2000  |  mien train own own-run --from weights  |  "
        "mien train prepared runs --seeds 3  |  "
        "mien train prepared run --recipe geometry --points points  |  "
        "torchrun --nproc-per-node 2 -m mien train prepared run",
        help="Train a network or a linear model on a prepared set; recipes: mien, geometry, picture, quick, paper, "
        "paper-text, svm, lda, or a TOML file. The test subjects are not used.",
    )(train)


def train(
    prepared: Annotated[Path, typer.Argument(help="A prepared set, see `mien prepare`.")],
    run: Annotated[Path, typer.Argument(help="New folder for the trained run, or for several.")],
    recipe: Annotated[str | None, typer.Option(help="Name of a recipe, or a TOML file.", show_default="mien")] = None,
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="weights|RUN",
            help="Go on from the weights that come with mien, or from a run: 50 photos of your own are enough.",
        ),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the recipe.")
    ] = None,
    points: Annotated[
        Path | None,
        typer.Option(help="Train the geometry on these points of `mien synth --points`, read as PREPARED was."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished run, or start.")] = False,
    allow_leaks: Annotated[
        bool, typer.Option("--allow-leaks", help="Train although a person or picture is on both sides of the split.")
    ] = False,
    seeds: Annotated[int | None, typer.Option(help="Train with so many seeds; mean and 95% interval.")] = None,
    folds: Annotated[int | None, typer.Option(help="Hold out each of so many groups of subjects once.")] = None,
    leave_one_subject_out: Annotated[
        bool, typer.Option("--leave-one-subject-out", help="Hold out each subject once.")
    ] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Also write RUN-tensorboard; needs the extra tensorboard.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print meta.json, or the summary of several runs.")] = False,
) -> None:
    import msgspec

    from mien.errors import require

    require("torch", "train")
    from mien.datasets.prepared import PreparedSet
    from mien.training.recipe import load_recipe

    if sum((seeds is not None, folds is not None, leave_one_subject_out)) > 1:
        raise typer.BadParameter("choose one of --seeds, --folds and --leave-one-subject-out")
    several = seeds is not None or folds is not None or leave_one_subject_out
    if from_ is not None and (several or recipe or set_ or points is not None or resume or tensorboard):
        raise typer.BadParameter("--from goes with --allow-leaks and --json, and no other option")
    recipe = recipe or "mien"
    chosen, data = load_recipe(recipe, set_ or ()), PreparedSet.open(prepared)
    if from_ is not None:
        from mien.training.adapt import adapt

        meta = adapt(data, None if from_ == "weights" else Path(from_), run, allow_leaks=allow_leaks)
        print_json(msgspec.to_builtins(meta)) if json else _print_best(run, meta)
        return
    if is_rank_zero():
        data.verify()
    stderr.quiet = not is_rank_zero()
    log = _event_log(run, tensorboard)
    if points is not None and several:
        raise typer.BadParameter("--points goes with one run, not with --seeds, --folds or --leave-one-subject-out")
    if several:
        summary = _train_several(data, run, chosen, recipe, seeds, folds, resume, allow_leaks, log)
        content, show = summary, partial(_print_summary, summary)
    else:
        meta = _train_one(data, run, chosen, recipe, resume, allow_leaks, points, log)
        content, show = msgspec.to_builtins(meta), partial(_print_best, run, meta)
    if is_rank_zero():
        print_json(content) if json else show()


def describe(progress: Progress) -> str:
    """Loss and newest validation, for the end of a progress bar."""
    line = progress.line
    return f"loss {progress.loss:.3f}" + (f", validation top-1 {line['top1']:.3f}" if line else "")


def _train_one(
    data: PreparedSet,
    run: Path,
    recipe: Recipe,
    name: str,
    resume: bool,
    allow_leaks: bool,
    points: Path | None,
    log: Callable[..., None],
) -> RunMeta:
    from mien.training.train import train as train_run

    with progress_bar(f"training {name}", "steps") as show:

        def report(progress: Progress) -> None:
            show(progress.step, progress.steps, describe(progress))
            log(progress)

        return train_run(
            data, run, recipe, name=name, resume=resume, allow_leaks=allow_leaks, points=points, report=report
        )


def _train_several(
    data: PreparedSet,
    out: Path,
    recipe: Recipe,
    name: str,
    seeds: int | None,
    folds: int | None,
    resume: bool,
    allow_leaks: bool,
    log: Callable[..., None],
) -> dict[str, Any]:
    from mien.training.protocols import Trial, fold_trials, seed_trials, train_trials

    trials = fold_trials(data, recipe, folds) if seeds is None else seed_trials(data, recipe, seeds)
    places = {trial.folder: place for place, trial in enumerate(trials)}
    with progress_bar(f"training {name}", "steps") as show:

        def report(trial: Trial, progress: Progress) -> None:
            done = places[trial.folder] * progress.steps + progress.step
            show(done, len(trials) * progress.steps, f"{trial.folder}: {describe(progress)}")
            log(progress, trial.folder)

        return train_trials(trials, out, name=name, resume=resume, allow_leaks=allow_leaks, report=report)


def _print_best(run: Path, meta: RunMeta) -> None:
    best = meta.best
    at = f" at step {best['step']:.0f}" if "step" in best else ""
    stdout.print(f"{run}: validation top-1 {best['top1']:.3f}, top-5 {best['top5']:.3f}{at}")


def _print_summary(summary: dict[str, Any]) -> None:
    figures = list(summary["mean"])
    rows = [[run, *(f"{best[figure]:.3f}" for figure in figures)] for run, best in summary["runs"].items()]
    for row in ("mean", "low", "high"):
        label = {"mean": "mean", "low": "95% from", "high": "95% to"}[row]
        rows.append([label, *(f"{summary['mean'][figure][row]:.3f}" for figure in figures)])
    print_table(["validation", *figures], rows)


def _event_log(run: Path, tensorboard: bool) -> Callable[..., None]:
    if not tensorboard:
        return lambda progress, run="": None
    from mien.training.tensorboard import write_tensorboard

    place = Path(os.path.abspath(run))
    return write_tensorboard(place.with_name(f"{place.name}-tensorboard"))
