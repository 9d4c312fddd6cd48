"""How light falls on a head.

Light comes from many directions at once, as it does in a room, and every place of the head sees only some of them.
What each vertex sees is found once, on the template; a photo's light is then a weighted sum over directions, soft
shadows included. The same sum in VTK's shader would cost more than all else in a photo.

Light is linear; `Shading` gives it encoded as sRGB is (power 1/2.2), so that it multiplies colours of a texture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.synth.assets import HeadAssets

_COUNT = 96
"""Directions over the whole sphere; those from behind are left out."""
_CELL = 0.05
"""Side of a cell of the depth maps, in decimetres."""
_BIAS = 0.07
"""How far, in decimetres, something must lie before a vertex to shade it."""
_WRAP = np.array([0.24, 0.13, 0.09], dtype=np.float32)
"""How far red, green and blue light creeps around an edge under the skin (a cheap subsurface scattering)."""
_GAMMA = 2.2
_KINDS = {
    "in front": ((0, 25), (-5, 30), (0.6, 1.1), (0.15, 0.6)),
    "from one side": ((50, 105), (-5, 40), (0.8, 1.3), (0.06, 0.35)),
    "from above": ((0, 60), (50, 80), (0.8, 1.3), (0.12, 0.45)),
    "from a screen below": ((0, 25), (-35, -10), (0.6, 1.0), (0.06, 0.3)),
    "from behind": ((115, 165), (10, 50), (0.8, 1.3), (0.35, 0.8)),
    "from everywhere": ((0, 180), (0, 80), (0.05, 0.3), (0.8, 1.2)),
}
"""Where a lamp stands: azimuth to either side and elevation in degrees; its strength; that of the light around."""
_CHUNK = 512
"""Vertices at a time: what is computed of them fits into a processor's cache."""


@dataclass(frozen=True)
class Lamp:
    """A soft lamp.

    Attributes:
        direction: (3,), unit: from the head to the lamp, in the room.
        colour: (3,): linear strength in red, green and blue.
        sharpness: concentration of its light about the direction; 5 is a window, 40 a small softbox.
    """

    direction: NDArray[np.float32]
    colour: NDArray[np.float32]
    sharpness: float


@dataclass(frozen=True)
class Lighting:
    """The light of one photo: lamps and a dome that is brighter above.

    Attributes:
        lamps: one to three.
        dome: (3,): linear strength of the light from everywhere.
    """

    lamps: tuple[Lamp, ...]
    dome: NDArray[np.float32]


def draw_studio_lighting(rng: np.random.Generator) -> Lighting:
    """A key light from in front, a fill from the other side, sometimes a third from above or behind."""
    side = rng.choice([-1, 1])
    warmth = rng.normal(0, 0.06)
    tint = np.array([1 + warmth, 1, 1 - warmth], dtype=np.float32)
    places = [
        (side * rng.uniform(5, 50), rng.uniform(5, 50), rng.uniform(0.7, 1.15)),
        (-side * rng.uniform(15, 65), rng.uniform(-10, 35), rng.uniform(0.1, 0.45)),
    ]
    if rng.random() < 0.4:
        places.append((rng.uniform(-110, 110), rng.uniform(20, 70), rng.uniform(0.1, 0.35)))
    lamps = tuple(
        Lamp(_direction(azimuth, elevation), tint * np.float32(strength), float(rng.uniform(4, 25)))
        for azimuth, elevation, strength in places
    )
    return Lighting(lamps, (2 - tint) * np.float32(rng.uniform(0.3, 0.6)))


def draw_lighting(rng: np.random.Generator) -> Lighting:
    """Any light: one of `_KINDS`, the lamp hard or soft, with little or much light from around."""
    if rng.random() < 0.3:
        return draw_studio_lighting(rng)
    azimuths, elevations, strengths, domes = _KINDS[rng.choice(list(_KINDS))]
    warmth = rng.normal(0, 0.1)
    tint = np.array([1 + warmth, 1, 1 - warmth], dtype=np.float32)
    direction = _direction(rng.choice([-1, 1]) * rng.uniform(*azimuths), rng.uniform(*elevations))
    sharpness = float(np.exp(rng.uniform(np.log(4), np.log(120))))
    key = Lamp(direction, tint * np.float32(rng.uniform(*strengths)), sharpness)
    return Lighting((key,), (2 - tint) * np.float32(rng.uniform(*domes)))


def _direction(azimuth: float, elevation: float) -> NDArray[np.float32]:
    """From degrees; azimuth 0 is in front."""
    a, e = np.radians([azimuth, elevation])
    return np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)], dtype=np.float32)


class LightStage:
    """What every vertex of the template sees of the light around.

    Args:
        assets: the head.
        shading: (m, 3): the triangles that cast shadows.
    """

    def __init__(self, assets: HeadAssets, shading: NDArray[np.int32]) -> None:
        index = np.arange(_COUNT) + 0.5
        height, turn = 1 - 2 * index / _COUNT, np.pi * (1 + 5**0.5) * index
        flat = np.sqrt(1 - height**2)
        sphere = np.column_stack([flat * np.cos(turn), flat * np.sin(turn), height]).astype(np.float32)
        self._directions = sphere[sphere[:, 2] > -0.45]
        points = _samples(assets.vertices, shading)
        reach = int(np.sqrt((points**2).sum(axis=1).max()) / _CELL) + 3
        self.visibility = np.stack(
            [_lit(assets.vertices, points, towards, reach) for towards in self._directions], axis=1
        )
        """(n, directions), 0..1: what of the light from each direction every vertex of the head sees."""

    def open_up(self, vertices: NDArray[np.intp], share: float) -> None:
        """Let some vertices see this share of all light: they are hidden on the template, but not in every photo."""
        self.visibility[vertices] = share

    def let_in(self, vertices: NDArray[np.bool_], share: float) -> None:
        """Let at least this share of all light reach some vertices: thin parts are lit through."""
        self.visibility[vertices] = np.maximum(self.visibility[vertices], share)

    def shade(
        self,
        normals: NDArray[np.float32],
        lighting: Lighting,
        rotation: NDArray[np.floating],
        shine: NDArray[np.float32],
        visibility: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Light on vertices.

        Args:
            normals: (n, 3), unit, of the head before it is turned.
            lighting: of the room.
            rotation: (3, 3): turns the head into the room; row vectors are multiplied by its transpose.
            shine: (n, 3): how strongly each vertex mirrors, relative to its colour.
            visibility: (n, directions) as in `visibility`, or (n, 1): one share of all light for each vertex.

        Returns:
            (n, 3), encoded as sRGB; 1 leaves a texture as it is.
        """
        to_head = rotation.astype(np.float32)
        room = self._directions @ to_head.T
        weights = lighting.dome * (0.75 + 0.5 * room[:, 1:2]) / len(room) * 2
        for lamp in lighting.lamps:
            share = np.exp(lamp.sharpness * (room @ lamp.direction - 1))
            weights = weights + share[:, None] / share.sum() * lamp.colour
        weights = weights / (1 + _WRAP)
        light = np.empty_like(normals)
        for start in range(0, len(normals), _CHUNK):
            part = slice(start, start + _CHUNK)
            facing = normals[part] @ self._directions.T
            for channel, wrap in enumerate(_WRAP):
                falling = np.maximum(facing + wrap, 0)
                falling *= visibility[part]
                light[part, channel] = falling @ weights[:, channel]
        for lamp in lighting.lamps:
            towards = lamp.direction @ to_head
            halfway = towards + np.array([0, 0, 1], dtype=np.float32) @ to_head
            mirrored = np.maximum(normals @ (halfway / np.linalg.norm(halfway)), 0)
            broad = mirrored**8
            near = np.exp(12 * (self._directions @ towards - 1))
            open_to = (visibility * (near / near.sum())).sum(axis=1)
            light += (open_to * (0.35 * broad + broad**6))[:, None] * shine * lamp.colour
        encoded: NDArray[np.float32] = light ** np.float32(1 / _GAMMA)
        return encoded


def _samples(vertices: NDArray[np.float32], triangles: NDArray[np.int32]) -> NDArray[np.float32]:
    """Points spread over triangles, (k, 3)."""
    corners = vertices[triangles]
    steps = [(i / 3, j / 3) for i in range(4) for j in range(4 - i)]
    return np.concatenate([corners[:, 0] * (1 - a - b) + corners[:, 1] * a + corners[:, 2] * b for a, b in steps])


def _lit(
    vertices: NDArray[np.float32], points: NDArray[np.float32], towards: NDArray[np.float32], reach: int
) -> NDArray[np.float32]:
    """Whether each vertex sees the light from one direction, (n,), 0..1, by a depth map of `reach` cells each way."""
    across = np.cross(towards, (0.0, 1.0, 0.0) if abs(towards[1]) < 0.9 else (1.0, 0.0, 0.0))
    across /= np.linalg.norm(across)
    plane = np.column_stack([across, np.cross(towards, across)]).astype(np.float32)
    nearest = np.full((2 * reach, 2 * reach), -np.inf, dtype=np.float32)
    row, column = (np.floor((points @ plane) / _CELL).astype(int) + reach).T
    np.maximum.at(nearest, (row, column), points @ towards)
    row, column = np.clip(np.floor((vertices @ plane) / _CELL).astype(int) + reach, 1, 2 * reach - 2).T
    depth = vertices @ towards
    cells, place = nearest.reshape(-1), row * nearest.shape[1] + column
    open_cells = [
        cells[place + i * nearest.shape[1] + j] < depth + _BIAS + _CELL * (abs(i) + abs(j))
        for i in (-1, 0, 1)
        for j in (-1, 0, 1)
    ]
    return np.mean(open_cells, axis=0, dtype=np.float32)
