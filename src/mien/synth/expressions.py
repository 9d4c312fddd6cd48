"""From a class to facial actions, by way of the action units of FACS.

What people do for each emotion is in `expressions.toml`, with its sources. A compound shows its dominant emotion in
the stronger measure and its complementary one in the weaker (Du, Tao & Martinez, "Compound facial expressions of
emotion", PNAS 2014); where their actions work against each other, the weaker gives way.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.labels import NEUTRAL, CompoundEmotion, Emotion
from mien.synth.style import HABITS, Style

Strengths = NDArray[np.float64]
"""Shape (52,): of each facial action."""

ANTAGONISTS = (
    ("browDown", "browOuterUp"),
    ("mouthSmile", "mouthFrown"),
    ("mouthSmile", "mouthPucker"),
    ("mouthStretch", "mouthPucker"),
    ("eyeWide", "eyeSquint"),
    ("eyeWide", "eyeBlink"),
    ("mouthPress", "jawOpen"),
    ("mouthRollLower", "mouthLowerDown"),
    ("mouthRollUpper", "mouthUpperUp"),
    ("mouthShrugLower", "jawOpen"),
)
"""Pairs that pull against each other when different emotions want them. Within one emotion they go together as its
variant says: fear raises the brows *and* draws them together."""

_DOMINANT = (0.8, 1.25)
_COMPLEMENTARY = (0.75, 1.15)
"""Measures in which the two emotions of a class show; real ones hardly differ in strength."""
_GIVES_WAY = 0.7
"""What the stronger of two antagonists takes from the weaker, as a share of its own strength."""
_HABIT = 0.75
"""Correlation, over photos of one person, of whether an action unit is used in an emotion."""
_UNIT_HABIT, _UNIT_SPREAD = 0.15, 0.2
"""Spread of the strength of an action unit between people and between photos, as logarithms."""
_PHOTO = 0.22
"""Spread of the strength of the whole expression between photos of one person."""
_STRONGEST = 1.6
_SIDES = ("Left", "Right")


@dataclass(frozen=True, eq=False)
class Expression:
    """What a face does in one photo.

    Attributes:
        actions: (52,), float32, 0 to 1.6: the facial actions.
        nod: degrees by which the expression lowers the head; negative raises it.
        neutral: no emotion is shown.
    """

    actions: NDArray[np.float32]
    nod: float = 0.0
    neutral: bool = False


def draw_expression(emotion: CompoundEmotion, style: Style, rng: np.random.Generator) -> Expression:
    """How one person shows a class in one photo.

    Args:
        emotion: the class to show.
        style: of the person.
        rng: of this photo.
    """
    wanted, nod = np.zeros(len(style.names)), 0.0
    if emotion.dominant is not None and emotion.complementary is not None:
        measure, other_measure = rng.uniform(*_DOMINANT), rng.uniform(*_COMPLEMENTARY)
        if emotion.dominant == emotion.complementary:
            wanted, nod = _shown(emotion.dominant, float(np.hypot(measure, other_measure)), style, rng)
        else:
            stronger, nod = _shown(emotion.dominant, measure, style, rng)
            weaker, other_nod = _shown(emotion.complementary, other_measure, style, rng)
            wanted, nod = joined(stronger, weaker, style.names), nod + other_nod
    values = wanted * np.exp(rng.normal(0, 0.08, len(wanted))) * style.gain
    values += style.resting * rng.uniform(0.5, 1.5, len(values))
    _stray(values, style.names, rng)
    return Expression(np.clip(values, 0, _STRONGEST).astype(np.float32), nod, emotion == NEUTRAL)


def joined(stronger: Strengths, weaker: Strengths, names: tuple[str, ...]) -> Strengths:
    """Two emotions at once: strengths add as squares do, after the weaker of two antagonists has given way.

    Every side of the face is joined by itself. Only actions of *different* emotions work against each other.
    """
    first, second = stronger.copy(), weaker.copy()
    for one, other in _opposed(names):
        for a, b in ((one, other), (other, one)):
            if stronger[a] >= weaker[b]:
                second[b] = min(second[b], max(0.0, weaker[b] - _GIVES_WAY * stronger[a]))
            else:
                first[a] = min(first[a], max(0.0, stronger[a] - _GIVES_WAY * weaker[b]))
    both: Strengths = np.hypot(first, second)
    return both


@cache
def _opposed(names: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """Positions of antagonists: on the same side, or one of them without a side."""
    return tuple(
        (a, b)
        for one, other in ANTAGONISTS
        for a in _places(one, names)
        for b in _places(other, names)
        if {names[a][-4:], names[b][-4:]} != {"Left", "ight"}
    )


@dataclass(frozen=True)
class _Unit:
    """An action unit in a variant: how many show it, how strongly in the middle, and on which sides."""

    code: int
    probability: float
    strength: float
    one_sided: bool


@dataclass(frozen=True)
class _Variant:
    weight: float
    nod: float
    units: tuple[_Unit, ...]


@cache
def _tables() -> dict[str, Any]:
    text = files("mien.synth").joinpath("expressions.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def _variants(emotion: Emotion) -> tuple[_Variant, ...]:
    return tuple(
        _Variant(
            weight=variant["weight"],
            nod=variant.get("nod", 0.0),
            units=tuple(
                _Unit(int(code), probability, strength, key == "one_side")
                for key in ("units", "one_side")
                for code, (probability, strength) in variant.get(key, {}).items()
            ),
        )
        for variant in _tables()["emotion"][emotion.noun]
    )


@cache
def _directions(names: tuple[str, ...]) -> dict[int, Strengths]:
    """The facial actions of each action unit at full strength, on both sides."""
    directions = {}
    for code, actions in _tables()["units"].items():
        values = np.zeros(len(names))
        for action, strength in actions.items():
            values[_places(action, names)] = strength
        directions[int(code)] = values
    return directions


@cache
def _places(action: str, names: tuple[str, ...]) -> list[int]:
    """Where an action lies among the 52: once, or once for each side."""
    places = [i for i, name in enumerate(names) if name in (action, f"{action}Left", f"{action}Right")]
    if not places:
        raise ValueError(f"expressions.toml names an unknown action: {action}")
    return places


def _shown(emotion: Emotion, measure: float, style: Style, rng: np.random.Generator) -> tuple[Strengths, float]:
    """One of the emotion's variants, as this person shows it in this photo; and its nod."""
    variants, row = _variants(emotion), int(emotion) - 1
    liking = np.array([v.weight for v in variants]) * np.exp(style.preferences[row, : len(variants)])
    variant = variants[rng.choice(len(variants), p=liking / liking.sum())]
    other_side = _SIDES[int(rng.random() < style.leftward)]
    measure *= np.exp(rng.normal(0, _PHOTO))
    directions, actions = _directions(style.names), np.zeros(len(style.names))
    for unit in variant.units:
        habit, whim = float(style.habits[row, min(unit.code, HABITS - 1)]), rng.normal(0, 1, 2)
        if unit.probability < 1:
            inclination = np.sqrt(_HABIT) * habit + np.sqrt(1 - _HABIT) * whim[0]
            if inclination < NormalDist().inv_cdf(1 - unit.probability):
                continue
        strength = unit.strength * measure * np.exp(_UNIT_HABIT * habit + _UNIT_SPREAD * whim[1])
        moved = directions[unit.code] * strength
        if unit.one_sided:
            moved = moved * _without(other_side, style.names)
        actions = np.hypot(actions, moved)
    return actions, variant.nod * measure


@cache
def _without(side: str, names: tuple[str, ...]) -> NDArray[np.bool_]:
    """Which actions are not of this side, (52,)."""
    return np.array([not name.endswith(side) for name in names])


def _stray(values: Strengths, names: tuple[str, ...], rng: np.random.Generator) -> None:
    """Gaze, half blinks, and a few small movements that mean nothing, in place."""
    for direction, spread in (("Left", 0.12), ("Right", 0.12), ("Up", 0.08), ("Down", 0.1)):
        gaze = abs(rng.normal(0, spread))
        looks = {
            "Left": ("eyeLookOutLeft", "eyeLookInRight"),
            "Right": ("eyeLookInLeft", "eyeLookOutRight"),
        }.get(direction, (f"eyeLook{direction}Left", f"eyeLook{direction}Right"))
        for name in looks:
            values[names.index(name)] += gaze
    if rng.random() < 0.05:
        closed = rng.uniform(0.2, 0.9)
        for side in _SIDES:
            values[names.index(f"eyeBlink{side}")] += closed
    for i in rng.choice(len(names), 7, replace=False):
        if not names[i].startswith(("eyeLook", "tongue", "cheekPuff")):
            values[i] += abs(rng.normal(0, 0.13))
