"""What is drawn into the frames of a film: a box, landmarks, a name and what the face displays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mien.drawing.style import LANDMARKS, font, printable, rgb_of, shorten, text_width
from mien.faces.points68 import CLOSED_REGIONS, REGIONS
from mien.images import RGBImage

_SHIFT = 4
"""Bits of a pixel's fraction, for smooth lines."""
_PANEL = "#1d2733"


@dataclass(frozen=True, eq=False)
class DrawnFace:
    """A face to draw.

    Attributes:
        box: shape (4,): left, top, right, bottom, in pixels of the frame.
        landmarks: shape (68, 2), the same.
        colour: of its box.
        lines: what to write below it.
    """

    box: NDArray[np.floating]
    landmarks: NDArray[np.floating]
    colour: str
    lines: Sequence[str]


def annotate_frame(image: RGBImage, faces: Sequence[DrawnFace], clock: str) -> RGBImage:
    """A copy of a frame, (height, width, 3), uint8, RGB, with its faces and the time drawn into it."""
    picture = image.copy()
    unit = max(1, round(min(image.shape[:2]) / 480))
    for face in faces:
        for name, region in REGIONS.items():
            points = np.round((face.landmarks[region] + 0.0) * 2**_SHIFT).astype(np.int32)
            closed = name in CLOSED_REGIONS
            cv2.polylines(picture, [points], closed, rgb_of(LANDMARKS), unit, cv2.LINE_AA, _SHIFT)
        left, top, right, bottom = (int(edge) for edge in face.box.round())
        cv2.rectangle(picture, (left, top), (right, bottom), rgb_of(face.colour), 2 * unit, cv2.LINE_AA)
    drawn = Image.fromarray(picture)
    draw = ImageDraw.Draw(drawn)
    size = 15 * unit
    _write(draw, [clock], 6 * unit, 6 * unit, size, image.shape)
    for face in faces:
        _write(draw, face.lines, float(face.box[0]), float(face.box[3]) + 4 * unit, size, image.shape)
    return np.asarray(drawn)


def _write(
    draw: ImageDraw.ImageDraw, lines: Sequence[str], left: float, top: float, size: int, shape: tuple[int, ...]
) -> None:
    """Lines on a dark panel, moved so that it lies within the frame."""
    shown = [shorten(printable(line), size, shape[1] - size) for line in lines]
    width = max(text_width(line, size) for line in shown) + size
    height = len(shown) * size * 1.3 + size * 0.4
    left = max(0.0, min(left, shape[1] - width))
    top = max(0.0, min(top, shape[0] - height))
    draw.rectangle((left, top, left + width, top + height), fill=_PANEL)
    for number, line in enumerate(shown):
        place = (left + size / 2, top + size * 0.15 + number * size * 1.3)
        draw.text(place, line, fill="#ffffff", font=font(size))
