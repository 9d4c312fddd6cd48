"""Training a run: from a prepared set and a recipe to a folder that can score and predict."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning_fabric
import numpy as np
from numpy.typing import NDArray

from mien.artifacts import META_FILE, ONNX_FILE, load_meta, save_meta
from mien.datasets.leaks import refuse_leaks
from mien.datasets.prepared import SAMPLES_FILE, PreparedSet
from mien.displacement import Population, save_population
from mien.errors import DataError, LabelError, OutputError, require
from mien.evaluation.metrics import top_accuracies
from mien.evaluation.references import compare_references
from mien.evaluation.scoring import Judge, linear_features, look_once
from mien.jobs.claims import claim_folder, working_in
from mien.models.export import export_onnx
from mien.models.linear import LINEAR_FITS, LinearModel, save_linear
from mien.models.network import join_scores, load_network
from mien.training.loop import Progress, train_network
from mien.training.machine import code_version, describe_machine, start_fabric
from mien.training.recipe import Recipe
from mien.training.resume import RESUME_FILE

_PLAN_FILE = "plan.json"


def train(
    prepared: PreparedSet,
    run: Path,
    recipe: Recipe,
    *,
    name: str = "",
    resume: bool = False,
    allow_leaks: bool = False,
    report: Callable[[Progress], None] = lambda progress: None,
) -> dict[str, Any]:
    """Train a recipe on the training subjects; choose by the validation subjects; leave the test ones alone.

    A run that is there already, made of the same recipe and data, is left as it is.

    Args:
        prepared: the whole prepared set.
        run: folder of the run; new, empty, or of the same training begun earlier.
        name: of the recipe, for people.
        resume: go on with an unfinished run; on an empty place simply start.
        allow_leaks: train although a subject or a picture is on both sides of the split.
        report: called after every step of a network.

    Returns:
        the content of meta.json.

    Raises:
        DataError: no labelled training or validation photos, a subject or picture on both sides, or a label that is
            none.
        OutputError: `run` holds something else, or an unfinished run and `resume` is not set.
    """
    if not allow_leaks:
        refuse_leaks(prepared.table, prepared.path)
    training, validation = prepared.select("train"), prepared.select("validation")
    for part in (training, validation):
        _refuse_other_labels(part)
    if recipe.method == "network":
        require("onnxscript", "train")  # wanted at the very end
    fabric = start_fabric(recipe.training)
    if fabric.is_global_zero:
        _claim(run, recipe, prepared, resume)
    fabric.barrier()
    if (run / META_FILE).is_file():
        return _whole(fabric, run)

    with working_in(run) if fabric.is_global_zero else nullcontext():
        _train(fabric, prepared, training, validation, run, recipe, name, report)
    fabric.barrier()
    return _whole(fabric, run)


def _train(
    fabric: lightning_fabric.Fabric,
    prepared: PreparedSet,
    training: PreparedSet,
    validation: PreparedSet,
    run: Path,
    recipe: Recipe,
    name: str,
    report: Callable[[Progress], None],
) -> None:
    population = Population.fit(training.landmarks, training.subjects, training.labels == 0)
    best = None
    if recipe.method == "network":
        best = train_network(fabric, training, validation, population, run, recipe, report)
    if fabric.is_global_zero:
        save_population(run, population)
        if recipe.method == "network":
            network = load_network(run, recipe.network)
            scores_of = partial(_network_scores, look_once(network, validation))
            export_onnx(network, run / ONNX_FILE)
        else:
            scores_of = partial(_linear_scores, _fit_linear(training, run, recipe), recipe.features)
        meta = {
            "name": name,
            "method": recipe.method,
            "recipe": recipe.as_dict(),
            "seed": recipe.training.seed,
            "data": {
                "name": prepared.path.name,
                "fingerprint": prepared.fingerprint,
                "landmark_size": prepared.landmark_size,
                "training": _count(training),
                "validation": _count(validation),
            },
            "best": best or _accuracies(scores_of(validation, True), validation),
            "references": compare_references(validation, population, scores_of),
            "machine": describe_machine(fabric),
            "code": code_version(),
            "versions": {package: version(package) for package in ("mien", "torch", "scikit-learn")},
        }
        save_meta(run, meta)


def _whole(fabric: lightning_fabric.Fabric, run: Path) -> dict[str, Any]:
    """The meta.json of a whole run, which needs nothing to go on with any more."""
    if fabric.is_global_zero:
        (run / RESUME_FILE).unlink(missing_ok=True)
    return load_meta(run)


def _claim(run: Path, recipe: Recipe, prepared: PreparedSet, resume: bool) -> None:
    parameters = {"recipe": recipe.as_dict(), "data": prepared.fingerprint}
    begun = claim_folder(run, _PLAN_FILE, parameters, "train into another folder, or remove this one")
    if begun and not resume and not (run / META_FILE).is_file():
        raise OutputError(f"{run}: holds an unfinished run; add --resume to go on with it, or remove it")


def _refuse_other_labels(part: PreparedSet) -> None:
    """Raises `DataError` where a label is none of the 50 classes; mien prepare lets none in, others may."""
    try:
        _ = part.labels
    except LabelError as error:
        raise DataError(f"{part.path / SAMPLES_FILE}: {error}") from error


def _fit_linear(training: PreparedSet, run: Path, recipe: Recipe) -> LinearModel:
    model = LINEAR_FITS[recipe.method](linear_features(training, recipe.features), training.labels)
    save_linear(run, model)
    return model


def _accuracies(scores: NDArray[np.float32], part: PreparedSet) -> dict[str, float]:
    return {f"top{k}": float(share) for k, share in enumerate(top_accuracies(scores, part.labels), start=1)}


def _network_scores(judge: Judge, prepared: PreparedSet, subjects_known: bool) -> NDArray[np.float32]:
    return join_scores(judge(prepared, subjects_known)).numpy()


def _linear_scores(
    model: LinearModel, features: str, prepared: PreparedSet, subjects_known: bool
) -> NDArray[np.float32]:
    return model.scores(linear_features(prepared, features))


def _count(part: PreparedSet) -> dict[str, int]:
    return {"photos": len(part), "subjects": len(set(part.subjects))}
