"""From a photo to an aligned face: the one path that preparation, training, and prediction share.

A photo is decoded once, at no more resolution than its face is likely to need, and again only where the face turns
out to be smaller than that. Places are in pixels of the whole upright photo all along.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from mien.errors import FaceError, MienError
from mien.faces.alignment import (
    ANCHORS,
    CROP_SIZE,
    AlignmentName,
    Similarity,
    anchors,
    photo_to_crop,
    stretch_of,
    stretched,
    warp,
)
from mien.faces.detection import FaceBox, FaceDetector, reduction_for
from mien.faces.exposure import expose, expose_measured, measure_exposure
from mien.faces.face import Face
from mien.faces.landmarks import ALIGNED_BOX, Landmarker, LandmarkerName, Landmarks, Marks
from mien.images import Decoded, Photo, PhotoArray, PhotoFile, PhotoSource, RGBImage, open_photo

_BYSTANDER = 0.25
"""Share of the largest face's area from which another one counts."""
_LIKELY_FACE = 0.4
"""Side of a face box as a share of the photo's shorter side, for which the first decoding has enough pixels."""
_BOX_IN_CROP = 155 / 224
"""Side of a face box as a share of the crop's."""
_ENLARGED = 1.5
"""Crop pixels for one decoded pixel, up to which decoding again is not worth its time."""
_MOVED = 4 / 224
"""How far an anchor may move from frame to frame, as a share of the crop's side, for one look to be enough."""


class FaceExtractor:
    """Detects, marks and aligns the faces of a photo (paper, section II). Safe to share among threads.

    Args:
        crop_size: side of the aligned crop in pixels.
        landmark_sizes: sides of further, larger crops on which the landmarks are found as well.
        whole_without_face: take the whole photo for a face where none is found, as the paper's code did.
        thorough: see `FaceDetector`.
        landmarker: what finds the landmarks; or its name.
        alignment: whether crops are stretched so that all eyes lie at one distance, see `mien.faces.alignment`.
    """

    def __init__(
        self,
        crop_size: int = CROP_SIZE,
        landmark_sizes: Sequence[int] = (),
        whole_without_face: bool = False,
        thorough: bool = True,
        landmarker: Landmarker | LandmarkerName = "cnn",
        alignment: AlignmentName = "normalised",
    ) -> None:
        self.crop_size = crop_size
        self.landmark_sizes = tuple(landmark_sizes)
        self.whole_without_face = whole_without_face
        self._detector = FaceDetector(thorough)
        self.alignment = alignment
        self._landmarker = open_landmarker(landmarker) if isinstance(landmarker, str) else landmarker

    def extract(self, photo: Photo | PhotoSource) -> Face:
        """The largest face of a photo, see `mien.images.open_photo`.

        Raises:
            FaceError: no face found, or one in front that cannot be read.
            UnreadableError: the file is truncated or damaged.
        """
        return next(self.extract_all(photo))

    def extract_all(self, photo: Photo | PhotoSource) -> Iterator[Face]:
        """The faces of a photo, the largest first; each is aligned when it is asked for.

        Raises:
            FaceError: no face found, or one in front that cannot be read.
            UnreadableError: the file is truncated or damaged.
        """
        opened = photo if isinstance(photo, PhotoFile | PhotoArray) else open_photo(photo)
        likely = _LIKELY_FACE * min(opened.size) / (_BOX_IN_CROP * self._largest_crop)
        found = self._detector.detect(opened, opened.read(reduction_for(likely)))
        boxes = found.faces
        count = sum(other.area >= boxes[0].area * _BYSTANDER for other in boxes) if boxes else 0
        if not boxes:
            if not self.whole_without_face:
                raise _no_face(found.turned)
            boxes = (FaceBox(0.0, 0.0, float(opened.size[0]), float(opened.size[1]), 0.0),)
        if found.larger is not None and not self.whole_without_face:
            raise FaceError(
                "the face in front is covered or turned away and cannot be read, only one behind it; crop the photo "
                "to the face that is meant",
                count=1 + count,
            )
        for box in boxes:
            yield self._align(opened, found.decoded, box, count)

    @property
    def detector(self) -> FaceDetector:
        """What finds the faces."""
        return self._detector

    def begin(self, image: RGBImage, box: FaceBox) -> Face:
        """The face that the detector saw in a frame of a film; arguments as for `follow`.

        Raises:
            FaceError: its landmarks fall together.
        """
        seen = expose(image, box.as_array())
        return self.follow(image, self._landmarker.mark(seen, box.as_array()).landmarks, box.score)

    def follow(self, image: RGBImage, near: Landmarks, score: float) -> Face:
        """The face that was at a place in the frame before, by one look at it; nothing is detected.

        The frame is aligned by where the landmarks were, and so they are found on the crop, as those of a photo are.
        Where the face moved far since, that is done once more.

        Args:
            image: shape (height, width, 3), uint8, RGB.
            near: shape (68, 2), pixels of `image`: where they were.
            score: of the detector when it last saw the face.

        Raises:
            FaceError: its landmarks fall together.
        """
        size = self.crop_size
        for _ in range(2):
            alignment = photo_to_crop(near, size)
            stretch = self._stretch(near)
            crop, exposure = expose_measured(warp(image, alignment, size, stretch), ALIGNED_BOX * size)
            marks = self._landmarker.glance(crop)
            near = alignment.inverse().apply(stretched(marks.landmarks, 1 / stretch, size)).astype(np.float32)
            if np.abs(marks.landmarks[list(ANCHORS)] - anchors(size)).max() <= _MOVED * size:
                break
        left, top, right, bottom = _usual_box(near).tolist()
        box = FaceBox(left, top, right, bottom, score)
        return Face(box, 1, near, crop, marks.landmarks, marks.confidence, stretch=stretch, exposure=exposure)

    @property
    def _largest_crop(self) -> int:
        return max(self.crop_size, *self.landmark_sizes) if self.landmark_sizes else self.crop_size

    def _align(self, photo: Photo, decoded: Decoded, box: FaceBox, count: int) -> Face:
        seen, in_photo = self._mark(decoded, box)
        decoded_pixels = 1 / photo_to_crop(in_photo.landmarks, self._largest_crop).scale
        if decoded.reduction > 1 and decoded_pixels * _ENLARGED < decoded.reduction:
            seen, in_photo = self._mark(photo.read(reduction_for(decoded_pixels * _ENLARGED)), box)
        stretch = self._stretch(in_photo.landmarks)
        crop = self._crop(seen, in_photo.landmarks, self.crop_size, stretch)
        in_crop = self._landmarker.mark_aligned(crop)
        fine = {
            size: self._landmarker.mark_aligned(self._crop(seen, in_photo.landmarks, size, stretch)).landmarks
            * np.float32(self.crop_size / size)
            for size in self.landmark_sizes
        }
        return Face(
            box,
            count,
            in_photo.landmarks,
            crop,
            in_crop.landmarks,
            in_crop.confidence,
            stretch=stretch,
            landmarks_fine=fine,
            exposure=measure_exposure(decoded.image, _box_in(decoded, box)),
            repaired=seen.repaired,
        )

    def _mark(self, decoded: Decoded, box: FaceBox) -> tuple[Decoded, Marks]:
        """The copy with the face in usual light, and its landmarks in photo pixels."""
        to_photo, corners = _decoded_to_photo(decoded), _box_in(decoded, box)
        seen = replace(decoded, image=expose(decoded.image, corners))
        found = self._landmarker.mark(seen.image, corners)
        if decoded.reduction > 1:  # a coarse pass places boxes coarsely: mark again where the face turned out to be
            found = self._landmarker.mark(seen.image, _usual_box(found.landmarks))
        return seen, replace(found, landmarks=to_photo.apply(found.landmarks).astype(np.float32))

    def _stretch(self, landmarks: Landmarks) -> float:
        return stretch_of(landmarks) if self.alignment == "normalised" else 1.0

    @staticmethod
    def _crop(decoded: Decoded, landmarks_photo: Landmarks, size: int, stretch: float) -> RGBImage:
        alignment = photo_to_crop(landmarks_photo, size).after(_decoded_to_photo(decoded))
        return warp(decoded.image, alignment, size, stretch)


def open_landmarker(name: LandmarkerName) -> Landmarker:
    """A predictor by its name; only that one's libraries are imported.

    Raises:
        MienError: none has this name.
        MissingExtraError: it is not installed.
    """
    if name not in get_args(LandmarkerName):
        raise MienError(f"landmarker={name!r}: choose one of {', '.join(get_args(LandmarkerName))}")
    if name == "ert":
        from mien.faces.ert import RegressionTrees

        return RegressionTrees()
    from mien.faces.cnn import LandmarkModel

    return LandmarkModel()


def _no_face(turned: int) -> FaceError:
    if turned:
        how = "upside down" if turned == 180 else "on its side"
        return FaceError(f"the face is {how}; turn the photo by {turned} degrees, counter-clockwise")
    return FaceError("no face found; use an upright photo of a face seen from the front")


def _usual_box(landmarks: Landmarks) -> NDArray[np.float64]:
    """Where the detector would see the face, by its landmarks; shape (4,): left, top, right, bottom."""
    corners = ALIGNED_BOX.reshape(2, 2)
    middle, half = corners.mean(axis=0), np.ptp(corners, axis=0) / 2
    to_image = photo_to_crop(landmarks, 1).inverse()
    centre = to_image.apply(middle)
    return np.concatenate([centre - half * to_image.scale, centre + half * to_image.scale])


def _box_in(decoded: Decoded, box: FaceBox) -> NDArray[np.float64]:
    """A box in pixels of the decoded copy, shape (4,)."""
    return _decoded_to_photo(decoded).inverse().apply(box.as_array().reshape(2, 2)).reshape(-1)


def _decoded_to_photo(decoded: Decoded) -> Similarity:
    """From pixels of the decoded copy to those of the photo; the centre of a block is what its pixel stands for."""
    half = (decoded.reduction - 1) / 2
    return Similarity(complex(decoded.reduction), complex(decoded.origin[0] + half, decoded.origin[1] + half))
