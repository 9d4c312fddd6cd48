"""Landmarks by mien's own network, through onnxruntime.

`mien train-landmarks` makes the file; docs/landmarks-card.md says of what and how well. The network sees an aligned
grey crop; a first look, in a detector's box, aligns it for the second.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.faces.alignment import Similarity, photo_to_crop, warp
from mien.faces.landmarks import ALIGNED_BOX, Marks
from mien.faces.networks import open_network
from mien.faces.points68 import eye_distance
from mien.images import RGBImage

WEIGHTS = Path(__file__).with_name("landmarks.onnx")
INPUT_SIZE = 112
"""Side of the grey crop that the network sees, in pixels."""
_NEAR = 0.05
"""Share of the distance of the outer corners of the eyes within which a point counts as right."""


class LandmarkModel:
    """The network, loaded at first use; see `Landmarker`.

    Args:
        weights: an ONNX file as `mien train-landmarks` writes it.
    """

    def __init__(self, weights: Path = WEIGHTS) -> None:
        self.weights = weights

    def mark(self, image: RGBImage, box: NDArray[np.floating]) -> Marks:
        """The landmarks of the face in `box`: one look to align it, another to mark it."""
        first = self._look(image, _box_to_crop(box))
        return self._look(image, photo_to_crop(first.landmarks, INPUT_SIZE))

    def mark_aligned(self, crop: RGBImage) -> Marks:
        """The landmarks of an aligned crop, in one look."""
        scale = INPUT_SIZE / crop.shape[0]
        return self._look(crop, Similarity(complex(scale), (scale - 1) / 2 * (1 + 1j)))

    def _look(self, image: RGBImage, to_input: Similarity) -> Marks:
        grey = cv2.cvtColor(warp(image, to_input, INPUT_SIZE), cv2.COLOR_RGB2GRAY)
        points, spread = open_network(self.weights).run(None, {"crops": grey[None]})
        in_input = points[0] * INPUT_SIZE - 0.5
        landmarks = to_input.inverse().apply(in_input).astype(np.float32)
        reach = _NEAR * float(eye_distance(points[0])) / spread[0]
        return Marks(landmarks, (1 - (1 + reach) * np.exp(-reach)).astype(np.float32))


def _box_to_crop(box: NDArray[np.floating]) -> Similarity:
    """The similarity that puts a detector's box where it lies in an aligned crop."""
    left, top, right, bottom = (float(edge) for edge in box)
    wanted = ALIGNED_BOX.reshape(2, 2) * INPUT_SIZE
    scale = float(np.ptp(wanted, axis=0).mean()) / max(1.0, (right - left + bottom - top) / 2)
    x, y = wanted.mean(axis=0) - scale * np.array([left + right, top + bottom]) / 2
    return Similarity(complex(scale), complex(x, y))
