"""Landmarks by an ensemble of regression trees, as the paper finds them.

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
from mien.faces.landmarks import ALIGNED_BOX, Landmarks, Marks
from mien.faces.points68 import POINT_COUNT
from mien.images import RGBImage

_PREDICTOR_FILE = "shape_predictor_68_face_landmarks.dat"
_NUDGES = np.array([[0, 0, 0, 0], [-1, -1, 1, 1], [1, 1, -1, -1], [1, -1, 1, -1], [-1, 1, -1, 1]]) * 5 / 224
"""Boxes around the aligned one, over which the landmarks are averaged."""


@cache
def _load_predictor() -> dlib.shape_predictor:
    return dlib.shape_predictor(str(installed_model(_PREDICTOR_FILE)))


class RegressionTrees:
    """The 68-point predictor, loaded at first use (about 0.5 s, 100 MB). It does not say how sure it is.

    Raises:
        MissingExtraError: its file is not installed.
    """

    def __init__(self) -> None:
        installed_model(_PREDICTOR_FILE)

    @cached_property
    def _predictor(self) -> dlib.shape_predictor:
        return _load_predictor()  # threads may share it: predicting changes nothing in it

    def mark(self, image: RGBImage, box: NDArray[np.floating]) -> Marks:
        """The landmarks of the face in `box`, in whole pixels (the predictor rounds); see `Landmarker`."""
        return _unsaid(self._predict(image, box))

    def mark_aligned(self, crop: RGBImage) -> Marks:
        """The landmarks of an aligned crop, in steps of a fifth of a pixel; see `Landmarker`.

        Where the face lies in a crop is known, so nothing is detected: the mean over five slightly moved boxes
        is taken, which leaves 20% less jitter than one prediction in the detector's box (docs/experiments.md).
        """
        boxes = (ALIGNED_BOX + _NUDGES) * crop.shape[0]
        predictions = np.stack([self._predict(crop, box) for box in boxes])
        return _unsaid(predictions.mean(axis=0, dtype=np.float32))

    def glance(self, crop: RGBImage) -> Marks:
        """The landmarks of an aligned crop, in whole pixels; see `Landmarker`."""
        return self.mark(crop, ALIGNED_BOX * crop.shape[0])

    def _predict(self, image: RGBImage, box: NDArray[np.floating]) -> Landmarks:
        rectangle = dlib.rectangle(*(round(float(edge)) for edge in box))
        shape = self._predictor(image, rectangle)
        return np.array([(point.x, point.y) for point in shape.parts()], dtype=np.float32)


def _unsaid(landmarks: Landmarks) -> Marks:
    return Marks(landmarks, np.full(POINT_COUNT, np.nan, dtype=np.float32))
