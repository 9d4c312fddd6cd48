"""Estimates of facial actions from displacement, learnt from synthetic subjects, whose actions are known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.artifacts import ReferenceKind
from mien.datasets.prepared import PreparedSet
from mien.displacement import Population
from mien.inference.actions import UNITS, ActionEstimates, split_name
from mien.models.linear import fit_ridge
from mien.training.references import displacement_against
from mien.training.simulation import RIDGE, read_truth, simulate, source_of

KINDS: tuple[ReferenceKind, ...] = ("neutral", "mean", "estimated")
READABLE = 0.5
"""Correlation with the truth, on unseen subjects with a neutral reference, below which an action is left out."""


@dataclass(frozen=True)
class ActionFigures:
    """How well an action is read on unseen synthetic subjects.

    Attributes:
        name: of the action of a synthetic head.
        correlation: with the true strength, by kind of reference.
        error: mean absolute error of the strength with a neutral reference.
        spread: standard deviation of the true strength.
    """

    name: str
    correlation: dict[ReferenceKind, float]
    error: float
    spread: float

    @property
    def readable(self) -> bool:
        """Whether it is worth telling."""
        return self.correlation["neutral"] >= READABLE


def train_actions(prepared: PreparedSet, points: Path) -> tuple[ActionEstimates, list[ActionFigures]]:
    """Learn from points without photos; measure on the photos of the validation and test subjects.

    Args:
        prepared: a prepared set of `mien synth`, whole.
        points: folder of `mien synth --points`.

    Returns:
        the estimates of all actions that can be read, and the figures of all that FACS knows.

    Raises:
        DataError: a folder without the truth, or a set without validation or test subjects.
    """
    training, held_out = simulate(points, prepared.select("train"), seed=0), prepared.select("validation", "test")
    population = Population.fit(training.landmarks, training.subjects, training.labels == 0)
    names, true = _true_actions(points, training)
    _, expected = _true_actions(source_of(prepared), held_out)
    moved = {kind: _from_neutral(kind, training, population) for kind in KINDS}
    weights, constant = _fit(np.concatenate(list(moved.values())), np.tile(true, (len(KINDS), 1)))
    all_of_them = ActionEstimates(names, weights, constant, prepared.landmarker, prepared.alignment)
    read = {kind: all_of_them.strengths(_from_neutral(kind, held_out, population)) for kind in KINDS}
    figures = [
        ActionFigures(
            name,
            {kind: _correlation(read[kind][:, i], expected[:, i]) for kind in KINDS},
            float(np.abs(read["neutral"][:, i] - expected[:, i]).mean()),
            float(expected[:, i].std()),
        )
        for i, name in enumerate(names)
    ]
    kept = [i for i, figure in enumerate(figures) if figure.readable]
    estimates = ActionEstimates(
        tuple(names[i] for i in kept), weights[:, kept], constant[kept], prepared.landmarker, prepared.alignment
    )
    return estimates, figures


def _true_actions(folder: Path, photos: PreparedSet) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Names of the actions that FACS knows, and their strengths in each photo, (n, k)."""
    truth = read_truth(folder, "actions")
    table = photos.table.select("path").join(truth.select("path", "actions"), on="path", how="left")
    strengths = table["actions"].struct.unnest()
    known = [name for name in strengths.columns if split_name(name)[0] in UNITS]
    names = tuple(sorted(known, key=lambda name: (UNITS[split_name(name)[0]].number, name)))
    return names, strengths.select(pl.col(name).cast(pl.Float64) for name in names).to_numpy()


def _from_neutral(kind: ReferenceKind, photos: PreparedSet, population: Population) -> NDArray[np.float64]:
    return displacement_against(kind, photos, population) - population.neutral


def _fit(moved: NDArray[np.float64], true: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights and constant."""
    weights = fit_ridge(moved, true, RIDGE)
    return weights.astype(np.float32), (true.mean(axis=0) - moved.mean(axis=0) @ weights).astype(np.float32)


def _correlation(read: NDArray[np.floating], expected: NDArray[np.floating]) -> float:
    if read.std() == 0 or expected.std() == 0:
        return 0.0
    return float(np.corrcoef(read, expected)[0, 1])
