"""Training a run: from a prepared set and a recipe to a folder that can score and predict."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import lightning_fabric
import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from mien.artifacts import META_FILE, Count, RunMeta, TrainingData, hash_files, load_meta, save_meta
from mien.datasets.leaks import refuse_leaks
from mien.datasets.prepared import SAMPLES_FILE, PreparedSet
from mien.displacement import Population, save_population
from mien.errors import DataError, LabelError, RecipeError, UnfinishedError, require
from mien.evaluation.metrics import top_accuracies
from mien.evaluation.references import calibrate, mean_references
from mien.evaluation.scoring import precompute_features
from mien.inference import ExpressionModel
from mien.jobs.claims import claim_folder, working_in
from mien.models.export import export_linear, export_network
from mien.models.linear import LINEAR_FITS
from mien.models.network import load_network
from mien.training.loop import Progress, train_network
from mien.training.machine import code_version, describe_machine, start_fabric
from mien.training.recipe import Recipe, build_recipe
from mien.training.references import neutral_feature
from mien.training.resume import RESUME_FILE, Trained
from mien.training.simulation import fingerprint, simulate

_PLAN_FILE = "plan.json"


def train(
    prepared: PreparedSet,
    run: Path,
    recipe: Recipe,
    *,
    name: str = "",
    resume: bool = False,
    allow_leaks: bool = False,
    points: Path | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
) -> RunMeta:
    """Train a recipe on the training subjects and choose by the validation subjects; test subjects take no part.

    A run that is there already, made of the same recipe and data, is left as it is.

    Args:
        prepared: the whole prepared set.
        run: folder of the run; new, empty, or of the same training begun earlier.
        name: of the recipe, for people.
        resume: go on with an unfinished run; where there is none, start.
        allow_leaks: train although a subject or a picture is on both sides of the split.
        points: folder of `mien synth --points`, to train the geometry on instead of the training photos, from which
            then only follows how the predictor of landmarks errs; see `mien.training.simulation`.
        report: called after every step of a network, on a GPU after every 50.

    Returns:
        what is known about the run.

    Raises:
        CheckpointError: what an unfinished run left is damaged.
        DataError: no labelled training or validation photos, a subject or picture on both sides, a label that is
            none, or points that do not go with the set.
        DivergedError: the loss is no number any more.
        MissingExtraError: the extra `train` is not installed.
        OutputError: `run` holds something else.
        RecipeError: the recipe holds an impossible value, or looks at pictures where there are points alone.
        UnfinishedError: `run` holds an unfinished run, and `resume` is not set.
    """
    recipe = build_recipe(recipe.as_dict())  # one built in Python has not been checked
    if not allow_leaks:
        refuse_leaks(prepared.table, prepared.path)
    training, validation = prepared.select("train"), prepared.select("validation")
    for part in (training, validation):
        _refuse_other_labels(part)
    if points is not None:
        if recipe.method == "network" and recipe.network.visual != "none":
            raise RecipeError("points have no pictures; choose --recipe geometry, lda or svm", key="network.visual")
        training = simulate(points, training, recipe.training.seed)
    require("onnxscript", "train")  # needed at the very end
    fabric = start_fabric(recipe.training)
    if fabric.is_global_zero:
        _claim(run, recipe, prepared, points, resume)
    fabric.barrier()
    if os.path.isfile(run / META_FILE):
        return _finish(fabric, run)

    with working_in(run) if fabric.is_global_zero else nullcontext():
        _train(fabric, prepared, training, validation, points, run, recipe, name, report)
    fabric.barrier()
    return _finish(fabric, run)


def _train(
    fabric: lightning_fabric.Fabric,
    prepared: PreparedSet,
    training: PreparedSet,
    validation: PreparedSet,
    points: Path | None,
    run: Path,
    recipe: Recipe,
    name: str,
    report: Callable[[Progress], None],
) -> None:
    population = Population.fit(training.landmarks, training.subjects, training.labels == 0)
    trained = Trained({}, describe_machine(fabric))
    if recipe.method == "network":
        trained = train_network(fabric, training, validation, population, run, recipe, report)
    if not fabric.is_global_zero:
        return
    save_population(run, population)
    if recipe.method == "network":
        export_network(load_network(run, recipe.network), run)
    else:
        features = _linear_features(training, recipe.features)
        export_linear(LINEAR_FITS[recipe.method](features, training.labels), recipe.features, run)
    meta = RunMeta(
        name=name,
        method=recipe.method,
        recipe=recipe.as_dict(),
        seed=recipe.training.seed,
        data=TrainingData(
            prepared.path.name,
            prepared.fingerprint,
            count(training),
            count(validation),
            prepared.landmark_size,
            None if points is None else fingerprint(points),
        ),
        best=trained.best,
        calibration=(),
        files=hash_files(run),
        landmarker=prepared.landmarker,
        landmarker_version=prepared.landmarker_version,
        alignment=prepared.alignment,
        crop_size=prepared.crop_size,
        machine=trained.machine,
        code=code_version(),
        versions={package: version(package) for package in ("mien", "torch", "scikit-learn")},
    )
    save_meta(run, measured(with_neutral_feature(meta, run, training), run, validation))


def with_neutral_feature(meta: RunMeta, run: Path, training: PreparedSet) -> RunMeta:
    """With a population that knows the features of neutral faces, where features are relative; it is written."""
    if not meta.relative_visual:
        return meta
    model = ExpressionModel.open(run, meta, threads=0)
    save_population(run, replace(model.population, neutral_feature=neutral_feature(model, training)))
    return structs.replace(meta, files=hash_files(run))


def measured(meta: RunMeta, run: Path, validation: PreparedSet) -> RunMeta:
    """With the figures of the finished run on the validation photos, on the way that recognition takes."""
    model = ExpressionModel.open(run, meta, threads=0)
    features = precompute_features(model, validation)
    calibration = calibrate(model, validation, features)
    model = replace(model, meta=structs.replace(meta, calibration=calibration))
    if meta.best:
        return model.meta
    scores = model.scores(features, validation.landmarks, mean_references(model, validation, features))
    accuracies = top_accuracies(scores, validation.labels)
    return structs.replace(model.meta, best={f"top{k}": float(share) for k, share in enumerate(accuracies, start=1)})


def _finish(fabric: lightning_fabric.Fabric, run: Path) -> RunMeta:
    """Remove what an unfinished run needs to go on; returns the content of meta.json."""
    if fabric.is_global_zero:
        (run / RESUME_FILE).unlink(missing_ok=True)
    return load_meta(run)


def _claim(run: Path, recipe: Recipe, prepared: PreparedSet, points: Path | None, resume: bool) -> None:
    parameters = {"recipe": recipe.as_dict(), "data": prepared.fingerprint}
    if points is not None:
        parameters["points"] = fingerprint(points)
    begun = claim_folder(run, _PLAN_FILE, parameters, "train into another folder, or remove this one")
    if begun and not resume and not os.path.isfile(run / META_FILE):
        raise UnfinishedError(run)


def _refuse_other_labels(part: PreparedSet) -> None:
    """Raises `DataError` where a label is none of the 50 classes, as in a set that mien did not prepare."""
    try:
        _ = part.labels
    except LabelError as error:
        path = part.path / SAMPLES_FILE
        raise DataError(f"{path}: {error}", path=path, column="label") from error


def _linear_features(prepared: PreparedSet, features: str) -> NDArray[np.float32]:
    """What a linear model sees, (n, 136): `displacement` or `landmarks`."""
    return prepared.displacement if features == "displacement" else prepared.landmarks.reshape(len(prepared), -1)


def count(part: PreparedSet) -> Count:
    """How much a part of a set holds."""
    return Count(len(part), len(set(part.subjects)))
