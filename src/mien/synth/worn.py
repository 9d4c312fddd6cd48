"""What is worn on a head and turns with it: long hair, glasses."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.images import RGBImage
from mien.synth.anatomy import Subject, landmark_places

_ROWS, _COLUMNS = 28, 48
"""Of the curtain that long hair is."""
_RIM = 48
"""Corners of a rim of glasses."""


@dataclass(frozen=True, eq=False)
class Worn:
    """A mesh in the frame of the head before it is turned.

    Attributes:
        vertices: (n, 3), float32, decimetres.
        triangles: (m, 3), int32.
        normals: (n, 3), float32, unit.
        seen: (n, 1), float32, 0..1: share of all light that reaches it.
        coordinates: (n, 2), float32: texture coordinates.
    """

    vertices: NDArray[np.float32]
    triangles: NDArray[np.int32]
    normals: NDArray[np.float32]
    seen: NDArray[np.float32]
    coordinates: NDArray[np.float32]


def grow_long_hair(subject: Subject, skin: NDArray[np.intp], rng: np.random.Generator) -> Worn:
    """Hair that parts above the forehead, lies close on the crown and falls to the jaw, the neck or the shoulders.

    A sheet around the head, from one side of the face over the back to the other.

    Args:
        subject: the person.
        skin: which vertices are skin.
        rng: of the person.
    """
    head = subject.neutral[skin]
    top = head[:, 1].max()
    head = head[(head[:, 1] > 7.55) & (head[:, 1] < 8.1)]
    width, back = np.abs(head[:, 0]).max(), 0.3 - head[:, 2].min()
    front = head[head[:, 1] > 7.95][:, 2].max() - 0.3
    over_ears = rng.random() < 0.6
    thickness = rng.uniform(0.13, 0.22) if over_ears else rng.uniform(0.07, 0.12)
    beside = rng.uniform(0.74, 0.9) if over_ears else rng.uniform(0.95, 1.1)
    parting, hairline = rng.uniform(0.0, 0.12), rng.uniform(8.0, 8.12)
    tips, flare = rng.choice([6.35, 5.9, 5.0], p=[0.3, 0.35, 0.35]), rng.uniform(-0.05, 0.2)
    down = np.linspace(0, 1, _ROWS)[:, None] ** 1.6  # closest rows where the crown bends
    across = np.linspace(-1, 1, _COLUMNS)
    ragged = np.interp(across, np.linspace(-1, 1, 40), rng.normal(0, 0.05, 40))
    crest = top + 0.6 * thickness
    level = crest + (tips + ragged - crest) * down
    edge = np.interp(level[:, :1], [hairline - 0.5, hairline - 0.2, hairline + 0.05], [beside, 0.66, parting])
    around = np.pi + across * (np.pi - edge)
    crown = np.clip((level - 7.75) / (crest - 7.75), 0, 1)
    shape = (
        np.sqrt(1 - crown**2)
        * (1 + 0.05 * np.sin(np.pi * np.clip((7.75 - level) / 1.5, 0, 1)))
        * (1 + flare * np.clip((7.75 - level) / 2.5, 0, 1) ** 2)
    )
    waves = 1 + np.interp(across, np.linspace(-1, 1, 60), rng.normal(0, 0.02, 60)) * down
    depth = np.where(np.cos(around) > 0, front + thickness, back + thickness)
    x = (width + thickness) * np.sin(around) * shape * waves
    z = 0.3 + depth * np.cos(around) * shape * waves
    normals = np.stack([np.sin(around) * shape, crown + 0.15, np.cos(around) * shape], axis=-1)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    locks = np.interp(across, np.linspace(-1, 1, 90), rng.uniform(0.35, 0.75, 90))
    strands = np.broadcast_to((across + 1) / 2, level.shape)
    corner = (np.arange(_ROWS - 1)[:, None] * _COLUMNS + np.arange(_COLUMNS - 1)).reshape(-1, 1)
    below = corner + _COLUMNS
    squares = np.hstack([corner, below, corner + 1, corner + 1, below, below + 1])
    return Worn(
        vertices=_rows(np.stack([x, level, z], axis=-1)),
        triangles=squares.reshape(-1, 3).astype(np.int32),
        normals=_rows(normals),
        seen=_rows((locks * (1 - 0.35 * down))[..., None]),
        coordinates=_rows(np.stack([strands, np.broadcast_to(1 - down, level.shape)], axis=-1)),
    )


def paint_long_hair(colour: NDArray[np.float32], rng: np.random.Generator) -> RGBImage:
    """Strands from top to bottom, (256, 512, 3)."""
    strands = np.zeros((256, 512), dtype=np.float32)
    for width, weight in ((512, 0.14), (128, 0.12), (32, 0.08)):
        grains = rng.standard_normal((6, width), dtype=np.float32)
        strands += weight * cv2.resize(grains, (512, 256), interpolation=cv2.INTER_CUBIC)
    return np.clip(colour * np.exp(strands)[..., None], 0, 255).astype(np.uint8)


def fit_glasses(subject: Subject, rng: np.random.Generator) -> Worn:
    """Two rims, a bridge and temples that reach back to the ears."""
    points = subject.neutral[landmark_places(subject.assets)].astype(np.float64)
    eyes = np.stack([points[36:42].mean(axis=0), points[42:48].mean(axis=0)])
    apart = np.abs(eyes[1, 0] - eyes[0, 0])
    half_width, half_height = apart * rng.uniform(0.36, 0.42), apart * rng.uniform(0.24, 0.36)
    squareness, rim = rng.uniform(2.0, 4.0), apart * rng.uniform(0.02, 0.07)
    middle = eyes.mean(axis=0) + [0, -0.1 * half_height, 0]
    front = points[27:29, 2].max() + 0.06
    turn = np.linspace(0, 2 * np.pi, _RIM, endpoint=False)
    round_x = np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** (2 / squareness)
    round_y = np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** (2 / squareness)
    bands: list[tuple[NDArray[np.float64], bool]] = []
    for side in (-1, 1):
        x = middle[0] + side * apart / 2
        bands.append((np.stack([
            np.column_stack([x + (half_width + out) * round_x, middle[1] + (half_height + out) * round_y])
            for out in (-rim / 2, rim / 2)
        ], axis=1), True))  # fmt: skip
    gap = np.linspace(-1, 1, 9) * (apart / 2 - half_width)
    arch = middle[1] + half_height * (0.25 + 0.15 * (1 - np.linspace(-1, 1, 9) ** 2))
    bands.append(
        (np.stack([np.column_stack([middle[0] + gap, arch + up]) for up in (-rim / 2, rim / 2)], axis=1), False)
    )
    meshes = [_band(_bent(band, middle[0], front), closed) for band, closed in bands]
    for side in (-1, 1):
        x = middle[0] + side * (apart / 2 + half_width)
        y, ear = middle[1] + half_height * 0.3, np.abs(points[[0, 16], 0]).mean() + 0.07
        along = np.linspace(0, 1, 12)[:, None, None]
        start = _bent(np.array([[[x, y - rim / 2], [x, y + rim / 2]]]), middle[0], front)[0]
        end = np.array([[side * ear, y - rim / 2, 0.55], [side * ear, y + rim / 2, 0.55]])
        meshes.append(_band(start + (end - start) * along ** [0.35, 1, 1], False))
    counts = np.cumsum([0] + [len(vertices) for vertices, _ in meshes])
    vertices = np.concatenate([vertices for vertices, _ in meshes])
    return Worn(
        vertices=vertices.astype(np.float32),
        triangles=np.concatenate([triangles + n for (_, triangles), n in zip(meshes, counts, strict=False)]),
        normals=np.tile(np.array([0, 0.5, 0.866], dtype=np.float32), (len(vertices), 1)),
        seen=np.full((len(vertices), 1), 0.8, dtype=np.float32),
        coordinates=np.full((len(vertices), 2), 0.5, dtype=np.float32),
    )


def paint_glasses(rng: np.random.Generator) -> RGBImage:
    """One colour, (2, 2, 3): black, horn or metal."""
    colour = ((22, 22, 24), (70, 44, 28), (120, 120, 126), (120, 96, 60), (60, 24, 30))[
        rng.choice(5, p=[0.4, 0.25, 0.15, 0.1, 0.1])
    ]
    return np.full((2, 2, 3), colour, dtype=np.uint8)


def _rows(grid: NDArray[np.floating]) -> NDArray[np.float32]:
    """(rows, columns, k) as (rows * columns, k)."""
    return grid.reshape(_ROWS * _COLUMNS, -1).astype(np.float32)


def _bent(points: NDArray[np.float64], middle: float, front: float) -> NDArray[np.float64]:
    """Points of the plane laid on the slight curve that a face has, (..., 3)."""
    depth = front - 0.28 * (points[..., :1] - middle) ** 2
    return np.concatenate([points, depth], axis=-1)


def _band(edges: NDArray[np.float64], closed: bool) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Vertices and triangles between two lines, (n, 2, 3)."""
    count = len(edges)
    one = np.arange(count if closed else count - 1)[:, None] * 2
    two = (one + 2) % (2 * count)
    squares = np.hstack([one, two, one + 1, one + 1, two, two + 1])
    return edges.reshape(-1, 3), squares.reshape(-1, 3).astype(np.int32)
