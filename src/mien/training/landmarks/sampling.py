"""Random views of a face: as a detector's box or an earlier look frames it, in any light, bent, covered, blurred."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.faces.cnn import INPUT_SIZE
from mien.faces.points68 import INNER, MIRROR
from mien.training.landmarks.patches import CROP_IN_PATCH, PATCH_SIZE

_FROM_BOX = (12.0, 0.10, 0.05)
_ALIGNED = (2.0, 0.025, 0.012)
"""Spread of turn (degrees), size (as a logarithm) and place (sides of the crop): what a first look, in a detector's
box, sees, and what a second one, on the aligned crop, does."""
_SHARE_FROM_BOX = 0.4
_BUMPS = 5
"""Most places at which one face is bent."""


@dataclass(frozen=True, eq=False)
class View:
    """What the network is shown, and should say.

    Attributes:
        crop: (112, 112), uint8, grey.
        points: (68, 2), float32, sides of the crop; NaN where not known.
        linear: (2, 2), float32: how a small step in the upright face goes over into the crop.
        mirrored: left and right have changed places.
    """

    crop: NDArray[np.uint8]
    points: NDArray[np.float32]
    linear: NDArray[np.float32]
    mirrored: bool


def plain_view(image: NDArray[np.uint8], points: NDArray[np.float32]) -> View:
    """The aligned crop as it is."""
    return _view(image, points, np.zeros(4), False, None)


def draw_view(
    image: NDArray[np.uint8],
    points: NDArray[np.float32],
    rng: np.random.Generator,
    motion: Motion | None = None,
) -> View:
    """A view at random.

    Args:
        image: a patch, (208, 208), uint8.
        points: (68, 2), pixels of the patch; NaN where not known.
        rng: of this view.
        motion: an expression to move a neutral face into; None leaves its own.
    """
    turn, size, place = _FROM_BOX if rng.random() < _SHARE_FROM_BOX else _ALIGNED
    framing = np.array([rng.normal(0, turn), rng.normal(0, size), *rng.normal(0, place, 2)])
    bent: _Bumps | _Moved | None = None
    if motion is not None:
        bent = _Moved.into(points, motion)
    elif rng.random() < 0.5:
        bent = _draw_bumps(points, rng)
    view = _view(image, points, framing, rng.random() < 0.5, bent)
    crop = _opened(view, rng) if motion is not None else view.crop
    crop = _covered(crop, rng) if rng.random() < 0.35 else crop
    return View(_photographed(crop, rng), view.points, view.linear, view.mirrored)


@dataclass(frozen=True, eq=False)
class Motion:
    """How an expression moves the points of a face.

    Attributes:
        places: (68, 2), pixels of the patch: where the points of a neutral face are, for those that are not known.
        steps: (68, 2), pixels of the patch.
    """

    places: NDArray[np.float32]
    steps: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Moved:
    """A bending that takes points exactly where a motion wants them, and leaves the edge where it is.

    centres (k, 2): where points come to lie, in sides of the crop; steps (k, 2): from there back to where they were.
    """

    centres: NDArray[np.float64]
    steps: NDArray[np.float64]

    @classmethod
    def into(cls, points: NDArray[np.float32], motion: Motion) -> _Moved:
        known = np.logical_and.reduce(np.isfinite(points), axis=1)[:, None]
        before = np.where(known, points, motion.places).astype(np.float64)
        centres = np.concatenate([_to_face(before + motion.steps), _EDGE])
        return cls(centres, np.concatenate([-motion.steps / CROP_IN_PATCH, np.zeros_like(_EDGE)]))

    def at(self, places: NDArray[np.floating]) -> NDArray[np.float64]:
        """(..., 2) to (..., 2): the mean of the steps, weighted by the inverse fourth power of the distance."""
        squares = ((places[..., None, :] - self.centres) ** 2).sum(axis=-1) + 1e-6
        weights = squares**-2
        steps: NDArray[np.float64] = (weights / weights.sum(axis=-1, keepdims=True)) @ self.steps
        return steps


_EDGE = np.array([
    place for t in np.linspace(-0.15, 1.15, 6) for place in ((t, -0.15), (t, 1.15), (-0.15, t), (1.15, t))
])  # fmt: skip
"""Places that no expression moves, in sides of the crop."""


@dataclass(frozen=True, eq=False)
class _Bumps:
    """A smooth bending: where a place of the crop takes its pixel from, as a sum of bells.

    centres (k, 2) and steps (k, 2) in sides of the crop, widths (k,).
    """

    centres: NDArray[np.float64]
    steps: NDArray[np.float64]
    widths: NDArray[np.float64]

    def at(self, places: NDArray[np.floating]) -> NDArray[np.float64]:
        """(..., 2) to (..., 2)."""
        distances = ((places[..., None, :] - self.centres) / self.widths[:, None]) ** 2
        steps: NDArray[np.float64] = np.exp(-0.5 * distances.sum(axis=-1)) @ self.steps
        return steps


def _draw_bumps(points: NDArray[np.float32], rng: np.random.Generator) -> _Bumps:
    """At some of the points, so that brows, lids and lips go where no expression of the set takes them."""
    count = rng.integers(1, _BUMPS + 1)
    margin = (PATCH_SIZE - CROP_IN_PATCH) / 2
    known = points[INNER][rng.integers(0, len(points[INNER]), count)]
    widths = rng.uniform(0.04, 0.14, count)
    return _Bumps((known - margin) / CROP_IN_PATCH, rng.normal(0, 0.18, (count, 2)) * widths[:, None], widths)


def _view(
    image: NDArray[np.uint8],
    points: NDArray[np.float32],
    framing: NDArray[np.float64],
    mirrored: bool,
    bent: _Bumps | _Moved | None,
) -> View:
    turn, size, x, y = framing
    scale = np.exp(size) * INPUT_SIZE / CROP_IN_PATCH
    cos, sin = scale * np.cos(np.radians(turn)), scale * np.sin(np.radians(turn))
    linear = np.array([[cos, -sin], [sin, cos]]) @ np.diag([-1.0 if mirrored else 1.0, 1.0])
    middle = (PATCH_SIZE - 1) / 2
    shift = INPUT_SIZE * (0.5 + np.array([x, y])) - 0.5 - linear @ [middle, middle]
    matrix = np.column_stack([linear, shift])
    if bent is None:
        crop = cv2.warpAffine(image, matrix, (INPUT_SIZE, INPUT_SIZE))
        seen = points @ linear.T + shift
    else:
        seen = _unbent(points, bent) @ linear.T + shift
        crop = _remapped(image, matrix, bent)
    if mirrored:
        seen = seen[MIRROR]
    places = ((seen + 0.5) / INPUT_SIZE).astype(np.float32)
    return View(crop, places, (linear / scale * np.exp(size)).astype(np.float32), mirrored)


def _to_face(places: NDArray[np.floating]) -> NDArray[np.floating]:
    """From pixels of the patch to sides of the upright crop."""
    return (places - (PATCH_SIZE - CROP_IN_PATCH) / 2) / CROP_IN_PATCH


def _opened(view: View, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The crop with something dark or teeth between lips that a motion has parted."""
    lips = view.points[60:] * INPUT_SIZE - 0.5
    gap = np.linalg.norm(lips[2] - lips[6])
    if not gap > 2:
        return view.crop
    mouth = np.zeros_like(view.crop)
    cv2.fillPoly(mouth, [np.round(16 * lips).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
    level = float(view.crop[mouth > 0].mean()) if (mouth > 0).any() else 128.0
    inside = np.full_like(view.crop, np.clip(level * rng.uniform(0.15, 0.6), 0, 255))
    if rng.random() < 0.6:  # teeth, from above
        teeth = np.zeros_like(mouth)
        share = rng.uniform(0.2, 0.9)
        upper, lower = lips[:5], lips[[0, 7, 6, 5, 4]]
        edge = upper + share * (lower - upper)
        cv2.fillPoly(teeth, [np.round(16 * np.concatenate([upper, edge[::-1]])).astype(np.int32)], 255, shift=4)
        inside[teeth > 0] = np.clip(level * rng.uniform(0.9, 1.6), 0, 255)
    cover = cv2.GaussianBlur(mouth, (0, 0), 0.6).astype(np.float32) / 255
    mixed = view.crop * (1 - cover) + cv2.GaussianBlur(inside, (0, 0), 0.6) * cover
    return mixed.astype(np.uint8)


def _unbent(points: NDArray[np.float32], bent: _Bumps | _Moved) -> NDArray[np.float64]:
    """Where points come to lie: the place that takes its pixel from theirs, by iteration."""
    places = points.astype(np.float64)
    if isinstance(bent, _Moved):
        places = points - bent.steps[: len(points)] * CROP_IN_PATCH
    for _ in range(6):
        places = points - bent.at(_to_face(places)) * CROP_IN_PATCH
    return places


def _remapped(image: NDArray[np.uint8], matrix: NDArray[np.float64], bent: _Bumps | _Moved) -> NDArray[np.uint8]:
    """The bent crop; the bending is smooth, so that every fourth pixel of it will do."""
    line = np.arange(2, INPUT_SIZE, 4) - 0.5
    grid = np.stack(np.meshgrid(line, line), axis=-1)
    source = (grid - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    source += bent.at(_to_face(source)) * CROP_IN_PATCH
    full = cv2.resize(source.astype(np.float32), (INPUT_SIZE, INPUT_SIZE), interpolation=cv2.INTER_CUBIC)
    return cv2.remap(image, full, None, cv2.INTER_LINEAR)


def _covered(crop: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """With one to three patches over it, plain or of other parts of the picture: hands, hair, microphones, masks."""
    crop = crop.copy()
    for _ in range(rng.integers(1, 4)):
        mask = np.zeros_like(crop)
        centre, half = rng.integers(0, INPUT_SIZE, 2), rng.integers(4, 30, 2)
        cv2.ellipse(mask, centre.tolist(), half.tolist(), rng.uniform(0, 180), 0, 360, 255, -1)
        if rng.random() < 0.5:
            other = np.full_like(crop, rng.integers(0, 256))
        else:
            other = np.roll(crop, rng.integers(20, 90, 2), axis=(0, 1))
        np.copyto(crop, other, where=mask > 0)
    return crop


def _photographed(crop: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Blurred or of few pixels, lit from one side, under- or overexposed, noisy."""
    kind = rng.random()
    if kind < 0.2:
        side = int(rng.integers(32, 96))
        small = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
        crop = cv2.resize(small, (INPUT_SIZE, INPUT_SIZE), interpolation=cv2.INTER_LINEAR)
    elif kind < 0.4:
        crop = cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.4, 1.8))
    elif kind < 0.5:
        angle, length = rng.uniform(0, np.pi), rng.uniform(1, 4)
        end = length * np.array([np.cos(angle), np.sin(angle)])
        kernel = np.zeros((9, 9), dtype=np.float32)
        cv2.line(kernel, np.round(16 * (4 - end)).astype(int).tolist(), np.round(16 * (4 + end)).astype(int).tolist(),
                 1.0, 1, cv2.LINE_8, shift=4)  # fmt: skip
        crop = cv2.filter2D(crop, -1, kernel / kernel.sum())
    stops = rng.uniform(-3.5, 0) if rng.random() < 0.25 else rng.normal(0, 0.4)
    tones = 255 * np.linspace(0, 1, 256) ** np.exp(rng.normal(0, 0.15)) * 2 ** (stops / 2.2)
    light = tones.astype(np.float32)[crop]
    if rng.random() < 0.3:
        slope = rng.uniform(-1, 1, 2)
        line = np.linspace(-1, 1, INPUT_SIZE)
        light *= np.outer(np.exp(slope[1] * line), np.exp(slope[0] * line)).astype(np.float32)
    grain = np.float32(np.exp(rng.uniform(np.log(0.5), np.log(9))))
    light += grain * rng.standard_normal(light.shape, dtype=np.float32)
    return np.clip(light, 0, 255).astype(np.uint8)
