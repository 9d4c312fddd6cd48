"""What moved in a face, in words: how parts of it lie beside their places in the same face when neutral."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST = 0.02
"""Of the distance between the outer corners of the eyes: what is less is not told apart from noise."""
_BOTH = 0.5
"""Two sides moved alike if the weaker moved at least so much of what the stronger did."""

Points = NDArray[np.floating]
"""Shape (68, 2): how far each point moved right and down in the picture."""
_Measure = Callable[[Points], float]


@dataclass(frozen=True)
class Movement:
    """How one part of a face moved.

    Attributes:
        part: `brows`, `left brow` (the person's left), `mouth` and the like.
        change: `raised`, `lowered`, `opened` and the like.
        amount: above 0, as a share of the distance between the outer corners of the eyes.
    """

    part: str
    change: str
    amount: float

    def __str__(self) -> str:
        return f"{self.part} {self.change} {self.amount:.0%}"

    def to_dict(self) -> dict[str, str | float]:
        """For JSON."""
        return {"part": self.part, "change": self.change, "amount": round(self.amount, 3)}


@dataclass(frozen=True)
class _Part:
    """A part that is there once, or on both sides, and what its moving one way and the other is called."""

    names: tuple[str, ...]  # of both together, of the person's right one, of the left one; or one name
    forward: str
    backward: str
    measures: tuple[_Measure, ...]


def _mean(axis: int, *points: int) -> _Measure:
    """How far points moved right (axis 0) or down (axis 1) on average."""
    return lambda moved: float(moved[list(points), axis].mean())


def _apart(axis: int, first: tuple[int, ...], second: tuple[int, ...]) -> _Measure:
    """How much farther right or down the second points lie from the first ones."""
    return lambda moved: float(moved[list(second), axis].mean() - moved[list(first), axis].mean())


_PARTS = (
    _Part(
        ("brows", "right brow", "left brow"),
        "lowered",
        "raised",
        (_mean(1, *range(17, 22)), _mean(1, *range(22, 27))),
    ),
    _Part(("brows",), "moved apart", "drawn together", (_apart(0, (20, 21), (22, 23)),)),
    _Part(
        ("eyes", "right eye", "left eye"),
        "opened wider",
        "narrowed",
        (_apart(1, (37, 38), (40, 41)), _apart(1, (43, 44), (46, 47))),
    ),
    _Part(("nostrils",), "widened", "narrowed", (_apart(0, (31,), (35,)),)),
    _Part(
        ("lip corners", "right lip corner", "left lip corner"),
        "lowered",
        "raised",
        (_mean(1, 48, 60), _mean(1, 54, 64)),
    ),
    _Part(("mouth",), "widened", "narrowed", (_apart(0, (48, 60), (54, 64)),)),
    _Part(("mouth",), "opened", "closed", (_apart(1, (61, 62, 63), (65, 66, 67)),)),
    _Part(("chin",), "lowered", "raised", (_mean(1, 7, 8, 9),)),
)


def describe_movements(moved: NDArray[np.floating], eye_distance: float) -> tuple[Movement, ...]:
    """What moved, the most first.

    Args:
        moved: shape (68, 2), how far each landmark lies from its place in the same face when neutral, crop pixels.
        eye_distance: between the outer corners of the eyes, crop pixels.
    """
    found = []
    for part in _PARTS:
        amounts = [measure(moved) / eye_distance for measure in part.measures]
        weaker, stronger = min(amounts, key=abs), max(amounts, key=abs)
        if len(amounts) == 2 and stronger != 0 and weaker / stronger >= _BOTH:
            found.append((part.names[0], part, float(np.mean(amounts))))
        else:
            found += [(name, part, amount) for name, amount in zip(part.names[-len(amounts) :], amounts, strict=True)]
    told = [
        Movement(name, part.forward if amount > 0 else part.backward, abs(amount))
        for name, part, amount in found
        if abs(amount) >= LEAST
    ]
    return tuple(sorted(told, key=lambda movement: -movement.amount))
