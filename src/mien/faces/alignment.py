"""Aligning a face: the similarity that puts two landmarks where they belong.

Paper, section II: landmark 27 (between the eyes) goes to (W/2, H 20/55) and landmark 51 (the upper lip) to
(W/2, H 38/55). Two points fix rotation, scale and shift; no other point takes part, so expressions that
move the rest of the face stay in the aligned picture.

On top of that the crop may be stretched sideways until the outer corners of the eyes are as far apart as they usually
are. That sets right photos whose sides were scaled differently, which are common on the net, and takes out most of
what turns of the head and the breadth of faces do to a single photo.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.errors import FaceError
from mien.faces.landmarks import Landmarks
from mien.faces.points68 import BETWEEN_EYES, UPPER_LIP, eye_distance
from mien.images import RGBImage

CROP_SIZE = 224
ANCHORS = (BETWEEN_EYES, UPPER_LIP)
"""The two landmarks."""
BETWEEN_EYES_HEIGHT = 20 / 55
UPPER_LIP_HEIGHT = 38 / 55
"""Where the two anchors come to lie, as a share of the crop's height."""
EYE_DISTANCE = 97.5 / 224
"""Distance of the outer corners of the eyes in an aligned crop, as a share of its side: mean of 174 real people."""
AlignmentName = Literal["similarity", "normalised"]
"""The paper's, or stretched so that this distance is the same in all crops."""


@dataclass(frozen=True)
class Similarity:
    """Turn, scale and shift in the plane: z -> a z + b, with x + iy for the point (x, y).

    As complex numbers, composition and inverse are one line each and exact.
    """

    a: complex
    b: complex

    @classmethod
    def from_two_points(cls, source: NDArray[np.floating], target: NDArray[np.floating]) -> Similarity:
        """The one similarity without mirroring that takes two points to two others; both of shape (2, 2).

        Raises:
            ValueError: the two source points are the same.
        """
        (s0, s1), (t0, t1) = _to_complex(source), _to_complex(target)
        if s0 == s1:
            raise ValueError("two equal points fix no similarity")
        a = (t1 - t0) / (s1 - s0)
        return cls(complex(a), complex(t0 - a * s0))

    @property
    def scale(self) -> float:
        """Target pixels for one source pixel."""
        return abs(self.a)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Shape (2, 3), for columns (x, y, 1)."""
        return np.array([[self.a.real, -self.a.imag, self.b.real], [self.a.imag, self.a.real, self.b.imag]])

    def apply(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Move points of shape (..., 2)."""
        moved = self.a * _to_complex(points) + self.b
        return np.stack([moved.real, moved.imag], axis=-1)

    def inverse(self) -> Similarity:
        """The way back."""
        return Similarity(1 / self.a, -self.b / self.a)

    def after(self, first: Similarity) -> Similarity:
        """The similarity that does `first`, then this one."""
        return Similarity(self.a * first.a, self.a * first.b + self.b)


def anchors(size: int) -> NDArray[np.float64]:
    """Where landmarks 27 and 51 belong in a crop of `size` x `size` pixels; shape (2, 2)."""
    return np.array([[size / 2, size * BETWEEN_EYES_HEIGHT], [size / 2, size * UPPER_LIP_HEIGHT]])


def photo_to_crop(landmarks_photo: Landmarks, size: int = CROP_SIZE) -> Similarity:
    """The alignment of a face: photo pixels to crop pixels.

    Raises:
        FaceError: both anchor landmarks lie on one place.
    """
    try:
        return Similarity.from_two_points(landmarks_photo[list(ANCHORS)], anchors(size))
    except ValueError as error:
        raise FaceError("the landmarks of the face fall together; it cannot be aligned") from error


def stretch_of(landmarks_photo: Landmarks) -> float:
    """How many times wider the aligned crop has to become for the eyes to lie at their usual distance.

    At most twice or half; what is beyond is no face from in front.
    """
    distance = float(eye_distance(photo_to_crop(landmarks_photo, 1).apply(landmarks_photo)))
    return float(np.clip(EYE_DISTANCE / max(distance, 1e-6), 0.5, 2.0))


def stretched(points: NDArray[np.floating], stretch: float, size: int = CROP_SIZE) -> NDArray[np.floating]:
    """Points of a crop, (..., 2), after it became `stretch` times wider about its middle."""
    middle = size / 2
    wider: NDArray[np.floating] = points * [stretch, 1.0] + [middle * (1 - stretch), 0.0]
    return wider


def to_photo_steps(moved: NDArray[np.floating], landmarks_photo: Landmarks, stretch: float) -> NDArray[np.float64]:
    """How far landmarks moved, (68, 2), from pixels of the crop to those of the photo.

    Args:
        moved: shape (68, 2), crop pixels.
        landmarks_photo: shape (68, 2), photo pixels.
        stretch: of the crop, see `stretch_of`.
    """
    steps = np.asarray(moved, dtype=np.float64) / [stretch, 1.0]
    turned = (steps[:, 0] + 1j * steps[:, 1]) / photo_to_crop(landmarks_photo).a
    return np.column_stack([turned.real, turned.imag])


def take_back_stretch(
    crop: RGBImage, landmarks_crop: NDArray[np.floating], stretch: float
) -> tuple[RGBImage, NDArray[np.floating]]:
    """A crop, and the landmarks in it, as broad as the face is in its photo."""
    if stretch == 1:
        return crop, landmarks_crop
    height, width = crop.shape[:2]
    broad = max(1, round(width / stretch))
    landmarks: NDArray[np.floating] = (landmarks_crop + 0.5) * [broad / width, 1.0] - 0.5
    return cv2.resize(crop, (broad, height), interpolation=cv2.INTER_AREA), landmarks


def warp(image: RGBImage, alignment: Similarity, size: int = CROP_SIZE, stretch: float = 1.0) -> RGBImage:
    """The aligned crop, `size` x `size`, stretched sideways about its middle; black outside the photo.

    A photo that shrinks to less than half is averaged over whole pixels first, so that fine detail does not
    alias.
    """
    step = int(1 / alignment.scale)
    if step >= 2:
        image, alignment = _average_around_crop(image, alignment, size, step, stretch)
    matrix = alignment.matrix.astype(np.float64)
    matrix[0] *= stretch
    matrix[0, 2] += size / 2 * (1 - stretch)
    return cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR)


def _average_around_crop(
    image: RGBImage, alignment: Similarity, size: int, step: int, stretch: float
) -> tuple[RGBImage, Similarity]:
    """Cut out what the crop shows (more, where it is narrowed) and average blocks of `step` x `step` pixels."""
    shown = stretched(np.array([[0, 0], [size, 0], [0, size], [size, size]]), 1 / stretch, size)
    corners = alignment.inverse().apply(shown)
    height, width = image.shape[:2]
    left, top = np.clip(np.floor(corners.min(axis=0)).astype(int) - 2 * step, 0, (width, height))
    right, bottom = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 2 * step, 0, (width, height))
    columns, rows = (right - left) // step, (bottom - top) // step
    if columns < 1 or rows < 1:
        return image, alignment
    part = image[top : top + rows * step, left : left + columns * step]
    small = cv2.resize(part, (int(columns), int(rows)), interpolation=cv2.INTER_AREA)
    # The centre of block 0 lies at (step - 1) / 2 of the pixels that it averages.
    to_photo = Similarity(complex(step), complex(left, top) + (step - 1) / 2 * (1 + 1j))
    return small, alignment.after(to_photo)


def _to_complex(points: NDArray[np.floating]) -> NDArray[np.complex128]:
    points = np.asarray(points, dtype=np.float64)
    return points[..., 0] + 1j * points[..., 1]
