"""What the reference of a face is worth: the same photos scored against different references.

The paper's mean over about 250 photos of a subject is seldom to be had outside a laboratory. This measures what is
lost with a few photos, with one neutral photo, or with none, on subjects never trained on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mien.artifacts import ALL_PHOTOS, Calibration, ReferenceKind
from mien.datasets.prepared import PreparedSet
from mien.displacement import Reference, mean_feature
from mien.evaluation.metrics import top_accuracies
from mien.inference import ExpressionModel
from mien.inference.calibration import fit_temperature

MEASURED: tuple[tuple[ReferenceKind, int], ...] = (
    ("mean", ALL_PHOTOS),
    ("neutral", 1),
    ("neutral", 3),
    ("estimated", 1),
    ("estimated", 3),
    ("estimated", 10),
)
"""Kinds of reference, and numbers of photos that make each, for which a run is measured and calibrated, where the
subjects have so many neutral ones."""


def calibrate(
    model: ExpressionModel, prepared: PreparedSet, features: NDArray[np.float32], seed: int = 0
) -> tuple[Calibration, ...]:
    """Accuracy and best temperature of a model with each kind of reference.

    Args:
        model: the run.
        prepared: labelled photos of subjects that were not trained on.
        features: (n, size), see `mien.evaluation.scoring.precompute_features`.
        seed: of the random choice of photos.
    """
    calibrations = []
    for kind, photos in MEASURED:
        if kind == "neutral" and photos > 1 and not _have_neutral(prepared, photos):
            continue
        references = references_of(kind, photos, model, prepared, features, seed)
        even = model.even_scores(features, prepared.landmarks, references)
        temperature = fit_temperature(even, prepared.labels)
        mild = model.mildness(prepared.landmarks, references)
        scores = model.hold_common(even, mild, references, np.full(len(even), temperature))
        accuracies = top_accuracies(scores, prepared.labels)
        calibrations.append(Calibration(kind, photos, temperature, float(accuracies[0]), float(accuracies[4])))
    return tuple(calibrations)


def _have_neutral(prepared: PreparedSet, photos: int) -> bool:
    """Whether most photos have so many neutral ones of their subject beside them."""
    neutral = prepared.labels == 0
    counts = np.bincount(prepared.subject_numbers, weights=neutral)
    return bool(np.median(counts[prepared.subject_numbers] - neutral) >= photos)


def references_of(
    kind: ReferenceKind,
    photos: int,
    model: ExpressionModel,
    prepared: PreparedSet,
    features: NDArray[np.float32],
    seed: int = 0,
) -> list[Reference]:
    """A reference for every photo of a set, as a user could have it.

    Args:
        kind: `mean`: all photos of the subject. `neutral`: neutral photos of the subject, never the photo itself;
            where there are none, the estimate from the photo alone. `estimated`: the photo and others of its person.
        photos: how many, at most; those are chosen at random. Without meaning for `mean`.
        model: makes them.
        prepared: the labelled photos.
        features: (n, size), of the model.
        seed: of the choice.
    """
    if kind == "mean":
        return mean_references(model, prepared, features)
    rng = np.random.default_rng(seed)
    rows_of = _rows_by_subject(prepared.subjects)
    references = []
    for i, subject in enumerate(prepared.subjects):
        others = rng.permutation([row for row in rows_of[subject] if row != i]).astype(np.int64)
        if kind == "neutral" and len(neutral := others[prepared.labels[others] == 0]):
            chosen = neutral[:photos]
            references.append(model.neutral_reference(prepared.landmarks[chosen], features[chosen]))
            continue
        chosen = np.array([i, *others[: photos - 1]]) if kind == "estimated" else np.array([i])
        references.append(model.reference(prepared.landmarks[chosen], features[chosen]))
    return references


def mean_references(model: ExpressionModel, prepared: PreparedSet, features: NDArray[np.float32]) -> list[Reference]:
    """For every photo the mean of its subject (Eq. 1): of the landmarks over all usable photos of the whole set, the
    unlabelled too, as in the paper; of the features over those at hand."""
    references: dict[str, Reference] = {}
    for subject, rows in _rows_by_subject(prepared.subjects).items():
        mean = prepared.landmarks[rows[0]] - prepared.displacement[rows[0]].reshape(-1, 2)
        feature = mean_feature(features[rows]) if model.meta.relative_visual else None
        references[subject] = Reference(mean, "mean", int(prepared.photo_counts[rows[0]]), feature, model.identity)
    return [references[subject] for subject in prepared.subjects]


def _rows_by_subject(subjects: Sequence[str]) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = {}
    for row, subject in enumerate(subjects):
        rows.setdefault(subject, []).append(row)
    return rows
