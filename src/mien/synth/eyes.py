"""Eyeballs: white, iris and pupil as a texture that looks straight ahead."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.images import RGBImage
from mien.synth.anatomy import Subject, triangles_of
from mien.synth.assets import HeadAssets


def eye_coordinates(assets: HeadAssets) -> NDArray[np.float32]:
    """Texture coordinates that look straight at each eye from in front, (n, 2)."""
    coordinates = np.zeros((len(assets.vertices), 2), dtype=np.float32)
    used = np.unique(triangles_of(assets, "eyes"))
    for sign in (-1, 1):
        one = used[assets.vertices[used, 0] * sign > 0]
        points = assets.vertices[one]
        centre = (points.min(axis=0) + points.max(axis=0)) / 2
        diameter = np.ptp(points, axis=0).max()
        coordinates[one] = (points[:, :2] - centre[:2]) / diameter + 0.5
    return coordinates


_IRISES = ((56, 36, 24), (76, 52, 34), (94, 74, 52), (88, 96, 80), (92, 108, 122), (58, 42, 32))


def paint_eye(subject: Subject, rng: np.random.Generator, size: int = 256) -> RGBImage:
    """The eyeball from in front: white with veins, shaded towards the lids; iris with a dark rim; pupil."""
    light = subject.ancestry[2] ** 2
    shares = np.array([1.0, 1.0, 0.5, 0.5 * light, 0.7 * light, 1.0])
    colour = np.array(_IRISES[rng.choice(len(_IRISES), p=shares / shares.sum())], dtype=np.float32)
    rows, columns = (np.indices((size, size), dtype=np.float32) - size / 2) / size
    radius = np.hypot(rows, columns)
    angle = np.arctan2(rows, columns)
    white = np.array([226, 219, 212], dtype=np.float32) * rng.uniform(0.9, 1.0)
    shade = (1 - 1.1 * np.clip(np.abs(columns) - 0.12, 0, 1) - 0.5 * np.clip(-rows - 0.02, 0, 1))[..., None]
    picture = white * shade
    fibres = 1 + 0.18 * np.sin(angle * 41 + 7 * np.sin(angle * 5)) * np.clip(radius / 0.2, 0, 1)
    iris = colour * (fibres * (0.7 + 0.9 * radius / 0.22 * (radius < 0.17)))[..., None]
    rim, pupil = 0.205, rng.uniform(0.07, 0.095)
    inside = np.clip((rim - radius) / 0.02, 0, 1)[..., None]
    dark = np.clip((pupil - radius) / 0.012, 0, 1)[..., None]
    edge = np.exp(-(((radius - rim) / 0.025) ** 2))[..., None]
    picture = picture * (1 - inside) + iris * inside
    picture = picture * (1 - 0.55 * edge) * (1 - dark) + 8 * dark
    return np.clip(picture, 0, 255).astype(np.uint8)
