"""What moved in a face, by region, in words: landmarks of the crop beside those of the same face when neutral."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.faces.points68 import eye_distance

_LEAST = 0.02
"""Of the distance between the outer corners of the eyes; what moves less is not named."""
Points = NDArray[np.floating]


@dataclass(frozen=True)
class Movement:
    """How a region of the face differs from its neutral place.

    Attributes:
        region: say `mouth corners`.
        change: say `raised`.
        amount: as a share of the distance between the outer corners of the eyes, above 0.
    """

    region: str
    change: str
    amount: float

    def to_dict(self) -> dict[str, str | float]:
        """For JSON, with `words`."""
        return {
            "region": self.region,
            "change": self.change,
            "words": f"{self.region} {self.change}",
            "amount": round(self.amount, 3),
        }


def find_movements(landmarks_crop: Points, neutral_crop: Points) -> list[Movement]:
    """What moved, the most first.

    Args:
        landmarks_crop, neutral_crop: shape (68, 2), crop pixels: the face, and its place when neutral.
    """
    unit = float(eye_distance(neutral_crop))
    found = []
    for region, more, less, measure in _MEASURES:
        change = (measure(landmarks_crop) - measure(neutral_crop)) / unit
        if abs(change) >= _LEAST:
            found.append(Movement(region, more if change > 0 else less, abs(change)))
    return sorted(found, key=lambda movement: -movement.amount)


def _height(*points: int) -> Callable[[Points], float]:
    """How high some points lie; y goes down."""
    return lambda landmarks: -float(landmarks[list(points), 1].mean())


def _distance(*pairs: tuple[int, int]) -> Callable[[Points], float]:
    """Mean distance of pairs of points."""
    return lambda landmarks: float(np.mean([np.hypot(*(landmarks[a] - landmarks[b])) for a, b in pairs]))


_MEASURES: tuple[tuple[str, str, str, Callable[[Points], float]], ...] = (
    ("inner brows", "raised", "lowered", _height(20, 21, 22, 23)),
    ("outer brows", "raised", "lowered", _height(17, 18, 25, 26)),
    ("brows", "drawn apart", "drawn together", _distance((21, 22))),
    ("eyes", "opened wider", "narrowed", _distance((37, 41), (38, 40), (43, 47), (44, 46))),
    ("nostrils", "raised", "lowered", _height(31, 32, 34, 35)),
    ("mouth corners", "raised", "lowered", _height(48, 54)),
    ("mouth", "widened", "narrowed", _distance((48, 54))),
    ("lips", "parted", "pressed together", _distance((61, 67), (62, 66), (63, 65))),
    ("chin", "raised", "lowered", _height(7, 8, 9)),
)
"""Region, what it is called when the measure grows or shrinks, and the measure in crop pixels."""
