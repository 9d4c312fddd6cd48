"""Geometry relative to the person: how far each landmark lies from where it rests on the same face.

Eq. 1 of the paper takes the mean landmarks of a subject over all of that subject's photos as reference;
Eq. 2 subtracts it. All landmarks are those of the aligned crop, so head size, place and tilt are gone.

A reference can come from three places, and a `Reference` says from which:

* `mean`: many photos with all sorts of expressions (Eq. 1, what the networks are trained with);
* `neutral`: photos of the face at rest, shifted by the usual way from rest to mean;
* `estimated`: few photos of unknown expression. How faces differ between people and how they move within
  one are both known from the training subjects (`Population`), so the most likely mean follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.artifacts import POPULATION_FILE, load_arrays, save_arrays
from mien.faces.points68 import POINT_COUNT

DISPLACEMENT_SIZE = 2 * POINT_COUNT

ReferenceKind = Literal["mean", "neutral", "estimated"]
Vector = NDArray[np.float32]
"""Shape (136,): x1 y1 ... x68 y68, crop pixels."""


@dataclass(frozen=True, eq=False)
class Reference:
    """The landmarks that stand for a face without expression, and where they come from.

    Attributes:
        landmarks: shape (68, 2), float32, crop pixels.
        kind: how it was made.
        photo_count: from how many photos.
    """

    landmarks: NDArray[np.float32]
    kind: ReferenceKind
    photo_count: int

    @classmethod
    def from_mean(cls, landmarks_crop: ArrayLike) -> Reference:
        """Eq. 1: the mean over all photos of a subject; shape (n, 68, 2), n > 0."""
        stack = np.asarray(landmarks_crop, dtype=np.float64).reshape(-1, POINT_COUNT, 2)
        return cls(stack.mean(axis=0).astype(np.float32), "mean", len(stack))


def displacement(landmarks_crop: ArrayLike, reference: Reference) -> NDArray[np.float32]:
    """Eq. 2: landmarks minus reference.

    Args:
        landmarks_crop: shape (..., 68, 2), crop pixels.

    Returns:
        shape (..., 136), float32, crop pixels, order x1 y1 ... x68 y68, not normalised.
    """
    moved = np.asarray(landmarks_crop, dtype=np.float32) - reference.landmarks
    return moved.reshape(*moved.shape[:-2], DISPLACEMENT_SIZE)


def displacement_by_subject(landmarks_crop: ArrayLike, subjects: Sequence[str]) -> NDArray[np.float32]:
    """Eq. 1 and 2 for a whole set: every photo against the mean of its own subject in that set.

    Unlabelled photos count towards the mean as well; that makes the method transductive at test time, as in
    the paper.

    Args:
        landmarks_crop: shape (n, 68, 2), crop pixels.
        subjects: n names.

    Returns:
        shape (n, 136), float32; the rows of each subject sum to zero.
    """
    stack = np.asarray(landmarks_crop, dtype=np.float32)
    _, subject = np.unique(np.asarray(subjects), return_inverse=True)
    order = np.argsort(subject, kind="stable")
    result = np.empty((len(stack), DISPLACEMENT_SIZE), dtype=np.float32)
    for rows in np.split(order, np.flatnonzero(np.diff(subject[order])) + 1):
        result[rows] = displacement(stack[rows], Reference.from_mean(stack[rows]))
    return result


@dataclass(frozen=True, eq=False)
class Population:
    """How faces differ and how they move, learnt from the training subjects; makes references from few photos.

    With a person's mean m ~ N(mean, between) and a photo's landmarks m + d, d ~ N(0, within), the most likely
    m after n photos with average a is `mean + between (between + within / n)^-1 (a - mean)`: one photo is
    drawn towards the average face, many photos give Eq. 1.

    Attributes:
        mean: shape (136,), float64: the average of the subjects' means.
        between: shape (136, 136): covariance of the subjects' means.
        within: shape (136, 136): covariance of displacement within subjects.
        rest: shape (136,): average displacement of neutral photos, from mean to rest.
    """

    mean: NDArray[np.float64]
    between: NDArray[np.float64]
    within: NDArray[np.float64]
    rest: NDArray[np.float64]

    @classmethod
    def fit(cls, landmarks_crop: ArrayLike, subjects: Sequence[str], is_neutral: NDArray[np.bool_]) -> Population:
        """Learn from training photos.

        Args:
            landmarks_crop: shape (n, 68, 2), crop pixels.
            subjects: n names.
            is_neutral: shape (n,): which photos show the face at rest; may be none.
        """
        vectors = np.asarray(landmarks_crop, dtype=np.float64).reshape(-1, DISPLACEMENT_SIZE)
        moved = displacement_by_subject(landmarks_crop, subjects).astype(np.float64)
        _, first = np.unique(np.asarray(subjects), return_index=True)
        means = vectors[first] - moved[first]
        rest = moved[is_neutral].mean(axis=0) if is_neutral.any() else np.zeros(DISPLACEMENT_SIZE)
        return cls(means.mean(axis=0), _covariance(means), _covariance(moved), rest)

    def estimate(self, landmarks_crop: ArrayLike) -> Reference:
        """The most likely mean of a person of whom n photos of unknown expression are at hand.

        Args:
            landmarks_crop: shape (n, 68, 2) or (68, 2), crop pixels.
        """
        photos = np.asarray(landmarks_crop, dtype=np.float64).reshape(-1, DISPLACEMENT_SIZE)
        away = photos.mean(axis=0) - self.mean
        likely = self.mean + self.between @ np.linalg.solve(self.between + self.within / len(photos), away)
        return Reference(_to_points(likely), "estimated", len(photos))

    def from_neutral(self, landmarks_crop: ArrayLike) -> Reference:
        """The reference from photos of the face at rest.

        Args:
            landmarks_crop: shape (n, 68, 2) or (68, 2), crop pixels.
        """
        photos = np.asarray(landmarks_crop, dtype=np.float64).reshape(-1, DISPLACEMENT_SIZE)
        return Reference(_to_points(photos.mean(axis=0) - self.rest), "neutral", len(photos))


def save_population(run: Path, population: Population) -> None:
    """Write how faces differ and move, as float32."""
    save_arrays(run / POPULATION_FILE, {k: v.astype(np.float32) for k, v in asdict(population).items()})


def load_population(run: Path) -> Population:
    """Read how faces differ and move.

    Raises:
        CheckpointError: missing or damaged.
    """
    arrays = load_arrays(run / POPULATION_FILE, ("mean", "between", "within", "rest"))
    return Population(**{name: array.astype(np.float64) for name, array in arrays.items()})


def _to_points(vector: NDArray[np.float64]) -> NDArray[np.float32]:
    return vector.reshape(POINT_COUNT, 2).astype(np.float32)


def _covariance(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Covariance about the mean, with a little ridge (0.1 pixel squared) so that it can always be inverted."""
    centred = rows - rows.mean(axis=0)
    return centred.T @ centred / max(1, len(rows) - 1) + 0.1 * np.eye(rows.shape[1])
