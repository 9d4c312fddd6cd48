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
from mien.faces.landmarks import ALIGNED_BOX, NETWORK_FILE, Marks
from mien.faces.networks import open_network
from mien.faces.points68 import MIRROR, eye_distance
from mien.images import RGBImage

INPUT_SIZE = 112
"""Side of the grey crop that the network sees, in pixels."""
_NEAR = 0.05
"""Share of the distance of the outer corners of the eyes within which a point counts as right."""


class LandmarkModel:
    """The network, loaded at first use; see `Landmarker`.

    Args:
        weights: an ONNX file as `mien train-landmarks` writes it.
    """

    def __init__(self, weights: Path = NETWORK_FILE) -> None:
        self.weights = weights

    def mark(self, image: RGBImage, box: NDArray[np.floating]) -> Marks:
        """The landmarks of the face in `box`: one look to align it, another to mark it."""
        first = self._look(image, _box_to_crop(box))
        return self._look(image, photo_to_crop(first.landmarks, INPUT_SIZE))

    def mark_aligned(self, crop: RGBImage) -> Marks:
        """The landmarks of an aligned crop: the mean of a look at it and one at its mirror image, with 5% less error
        than one of them has (docs/experiments.md)."""
        return self._look(crop, _crop_to_input(crop), mirrored_too=True)

    def glance(self, crop: RGBImage) -> Marks:
        """The landmarks of an aligned crop, in one look."""
        return self._look(crop, _crop_to_input(crop))

    def _look(self, image: RGBImage, to_input: Similarity, mirrored_too: bool = False) -> Marks:
        grey = cv2.cvtColor(warp(image, to_input, INPUT_SIZE), cv2.COLOR_RGB2GRAY)
        views = np.stack([grey, grey[:, ::-1]]) if mirrored_too else grey[None]
        points, spread = open_network(self.weights).run(None, {"crops": views})
        if mirrored_too:
            points[1] = points[1, MIRROR] * [-1, 1] + [1, 0]
            spread[1] = spread[1, MIRROR]
        seen, unsure = points.mean(axis=0), spread.mean(axis=0)
        landmarks = to_input.inverse().apply(seen * INPUT_SIZE - 0.5).astype(np.float32)
        reach = _NEAR * float(eye_distance(seen)) / unsure
        return Marks(landmarks, (1 - (1 + reach) * np.exp(-reach)).astype(np.float32))


def _crop_to_input(crop: RGBImage) -> Similarity:
    scale = INPUT_SIZE / crop.shape[0]
    return Similarity(complex(scale), (scale - 1) / 2 * (1 + 1j))


def _box_to_crop(box: NDArray[np.floating]) -> Similarity:
    """The similarity that puts a detector's box where it lies in an aligned crop."""
    left, top, right, bottom = (float(edge) for edge in box)
    wanted = ALIGNED_BOX.reshape(2, 2) * INPUT_SIZE
    scale = float(np.ptp(wanted, axis=0).mean()) / max(1.0, (right - left + bottom - top) / 2)
    x, y = wanted.mean(axis=0) - scale * np.array([left + right, top + bottom]) / 2
    return Similarity(complex(scale), complex(x, y))
