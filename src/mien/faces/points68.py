"""The 68 facial points of iBUG 300-W: what each stands for, and how they change places in a mirror.

Points are counted from 0. "Right" is the *person's* right, which is on the left of the photo.
Source: Sagonas et al., "300 Faces in-the-Wild Challenge", ICCV-W 2013.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

POINT_COUNT = 68

REGIONS: dict[str, slice] = {
    "jaw": slice(0, 17),
    "right brow": slice(17, 22),
    "left brow": slice(22, 27),
    "nose bridge": slice(27, 31),
    "nose base": slice(31, 36),
    "right eye": slice(36, 42),
    "left eye": slice(42, 48),
    "outer lips": slice(48, 60),
    "inner lips": slice(60, 68),
}
"""Where each region lies among the 68 points."""

CLOSED_REGIONS = frozenset({"right eye", "left eye", "outer lips", "inner lips"})
"""Regions whose last point joins the first."""

PARTS: dict[str, list[int]] = {
    "brows": [*range(17, 27)],
    "eyes": [*range(36, 48)],
    "nose": [*range(27, 36)],
    "mouth": [*range(48, 68)],
    "jaw": [*range(17)],
}
"""The points of each part of the face that people speak of."""

INNER = slice(17, 68)
"""All but the jaw line."""

BETWEEN_EYES = 27
NOSE_TIP = 30
UPPER_LIP = 51
RIGHT_EYE_OUTER = 36
LEFT_EYE_OUTER = 45

# fmt: off
MIRROR: NDArray[np.intp] = np.array([
    *range(16, -1, -1),              # jaw
    *range(26, 16, -1),              # brows
    27, 28, 29, 30,                  # nose bridge
    35, 34, 33, 32, 31,              # nose base
    45, 44, 43, 42, 47, 46,          # eyes
    39, 38, 37, 36, 41, 40,
    54, 53, 52, 51, 50, 49, 48,      # outer lips, above
    59, 58, 57, 56, 55,              # outer lips, below
    64, 63, 62, 61, 60,              # inner lips, above
    67, 66, 65,                      # inner lips, below
])
# fmt: on
"""`MIRROR[i]` is the point that takes the place of point i in a mirrored photo; its own inverse."""


def mirror(landmarks: NDArray[np.floating], width: int) -> NDArray[np.floating]:
    """The landmarks of the mirrored picture.

    Args:
        landmarks: shape (..., 68, 2), x and y in pixels; pixel centres have whole coordinates.
        width: of the picture, in pixels.

    Returns:
        the same shape and dtype; doing it twice gives the input back.
    """
    swapped: NDArray[np.floating] = landmarks[..., MIRROR, :].copy()
    swapped[..., 0] = (width - 1) - swapped[..., 0]
    return swapped


def eye_distance(landmarks: NDArray[np.floating]) -> NDArray[np.floating]:
    """Distance between the outer corners of the eyes, in the unit of the landmarks; shape (...)."""
    span: NDArray[np.floating] = landmarks[..., LEFT_EYE_OUTER, :] - landmarks[..., RIGHT_EYE_OUTER, :]
    return np.hypot(span[..., 0], span[..., 1])
