"""Synthetic subjects: each is drawn once, at random, and stays the same person over all photos.

Units are decimetres; x points to the person's left, y up, z forward.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.synth.assets import ANCESTRIES, PARTS, HeadAssets
from mien.synth.style import Style, draw_style

# fmt: off
LANDMARK_VERTICES = np.array([
    # jaw, in a frontal view
    5769, 5675, 5204, 5242, 739, 761, 743, 926, 780, 7628, 7463, 7480, 7459, 11851, 11815, 12272, 12366,
    5263, 262, 222, 205, 228, 7001, 6980, 6996, 7031, 11871,           # brows
    132, 135, 164, 294, 320, 313, 317, 7076, 7082,                     # nose
    25, 4849, 4865, 6764, 4862, 37, 13360, 11483, 11467, 6809, 6821, 11480,  # eyes
    3706, 5361, 461, 509, 7220, 11963, 10374, 7239, 7241, 492, 486, 484,     # outer lips
    437, 472, 520, 7228, 7197, 7264, 493, 517,                         # inner lips
])
# fmt: on
"""Vertices of MakeHuman's base mesh at the 68 points: the symmetric pairs that lie closest to where the 68-point
predictor sees them, over synthetic heads of all ancestries in five expressions."""

HEAD_AXIS = 0.35
"""How far in front of the origin, in decimetres, the upright axis of the head runs."""
_SPREAD = {
    "ear": 0.22, "neck": 0.18, "asym": 0.09, "head": 0.16, "eye": 0.14, "nose": 0.15, "mouth": 0.14, "chin": 0.13,
}  # fmt: skip
"""Standard deviation of local changes, whose natural range is -1..1, by the start of their name."""
_MIDDLE = {
    "mouth-scale-horiz-incr": 0.25, "head-fat-incr": -0.14, "eye-trans-up": 0.16, "chin-height-incr": 0.09,
    "nose-nostrils-width-incr": 0.13, "nose-hump-incr": -0.12, "mouth-lowerlip-height-incr": 0.11,
    "eye-scale-incr": 0.1,
}  # fmt: skip
"""Where the middle of people lies, if not at 0: from 174 neutral faces (docs/experiments.md, 2026-11-25)."""
_SEXES_DIFFER = {
    "chin-height-incr": -0.15, "mouth-scale-vert-incr": -0.5, "mouth-trans-up": -0.5, "nose-trans-up": -0.55,
    "eye-scale-incr": -0.5, "chin-bones-incr": -0.55, "nose-point-up": -0.3,
}  # fmt: skip
"""Female less male. MakeHuman's women have noses that are too short, and so too large a face around them."""
_BROWS = np.array([[0.19, 0.06], [0.15, 0.085], [0.11, 0.115], [0.07, 0.14], [0.03, 0.16]])
"""How far brows lie outward and up from the vertices of their landmarks, from the inner end to the outer one, in
widths of an eye."""
_BROWS_DIFFER = (0.025, 0.06, 0.03)
"""Spread between people of brows' places: outward, up, and up at the outer end less up at the inner one."""
_BROWS_FEMALE = 0.04
"""How much higher women's brows are than men's."""
_TIED = 0.93
"""Correlation of a change of the left side with the same change of the right."""
_UNNATURAL = ("head-trans", "head-angle", "neck-trans", "mouth-trans-out", "nose-trans-out", "head-age")


@dataclass(frozen=True, eq=False)
class Subject:
    """A person.

    Attributes:
        assets: the head that all people share.
        female: 0 (male) .. 1 (female).
        age: in years.
        ancestry: shares of `ANCESTRIES`, sums to 1.
        neutral: (n, 3), float32: the neutral face.
        brows: (5, 2): how far the brows lie outward and up from the vertices of their landmarks, from the inner end
            to the outer one, in widths of an eye.
        style: how this person shows emotions.
        seed: for all else that belongs to the person, such as skin and hair.
    """

    assets: HeadAssets
    female: float
    age: float
    ancestry: NDArray[np.float64]
    neutral: NDArray[np.float32]
    brows: NDArray[np.float64]
    style: Style
    seed: int

    def shape(self, actions: NDArray[np.floating]) -> NDArray[np.float32]:
        """The vertices, (n, 3), with facial actions (52,) from 0 to about 1."""
        used = np.flatnonzero(actions)
        # Not tensordot: its threads cost more than they bring on so little.
        strengths = actions[used].astype(np.float32)
        moved: NDArray[np.float32] = np.einsum("a,anc->nc", strengths, self.assets.actions[used])
        return self.neutral + moved

    @cached_property
    def attributes(self) -> dict[str, float]:
        """For the ground truth."""
        shares = {name: float(share) for name, share in zip(ANCESTRIES, self.ancestry, strict=True)}
        return {"female": self.female, "age": self.age, **shares}


def draw_subject(assets: HeadAssets, rng: np.random.Generator) -> Subject:
    """Draw a person: sex, age 18-80, ancestry, weight, every part of the face, style of expression."""
    female = float(np.clip(rng.integers(2) + rng.normal(0, 0.12), 0, 1))
    age = float(np.clip(18 + 62 * rng.beta(1.1, 1.9), 18, 80))
    ancestry = rng.dirichlet([0.35, 0.35, 0.35])
    return Subject(
        assets=assets,
        female=female,
        age=age,
        ancestry=ancestry,
        neutral=_neutral(assets, female, age, ancestry, rng),
        brows=_draw_brows(female, rng),
        style=draw_style(tuple(str(name) for name in assets.action_names), rng),
        seed=int(rng.integers(2**31)),
    )


def _draw_brows(female: float, rng: np.random.Generator) -> NDArray[np.float64]:
    outward, up, tilt = rng.normal(0, _BROWS_DIFFER)
    along = np.linspace(-0.5, 0.5, len(_BROWS))[:, None]
    brows: NDArray[np.float64] = _BROWS + [outward, up + _BROWS_FEMALE * (female - 0.5)] + along * [0.0, tilt]
    return brows


def _neutral(
    assets: HeadAssets,
    female: float,
    age: float,
    ancestry: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    old = np.clip((age - 25) / 65, 0, 1)
    shares: dict[Any, float] = {"female": female, "male": 1 - female, "old": old, "young": 1 - old}
    shares |= dict(zip(ANCESTRIES, ancestry, strict=True))
    for position, spread in ((0, 0.25), (1, 0.3)):  # muscle, weight; 0.5 is average
        value = np.clip(0.5 + spread * rng.normal() * 0.6, 0, 1)
        levels = {
            "min": max(0.0, 1 - 2 * value),
            "max": max(0.0, 2 * value - 1),
            "average": 1 - abs(2 * value - 1),
        }
        shares |= {(position, level): share for level, share in levels.items()}
    vertices = assets.vertices.copy()
    for name, offsets in zip(assets.macro_names, assets.macro, strict=True):
        words = str(name).split("-")
        if words[0] == "universal":
            weight = shares[words[1]] * shares[words[2]] * shares[0, words[3]] * shares[1, words[4]]
        else:
            weight = shares[words[0]] * shares[words[1]] * shares[words[2]]
        if weight > 0:
            vertices += np.float32(weight) * offsets
    for value, (positive, negative) in zip(_local_changes(assets, female, rng), assets.shapes, strict=True):
        vertices += np.float32(abs(value)) * (positive if value > 0 else negative)
    places = landmark_places(assets)  # tall or short, all faces sit at the height of the template's
    sitting: NDArray[np.float32] = vertices + (assets.vertices[places] - vertices[places]).mean(axis=0)
    return sitting


def _local_changes(assets: HeadAssets, female: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """A value in -0.6..0.6 for each local change."""
    names = [str(name) for name in assets.shape_names]
    values = rng.normal(size=len(names))
    for i, name in enumerate(names):
        if name.startswith("r-"):
            left = values[names.index("l-" + name[2:])]
            values[i] = _TIED * left + np.sqrt(1 - _TIED**2) * values[i]
    for i, name in enumerate(names):
        stem = name.removeprefix("l-").removeprefix("r-")
        spread = next((s for start, s in _SPREAD.items() if stem.startswith(start)), 0.18)
        values[i] *= 0.0 if stem.startswith(_UNNATURAL) else spread
        values[i] += _MIDDLE.get(stem, 0.0) + (female - 0.5) * _SEXES_DIFFER.get(stem, 0.0)
    return np.clip(values, -0.6, 0.6)


def landmark_places(assets: HeadAssets) -> NDArray[np.intp]:
    """Positions of the 68 landmark vertices among the vertices of the head, (68,)."""
    return np.searchsorted(assets.number, LANDMARK_VERTICES)


def ear_vertices(assets: HeadAssets) -> NDArray[np.bool_]:
    """Which vertices belong to the ears, (n,): those that only ears' shapes are made to move."""
    of_ears = [i for i, name in enumerate(assets.shape_names) if "ear-s" in str(name)]
    moved: NDArray[np.bool_] = np.abs(assets.shapes[of_ears]).max(axis=(0, 1, 3)) > 0.02
    return moved


def triangles_of(assets: HeadAssets, part: str) -> NDArray[np.int32]:
    """The triangles of one of `PARTS`."""
    return assets.triangles[assets.part == PARTS.index(part)]


def vertex_normals(vertices: NDArray[np.float32], triangles: NDArray[np.int32]) -> NDArray[np.float32]:
    """Area-weighted unit normals, (n, 3); zero where no triangle is."""
    corners = vertices[triangles]
    crossed = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    summed = np.zeros_like(vertices)
    flat = triangles.reshape(-1)
    for axis in range(3):
        summed[:, axis] = np.bincount(flat, np.repeat(crossed[:, axis], 3), len(vertices))
    length = np.linalg.norm(summed, axis=1, keepdims=True)
    normals: NDArray[np.float32] = summed / np.maximum(length, 1e-12)
    return normals
