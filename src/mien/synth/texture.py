"""The texture that all heads share: where things are on it, and tools to paint there.

The head is unrolled onto a cylinder about the upright axis: columns are the azimuth, rows the height, the same for
all people since it is laid over the template. So every place on the face has one pixel, and what is drawn there
moves with the skin.
"""

from __future__ import annotations

from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.synth.anatomy import HEAD_AXIS, ear_vertices, landmark_places
from mien.synth.assets import HeadAssets

WIDTH, HEIGHT = 576, 768
_AZIMUTH = 1.9
"""Radians from the front to the texture's edge; what lies further back takes the edge's colour."""
_BOTTOM, _TOP = 4.6, 8.6

FACE = (HEIGHT // 8, HEIGHT * 5 // 8, WIDTH // 6, WIDTH * 5 // 6)
"""Top, bottom, left, right of the part of the texture where wrinkles are."""


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
        azimuth = np.arctan2(x, z - HEAD_AXIS) / (2 * _AZIMUTH) + 0.5
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
        return soft(mask, blur)

    def lines(self, lines: list[NDArray[np.floating]], width: float, blur: float) -> NDArray[np.float32]:
        """Smooth curves through points, 0..1."""
        mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
        for line in lines:
            curve = np.round(smooth(line) * 16).astype(np.int32)
            cv2.polylines(mask, [curve], False, 255, max(1, round(width)), cv2.LINE_AA, shift=4)
        return soft(mask, blur)

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


def soft(mask: NDArray[np.uint8], blur: float) -> NDArray[np.float32]:
    return cv2.GaussianBlur(mask, (0, 0), blur).astype(np.float32) / 255


def smooth(line: NDArray[np.floating], count: int = 24) -> NDArray[np.float64]:
    """The quadratic that lies closest to the points, as `count` points."""
    places, finer = np.linspace(0, 1, len(line)), np.linspace(0, 1, count)
    degree = min(2, len(line) - 1)
    return np.column_stack([np.polyval(np.polyfit(places, line[:, i], degree), finer) for i in (0, 1)])


def noise(rng: np.random.Generator, size: float, stretch: float) -> NDArray[np.float32]:
    """Smooth noise of spread 1 with grains of `size` pixels, `stretch` times as tall as wide."""
    small = (max(4, round(HEIGHT / size / stretch)), max(4, round(WIDTH / size)))
    grains = rng.standard_normal(small, dtype=np.float32)
    return cv2.resize(grains, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)


def spot(shared: SkinMap, centre: NDArray[np.floating], radius: float) -> NDArray[np.float32]:
    """A soft round spot, 0..1."""
    columns, rows = np.arange(WIDTH) - centre[0], np.arange(HEIGHT) - centre[1]
    across = np.exp(-((columns / radius) ** 2)).astype(np.float32)
    return np.exp(-((rows / radius) ** 2)).astype(np.float32)[:, None] * across
