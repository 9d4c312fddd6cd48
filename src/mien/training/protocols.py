"""More than one training of a recipe: several seeds, or every subject held out once.

The test subjects are in none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from mien.datasets.prepared import HELD_OUT, PreparedSet
from mien.errors import DataError
from mien.evaluation.metrics import interval_of_mean
from mien.files import write_json
from mien.jobs.claims import claim_folder
from mien.training.loop import Progress
from mien.training.machine import start_fabric
from mien.training.recipe import Recipe
from mien.training.train import train

PROTOCOL_FILE = "protocol.json"
SUMMARY_FILE = "summary.json"


@dataclass(frozen=True, eq=False)
class Trial:
    """One training of several.

    Attributes:
        folder: name of its run within the folder of all.
        prepared: the set with the split that it trains on.
        recipe: what it trains.
    """

    folder: str
    prepared: PreparedSet
    recipe: Recipe


def seed_trials(prepared: PreparedSet, recipe: Recipe, count: int) -> list[Trial]:
    """The same split with `count` seeds, counted up from the recipe's.

    Raises:
        DataError: fewer than two: one has no interval.
    """
    if count < 2:
        raise DataError(f"--seeds {count}: an interval needs 2 or more; for one run leave out --seeds")
    seeds = range(recipe.training.seed, recipe.training.seed + count)
    recipes = {seed: msgspec.structs.replace(recipe.training, seed=seed) for seed in seeds}
    return [
        Trial(f"seed-{seed}", prepared, msgspec.structs.replace(recipe, training=training))
        for seed, training in recipes.items()
    ]


def fold_trials(prepared: PreparedSet, recipe: Recipe, folds: int | None) -> list[Trial]:
    """The subjects of the training and validation parts, divided into folds, each the validation part once.

    A fold is evaluated on the subjects that chose its best iteration, so its accuracy is a little too high.

    Args:
        prepared: the whole prepared set.
        recipe: the same for all.
        folds: how many, of subjects at random, seeded; None: as many as subjects, each alone.

    Raises:
        DataError: fewer than two folds, or fewer subjects than folds.
    """
    known = prepared.select("train", "validation")
    subjects = sorted(set(known.subjects))
    count = len(subjects) if folds is None else folds
    if not 2 <= count <= len(subjects):
        raise DataError(
            f"{prepared.path}: {len(subjects)} subjects outside the test part cannot make {count} folds; choose 2 "
            "up to the number of subjects, or add subjects"
        )
    if folds is None:
        parts = {f"without-{subject}": [subject] for subject in subjects}
    else:
        order = np.random.default_rng(0).permutation(len(subjects))
        parts = {f"fold-{i}": [subjects[place] for place in order[i::count]] for i in range(count)}
    return [Trial(folder, _holding_out(known, held), recipe) for folder, held in parts.items()]


def train_trials(
    trials: Sequence[Trial],
    out: Path,
    *,
    name: str = "",
    resume: bool = False,
    allow_leaks: bool = False,
    report: Callable[[Trial, Progress], None] = lambda trial, progress: None,
) -> dict[str, Any]:
    """Train all that are missing, and write `summary.json`: each result, mean and 95% interval.

    Args:
        trials: of `seed_trials` or `fold_trials`.
        out: folder; each run goes to its own within it.
        name, resume, allow_leaks: as for `train`; finished runs are left as they are.
        report: called after every step of a network.

    Returns:
        the content of summary.json.

    Raises:
        OutputError: `out` holds something else, or other trials; and what `mien.training.train.train` raises.
    """
    recipes = {trial.folder: trial.recipe.as_dict() for trial in trials}
    parameters = {"trials": recipes, "data": trials[0].prepared.fingerprint}
    fabric = start_fabric(trials[0].recipe.training)
    if fabric.is_global_zero:
        claim_folder(out, PROTOCOL_FILE, parameters, "choose another folder, or remove this one")
    fabric.barrier()
    bests = {}
    for trial in trials:
        meta = train(
            trial.prepared,
            out / trial.folder,
            trial.recipe,
            name=name,
            resume=resume,
            allow_leaks=allow_leaks,
            report=partial(report, trial),
        )
        bests[trial.folder] = meta.best
    figures = [f"top{k}" for k in range(1, 6)] + (["loss"] if "loss" in bests[trials[0].folder] else [])
    summary = {
        "runs": bests,
        "mean": {
            figure: dict(
                zip(("mean", "low", "high"), interval_of_mean([best[figure] for best in bests.values()]), strict=True)
            )
            for figure in figures
        },
    }
    if fabric.is_global_zero:
        write_json(out / SUMMARY_FILE, summary)
    return summary


def _holding_out(known: PreparedSet, subjects: list[str]) -> PreparedSet:
    held = pl.col("subject").is_in(subjects)
    split = pl.when(held).then(pl.lit("validation")).otherwise(pl.lit("train"))
    return replace(known, table=known.table.with_columns(split=split), info={**known.info, HELD_OUT: subjects})
