"""What the reference of a face is worth: the same photos scored against different references.

The paper's mean over about 250 photos of a subject is seldom to be had outside a laboratory. This measures
what is lost with one neutral photo, or with none, on subjects never trained on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mien.datasets.prepared import PreparedSet
from mien.displacement import DISPLACEMENT_SIZE, Population, ReferenceKind, displacement
from mien.evaluation.metrics import top_accuracies
from mien.inference.calibration import fit_temperature


def displacement_against(kind: ReferenceKind, prepared: PreparedSet, population: Population) -> NDArray[np.float32]:
    """The displacement of every photo, (n, 136), against one kind of reference.

    `mean`: the subject's mean (Eq. 1). `neutral`: the subject's first neutral photo that is not the photo itself, or
    the estimate where there is none. `estimated`: from the photo itself and nothing else.
    """
    if kind == "mean":
        return prepared.displacement
    neutral_of: dict[str, list[int]] = {}
    if kind == "neutral":
        for place in np.flatnonzero(prepared.labels == 0).tolist():
            neutral_of.setdefault(prepared.subjects[place], []).append(place)
    moved = np.empty((len(prepared), DISPLACEMENT_SIZE), dtype=np.float32)
    for i, (subject, landmarks) in enumerate(zip(prepared.subjects, prepared.landmarks, strict=True)):
        another = next((place for place in neutral_of.get(subject, ()) if place != i), None)
        if another is None:
            reference = population.estimate(landmarks)
        else:
            reference = population.from_neutral(prepared.landmarks[another])
        moved[i] = displacement(landmarks, reference)
    return moved


def compare_references(
    prepared: PreparedSet,
    population: Population,
    scores_of: Callable[[PreparedSet, bool], NDArray[np.float32]],
) -> dict[str, dict[str, float]]:
    """Accuracy and best temperature with each kind of reference.

    Args:
        prepared: labelled photos of subjects that were not trained on.
        population: learnt from the training subjects.
        scores_of: the model; takes photos, and whether it may compare those of a subject with one another.

    Returns:
        kind -> {top1, top5, temperature}.
    """
    result: dict[str, dict[str, float]] = {}
    kinds: tuple[ReferenceKind, ...] = ("mean", "neutral", "estimated")
    for kind in kinds:
        moved = displacement_against(kind, prepared, population)
        scores = scores_of(replace(prepared, displacement=moved), kind == "mean")
        accuracies = top_accuracies(scores, prepared.labels)
        result[kind] = {
            "top1": float(accuracies[0]),
            "top5": float(accuracies[4]),
            "temperature": fit_temperature(scores, prepared.labels),
        }
    return result
