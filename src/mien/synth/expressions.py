"""From a class to facial actions, as FACS describes them.

The seven recipes are in `expressions.toml`, with their sources. A compound shows its dominant emotion in the
stronger measure and its complementary one in the weaker (Du, Tao & Martinez, "Compound facial expressions of
emotion", PNAS 2014); where their actions work against each other, the weaker gives way.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.labels import CompoundEmotion, Emotion

Actions = dict[str, float]
"""Facial action without its side, or with `Left` or `Right`, to its strength."""

ANTAGONISTS = (
    ("browDown", "browOuterUp"),
    ("mouthSmile", "mouthFrown"),
    ("mouthSmile", "mouthPucker"),
    ("mouthStretch", "mouthPucker"),
    ("eyeWide", "eyeSquint"),
    ("eyeWide", "eyeBlink"),
    ("mouthPress", "jawOpen"),
    ("mouthRollLower", "mouthLowerDown"),
    ("mouthShrugLower", "jawOpen"),
)
"""Pairs that pull against each other."""

_DOMINANT = (0.8, 1.25)
_COMPLEMENTARY = (0.75, 1.15)
"""Measures in which the two emotions of a class show; real ones hardly differ in strength."""

_GIVES_WAY = 0.7
"""What the stronger of two antagonists takes from the weaker, as a share of its own strength."""


@dataclass(frozen=True, eq=False)
class Expression:
    """What a face does in one photo.

    Attributes:
        actions: (52,), float32, 0 to 1.6: the facial actions.
        nod: degrees by which the expression lowers the head; negative raises it.
    """

    actions: NDArray[np.float32]
    nod: float


def draw_expression(
    emotion: CompoundEmotion,
    names: list[str],
    gain: NDArray[np.floating],
    resting: NDArray[np.floating],
    chance: np.random.Generator,
) -> Expression:
    """How one person shows a class in one photo.

    Args:
        emotion: the class to show.
        names: of the 52 actions.
        gain, resting: of the person, (52,).
        chance: of this photo.
    """
    wanted: Actions = {}
    nod = 0.0
    if emotion.dominant is not None and emotion.complementary is not None:
        measure, other_measure = chance.uniform(*_DOMINANT), chance.uniform(*_COMPLEMENTARY)
        if emotion.dominant == emotion.complementary:
            wanted, nod = _recipe(emotion.dominant, float(np.hypot(measure, other_measure)), chance)
        else:
            stronger, nod = _recipe(emotion.dominant, measure, chance)
            weaker, other_nod = _recipe(emotion.complementary, other_measure, chance)
            wanted, nod = _joined(stronger, weaker), nod + other_nod
    values = np.zeros(len(names))
    for action, strength in wanted.items():
        for i in _places(action, tuple(names)):
            values[i] += strength * np.exp(chance.normal(0, 0.08))
    values = values * gain + resting * chance.uniform(0.5, 1.5, len(names))
    _stray(values, names, chance)
    return Expression(np.clip(values, 0, 1.6).astype(np.float32), nod)


@cache
def _recipes() -> dict[str, list[dict[str, Any]]]:
    text = files("mien.synth").joinpath("expressions.toml").read_text(encoding="utf-8")
    recipes: dict[str, list[dict[str, Any]]] = tomllib.loads(text)
    return recipes


def _recipe(emotion: Emotion, measure: float, chance: np.random.Generator) -> tuple[Actions, float]:
    """One of the emotion's variants, in some measure, every action a little off; and its nod."""
    variants = _recipes()[emotion.noun]
    share = np.array([variant["share"] for variant in variants])
    variant = variants[chance.choice(len(variants), p=share / share.sum())]
    actions = {
        action: strength * measure * np.exp(chance.normal(0, 0.15)) for action, strength in variant["actions"].items()
    }
    return actions, variant.get("nod", 0.0) * measure


def _joined(stronger: Actions, weaker: Actions) -> Actions:
    """Both at once: where they agree strengths add as squares do, where they conflict the weaker gives way."""
    joined = {a: float(np.hypot(stronger.get(a, 0.0), weaker.get(a, 0.0))) for a in {**stronger, **weaker}}
    for one, other in ANTAGONISTS:
        for a in _sides(one, joined):
            for b in _sides(other, joined):
                if a[-4:] != b[-4:] and {a[-4:], b[-4:]} == {"Left", "ight"}:
                    continue  # one side does not pull against the other
                strong, weak = (a, b) if joined[a] >= joined[b] else (b, a)
                joined[weak] = max(0.0, joined[weak] - _GIVES_WAY * joined[strong])
    return joined


def _sides(action: str, actions: Actions) -> list[str]:
    return [name for name in (action, f"{action}Left", f"{action}Right") if name in actions]


@cache
def _places(action: str, names: tuple[str, ...]) -> list[int]:
    """Where an action lies among the 52: once, or once for each side."""
    places = [i for i, name in enumerate(names) if name in (action, f"{action}Left", f"{action}Right")]
    if not places:
        raise ValueError(f"expressions.toml names an unknown action: {action}")
    return places


def _stray(values: NDArray[np.float64], names: list[str], chance: np.random.Generator) -> None:
    """Gaze, half blinks, and a few small movements that mean nothing, in place."""
    for direction, spread in (("Left", 0.12), ("Right", 0.12), ("Up", 0.08), ("Down", 0.1)):
        gaze = abs(chance.normal(0, spread))
        looks = {
            "Left": ("eyeLookOutLeft", "eyeLookInRight"),
            "Right": ("eyeLookInLeft", "eyeLookOutRight"),
        }.get(direction, (f"eyeLook{direction}Left", f"eyeLook{direction}Right"))
        for name in looks:
            values[names.index(name)] += gaze
    if chance.random() < 0.05:
        closed = chance.uniform(0.2, 0.9)
        for side in ("Left", "Right"):
            values[names.index(f"eyeBlink{side}")] += closed
    for i in chance.choice(len(names), 7, replace=False):
        if not names[i].startswith(("eyeLook", "tongue", "cheekPuff")):
            values[i] += abs(chance.normal(0, 0.13))
