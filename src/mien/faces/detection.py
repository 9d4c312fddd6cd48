"""Finding faces: dlib's frontal HOG detector, coarse to fine.

The detector sees faces of about 80 pixels and more, and its time grows with the area it scans, so a small
copy of the photo is searched first and a larger one only where nothing was found (paper, section II: a
copy at 1/8 of the 5184 x 3456 photos, which is 648 x 432).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import cv2
import dlib
import numpy as np
from numpy.typing import NDArray

from mien.images import Decoded, Photo, resize

COARSE_TO_FINE = (648, 1296, 2592)
"""Longer side, in pixels, of the copies that are searched, one after the other."""
CAMERA_SIDE = 2592
"""Longer side from which a photo comes from a camera, not from a page or a screen: one face fills much of it."""
COARSE_SIDE = 324
"""Longer side of the copy in which such a photo is searched first, in a quarter of the time."""
SURE = 0.6
"""Score below which a face of the coarse pass is searched again, around its box, in the next larger copy; it lies
badly, by up to 8% of the outer-eye distance in the landmarks (docs/experiments.md)."""
DOUBTFUL = 0.25
"""Share of the best face's score under which others are no faces but badges, folds and the like."""
MAX_ENLARGEMENT = 4.0
"""A face of 20 pixels then has the 80 that the detector needs."""
MARGIN = 0.25
"""Share of the longer side by which a photo is continued, where no face lies whole within it."""
_STRETCH = 1.1
"""Enlargement of a decoded copy, up to which decoding anew is not worth its time."""


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

    Safe to share among threads: dlib's detector keeps the picture that it searches, so each thread has its own.
    """

    def __init__(self) -> None:
        self._own = threading.local()

    @property
    def _hog(self) -> dlib.fhog_object_detector:
        if not hasattr(self._own, "detector"):
            self._own.detector = dlib.get_frontal_face_detector()
        return self._own.detector

    def detect(self, photo: Photo, decoded: Decoded) -> tuple[list[FaceBox], Decoded]:
        """All faces in a photo, the largest first; none if there is none.

        Args:
            photo: what to decode again where a finer pass needs more pixels.
            decoded: its first copy.

        Returns:
            the faces, in photo pixels, and the copy in which they were found.
        """
        longest = max(photo.size)
        sides = (COARSE_SIDE, *COARSE_TO_FINE) if longest > CAMERA_SIDE else COARSE_TO_FINE
        factor = 0.0
        for side in sides:
            # The coarse pass never enlarges; the finer ones may, for small photos.
            wider = min(side / longest, MAX_ENLARGEMENT if factor else 1.0)
            if wider <= factor:
                break
            factor = wider
            if decoded.reduction > 1 and decoded.reduction * factor > _STRETCH:
                decoded = photo.read(reduction_for(_STRETCH / factor))
            boxes = self._search(decoded, factor, grey=side == COARSE_SIDE)
            if boxes and side == COARSE_SIDE and boxes[0].score < SURE:
                nearer = self._search(_around(decoded, boxes[0]), COARSE_TO_FINE[0] / longest)
                boxes = [*(nearer or boxes)[:1], *boxes[1:]]
            if boxes:
                return boxes, decoded
        return self._search(decoded, min(1.0, COARSE_TO_FINE[0] / longest), margin=MARGIN), decoded

    def _search(self, decoded: Decoded, factor: float, grey: bool = False, margin: float = 0.0) -> list[FaceBox]:
        """Search a copy with `factor` of the photo's pixels along a side, its edges continued by `margin` of it."""
        small = resize(decoded.image, factor * decoded.reduction)
        if grey:  # a fifth faster than colour
            small = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        border = round(margin * max(small.shape[:2]))
        if border:
            small = cv2.copyMakeBorder(small, border, border, border, border, cv2.BORDER_REPLICATE)
        rectangles, scores, _ = self._hog.run(small, 0, 0.0)
        x, y = (edge + (decoded.reduction - 1) / 2 for edge in decoded.origin)
        boxes = [
            FaceBox(
                (r.left() - border) / factor + x,
                (r.top() - border) / factor + y,
                (r.right() - border) / factor + x,
                (r.bottom() - border) / factor + y,
                float(score),
            )
            for r, score in zip(rectangles, scores, strict=True)
        ]
        best = max((box.score for box in boxes), default=0.0)
        return sorted((box for box in boxes if box.score >= DOUBTFUL * best), key=lambda b: b.area, reverse=True)


def _around(decoded: Decoded, box: FaceBox) -> Decoded:
    """The part of a copy that shows a face and as much again around it."""
    corners = box.as_array().reshape(2, 2)
    reach = np.ptp(corners, axis=0) / 2
    wide = np.stack([corners[0] - reach, corners[1] + reach])
    (left, top), (right, bottom) = np.maximum((wide - decoded.origin) / decoded.reduction, 0).astype(int)
    part = np.ascontiguousarray(decoded.image[top:bottom, left:right])
    x, y = decoded.origin
    return Decoded(part, decoded.reduction, (x + int(left) * decoded.reduction, y + int(top) * decoded.reduction))


def reduction_for(photo_pixels: float) -> int:
    """The strongest reduction of a JPEG that leaves a pixel for `photo_pixels` of the photo along a side."""
    return next((reduction for reduction in (8, 4, 2) if reduction <= photo_pixels), 1)
