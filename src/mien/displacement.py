"""Geometry relative to the person: how far each landmark lies from its place in the same face without expression.

Eq. 1 of the paper takes the mean landmarks of a subject over all of that subject's photos as reference;
Eq. 2 subtracts it. All landmarks are those of the aligned crop, so head size, place and tilt are gone.

A reference can come from three places, and a `Reference` says from which:

* `mean`: many photos with all sorts of expressions (Eq. 1, what the networks are trained with);
* `neutral`: photos of the neutral face, shifted by the usual way from neutral to mean;
* `estimated`: few photos of unknown expression. How faces differ between people and how they move within
  one are both known from the training subjects (`Population`), so the most likely mean follows.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from safetensors import SafetensorError, safe_open

from mien.artifacts import POPULATION_FILE, ReferenceKind, load_arrays, save_arrays
from mien.errors import DataError
from mien.faces.identity import IDENTITY_SIZE
from mien.faces.points68 import POINT_COUNT

DISPLACEMENT_SIZE = 2 * POINT_COUNT
NEUTRAL_WORTH = 7
"""Photos of any expression that are worth as much as a neutral one, or several, on real people (the model card)."""
MILD = 3.5
"""Crop pixels that coordinates of a mild expression lie from their neutral places at most, in the root mean square: 5
pixels for a landmark."""
_MILD_EDGE = 0.3
"""How blurred that limit is, pixels."""
_FORMAT = 3
"""Of saved references. Those of format 1 know no identity, those of 2 no doubts about their photos."""


@dataclass(frozen=True, eq=False)
class Reference:
    """What a face is compared with: its landmarks, and perhaps its visual feature, without expression.

    Attributes:
        landmarks: shape (68, 2), float32, crop pixels.
        kind: how it was made.
        photo_count: from how many photos.
        feature: shape (size,), float32: the subject's mean visual feature (see `mean_feature`), which networks with
            relative visual features subtract; None: unknown, nothing is subtracted.
        model: identity of the run that made it, whose features and population it rests on; empty where it rests on
            none.
        identity: shape (128,), float32: who it is, by which photos of somebody else are noticed (see
            `mien.faces.identity`); None: not checked.
        strangers: names of the photos among those it was made from that show another person than most; saved
            without their folders.
        expressive: (name, phrase) of the photos that were said to be neutral but read otherwise; saved likewise.
    """

    landmarks: NDArray[np.float32]
    kind: ReferenceKind
    photo_count: int
    feature: NDArray[np.float32] | None = None
    model: str = ""
    identity: NDArray[np.float32] | None = None
    strangers: tuple[str, ...] = ()
    expressive: tuple[tuple[str, str], ...] = ()

    @classmethod
    def from_mean(cls, landmarks_crop: ArrayLike, feature: NDArray[np.float32] | None = None) -> Reference:
        """Eq. 1: the mean over all photos of a subject; shape (n, 68, 2), n > 0.

        Raises:
            DataError: no photos.
        """
        stack = np.asarray(landmarks_crop, dtype=np.float64).reshape(-1, POINT_COUNT, 2)
        if not len(stack):
            raise DataError("a reference needs one photo or more")
        return cls(stack.mean(axis=0).astype(np.float32), "mean", len(stack), feature)

    @property
    def worth(self) -> int:
        """How many photos of any expression say as much about the person; see docs/model-card.md."""
        return NEUTRAL_WORTH if self.kind == "neutral" else self.photo_count

    def __repr__(self) -> str:
        feature = ", with a visual feature" if self.feature is not None else ""
        return f"Reference({self.kind}, from {self.photo_count} photo{'s' * (self.photo_count != 1)}{feature})"

    def save(
        self,
        path: str | os.PathLike[str],
        notes: Mapping[str, str] | None = None,
        private: bool = False,
        first: bool = False,
    ) -> None:
        """Write it as a safetensors file, which holds no picture and runs no code.

        With an identity it tells whose face it is: personal data, to be kept like a photo.

        Args:
            path: of the file.
            notes: texts to keep beside it, which `load` passes over.
            private: only the user may read and write the file.
            first: only where there is no such file yet.

        Raises:
            OutputError: it cannot be written.
        """
        optional = {"feature": self.feature, "identity": self.identity}
        arrays = {"landmarks": self.landmarks} | {name: row for name, row in optional.items() if row is not None}
        about = {"mien": "reference", "kind": self.kind, "photo_count": str(self.photo_count), "model": self.model}
        about |= {"format": str(_FORMAT), "strangers": json.dumps([_file_name(name) for name in self.strangers])}
        about["expressive"] = json.dumps([(_file_name(name), phrase) for name, phrase in self.expressive])
        save_arrays(Path(path), arrays, {**(notes or {}), **about}, private, first)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Reference:
        """Read what `save` wrote.

        Raises:
            DataError: no such file, or none of a reference.
        """
        try:
            with safe_open(path, "numpy") as file:
                about = file.metadata() or {}
                arrays = {name: file.get_tensor(name).astype(np.float32) for name in file.keys()}  # noqa: SIM118
            if (found := int(about.get("format", "1"))) > _FORMAT:
                raise ValueError(f"of a later version of mien: format {found}")
            kind, landmarks, identity = about["kind"], arrays["landmarks"], arrays.get("identity")
            feature, photos = arrays.get("feature"), int(about["photo_count"])
            whole = all(np.isfinite(array).all() for array in arrays.values())
            whole &= landmarks.shape == (POINT_COUNT, 2)
            whole &= identity is None or identity.shape == (IDENTITY_SIZE,)
            known = about.get("mien") == "reference" and kind in ("mean", "neutral", "estimated")
            if not known or not whole or photos < 1:
                raise ValueError("its content is of another kind")
            strangers = tuple(map(str, json.loads(about.get("strangers", "[]"))))
            expressive = tuple((str(name), str(phrase)) for name, phrase in json.loads(about.get("expressive", "[]")))
            return cls(landmarks, kind, photos, feature, about["model"], identity, strangers, expressive)
        except (OSError, SafetensorError, KeyError, ValueError, TypeError, RecursionError) as error:
            reason = str(error) or type(error).__name__
            raise DataError(f"{os.fspath(path)}: no reference that mien saved ({reason}); make it again") from error


def _file_name(photo: str) -> str:
    """Without the folder, which is nobody's business who is given the file; bytes that are no UTF-8 as escapes."""
    return os.path.basename(photo).encode(errors="backslashreplace").decode()


def mean_feature(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean visual feature of a subject, as if one more photo had shown a feature of zeros.

    So a single photo is not compared with itself alone, and many photos give the mean.

    Args:
        features: shape (n, size), n > 0.

    Returns:
        shape (size,).
    """
    mean: NDArray[np.float32] = (features.sum(axis=0, dtype=np.float64) / (1 + len(features))).astype(np.float32)
    return mean


def displacement(landmarks_crop: ArrayLike, reference: Reference) -> NDArray[np.float32]:
    """Eq. 2: landmarks minus reference.

    Args:
        landmarks_crop: shape (..., 68, 2), crop pixels.

    Returns:
        shape (..., 136), float32, crop pixels, order x1 y1 ... x68 y68, not normalised.
    """
    moved = np.asarray(landmarks_crop, dtype=np.float32) - reference.landmarks
    return moved.reshape(*moved.shape[:-2], DISPLACEMENT_SIZE)


def mildness(moved: ArrayLike) -> NDArray[np.float64]:
    """How mild an expression is: near 1 where hardly a landmark has moved, 0.5 at `MILD`, near 0 for strong ones.

    Args:
        moved: shape (..., 68, 2), crop pixels: how far landmarks lie from their neutral places.

    Returns:
        shape (...), 0..1.
    """
    strength = np.sqrt(np.square(np.asarray(moved, dtype=np.float64)).mean(axis=(-2, -1)))
    milder: NDArray[np.float64] = 0.5 + 0.5 * np.tanh((MILD - strength) / (2 * _MILD_EDGE))
    return milder


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
        neutral: shape (136,): average displacement of neutral photos.
        neutral_feature: shape (size,), float32: average visual feature of neutral photos, minus the subject's mean;
            None: unknown, or of no use to the run.
    """

    mean: NDArray[np.float64]
    between: NDArray[np.float64]
    within: NDArray[np.float64]
    neutral: NDArray[np.float64]
    neutral_feature: NDArray[np.float32] | None = None
    _gains: dict[int, NDArray[np.float64]] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def fit(cls, landmarks_crop: ArrayLike, subjects: Sequence[str], is_neutral: NDArray[np.bool_]) -> Population:
        """Learn from training photos.

        Args:
            landmarks_crop: shape (n, 68, 2), crop pixels.
            subjects: n names.
            is_neutral: shape (n,): which photos show a neutral face; may be none.
        """
        vectors = np.asarray(landmarks_crop, dtype=np.float64).reshape(-1, DISPLACEMENT_SIZE)
        moved = displacement_by_subject(landmarks_crop, subjects).astype(np.float64)
        _, first = np.unique(np.asarray(subjects), return_index=True)
        means = vectors[first] - moved[first]
        neutral = moved[is_neutral].mean(axis=0) if is_neutral.any() else np.zeros(DISPLACEMENT_SIZE)
        return cls(means.mean(axis=0), _covariance(means), _covariance(moved, means=len(first)), neutral)

    def estimate(self, landmarks_crop: ArrayLike) -> Reference:
        """The most likely mean of a person of whom n photos of unknown expression are at hand.

        Args:
            landmarks_crop: shape (n, 68, 2) or (68, 2), crop pixels.
        """
        photos = np.asarray(landmarks_crop, dtype=np.float64).reshape(-1, DISPLACEMENT_SIZE)
        likely = self.mean + self._gain(len(photos)) @ (photos.mean(axis=0) - self.mean)
        return Reference(_to_points(likely), "estimated", len(photos))

    def _gain(self, photos: int) -> NDArray[np.float64]:
        """between (between + within / n)^-1, kept for each n."""
        if photos not in self._gains:
            gain = np.linalg.solve(self.between + self.within / photos, self.between).T
            self._gains[photos] = np.asarray(gain, dtype=np.float64)
        return self._gains[photos]

    def from_neutral(self, landmarks_crop: ArrayLike, features: NDArray[np.float32] | None = None) -> Reference:
        """The reference from photos of the neutral face.

        Args:
            landmarks_crop: shape (n, 68, 2) or (68, 2), crop pixels.
            features: shape (n, size), visual features; None: not at hand.
        """
        photos = np.asarray(landmarks_crop, dtype=np.float64).reshape(-1, DISPLACEMENT_SIZE)
        feature = None
        if features is not None and self.neutral_feature is not None:
            feature = features.mean(axis=0) - self.neutral_feature
        return Reference(_to_points(photos.mean(axis=0) - self.neutral), "neutral", len(photos), feature)


_ARRAYS, _FEATURE = ("mean", "between", "within", "neutral"), "neutral_feature"


def save_population(run: Path, population: Population) -> None:
    """Write how faces differ and move, as float32."""
    arrays = {name: getattr(population, name).astype(np.float32) for name in _ARRAYS}
    if population.neutral_feature is not None:
        arrays[_FEATURE] = population.neutral_feature
    save_arrays(run / POPULATION_FILE, arrays)


def load_population(run: Path) -> Population:
    """Read how faces differ and move.

    Raises:
        CheckpointError: missing or damaged.
    """
    arrays = load_arrays(run / POPULATION_FILE, _ARRAYS, optional=(_FEATURE,))
    feature = arrays.pop(_FEATURE, None)
    return Population(**{name: array.astype(np.float64) for name, array in arrays.items()}, neutral_feature=feature)


def _to_points(vector: NDArray[np.float64]) -> NDArray[np.float32]:
    return vector.reshape(POINT_COUNT, 2).astype(np.float32)


def _covariance(rows: NDArray[np.float64], means: int = 1) -> NDArray[np.float64]:
    """Covariance about the mean, with a little ridge (0.1 pixel squared) so that it can always be inverted.

    Args:
        rows: shape (n, k).
        means: how many means, of groups of the rows, have been taken off; each takes one from what n rows say.
    """
    centred = rows - rows.mean(axis=0)
    return centred.T @ centred / max(1, len(rows) - means) + 0.1 * np.eye(rows.shape[1])
