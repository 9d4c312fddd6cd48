"""What training photos say about references: displacement against each kind, and the features of neutral faces."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.artifacts import ReferenceKind
from mien.datasets.prepared import PreparedSet
from mien.displacement import DISPLACEMENT_SIZE, Population, displacement
from mien.evaluation.scoring import precompute_features
from mien.faces.landmarks import Landmarks
from mien.inference import ExpressionModel
from mien.training.simulation import ELSEWHERE

_ELSEWHERE = 0.5
"""Share of photos that are compared with a neutral photo by another camera."""
_SUBJECTS = 128
"""Whose photos say where visual features of neutral faces lie; more say the same."""


def displacement_against(kind: ReferenceKind, prepared: PreparedSet, population: Population) -> NDArray[np.float32]:
    """The displacement of every photo, (n, 136), against one kind of reference.

    `mean`: the subject's mean (Eq. 1). `neutral`: the subject's first neutral photo that is not the photo itself;
    itself where it is the only one; the estimate where there is none; for half of the photos the neutral face before
    another camera, where that is known, for few people have their passport and their photos from one. `estimated`:
    from the photo itself alone.
    """
    if kind == "mean":
        return prepared.displacement
    neutral_of: dict[str, list[int]] = {}
    for row in np.flatnonzero(prepared.labels == 0).tolist() if kind == "neutral" else ():
        neutral_of.setdefault(prepared.subjects[row], []).append(row)
    elsewhere: dict[int, Landmarks] = {}
    if kind == "neutral" and ELSEWHERE in prepared.table.columns:
        seen = prepared.table[ELSEWHERE].to_numpy().reshape(prepared.landmarks.shape)
        rows = np.flatnonzero(np.random.default_rng(0).random(len(prepared)) < _ELSEWHERE)
        elsewhere = dict(zip(rows.tolist(), seen[rows], strict=True))
    moved = np.empty((len(prepared), DISPLACEMENT_SIZE), dtype=np.float32)
    for i, (subject, landmarks) in enumerate(zip(prepared.subjects, prepared.landmarks, strict=True)):
        neutral = neutral_of.get(subject, [])
        another = next((row for row in neutral if row != i), neutral[0] if neutral else None)
        if i in elsewhere:
            reference = population.from_neutral(elsewhere[i])
        elif another is None:
            reference = population.estimate(landmarks)
        else:
            reference = population.from_neutral(prepared.landmarks[another])
        moved[i] = displacement(landmarks, reference)
    return moved


def neutral_feature(model: ExpressionModel, training: PreparedSet) -> NDArray[np.float32] | None:
    """The average visual feature of neutral photos minus their subject's mean, (size,); None without any.

    Args:
        model: a run with a visual branch.
        training: its training photos; those of up to 128 subjects are looked at.
    """
    with_neutral = np.unique(training.subject_numbers[training.labels == 0])
    if not len(with_neutral):
        return None
    step = -(-len(with_neutral) // _SUBJECTS)
    some = training.where(np.isin(training.subject_numbers, with_neutral[::step]))
    features, numbers, neutral = precompute_features(model, some), some.subject_numbers, some.labels == 0
    own = [numbers == number for number in np.unique(numbers)]
    moved = np.stack([features[rows & neutral].mean(axis=0) - features[rows].mean(axis=0) for rows in own])
    average: NDArray[np.float32] = moved.mean(axis=0)
    return average
