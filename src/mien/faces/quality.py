"""What a face's picture is worth: size, sharpness, exposure, how far the head is turned, whether it is covered.

Every measure is of the face alone, not of the photo around it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import cv2
import numpy as np

from mien.faces.landmarks import Landmarks
from mien.faces.occlusion import estimate_occlusion
from mien.faces.points68 import BETWEEN_EYES, LEFT_EYE_OUTER, NOSE_TIP, RIGHT_EYE_OUTER, UPPER_LIP, eye_distance
from mien.images import RGBImage

SMALL = 25.0
"""Size, in photo pixels, below which a face is small."""
BLURRED = 0.09
"""Sharpness below which a face is blurred."""
DARK, BRIGHT = 45.0, 225.0
"""Exposure below and above which little is left to see."""
TURNED, NODDED = 0.18, 0.2
"""Yaw and pitch, either way, from which a head is turned: by about 20 degrees. Of 174 people who look into the camera
none is beyond 0.13 in either."""
COVERED = 0.6
"""Occlusion above which a part of the face is covered."""
HARDLY_A_FACE = 0.6
"""Score of the detector below which it hardly saw a face; below 0.3 there is none."""
_USUAL_NOSE = 0.545
"""Place of the nose's tip between landmarks 27 and 51 in people who look into the camera."""


@dataclass(frozen=True)
class Quality:
    """How well a face can be read.

    Attributes:
        size: distance between the outer corners of the eyes, in photo pixels.
        sharpness: standard deviation of the Laplacian of the grey crop over that of the crop itself; about 0.05 for a
            blurred face, 0.2 and more for a sharp one.
        exposure: mean grey of the face's middle in the photo, 0..255, before it was exposed anew.
        roll: how far the head is tilted in the picture, degrees, clockwise.
        yaw: how far the tip of the nose lies beside the middle between the eyes, as a share of their distance; 0 seen
            from the front, positive to the right of the picture.
        pitch: how much lower than usual the tip of the nose lies, as a share of the way from between the eyes to the
            upper lip; positive looking down. Rough: people differ by 0.05.
        score: of the detector; its threshold is 0, upright portraits have 1 and more.
        occlusion: how surely an eye, the nose or the mouth is covered, 0..1, that of the part that is most surely so.
    """

    size: float
    sharpness: float
    exposure: float
    roll: float
    yaw: float
    pitch: float
    score: float
    occlusion: float

    @property
    def flags(self) -> tuple[str, ...]:
        """What speaks against reading the face, in words; the thresholds are the constants above."""
        holds = {
            "small": self.size < SMALL,
            "blurred": self.sharpness < BLURRED,
            "dark": self.exposure < DARK,
            "bright": self.exposure > BRIGHT,
            "turned": abs(self.yaw) > TURNED or abs(self.pitch) > NODDED,
            "covered": self.occlusion > COVERED,
            "hardly a face": self.score < HARDLY_A_FACE,
        }
        return tuple(flag for flag, held in holds.items() if held)

    def to_dict(self) -> dict[str, float]:
        """For JSON, rounded."""
        return {name: round(value, 3) for name, value in asdict(self).items()}


def measure_quality(
    crop: RGBImage, landmarks_photo: Landmarks, landmarks_crop: Landmarks, score: float, exposure: float | None
) -> Quality:
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
        exposure=float(middle.mean()) if exposure is None else exposure,
        roll=float(np.degrees(np.arctan2(across[1], across[0]))),
        yaw=_nose_offset(landmarks_crop),
        pitch=_nose_height(landmarks_crop) - _USUAL_NOSE,
        score=score,
        occlusion=max(estimate_occlusion(crop, landmarks_crop).values()),
    )


def _nose_height(landmarks_crop: Landmarks) -> float:
    eyes, tip, lip = landmarks_crop[[BETWEEN_EYES, NOSE_TIP, UPPER_LIP], 1].tolist()
    return (tip - eyes) / max(1e-6, lip - eyes)


def _nose_offset(landmarks_crop: Landmarks) -> float:
    right, left, nose = landmarks_crop[[RIGHT_EYE_OUTER, LEFT_EYE_OUTER, NOSE_TIP]]
    across = left - right
    length = float(np.hypot(*across))
    return float((nose - (right + left) / 2) @ across / max(1e-6, length * length))
