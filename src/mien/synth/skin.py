"""Skin, brows, lips, hair and wrinkles, painted into one texture a person.

The texture is the head unrolled onto a cylinder about the upright axis: columns are the azimuth, rows the
height, the same for all people since it is laid over the template. So every place on the face has one pixel,
and what is drawn there moves with the skin.
"""

from __future__ import annotations

from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.synth.anatomy import Subject, ear_vertices, landmark_places
from mien.synth.assets import HeadAssets

WIDTH, HEIGHT = 576, 768
_AXIS = 0.35
_AZIMUTH = 1.9
"""Radians from the front to the texture's edge; what lies further back takes the edge's colour."""
_BOTTOM, _TOP = 4.6, 8.6

_TONES = np.array([
    (238, 200, 178), (226, 184, 158), (210, 164, 134), (188, 138, 106), (152, 106, 78), (114, 77, 56),
    (82, 55, 42), (60, 41, 33),
], dtype=np.float32)  # fmt: skip
"""Skin from light to dark, sRGB."""

_HAIR = {
    "black": (26, 22, 20), "dark brown": (52, 36, 26), "brown": (88, 60, 40), "blond": (168, 132, 86),
    "red": (134, 66, 34), "grey": (150, 148, 144),
}  # fmt: skip

_WRINKLES: dict[str, dict[str, float]] = {
    "forehead": {"browInnerUp": 0.6, "browOuterUpLeft": 0.35, "browOuterUpRight": 0.35},
    "furrow": {"browDownLeft": 0.55, "browDownRight": 0.55, "browInnerUp": 0.15},
    "crow's feet left": {"cheekSquintLeft": 0.5, "mouthSmileLeft": 0.4, "eyeSquintLeft": 0.3},
    "crow's feet right": {"cheekSquintRight": 0.5, "mouthSmileRight": 0.4, "eyeSquintRight": 0.3},
    "nose": {"noseSneerLeft": 0.5, "noseSneerRight": 0.5},
    "fold left": {"mouthSmileLeft": 0.7, "mouthUpperUpLeft": 0.4, "noseSneerLeft": 0.4, "mouthDimpleLeft": 0.4},
    "fold right": {"mouthSmileRight": 0.7, "mouthUpperUpRight": 0.4, "noseSneerRight": 0.4, "mouthDimpleRight": 0.4},
    "under eye left": {"cheekSquintLeft": 0.6, "eyeSquintLeft": 0.5},
    "under eye right": {"cheekSquintRight": 0.6, "eyeSquintRight": 0.5},
    "chin": {"mouthShrugLower": 0.9, "mouthFrownLeft": 0.2, "mouthFrownRight": 0.2},
}
"""How much each facial action deepens each wrinkle."""


class SkinMap:
    """What all people's textures share: where things are, and how wrinkles run.

    Args:
        assets: the head.
    """

    def __init__(self, assets: HeadAssets) -> None:
        x, y, z = assets.vertices.T
        azimuth = np.arctan2(x, z - _AXIS) / (2 * _AZIMUTH) + 0.5
        ears = ear_vertices(assets)  # these lie over the hair behind them; let them take the cheeks' colour
        azimuth[ears] = 0.5 + np.sign(x[ears]) * 0.9 / (2 * _AZIMUTH)
        y = np.where(ears, 7.0 + 0.3 * (y - 7.2), y)
        height = (y - _BOTTOM) / (_TOP - _BOTTOM)
        self.coordinates = np.clip(np.column_stack([azimuth, height]), 0, 1).astype(np.float32)
        """(n, 2): texture coordinates of every vertex, from the lower left corner."""
        self.points = self._to_pixels(self.coordinates[landmark_places(assets)])
        """(68, 2): the landmarks in texture pixels, from the upper left corner."""
        rows, columns = np.indices((HEIGHT, WIDTH), dtype=np.float32)
        self.azimuth = (columns / WIDTH - 0.5) * 2 * _AZIMUTH
        self.level = _TOP - rows / HEIGHT * (_TOP - _BOTTOM)

    @staticmethod
    def _to_pixels(coordinates: NDArray[np.float32]) -> NDArray[np.float64]:
        return coordinates * [WIDTH, -HEIGHT] + [0, HEIGHT]

    def area(self, points: NDArray[np.floating], blur: float) -> NDArray[np.float32]:
        """A filled polygon, 0..1, soft over `blur` pixels."""
        mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
        cv2.fillPoly(mask, [np.round(points * 16).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
        return _soft(mask, blur)

    def lines(self, lines: list[NDArray[np.floating]], width: float, blur: float) -> NDArray[np.float32]:
        """Smooth curves through points, 0..1."""
        mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
        for line in lines:
            curve = np.round(_smooth(line) * 16).astype(np.int32)
            cv2.polylines(mask, [curve], False, 255, max(1, round(width)), cv2.LINE_AA, shift=4)
        return _soft(mask, blur)

    @cached_property
    def lips(self) -> NDArray[np.float32]:
        """Where lips are, 0..1."""
        return self.area(self.points[48:60], 2.5)

    @cached_property
    def wrinkles(self) -> NDArray[np.float32]:
        """How deep each of the wrinkles is where, (10, height, width), 0..1."""
        return np.stack([self.lines(lines, 2, 2.4) for lines in self._wrinkle_lines().values()])

    def _wrinkle_lines(self) -> dict[str, list[NDArray[np.floating]]]:
        p = self.points
        brow_gap, eye = (p[21] + p[22]) / 2, p[39][0] - p[36][0]
        lines: dict[str, list[NDArray[np.floating]]] = {
            "forehead": [
                np.array([[brow_gap[0] + side * eye, brow_gap[1] - lift * eye + abs(side) * 4] for side in
                          np.linspace(-1.5, 1.5, 7)])
                for lift in (0.75, 1.15, 1.55)
            ],
            "furrow": [
                np.array([brow_gap + [s * eye * 0.2, -eye * 0.35], brow_gap + [s * eye * 0.13, eye * 0.15]])
                for s in (-1, 1)
            ],
            "nose": [
                np.array([p[27] + [-eye * 0.35, d + 5], p[27] + [0, d], p[27] + [eye * 0.35, d + 5]])
                for d in (-eye * 0.12, eye * 0.1, eye * 0.3)
            ],
            "chin": [
                p[57] + np.array([[-eye * 0.55, eye * 0.55], [0, eye * 0.4], [eye * 0.55, eye * 0.55]])
            ],
        }  # fmt: skip
        for side, sign, outer, wing, corner, under in (
            ("right", -1, 36, 31, 48, (36, 41, 40, 39)),
            ("left", 1, 45, 35, 54, (45, 46, 47, 42)),
        ):
            lines[f"crow's feet {side}"] = [
                np.array([p[outer] + [sign * eye * 0.22, rise * 0.3], p[outer] + [sign * eye * 0.62, rise]])
                for rise in (-eye * 0.35, eye * 0.02, eye * 0.38)
            ]
            lines[f"fold {side}"] = [np.array([
                p[wing] + [sign * eye * 0.12, -eye * 0.3],
                (p[wing] + p[corner]) / 2 + [sign * eye * 0.34, 0],
                p[corner] + [sign * eye * 0.34, eye * 0.15],
            ])]  # fmt: skip
            lines[f"under eye {side}"] = [p[list(under)] + [0, eye * 0.28]]
        return {name: lines[name] for name in _WRINKLES}

    def wrinkle_weights(self, names: list[str]) -> NDArray[np.float32]:
        """What each facial action adds to each wrinkle, (10, 52)."""
        weights = np.zeros((len(_WRINKLES), len(names)), dtype=np.float32)
        for row, shares in zip(weights, _WRINKLES.values(), strict=True):
            for action, share in shares.items():
                row[names.index(action)] = share
        return weights


class Skin:
    """One person's texture, and how it wrinkles.

    Args:
        shared: the map of all heads.
        subject: the person.
    """

    def __init__(self, shared: SkinMap, subject: Subject) -> None:
        chance = np.random.default_rng(subject.seed)
        darkness = float(np.clip(subject.ancestry @ [5.0, 1.6, 0.8] + chance.normal(0, 0.8), 0, len(_TONES) - 1))
        step = min(int(darkness), len(_TONES) - 2)
        tone = _TONES[step] + (darkness - step) * (_TONES[step + 1] - _TONES[step])
        tone = tone + chance.normal(0, [4, 3, 4])
        self.hair_colour = _hair_colour(subject, darkness, chance)
        self._shared = shared
        self._weights = shared.wrinkle_weights([str(name) for name in subject.assets.action_names])
        self._depth = 0.1 + 0.2 * np.clip((subject.age - 18) / 50, 0, 1)
        self.scalp = _scalp(shared, subject, chance)
        """Where hair grows on the head, (height, width), 0..1."""
        bare = self._paint(shared, subject, tone, chance)
        self.clothes = _clothes(shared, chance)
        cover = self.clothes[..., None]
        dressed = bare * (1 - cover) + _cloth(chance) * cover
        self._texture = np.clip(dressed, 0, 255).astype(np.uint8)
        standing = np.array([0.5 * self._depth * np.clip((subject.age - 35) / 40, 0, 1)], dtype=np.float32)
        self._standing = standing

    def texture(self, actions: NDArray[np.floating]) -> NDArray[np.uint8]:
        """The texture with the wrinkles of these facial actions; (height, width, 3), uint8, RGB."""
        depths = self._depth * np.clip(self._weights @ actions.astype(np.float32), 0, 1.2) + self._standing
        top, bottom, left, right = _FACE
        folds = np.einsum("w,wrc->rc", depths.astype(np.float32), self._shared.wrinkles[:, top:bottom, left:right])
        shade = 255 * (1 - folds)
        texture = self._texture.copy()
        part = texture[top:bottom, left:right]
        grey = cv2.cvtColor(np.clip(shade, 0, 255).astype(np.uint8), cv2.COLOR_GRAY2RGB)
        cv2.multiply(part, grey, dst=part, scale=1 / 255)
        return texture

    def _paint(
        self, shared: SkinMap, subject: Subject, tone: NDArray[np.float32], chance: np.random.Generator
    ) -> NDArray[np.float64]:
        p, eye = shared.points, shared.points[39][0] - shared.points[36][0]
        texture = np.broadcast_to(tone, (HEIGHT, WIDTH, 3)).astype(np.float32)
        blotches = _noise(chance, 24, 1.0) * 0.6 + _noise(chance, 6, 1.0) * 0.5
        pores = _noise(chance, 1.2, 1.0)
        texture *= (1 + 0.028 * blotches + (0.018 + 0.012 * subject.age / 80) * pores)[..., None]
        for centre, size, amount in (
            (p[31] + [-eye * 0.75, -eye * 0.25], 0.9, 0.1), (p[35] + [eye * 0.75, -eye * 0.25], 0.9, 0.1),
            (p[30], 0.45, 0.09), (p[57] + [0, eye * 0.7], 0.6, 0.04),
        ):  # fmt: skip
            blush = _spot(shared, centre, size * eye)[..., None] * amount * chance.uniform(0.3, 1.3)
            texture *= 1 - blush * [0.15, 0.8, 0.75]
        for eye_points in (p[36:42], p[42:48]):  # lids and the hollow of the eyes
            centre = eye_points.mean(axis=0)
            hollow = shared.area(centre + (eye_points - centre) * [1.25, 2.3], 9)[..., None]
            texture *= 1 - hollow * chance.uniform(0.08, 0.22) * [0.75, 1, 0.9]
        self._paint_lips(texture, shared, subject, tone, chance)
        if subject.female < 0.5:
            _paint_beard(texture, shared, self.hair_colour, chance)
        _paint_brows(texture, shared, subject, self.hair_colour, chance)
        strands = 1 + 0.25 * _noise(chance, 1.0, 6.0)[..., None]
        hair = self.scalp[..., None]
        painted: NDArray[np.float64] = texture * (1 - hair) + self.hair_colour * strands * hair
        return painted

    @staticmethod
    def _paint_lips(
        texture: NDArray[np.float32],
        shared: SkinMap,
        subject: Subject,
        tone: NDArray[np.float32],
        chance: np.random.Generator,
    ) -> None:
        redness = chance.uniform(0.4, 1.0) * (0.7 + 0.5 * subject.female)
        colour = tone * (1 - redness * np.array([0.10, 0.38, 0.30])) * chance.uniform(0.88, 1.0)
        if subject.female > 0.5 and chance.random() < 0.25:  # lipstick
            colour = 0.35 * colour + 0.65 * np.array([chance.uniform(130, 190), chance.uniform(30, 80), 70])
        lips = shared.lips[..., None] * 0.9
        texture[:] = texture * (1 - lips) + colour * (1 + 0.04 * _noise(chance, 1.5, 4.0)[..., None]) * lips


_FACE = (HEIGHT // 8, HEIGHT * 5 // 8, WIDTH // 6, WIDTH * 5 // 6)
"""Top, bottom, left, right of the part of the texture where wrinkles are."""


def _soft(mask: NDArray[np.uint8], blur: float) -> NDArray[np.float32]:
    return cv2.GaussianBlur(mask, (0, 0), blur).astype(np.float32) / 255


def _smooth(line: NDArray[np.floating], count: int = 24) -> NDArray[np.float64]:
    """The quadratic that lies closest to the points, as `count` points."""
    places, finer = np.linspace(0, 1, len(line)), np.linspace(0, 1, count)
    degree = min(2, len(line) - 1)
    return np.column_stack([np.polyval(np.polyfit(places, line[:, i], degree), finer) for i in (0, 1)])


def _noise(chance: np.random.Generator, size: float, stretch: float) -> NDArray[np.float32]:
    """Smooth noise of spread 1 with grains of `size` pixels, `stretch` times as tall as wide."""
    small = (max(4, round(HEIGHT / size / stretch)), max(4, round(WIDTH / size)))
    grains = chance.standard_normal(small, dtype=np.float32)
    return cv2.resize(grains, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)


def _spot(shared: SkinMap, centre: NDArray[np.floating], radius: float) -> NDArray[np.float32]:
    """A soft round spot, 0..1."""
    columns, rows = np.arange(WIDTH) - centre[0], np.arange(HEIGHT) - centre[1]
    across = np.exp(-((columns / radius) ** 2)).astype(np.float32)
    return np.exp(-((rows / radius) ** 2)).astype(np.float32)[:, None] * across


def _hair_colour(subject: Subject, darkness: float, chance: np.random.Generator) -> NDArray[np.float32]:
    light = subject.ancestry[2] ** 2
    shares = np.array([0.6 + darkness, 1.2, 1.4 * light, 1.0 * light, 0.25 * light, 0.0])
    shares[-1] = max(0.0, (subject.age - 38) / 22) * shares.sum()
    name = chance.choice(list(_HAIR), p=shares / shares.sum())
    return (np.array(_HAIR[str(name)]) * np.exp(chance.normal(0, 0.12))).astype(np.float32)


def _scalp(shared: SkinMap, subject: Subject, chance: np.random.Generator) -> NDArray[np.float32]:
    """Where hair grows: above a hairline that falls from the forehead to the temples and behind the ears."""
    bald = subject.female < 0.5 and chance.random() < 0.1 + 0.3 * np.clip((subject.age - 30) / 40, 0, 1)
    side = np.abs(shared.azimuth)
    forehead = 8.08 + chance.normal(0, 0.06) + (0.28 if bald else 0.06 * np.clip((subject.age - 40) / 40, 0, 1))
    line = np.interp(side, [0, 0.5, 0.8, 0.95, 1.1, 1.9], [0, -0.03, -0.16, -0.5, -1.05, -1.6])
    edge = shared.level - (forehead + line) + 0.025 * _noise(chance, 2, 4.0) + 0.03 * _noise(chance, 40, 1.0)
    return np.clip(edge / 0.1 + 0.5, 0, 1).astype(np.float32)


def _paint_brows(
    texture: NDArray[np.float32],
    shared: SkinMap,
    subject: Subject,
    colour: NDArray[np.float32],
    chance: np.random.Generator,
) -> None:
    """Short hairs along each brow, leaning outward."""
    eye = shared.points[39][0] - shared.points[36][0]
    thickness = eye * chance.uniform(0.13, 0.24) * (1.15 - 0.35 * subject.female)
    arch = chance.normal(0, 0.05) * eye
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    for points, outward in ((shared.points[17:22][::-1], -1), (shared.points[22:27], 1)):
        line = _smooth(points + np.array([[0, 3], [0, 2 - arch], [0, 2 - arch], [0, 4 - arch / 2], [0, 8]]), 120)[8:]
        for i, place in enumerate(np.repeat(line, 3, axis=0)):
            along = i / (3 * len(line))
            half = thickness * (0.8 if along < 0.15 else 1.0 - 0.75 * max(0.0, along - 0.45)) / 2
            root = place + [0, chance.uniform(-half, half)]
            lean = np.array([outward * (0.3 + along), -0.9 + 1.1 * along]) * eye * 0.13
            ends = np.round(np.array([root, root + lean]) * 16).astype(np.int32)
            cv2.line(mask, ends[0], ends[1], 190, 1, cv2.LINE_AA, shift=4)
    density = chance.uniform(0.75, 1.0) * (0.75 + 0.25 * subject.female)
    cover = np.clip(_soft(mask, 0.9) * 1.5, 0, 1)[..., None] * density
    texture[:] = texture * (1 - cover) + colour * 0.8 * cover


def _paint_beard(
    texture: NDArray[np.float32], shared: SkinMap, colour: NDArray[np.float32], chance: np.random.Generator
) -> None:
    """Stubble on most men, a beard on some."""
    p, eye = shared.points, shared.points[39][0] - shared.points[36][0]
    jaw = p[2:15] + [0, eye * 0.3]
    cheeks = np.array([p[54] + [eye * 0.5, -eye * 0.1], p[35] + [0, eye * 0.28], p[33] + [0, eye * 0.18],
                       p[31] + [0, eye * 0.28], p[48] + [-eye * 0.5, -eye * 0.1]])  # fmt: skip
    area = shared.area(np.vstack([jaw, cheeks]), 11) * (1 - shared.area(p[48:60], 3))
    density = chance.choice([0.05, 0.18, 0.35, 0.75], p=[0.35, 0.35, 0.18, 0.12])
    hairs = np.clip(0.75 + 0.5 * _noise(chance, 1.5, 1.6), 0, 1)
    cover = (area * density * hairs)[..., None]
    texture[:] = texture * (1 - cover) + colour * 0.9 * cover


def _clothes(shared: SkinMap, chance: np.random.Generator) -> NDArray[np.float32]:
    """Where clothes cover the skin: below a neckline, deeper in front."""
    depth = chance.choice([0.0, 0.12, 0.35], p=[0.4, 0.35, 0.25])
    line = 5.98 - depth * np.exp(-((shared.azimuth / 0.45) ** 2)) - 0.1 * np.exp(-((shared.azimuth / 0.9) ** 2))
    return np.clip((line - shared.level) / 0.015, 0, 1).astype(np.float32)


def _cloth(chance: np.random.Generator) -> NDArray[np.float32]:
    """Woven cloth of one colour, (height, width, 3)."""
    colour = np.clip(chance.normal(95, 60, 3) * 0.6 + chance.uniform(20, 90), 15, 235)
    woven = 1 + 0.05 * _noise(chance, 2, 1.0) + 0.06 * _noise(chance, 40, 1.5)
    return (colour * woven[..., None]).astype(np.float32)
