"""From a photo to an aligned face: the one path that preparation, training, prediction and server share."""

from __future__ import annotations

from dataclasses import dataclass

from mien.errors import FaceError
from mien.faces.alignment import CROP_SIZE, photo_to_crop, warp
from mien.faces.detection import FaceBox, FaceDetector
from mien.faces.landmarks import LandmarkPredictor, Landmarks
from mien.images import RGBImage

_BYSTANDER = 0.25
"""Share of the largest face's area from which another one counts."""


@dataclass(frozen=True, eq=False)
class Face:
    """A face found in a photo and aligned.

    Attributes:
        box: where the detector saw it, in photo pixels.
        face_count: how many faces of comparable size the photo shows; this is the largest.
        landmarks_photo: shape (68, 2), float32, photo pixels.
        crop: shape (size, size, 3), uint8, RGB: the aligned face.
        landmarks_crop: shape (68, 2), float32, crop pixels, found anew on the crop.
    """

    box: FaceBox
    face_count: int
    landmarks_photo: Landmarks
    crop: RGBImage
    landmarks_crop: Landmarks


class FaceExtractor:
    """Detects, marks and aligns the largest face of a photo (paper, section II).

    Args:
        crop_size: side of the aligned crop in pixels.
    """

    def __init__(self, crop_size: int = CROP_SIZE) -> None:
        self.crop_size = crop_size
        self._detector = FaceDetector()
        self._predictor = LandmarkPredictor()

    def extract(self, image: RGBImage) -> Face:
        """The largest face of a photo.

        Args:
            image: shape (height, width, 3), uint8, RGB.

        Raises:
            FaceError: no face found.
        """
        boxes = self._detector.detect(image)
        if not boxes:
            raise FaceError("no face found; use an upright photo of a face seen from the front")
        box = boxes[0]
        landmarks_photo = self._predictor.predict(image, box.as_array())
        alignment = photo_to_crop(landmarks_photo, self.crop_size)
        crop = warp(image, alignment, self.crop_size)
        landmarks_crop = self._predictor.predict_aligned(crop)
        count = sum(other.area >= box.area * _BYSTANDER for other in boxes)
        return Face(box, count, landmarks_photo, crop, landmarks_crop)
