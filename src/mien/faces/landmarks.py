"""The 68 landmarks of a face: what a predictor of them gives, and the two that mien has.

cnn   mien's own network (`mien.faces.cnn`): small, fast, free for everyone
ert   dlib's ensemble of regression trees (`mien.faces.ert`), the paper's choice; not for commercial use
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from mien.files import hash_file
from mien.images import RGBImage

LandmarkerName = Literal["cnn", "ert"]
NETWORK_FILE = Path(__file__).with_name("landmarks.onnx")
"""Of `cnn`."""

ALIGNED_BOX = np.array([29, 47, 184, 202]) / 224
"""Where dlib's detector sees the face in an aligned crop: the median over real faces, as a share of the side."""

Landmarks = NDArray[np.float32]
"""Shape (68, 2): x and y in pixels of the picture that the name says, `_photo` or `_crop`."""


@dataclass(frozen=True, eq=False)
class Marks:
    """What a predictor sees in a picture.

    Attributes:
        landmarks: (68, 2), float32, pixels of the picture.
        confidence: (68,), float32, 0..1: how likely each point lies within 5% of the distance of the outer corners of
            the eyes from its place; NaN where the predictor does not say.
    """

    landmarks: Landmarks
    confidence: NDArray[np.float32]


class Landmarker(Protocol):
    """Finds the landmarks of a face whose place is known. Safe to share among threads."""

    def mark(self, image: RGBImage, box: NDArray[np.floating]) -> Marks:
        """The landmarks of the face in a box.

        Args:
            image: shape (height, width, 3), uint8, RGB.
            box: shape (4,): left, top, right, bottom in pixels of `image`, as dlib's detector draws it; may reach
                over its edges.
        """

    def mark_aligned(self, crop: RGBImage) -> Marks:
        """The landmarks of an aligned crop, where the face is where it always is.

        Args:
            crop: shape (size, size, 3), uint8, RGB, aligned as in `mien.faces.alignment`.
        """

    def glance(self, crop: RGBImage) -> Marks:
        """The same by one look, where `mark_aligned` may take several: for films."""


@cache
def landmarker_version(name: LandmarkerName) -> str:
    """What changes when a predictor is trained anew, 8 hexadecimal digits; "" for `ert`, which does not change."""
    return hash_file(NETWORK_FILE)[:8] if name == "cnn" else ""
