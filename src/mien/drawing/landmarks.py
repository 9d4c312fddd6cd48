"""Landmarks on a picture: lines, points and arrows with smooth edges, and the square around a face.

Coordinates are pixels of the picture; the centre of its first pixel is (0, 0).
"""

from __future__ import annotations

from math import ceil, floor

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mien.drawing.style import ARROW, LANDMARKS
from mien.faces.points68 import CLOSED_REGIONS, REGIONS
from mien.images import RGBImage

_FINE = 4
"""Shapes are drawn this many times larger and reduced, for smooth edges."""
_OUTSIDE = "#e9edf0"
"""Beyond the edge of a photo."""


class _Mask:
    """Shapes of one colour, drawn finely and laid over a picture at the end."""

    def __init__(self, picture: Image.Image) -> None:
        self._picture = picture
        self._mask = Image.new("L", (_FINE * picture.width, _FINE * picture.height))
        self._draw = ImageDraw.Draw(self._mask)

    def lines(self, points: NDArray[np.floating], width: float) -> None:
        """Join the points, (n, 2)."""
        self._draw.line(self._places(points), fill=255, width=max(1, round(width * _FINE)), joint="curve")

    def dots(self, points: NDArray[np.floating], radius: float) -> None:
        """A filled circle at each of the points, (n, 2)."""
        reach = radius * _FINE + 0.5
        for x, y in self._fine(points):
            self._draw.ellipse((ceil(x - reach), ceil(y - reach), floor(x + reach), floor(y + reach)), fill=255)

    def polygon(self, corners: NDArray[np.floating]) -> None:
        """Fill it; corners (n, 2)."""
        self._draw.polygon(self._places(corners), fill=255)

    def paste(self, colour: str) -> None:
        """Lay the shapes over the picture."""
        mask = self._mask.resize(self._picture.size, Image.Resampling.BOX)
        self._picture.paste(colour, (0, 0, *self._picture.size), mask)

    def _places(self, points: NDArray[np.floating]) -> list[tuple[int, int]]:
        """Rounded here, as Pillow would cut off."""
        return [(round(x), round(y)) for x, y in self._fine(points)]

    @staticmethod
    def _fine(points: NDArray[np.floating]) -> list[tuple[float, float]]:
        return [(float(x), float(y)) for x, y in _scale(np.asarray(points, dtype=np.float64), _FINE)]


def draw_landmarks(
    picture: Image.Image, landmarks: NDArray[np.floating], *, colour: str = LANDMARKS, width: float = 1.5
) -> None:
    """Draw the 68 points, joined region by region, into a picture.

    Args:
        picture: RGB; changed in place.
        landmarks: shape (68, 2), x and y in its pixels; points outside are cut off.
        colour: of lines and points.
        width: of the lines in pixels; a point is three times as wide.
    """
    mask = _Mask(picture)
    for name, region in REGIONS.items():
        points = landmarks[region]
        mask.lines(np.vstack([points, points[:1]]) if name in CLOSED_REGIONS else points, width)
    mask.dots(landmarks, 1.5 * width)
    mask.paste(colour)


def draw_arrows(
    picture: Image.Image,
    starts: NDArray[np.floating],
    steps: NDArray[np.floating],
    *,
    colour: str = ARROW,
    width: float = 2,
) -> None:
    """Draw an arrow from each start along its step; a step shorter than the arrow's width is not drawn.

    Args:
        picture: RGB; changed in place.
        starts, steps: shape (n, 2), in its pixels.
        colour: of the arrows.
        width: of their shafts in pixels.
    """
    mask = _Mask(picture)
    for start, step in zip(np.asarray(starts, np.float64), np.asarray(steps, np.float64), strict=True):
        length = float(np.hypot(*step))
        if not length > width:
            continue
        along = step / length
        across = np.array([-along[1], along[0]])
        head = min(3.5 * width, 0.7 * length)
        tip, neck = start + step, start + step - head * along
        mask.lines(np.stack([start, neck]), width)
        mask.polygon(np.stack([tip, neck + 0.55 * head * across, neck - 0.55 * head * across]))
    mask.paste(colour)


def enlarge_crop(
    crop: RGBImage, landmarks: NDArray[np.floating], side: int
) -> tuple[Image.Image, NDArray[np.float64]]:
    """Resize a square crop, and its landmarks with it.

    Returns:
        picture of that side, landmarks (68, 2) in its pixels.
    """
    picture = Image.fromarray(crop).resize((side, side), Image.Resampling.BICUBIC)
    return picture, _scale(np.asarray(landmarks, dtype=np.float64), side / len(crop))


def cut_out_face(
    photo: RGBImage, landmarks: NDArray[np.floating], side: int, margin: float = 0.7, above: float = 0
) -> tuple[Image.Image, NDArray[np.float64]]:
    """Cut a square around a face out of a photo, and move its landmarks with it.

    Args:
        photo: (height, width, 3), uint8, RGB.
        landmarks: shape (68, 2), photo pixels.
        side: of the square to give, in pixels.
        margin: how far around the landmarks it reaches, as a share of their extent.
        above: how far it is moved upwards, as a share of its side.

    Returns:
        picture of that side, landmarks (68, 2) in its pixels. Grey where the photo ends.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    extent = max(2.0, float((high - low).max()) * (1 + margin))
    corner = (low + high) / 2 + 0.5 - extent / 2 - [0, extent * above]
    left, top = floor(corner[0]), floor(corner[1])
    right, bottom = ceil(corner[0] + extent), ceil(corner[1] + extent)
    square = Image.new("RGB", (right - left, bottom - top), _OUTSIDE)
    rows, columns = slice(max(0, top), max(0, bottom)), slice(max(0, left), max(0, right))
    inside = photo[rows, columns]
    if inside.size:
        square.paste(Image.fromarray(np.ascontiguousarray(inside)), (columns.start - left, rows.start - top))
    x, y = corner - [left, top]
    box = (x, y, min(square.width, x + extent), min(square.height, y + extent))
    picture = square.resize((side, side), Image.Resampling.LANCZOS, box=box)
    return picture, _scale(points - corner, side / extent)


def _scale(points: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
    """Points on a picture that is made larger: pixels grow, so their centres move by half a pixel's growth."""
    return (points + 0.5) * factor - 0.5
