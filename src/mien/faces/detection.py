"""Finding faces: dlib's frontal HOG detector, coarse to fine.

The detector sees faces of about 80 pixels and more, and its time grows with the area it scans, so a small
copy of the photo is searched first and a larger one only where nothing was found (paper, section II: a
copy at 1/8 of the 5184 x 3456 photos, which is 648 x 432).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import dlib
import numpy as np
from numpy.typing import NDArray

from mien.images import RGBImage, resize

COARSE_TO_FINE = (648, 1296, 2592)
"""Longer side, in pixels, of the copies that are searched, one after the other."""
MAX_ENLARGEMENT = 4.0
"""A face of 20 pixels then has the 80 that the detector needs."""


@dataclass(frozen=True)
class FaceBox:
    """Where a face is: a rectangle in photo pixels and the detector's score (0 is its threshold)."""

    left: float
    top: float
    right: float
    bottom: float
    score: float

    @property
    def area(self) -> float:
        """In square pixels."""
        return max(0.0, self.right - self.left) * max(0.0, self.bottom - self.top)

    def as_array(self) -> NDArray[np.float32]:
        """Shape (4,): left, top, right, bottom."""
        return np.array([self.left, self.top, self.right, self.bottom], dtype=np.float32)


class FaceDetector:
    """dlib's frontal face detector, searching coarse to fine.

    Args:
        sides: longer side, in pixels, of the copies to search, in this order.
    """

    def __init__(self, sides: tuple[int, ...] = COARSE_TO_FINE) -> None:
        self.sides = sides

    @cached_property
    def _hog(self) -> dlib.fhog_object_detector:
        return dlib.get_frontal_face_detector()

    def detect(self, image: RGBImage) -> list[FaceBox]:
        """All faces in a photo, the largest first; empty if there is none.

        Args:
            image: shape (height, width, 3), uint8, RGB.
        """
        longest = max(image.shape[:2])
        factor = 0.0
        for side in self.sides:
            # The first look never enlarges; the finer ones may, for small photos.
            wider = min(side / longest, MAX_ENLARGEMENT if factor else 1.0)
            if wider <= factor:
                break
            factor = wider
            if boxes := self._search(image, factor):
                return boxes
        return []

    def _search(self, image: RGBImage, factor: float) -> list[FaceBox]:
        rectangles, scores, _ = self._hog.run(resize(image, factor), 0, 0.0)
        boxes = [
            FaceBox(r.left() / factor, r.top() / factor, r.right() / factor, r.bottom() / factor, float(score))
            for r, score in zip(rectangles, scores, strict=True)
        ]
        return sorted(boxes, key=lambda box: box.area, reverse=True)
