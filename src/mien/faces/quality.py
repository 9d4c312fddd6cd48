"""What a face's picture is worth: its size, sharpness, exposure, and how far the head is turned.

Every measure is of the face alone, not of the photo around it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import cv2
import numpy as np

from mien.faces.landmarks import Landmarks
from mien.faces.points68 import LEFT_EYE_OUTER, NOSE_TIP, RIGHT_EYE_OUTER, eye_distance
from mien.images import RGBImage


@dataclass(frozen=True)
class Quality:
    """How well a face can be read.

    Attributes:
        size: distance between the outer corners of the eyes, in photo pixels.
        sharpness: standard deviation of the Laplacian of the grey crop over that of the crop itself; about 0.05 for a
            blurred face, 0.2 and more for a sharp one.
        exposure: mean grey of the face's middle, 0..255.
        roll: how far the head is tilted in the picture, degrees, clockwise.
        yaw: how far the tip of the nose lies beside the middle between the eyes, as a share of their distance; 0 seen
            from the front, positive to the right of the picture.
        score: of the detector; its threshold is 0, upright portraits have 1 and more.
    """

    size: float
    sharpness: float
    exposure: float
    roll: float
    yaw: float
    score: float

    def to_dict(self) -> dict[str, float]:
        """For JSON, rounded."""
        return {name: round(value, 3) for name, value in asdict(self).items()}


def measure_quality(crop: RGBImage, landmarks_photo: Landmarks, landmarks_crop: Landmarks, score: float) -> Quality:
    """Measure a face; arguments as in `Face`."""
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    middle = grey[height // 4 : -(height // 8), width // 5 : -(width // 5)]
    edges = cv2.Laplacian(middle, cv2.CV_32F)
    right, left = landmarks_photo[[RIGHT_EYE_OUTER, LEFT_EYE_OUTER]]
    across = left - right
    return Quality(
        size=float(eye_distance(landmarks_photo)),
        sharpness=float(edges.std() / max(1.0, float(middle.std()))),
        exposure=float(middle.mean()),
        roll=float(np.degrees(np.arctan2(across[1], across[0]))),
        yaw=_nose_offset(landmarks_crop),
        score=score,
    )


def _nose_offset(landmarks_crop: Landmarks) -> float:
    right, left, nose = landmarks_crop[[RIGHT_EYE_OUTER, LEFT_EYE_OUTER, NOSE_TIP]]
    across = left - right
    length = float(np.hypot(*across))
    return float((nose - (right + left) / 2) @ across / max(1e-6, length * length))
