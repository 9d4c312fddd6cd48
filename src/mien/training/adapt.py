"""A run that goes on learning from a small set of somebody's own photos, without forgetting what it knew.

The run stays as it is. Beside it, a linear discriminant analysis learns from the displacement in the new photos, and
what it says is added: for each class of the set, the logarithm of how much likelier than by chance it is. All other
classes keep their scores. The weight of what is added is chosen by subjects that were left out.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from mien.artifacts import (
    ALL_PHOTOS,
    ENCODER_FILE,
    HEAD_FILE,
    POPULATION_FILE,
    ReferenceKind,
    RunMeta,
    TrainingData,
    hash_files,
    new_run,
    save_meta,
)
from mien.datasets.leaks import refuse_leaks
from mien.datasets.prepared import PreparedSet
from mien.displacement import displacement
from mien.errors import DataError, OutputError
from mien.evaluation.references import references_of
from mien.evaluation.scoring import precompute_features, refuse_other_landmarks
from mien.inference import ExpressionModel
from mien.models.combination import Evidence, Member, add_evidence
from mien.models.linear import fit_lda
from mien.training.train import count, measured

LEAST_PHOTOS = 50
"""Fewer say too little about how people differ."""
_KINDS: tuple[tuple[ReferenceKind, int], ...] = (("mean", ALL_PHOTOS), ("neutral", 3), ("estimated", 1))
_FOLDS = 5
_WEIGHTS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True, eq=False)
class _Seen:
    """Training photos against one kind of reference: displacement (n, 136), and what the run says, (n, 50)."""

    displacement: NDArray[np.float32]
    logarithms: NDArray[np.float64]


def adapt(prepared: PreparedSet, run: Path | None, out: Path, *, allow_leaks: bool = False) -> RunMeta:
    """Learn from the training subjects of a set on top of a run; a minute for some hundred photos.

    Args:
        prepared: a set of at least 50 labelled training photos of two or more subjects.
        run: what to start from; None: the weights that come with mien.
        out: new folder for the run.
        allow_leaks: train although a subject or a picture is on both sides of the split.

    Returns:
        what is known about the new run.

    Raises:
        CheckpointError: no such run, or a damaged one.
        DataError: too few photos or subjects, no validation photos, leaks, or other landmarks than those of the run.
        MissingExtraError: the package onnx is not installed.
        OutputError: `out` exists.
    """
    if os.path.exists(out):
        raise OutputError(f"{out}: exists; name a new folder")
    model = ExpressionModel.load(run, threads=0)
    refuse_other_landmarks(model.path, model.meta, prepared)
    if not allow_leaks:
        refuse_leaks(prepared.table, prepared.path)
    prepared = prepared.with_landmarks(model.meta.data.landmark_size)
    training, validation = prepared.select("train"), prepared.select("validation")
    subjects = training.subject_numbers
    if len(training) < LEAST_PHOTOS or subjects.max() < 1:
        raise DataError(
            f"{prepared.path}: {len(training)} labelled training photos of {subjects.max() + 1} subjects; to go on "
            f"from a run takes {LEAST_PHOTOS} of two or more",
            path=prepared.path,
        )
    seen = list(_compare(model, training))
    weight = _choose_weight(seen, training.labels, subjects)
    evidence = _learn(seen, training.labels, np.ones(len(training), dtype=bool))
    base = Member(model.path / HEAD_FILE, 1.0, model.meta.calibration_for("mean", ALL_PHOTOS).temperature)
    with new_run(out) as folder:
        add_evidence(base, evidence, weight, folder / HEAD_FILE)
        for name in (POPULATION_FILE, *((ENCODER_FILE,) if model.encoder is not None else ())):
            shutil.copyfile(model.path / name, folder / name)
        adapted = {"from": model.identity, "weight": weight, "classes": [int(c) for c in evidence.classes]}
        meta = structs.replace(
            model.meta,
            name="adapted",
            recipe=model.meta.recipe | {"adapted": adapted},
            data=TrainingData(
                prepared.path.name, prepared.fingerprint, count(training), count(validation), prepared.landmark_size
            ),
            best={},
            files=hash_files(folder),
            calibration=(),
            common={},  # one's own photos say what is common among them
        )
        meta = measured(meta, folder, validation)
        save_meta(folder, meta)
    return meta


def _compare(model: ExpressionModel, training: PreparedSet) -> Iterator[_Seen]:
    features = precompute_features(model, training)
    for kind, photos in _KINDS:
        references = references_of(kind, photos, model, training, features)
        pairs = zip(training.landmarks, references, strict=True)
        moved = np.stack([displacement(points, used) for points, used in pairs])
        probabilities = model.probabilities(model.even_scores(features, training.landmarks, references), references)
        yield _Seen(moved, np.log(np.maximum(probabilities, 1e-9)))


def _learn(seen: list[_Seen], labels: NDArray[np.int64], rows: NDArray[np.bool_]) -> Evidence:
    """From some photos, against every kind of reference."""
    moved = np.concatenate([one.displacement[rows] for one in seen])
    repeated = np.tile(labels[rows], len(seen))
    return Evidence.of(fit_lda(moved, repeated, even=True), np.unique(repeated))


def _choose_weight(seen: list[_Seen], labels: NDArray[np.int64], subjects: NDArray[np.int64]) -> float:
    """The smallest weight with the highest accuracy over the set's classes, on subjects that were left out."""
    folds = min(_FOLDS, int(subjects.max()) + 1)
    fold_of = np.random.default_rng(0).permutation(int(subjects.max()) + 1) % folds
    classes = np.unique(labels)
    right = np.zeros(len(_WEIGHTS))
    for fold in range(folds):
        left_out = fold_of[subjects] == fold
        if len(np.unique(labels[~left_out])) < 2:
            continue  # the others show one class only
        evidence = _learn(seen, labels, ~left_out)
        for one in seen:
            added = evidence.logarithms(one.displacement[left_out])
            for place, weight in enumerate(_WEIGHTS):
                scores = (one.logarithms[left_out] + weight * added)[:, classes]
                right[place] += (classes[scores.argmax(axis=1)] == labels[left_out]).sum()
    return _WEIGHTS[int(right.argmax())]
