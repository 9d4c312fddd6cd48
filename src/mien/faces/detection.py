"""Finding faces: dlib's frontal HOG detector, coarse to fine.

The detector sees faces of about 80 pixels and more, and its time grows with the area it scans, so a small
copy of the photo is searched first and a larger one only where nothing was found (paper, section II: a
copy at 1/8 of the 5184 x 3456 photos, which is 648 x 432).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import dlib
import numpy as np
from numpy.typing import NDArray

from mien.images import Decoded, Photo, RGBImage, resize

_DETECTOR_FILE = Path(__file__).with_name("frontal_face_detector.svm")
"""What `dlib.get_frontal_face_detector().save(...)` writes (Boost Software License): it loads in a millisecond, where
dlib takes 0.4 s to unpack its own copy, for every thread anew."""
COARSE_TO_FINE = (648, 1296, 2592)
"""Longer side, in pixels, of the copies that are searched, one after the other."""
CAMERA_SIDE = 2592
"""Longer side from which a photo comes from a camera, not from a page or a screen: one face fills much of it."""
COARSE_SIDE = 324
"""Longer side of the copy in which a photo may be searched first, in a quarter of the time or less: enough where a
face fills a third of that side, as in most portraits."""
_WORTH_IT = 0.75
"""Longer side of the smallest photos that are, as a share of the next copy's."""
SURE = 0.6
"""Score below which a face of that coarse pass is searched again, around its box, in the next larger copy; it lies
badly, by up to 8% of the outer-eye distance in the landmarks (docs/experiments.md)."""
FLOOR = 0.3
"""Score below which nothing is a face by itself. Upright portraits have 0.45 and more, pictures without a face have
less than 0 (docs/experiments.md)."""
DOUBTFUL = 0.25
"""Fraction of the best face's score under which others are no faces but badges, folds and the like."""
WEAK = -0.2
"""Score from which something much larger than all faces counts as a face that cannot be read: masked, or turned away.
In 270 portraits there is none."""
_LARGER = 2.0
"""Times the area of the largest face from which something weak is much larger; badges and the like are not."""
_APART = 0.3
"""Fraction of the smaller of two boxes that they have in common at most, if they are two faces."""
_CROWDED = 110
"""Side of the largest face in a copy, in pixels, below which faces beside it, a little smaller, may be too small
there for the detector, and the next larger copy is searched as well."""
UPRIGHT = 0.8
"""Score below which a photo is searched turned as well, for a face on its side or upside down has an eye that looks
like a face: 0.5 and less, where the same face upright has 1.2 and more."""
_CLEARLY = 0.5
"""Score by which a turned face must be better than the best upright one."""
MAX_ENLARGEMENT = 4.0
"""A face of 20 pixels then has the 80 that the detector needs."""
MARGIN = 0.25
"""Share of the longer side by which a photo is continued, where no face lies whole within it."""
_USUAL_SIDE = 90
"""Side to which a face is scaled, in pixels, to be looked at again: a little more than the detector needs."""
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

    @property
    def side(self) -> float:
        """Of a square of the same area, in pixels."""
        return self.area**0.5

    def as_array(self) -> NDArray[np.float32]:
        """Shape (4,): left, top, right, bottom."""
        return np.array([self.left, self.top, self.right, self.bottom], dtype=np.float32)

    def common(self, other: FaceBox) -> float:
        """What it has in common with another, as a share of the smaller."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, width) * max(0.0, height) / max(1.0, min(self.area, other.area))


@dataclass(frozen=True)
class Found:
    """What a photo shows.

    Attributes:
        faces: the largest first.
        decoded: the copy of the photo in which they were found.
        larger: something in front, larger than all faces, that is perhaps a face but cannot be read.
        turned: degrees by which the photo must be turned, counter-clockwise, for its face to stand upright; 0 where
            there are faces, or none in any way.
    """

    faces: tuple[FaceBox, ...]
    decoded: Decoded
    larger: FaceBox | None = None
    turned: int = 0


class FaceDetector:
    """dlib's frontal face detector, searching coarse to fine.

    Safe to share among threads: dlib's detector keeps the picture that it searches, so each thread has its own.

    Args:
        thorough: notice all faces, whatever the size of the photo. Otherwise a face that is found in the smallest
            copy of a camera's photo is the only one: enough where photos show one person.
    """

    def __init__(self, thorough: bool = True) -> None:
        self.thorough = thorough
        self._own = threading.local()

    @property
    def _hog(self) -> dlib.fhog_object_detector:
        if not hasattr(self._own, "detector"):
            self._own.detector = dlib.fhog_object_detector(str(_DETECTOR_FILE))
        return self._own.detector

    def detect(self, photo: Photo, decoded: Decoded) -> Found:
        """All faces in a photo.

        Args:
            photo: what to decode again where a finer pass needs more pixels.
            decoded: its first copy.
        """
        found, turned = self._search_passes(photo, decoded), 0
        if max((face.score for face in found.faces), default=FLOOR) < UPRIGHT:
            turned = self._find_turn(photo, found)
        return replace(found, faces=() if turned else found.faces, turned=turned)

    def search(self, image: RGBImage, longest: int) -> tuple[FaceBox, ...]:
        """The upright faces of a picture in one pass, the largest first: what a film can afford.

        Args:
            image: shape (height, width, 3), uint8, RGB.
            longest: longer side, in pixels, of the copy that is searched; it is never larger than the picture.
        """
        decoded = Decoded(image)
        return _select(self._search(decoded, min(1.0, longest / max(image.shape[:2]))), decoded).faces

    def look_near(self, image: RGBImage, box: FaceBox) -> FaceBox | None:
        """The face at a place where one was, by a look at little more than that place; None: there is none.

        Args:
            image: shape (height, width, 3), uint8, RGB.
            box: where it was.
        """
        part = _around(Decoded(image), box)
        if min(part.image.shape[:2]) < 2:
            return None
        found = self._search(part, min(MAX_ENLARGEMENT, _USUAL_SIDE / max(1.0, box.side)))
        near = [face for face in found if face.score >= WEAK and face.common(box) > _APART]
        return max(near, key=lambda face: face.score, default=None)

    def _search_passes(self, photo: Photo, decoded: Decoded) -> Found:
        longest = max(photo.size)
        coarse = longest > (COARSE_TO_FINE[0] * _WORTH_IT if self.thorough else CAMERA_SIDE)
        sides = (COARSE_SIDE, *COARSE_TO_FINE) if coarse else COARSE_TO_FINE
        factor, found = 0.0, Found((), decoded)
        for side in sides:
            # Only where nothing was found in all pixels of a small photo is it enlarged.
            wider = min(side / longest, MAX_ENLARGEMENT if side > COARSE_TO_FINE[0] and not found.faces else 1.0)
            if wider <= factor:
                break
            factor = wider
            if decoded.reduction > 1 and decoded.reduction * factor > _STRETCH:
                decoded = photo.read(reduction_for(_STRETCH / factor))
            boxes = self._search(decoded, factor, grey=side == COARSE_SIDE)
            finer = _select(boxes, decoded)
            if side == COARSE_SIDE and self.thorough and max((f.score for f in finer.faces), default=0.0) < UPRIGHT:
                continue
            if finer.faces and side == COARSE_SIDE and finer.faces[0].score < SURE:
                nearer = _select(self._search(_around(decoded, finer.faces[0]), COARSE_TO_FINE[0] / longest), decoded)
                finer = replace(finer, faces=(*(nearer or finer).faces[:1], *finer.faces[1:]))
            found = finer if finer.faces or not found.faces else found
            if found.faces and not (self.thorough and factor * found.faces[0].side < _CROWDED):
                return found
        if found.faces:
            return found
        boxes = self._search(decoded, min(1.0, COARSE_TO_FINE[0] / longest), margin=MARGIN)
        return _select(boxes, decoded)

    def _find_turn(self, photo: Photo, found: Found) -> int:
        """Degrees by which the photo has to be turned for a face that is clearly better than the best upright one."""
        best = max((face.score for face in found.faces), default=FLOOR)
        factor = min(1.0, COARSE_TO_FINE[0] / max(photo.size))
        scores = {}
        for turns in (1, 2, 3):
            turned = replace(found.decoded, image=np.ascontiguousarray(np.rot90(found.decoded.image, turns)))
            boxes = self._search(turned, factor)
            scores[90 * turns] = max((box.score for box in boxes), default=0.0)
        degrees = max(scores, key=lambda key: scores[key])
        return degrees if scores[degrees] >= best + _CLEARLY else 0

    def _search(self, decoded: Decoded, factor: float, grey: bool = False, margin: float = 0.0) -> list[FaceBox]:
        """Search a copy with `factor` of the photo's pixels along a side, its edges continued by `margin` of it."""
        small = resize(decoded.image, factor * decoded.reduction)
        if grey:  # a fifth faster than colour
            small = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        border = round(margin * max(small.shape[:2]))
        if border:
            small = cv2.copyMakeBorder(small, border, border, border, border, cv2.BORDER_REPLICATE)
        rectangles, scores, _ = self._hog.run(np.ascontiguousarray(small), 0, WEAK)  # dlib reads on past padded rows
        x, y = (edge + (decoded.reduction - 1) / 2 for edge in decoded.origin)
        return [
            FaceBox(
                (r.left() - border) / factor + x,
                (r.top() - border) / factor + y,
                (r.right() - border) / factor + x,
                (r.bottom() - border) / factor + y,
                float(score),
            )
            for r, score in zip(rectangles, scores, strict=True)
        ]


def _select(boxes: list[FaceBox], decoded: Decoded) -> Found:
    """What of all that looks like a face is one, by score and by size."""
    best = max((box.score for box in boxes), default=0.0)
    if best < FLOOR:
        return Found((), decoded)
    faces = [box for box in boxes if box.score >= max(0.0, DOUBTFUL * best)]
    faces.sort(key=lambda box: box.area, reverse=True)
    others = [box for box in boxes if box not in faces and box.area >= _LARGER * faces[0].area]
    larger = [box for box in others if all(box.common(face) <= _APART for face in faces)]
    return Found(tuple(faces), decoded, max(larger, key=lambda box: box.score, default=None))


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
