"""How one person shows emotions: strongly or weakly, with the brows or with the mouth, the same in all photos."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.labels import EMOTION_COUNT

HABITS = 50
"""Action units are numbered below this one, but for those of the eyes' direction, which share the last."""
VARIANTS = 8
"""More than any emotion has."""
_UPPER = ("brow", "eye", "cheekSquint", "noseSneer")
"""How the names of the actions of the upper face begin."""
_GAIN, _TIED, _UNEVEN = 0.24, 0.9, 0.09
"""Spread of the gain of single actions, as logarithms; how far right follows left; what differs between sides."""
_REGION = 0.2
"""Spread of how strongly a person moves the upper face and the lower face, each."""
_STRENGTH = (0.0, 0.6)
"""Middle and spread of how strongly a person shows anything, as a logarithm: half of the people from 0.67 to 1.5.
Mild smiles of real people and acted faces lie at its two ends (docs/experiments.md)."""
_RESTING = 0.015
_KEPT_SHUT = ("jawOpen", "tongueOut", "cheekPuff", "jawLeft", "jawRight", "mouthLeft", "mouthRight")


@dataclass(frozen=True, eq=False)
class Style:
    """A person's way of showing emotions.

    Attributes:
        names: of the 52 actions.
        gain: (52,), float32: how strongly this person moves each facial action.
        resting: (52,), float32: what of it stays when neutral.
        habits: (7, `HABITS`), standard normal: which action units this person prefers in each emotion.
        preferences: (7, `VARIANTS`), standard normal: which variants.
        leftward: 0..1: how often what shows on one side shows on the person's left.
    """

    names: tuple[str, ...]
    gain: NDArray[np.float32]
    resting: NDArray[np.float32]
    habits: NDArray[np.float32]
    preferences: NDArray[np.float32]
    leftward: float


def draw_style(names: tuple[str, ...], rng: np.random.Generator) -> Style:
    """Draw a person's style."""
    gain = np.exp(rng.normal(0, _GAIN, len(names)))
    _tie_sides(names, gain)
    gain *= np.exp(rng.normal(0, _UNEVEN, len(names)))  # no face is the same on both sides
    is_upper = np.array([name.startswith(_UPPER) for name in names])
    upper, lower = np.exp(rng.normal(0, _REGION, 2))
    gain *= np.where(is_upper, upper, lower) * np.exp(rng.normal(*_STRENGTH))
    resting = np.abs(rng.normal(0, _RESTING, len(names)))
    _tie_sides(names, resting)
    for name in _KEPT_SHUT:
        resting[names.index(name)] = 0.0
    return Style(
        names=names,
        gain=gain.astype(np.float32),
        resting=resting.astype(np.float32),
        habits=rng.standard_normal((EMOTION_COUNT, HABITS), dtype=np.float32),
        preferences=rng.standard_normal((EMOTION_COUNT, VARIANTS), dtype=np.float32),
        leftward=float(rng.beta(0.7, 0.7)),
    )


def _tie_sides(names: tuple[str, ...], values: NDArray[np.float64]) -> None:
    """Let right sides follow left ones but for a tenth, in place."""
    for i, name in enumerate(names):
        if name.endswith("Right"):
            left = values[names.index(name.removesuffix("Right") + "Left")]
            values[i] = _TIED * left + (1 - _TIED) * values[i]
