"""One person's skin, lips and clothes as a texture, and how it wrinkles."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.synth.anatomy import Subject
from mien.synth.hair import hair_colour, paint_beard, paint_brows, scalp
from mien.synth.texture import FACE, HEIGHT, WIDTH, SkinMap, noise, spot

_TONES = np.array([
    (238, 200, 178), (226, 184, 158), (210, 164, 134), (188, 138, 106), (152, 106, 78), (114, 77, 56),
    (82, 55, 42), (60, 41, 33),
], dtype=np.float32)  # fmt: skip
"""Skin from light to dark, sRGB."""


class Skin:
    """One person's texture, and how it wrinkles.

    Args:
        shared: the map of all heads.
        subject: the person.
    """

    def __init__(self, shared: SkinMap, subject: Subject) -> None:
        rng = np.random.default_rng(subject.seed)
        darkness = float(np.clip(subject.ancestry @ [5.3, 1.7, 0.7] + rng.normal(0, 1.1), 0, len(_TONES) - 1))
        step = min(int(darkness), len(_TONES) - 2)
        tone = _TONES[step] + (darkness - step) * (_TONES[step + 1] - _TONES[step])
        tone = tone + rng.normal(0, [4, 3, 4])
        self.hair_colour = hair_colour(subject, darkness, rng)
        self._shared = shared
        self._weights = shared.wrinkle_weights([str(name) for name in subject.assets.action_names])
        self._depth = 0.1 + 0.2 * np.clip((subject.age - 18) / 50, 0, 1)
        self.scalp = scalp(shared, subject, rng)
        """Where hair grows on the head, (height, width), 0..1."""
        self.tone = tone
        """(3,): mean colour of the skin, 0..255."""
        self.brightness = float(tone.mean())
        """Of the skin, 0..255."""
        self.shine = self._mirror(shared, tone, rng)
        """(n, 3): how strongly each vertex mirrors, relative to its colour."""
        bare = self._paint(shared, subject, tone, rng)
        self.clothes = _clothes(shared, rng)
        cover = self.clothes[..., None]
        dressed = bare * (1 - cover) + _cloth(rng) * cover
        self.texture = np.clip(dressed, 0, 255).astype(np.uint8)
        """(height, width, 3), uint8, RGB: the skin without wrinkles."""
        self._standing = np.float32(0.5 * self._depth * np.clip((subject.age - 35) / 40, 0, 1))

    def wrinkle(self, actions: NDArray[np.floating], onto: NDArray[np.uint8]) -> None:
        """Paint the face with the wrinkles of facial actions (52,) onto a copy of `texture`."""
        depths = self._depth * np.clip(self._weights @ actions.astype(np.float32), 0, 1.2) + self._standing
        used = np.flatnonzero(depths > 0.01)
        top, bottom, left, right = FACE
        maps = self._shared.wrinkles[used, top:bottom, left:right]
        folds = np.einsum("w,wrc->rc", depths[used].astype(np.float32), maps)
        shade = cv2.convertScaleAbs(folds, alpha=-255, beta=255)
        cv2.multiply(
            self.texture[top:bottom, left:right],
            cv2.cvtColor(shade, cv2.COLOR_GRAY2RGB),
            dst=onto[top:bottom, left:right],
            scale=1 / 255,
        )

    def _mirror(self, shared: SkinMap, tone: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        """Skin mirrors about as much whatever its tone, most on nose and forehead; hair and clothes hardly do."""
        eye = shared.points[39][0] - shared.points[36][0]
        oily = 0.6 + 0.7 * spot(shared, shared.points[30] - [0, eye * 0.4], eye * 0.55)
        oily += 0.4 * spot(shared, shared.points[27] - [0, eye * 1.4], eye * 1.2) + 0.5 * shared.lips
        dull = oily * (1 - 0.85 * self.scalp) * (shared.level > 6.05)
        rows, columns = np.array(dull.shape) - 1
        u, v = shared.coordinates[:, 0] * columns, (1 - shared.coordinates[:, 1]) * rows
        strength = dull[v.astype(int), u.astype(int)] * rng.uniform(0.035, 0.075)
        return (strength[:, None] / (tone / 255) ** 2.2).astype(np.float32)

    def _paint(
        self, shared: SkinMap, subject: Subject, tone: NDArray[np.float32], rng: np.random.Generator
    ) -> NDArray[np.float32]:
        p, eye = shared.points, shared.points[39][0] - shared.points[36][0]
        texture = np.broadcast_to(tone, (HEIGHT, WIDTH, 3)).astype(np.float32)
        blotches = noise(rng, 24, 1.0) * 0.6 + noise(rng, 6, 1.0) * 0.5
        pores = noise(rng, 1.2, 1.0)
        pored = np.float32(0.018 + 0.012 * subject.age / 80)
        texture *= (1 + np.float32(0.028) * blotches + pored * pores)[..., None]
        for centre, size, amount in (
            (p[31] + [-eye * 0.75, -eye * 0.25], 0.9, 0.1), (p[35] + [eye * 0.75, -eye * 0.25], 0.9, 0.1),
            (p[30], 0.45, 0.09), (p[57] + [0, eye * 0.7], 0.6, 0.04),
        ):  # fmt: skip
            blush = spot(shared, centre, size * eye)[..., None] * np.float32(amount * rng.uniform(0.3, 1.3))
            texture *= 1 - blush * np.array([0.15, 0.8, 0.75], dtype=np.float32)
        for eye_points in (p[36:42], p[42:48]):  # lids and the hollow of the eyes
            centre = eye_points.mean(axis=0)
            hollow = shared.area(centre + (eye_points - centre) * [1.2, 1.9], 8)[..., None]
            texture *= 1 - hollow * np.float32(rng.uniform(0.03, 0.14)) * np.array([0.75, 1, 0.9], dtype=np.float32)
        self._paint_lips(texture, shared, subject, tone, rng)
        for nostril in (p[32] - [eye * 0.04, 0], p[34] + [eye * 0.04, 0]):
            texture *= 1 - 0.45 * spot(shared, nostril - [0, eye * 0.02], eye * 0.085)[..., None]
        if subject.female < 0.5:
            paint_beard(texture, shared, self.hair_colour, rng)
        paint_brows(texture, shared, subject, self.hair_colour, rng)
        strands = 1 + 0.25 * noise(rng, 1.0, 6.0)[..., None]
        hair = self.scalp[..., None]
        texture += hair * (self.hair_colour * strands - texture)
        return texture

    @staticmethod
    def _paint_lips(
        texture: NDArray[np.float32],
        shared: SkinMap,
        subject: Subject,
        tone: NDArray[np.float32],
        rng: np.random.Generator,
    ) -> None:
        redness = rng.uniform(0.4, 1.0) * (0.7 + 0.5 * subject.female)
        colour = tone * (1 - redness * np.array([0.10, 0.38, 0.30])) * rng.uniform(0.88, 1.0)
        if subject.female > 0.5 and rng.random() < 0.25:  # lipstick
            stick = np.array([rng.uniform(130, 190), rng.uniform(30, 80), 70])
            colour = 0.35 * colour + 0.65 * stick * (0.4 + 0.6 * tone.mean() / 200)
        lips = shared.lips[..., None] * np.float32(0.9)
        creased = 1 + np.float32(0.04) * noise(rng, 1.5, 4.0)[..., None]
        texture += lips * (colour.astype(np.float32) * creased - texture)
        p = shared.points
        between = shared.lines(
            [np.vstack([p[48], p[60:65], p[54]]), np.vstack([p[48], p[60], p[67:64:-1], p[54]])], 2, 1.2
        )
        texture *= 1 - between[..., None] * np.array([0.36, 0.45, 0.45], dtype=np.float32)


def _clothes(shared: SkinMap, rng: np.random.Generator) -> NDArray[np.float32]:
    """Where clothes cover the skin: below a neckline, deeper in front."""
    depth = rng.choice([0.0, 0.12, 0.35], p=[0.4, 0.35, 0.25])
    line = 5.98 - depth * np.exp(-((shared.azimuth / 0.45) ** 2)) - 0.1 * np.exp(-((shared.azimuth / 0.9) ** 2))
    return np.clip((line - shared.level) / 0.015, 0, 1).astype(np.float32)


def _cloth(rng: np.random.Generator) -> NDArray[np.float32]:
    """Woven cloth of one muted colour, (height, width, 3)."""
    colour = np.clip(rng.uniform(25, 190) * np.exp(rng.normal(0, 0.22, 3)), 12, 235)
    woven = 1 + 0.05 * noise(rng, 2, 1.0) + 0.06 * noise(rng, 40, 1.5)
    return (colour * woven[..., None]).astype(np.float32)
