"""Hair of the head, brows and beard, painted into a texture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.synth.anatomy import Subject
from mien.synth.texture import HEIGHT, WIDTH, SkinMap, noise, smooth, soft

_HAIR = {
    "black": (26, 22, 20), "dark brown": (52, 36, 26), "brown": (88, 60, 40), "blond": (168, 132, 86),
    "red": (134, 66, 34), "grey": (150, 148, 144),
}  # fmt: skip


def hair_colour(subject: Subject, darkness: float, rng: np.random.Generator) -> NDArray[np.float32]:
    light = subject.ancestry[2] ** 2
    shares = np.array([0.6 + darkness, 1.2, 1.4 * light, 1.0 * light, 0.25 * light, 0.0])
    shares[-1] = max(0.0, (subject.age - 38) / 22) * shares.sum()
    name = rng.choice(list(_HAIR), p=shares / shares.sum())
    return (np.array(_HAIR[str(name)]) * np.exp(rng.normal(0, 0.12))).astype(np.float32)


def scalp(shared: SkinMap, subject: Subject, rng: np.random.Generator) -> NDArray[np.float32]:
    """Where hair grows: above a hairline that falls from the forehead to the temples and behind the ears."""
    bald = subject.female < 0.5 and rng.random() < 0.08 + 0.3 * np.clip((subject.age - 30) / 40, 0, 1)
    side = np.abs(shared.azimuth)
    forehead = 8.0 + rng.normal(0, 0.05) + (0.3 if bald else 0.06 * np.clip((subject.age - 40) / 40, 0, 1))
    corner = rng.uniform(-0.1, 0.06) * (subject.female < 0.5)
    peak = rng.normal(0, 0.03)  # of a widow, or the rounding of a high forehead
    temple = rng.uniform(-0.05, 0.02)
    line = np.interp(
        side,
        [0, 0.15, 0.35, 0.55, 0.7 + temple, 0.8 + temple, 0.88 + temple, 0.97 + temple, 1.9],
        [-peak, 0, 0.01, -corner, -0.14, -0.34, -0.6, -0.95, -1.5],
    )
    strands = 0.022 * noise(rng, 1.2, 8.0) + 0.02 * noise(rng, 30, 1.0)
    edge = (shared.level - (forehead + line) + strands) / 0.2
    return np.clip(edge + 0.35, 0, 1).astype(np.float32)


def paint_brows(
    texture: NDArray[np.float32],
    shared: SkinMap,
    subject: Subject,
    colour: NDArray[np.float32],
    rng: np.random.Generator,
) -> None:
    """Short hairs along each brow, leaning outward."""
    eye = shared.points[39][0] - shared.points[36][0]
    thickness = eye * rng.uniform(0.19, 0.34) * (1.1 - 0.35 * subject.female)
    lower = eye * 0.17  # brows sit on the edge of the socket
    arch = rng.normal(0, 0.05) * eye
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    for points, outward in ((shared.points[17:22][::-1], -1), (shared.points[22:27], 1)):
        bent = np.array([[0, 3], [0, 2 - arch], [0, 2 - arch], [0, 4 - arch / 2], [0, 8]])
        line = smooth(points + bent + [0, lower] + subject.brows * [outward * eye, -eye], 120)[4:]
        along = np.arange(5 * len(line)) / (5 * len(line))
        half = thickness * np.where(along < 0.15, 0.8, 1.0 - 0.75 * np.maximum(0.0, along - 0.45)) / 2
        roots = np.repeat(line, 5, axis=0)
        roots[:, 1] += half * rng.uniform(-1, 1, len(along))
        lean = np.column_stack([outward * (0.3 + along), -0.9 + 1.1 * along]) * eye * 0.13
        hairs = np.round(np.stack([roots, roots + lean], axis=1) * 16).astype(np.int32)
        cv2.polylines(mask, list(hairs), False, 190, 1, cv2.LINE_AA, shift=4)
    density = rng.uniform(0.75, 1.0) * (0.75 + 0.25 * subject.female)
    cover = np.clip(soft(mask, 0.9) * 1.3, 0, 1)[..., None] * density
    dark = np.minimum(colour * 0.75, texture.mean(axis=(0, 1)) * 0.6)  # grey or blond, brows stay darker than skin
    texture += cover.astype(np.float32) * (dark.astype(np.float32) - texture)


def paint_beard(
    texture: NDArray[np.float32], shared: SkinMap, colour: NDArray[np.float32], rng: np.random.Generator
) -> None:
    """Stubble on most men, a beard on some."""
    p, eye = shared.points, shared.points[39][0] - shared.points[36][0]
    jaw = p[2:15] + [0, eye * 0.3]
    cheeks = np.array([p[54] + [eye * 0.5, -eye * 0.1], p[35] + [0, eye * 0.28], p[33] + [0, eye * 0.18],
                       p[31] + [0, eye * 0.28], p[48] + [-eye * 0.5, -eye * 0.1]])  # fmt: skip
    area = shared.area(np.vstack([jaw, cheeks]), 11) * (1 - shared.area(p[48:60], 3))
    density = rng.choice([0.05, 0.18, 0.35, 0.75], p=[0.35, 0.35, 0.18, 0.12])
    hairs = np.clip(0.75 + 0.5 * noise(rng, 1.5, 1.6), 0, 1)
    cover = (area * density * hairs)[..., None]
    texture += cover.astype(np.float32) * (np.float32(0.9) * colour - texture)
