"""The 68 landmarks of a face, by an ensemble of regression trees.

Source: Kazemi & Sullivan, "One Millisecond Face Alignment with an Ensemble of Regression Trees", CVPR 2014,
as trained by dlib on iBUG 300-W. **That training set excludes commercial use of the predictor**; see
docs/licences.md.
"""

from __future__ import annotations

from functools import cache, cached_property

import dlib
import numpy as np
from numpy.typing import NDArray

from mien.faces.installed import installed_model
from mien.faces.points68 import POINT_COUNT
from mien.images import RGBImage

_PREDICTOR_FILE = "shape_predictor_68_face_landmarks.dat"

ALIGNED_BOX = np.array([29, 47, 184, 202]) / 224
"""Where dlib's detector sees the face in an aligned crop: the median over real faces, as a share of the side."""

_NUDGES = np.array([[0, 0, 0, 0], [-1, -1, 1, 1], [1, 1, -1, -1], [1, -1, 1, -1], [-1, 1, -1, 1]]) * 5 / 224
"""Boxes around the aligned one, over which the landmarks are averaged."""

Landmarks = NDArray[np.float32]
"""Shape (68, 2): x and y in pixels of the picture that the name says, `_photo` or `_crop`."""


@cache
def _load_predictor() -> dlib.shape_predictor:
    return dlib.shape_predictor(str(installed_model(_PREDICTOR_FILE)))


class LandmarkPredictor:
    """The 68-point predictor, loaded at first use (about 0.5 s, 100 MB)."""

    @cached_property
    def _predictor(self) -> dlib.shape_predictor:
        return _load_predictor()  # threads may share it: predicting changes nothing in it

    def predict(self, image: RGBImage, box: NDArray[np.floating]) -> Landmarks:
        """The landmarks of the face in `box`.

        Args:
            image: shape (height, width, 3), uint8, RGB.
            box: shape (4,): left, top, right, bottom in pixels of `image`; may reach over its edges.

        Returns:
            shape (68, 2), float32, whole pixels (the predictor rounds).
        """
        rectangle = dlib.rectangle(*(round(float(edge)) for edge in box))
        shape = self._predictor(image, rectangle)
        return np.array([(shape.part(i).x, shape.part(i).y) for i in range(POINT_COUNT)], dtype=np.float32)

    def predict_aligned(self, crop: RGBImage) -> Landmarks:
        """The landmarks of an aligned crop.

        Where the face lies in a crop is known, so nothing is detected: the mean over five slightly moved boxes
        is taken, which leaves 20% less jitter than one prediction in the detector's box (docs/experiments.md).

        Args:
            crop: shape (size, size, 3), uint8, RGB, aligned as in `mien.faces.alignment`.

        Returns:
            shape (68, 2), float32, crop pixels, in steps of a fifth.
        """
        boxes = (ALIGNED_BOX + _NUDGES) * crop.shape[0]
        predictions = np.stack([self.predict(crop, box) for box in boxes])
        mean: Landmarks = predictions.mean(axis=0, dtype=np.float32)
        return mean
