"""What the branches of trained networks know: a linear model on their features, whatever the head makes of them.

The features are those of the subject's photo, and the same minus the mean over the subject's photos, as the
displacement is the landmarks minus their mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.datasets.prepared import PreparedSet
from mien.evaluation.metrics import interval_by_subject, top_accuracies
from mien.evaluation.scoring import precompute_features
from mien.inference import ExpressionModel
from mien.models.linear import fit_lda

PHOTOS = 8000
"""About so many training photos are fitted to: whole subjects, the first ones."""


@dataclass(frozen=True)
class Reading:
    """How well shrinkage LDA reads the 50 classes from features.

    Attributes:
        accuracies: top-1..5, shape (5,).
        interval: 95% interval of top-1, over subjects.
        beyond_displacement: the same of how much higher it is than by displacement alone.
    """

    accuracies: NDArray[np.float64]
    interval: tuple[float, float]
    beyond_displacement: tuple[float, float]


def read_features(
    runs: Mapping[str, Path], prepared: PreparedSet, parts: Mapping[str, PreparedSet]
) -> dict[str, dict[str, Reading]]:
    """Fit to training photos, read other parts.

    Args:
        runs: name -> a run whose network has a visual branch; two networks in one are passed over.
        prepared: the whole set.
        parts: name -> labelled photos.

    Returns:
        what is read -> name of the part -> how well: the displacement, and for each run its visual feature, the same
        relative to the subject's mean, and that beside the displacement.
    """
    training = first_subjects(prepared.select("train"), PHOTOS)
    every = {"": training, **parts}
    moved = {part: photos.displacement for part, photos in every.items()}
    seen = {"displacement": moved}
    for name, run in runs.items():
        model = ExpressionModel.load(run, threads=0)
        if model.meta.recipe["network"]["outputs"] == "two-networks":
            continue  # two of them have two features
        plain = {part: precompute_features(model, photos) for part, photos in every.items()}
        relative = {part: minus_subject_means(plain[part], photos.subject_numbers) for part, photos in every.items()}
        seen[f"visual feature of {name}"] = plain
        seen[f"visual feature of {name}, minus the subject's mean"] = relative
        seen[f"that and displacement ({name})"] = {p: np.hstack([relative[p], moved[p]]) for p in every}
    readings: dict[str, dict[str, Reading]] = {}
    by_displacement: dict[str, NDArray[np.float64]] = {}
    for what, features in seen.items():
        linear = fit_lda(features[""], training.labels)
        readings[what] = {}
        for part, photos in parts.items():
            scores = linear.scores(features[part])
            right = (scores.argmax(axis=1) == photos.labels).astype(np.float64)
            gained = right - by_displacement.setdefault(part, right)
            readings[what][part] = Reading(
                top_accuracies(scores, photos.labels),
                interval_by_subject(right, photos.subjects),
                interval_by_subject(gained, photos.subjects),
            )
    return readings


def first_subjects(part: PreparedSet, photos: int) -> PreparedSet:
    """The first subjects of a part that have about `photos` photos together, two at least."""
    names = list(dict.fromkeys(part.subjects))
    wanted = names[: max(2, round(len(names) * min(1.0, photos / len(part))))]
    return part.where(np.isin(part.subjects, wanted))


def minus_subject_means(features: NDArray[np.float32], subjects: NDArray[np.int64]) -> NDArray[np.float32]:
    """Features, (n, size), minus the mean over their subject, (n,) numbers from 0."""
    sums = np.zeros((subjects.max() + 1, features.shape[1]))
    np.add.at(sums, subjects, features)
    relative: NDArray[np.float32] = features - (sums / np.bincount(subjects)[:, None])[subjects].astype(np.float32)
    return relative
