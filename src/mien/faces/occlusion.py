"""How surely a part of a face is covered: an eye, the nose or the mouth, by a mask, glasses, a hand.

The landmark predictor places all 68 points in any case, so points on a mask look like points on a mouth. Here the
surroundings of each part are compared with what such a part looks like: a logistic regression on edges and brightness
of a small patch, fitted to synthetic faces with and without things painted on them (benchmarks/occlusion.py).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from mien.faces.landmarks import Landmarks
from mien.faces.points68 import REGIONS
from mien.images import RGBImage

PARTS = ("right eye", "left eye", "nose", "mouth")
_WEIGHTS_FILE = Path(__file__).with_name("occlusion.safetensors")
_SIDE = 32
"""Of a patch, in pixels."""
_WIDTHS = {"right eye": 0.9, "left eye": 0.9, "nose": 0.9, "mouth": 1.2}
"""Side of a patch, in distances between the middles of the eyes."""
_ORIENTATIONS = np.pi * np.arange(8) / 8
_CELL = 4
"""Pixels over which edges are counted together."""
_INNER = (slice(60, 190), slice(45, 180))
"""The middle of a crop of 224 pixels, whose mean and spread say what is bright and what is an edge."""


def estimate_occlusion(crop: RGBImage, landmarks_crop: Landmarks) -> dict[str, float]:
    """How surely each part is covered.

    Args:
        crop: shape (size, size, 3), uint8, RGB, aligned as in `mien.faces.alignment`.
        landmarks_crop: shape (68, 2), crop pixels.

    Returns:
        part, see `PARTS` -> 0..1.
    """
    weights, found = _load_weights(), {}
    for part, row in zip(PARTS, describe_parts(crop, landmarks_crop), strict=True):
        weight = weights[part.removeprefix("right ").removeprefix("left ")]
        found[part] = float(1 / (1 + np.exp(-(row @ weight[:-1] + weight[-1]))))
    return found


def describe_parts(crop: RGBImage, landmarks_crop: Landmarks) -> NDArray[np.float32]:
    """What each part looks like, shape (4, 592), in the order of `PARTS`; the right eye is mirrored.

    Edges by direction in cells of a patch, each cell relative to its neighbours; how strong the edges are; and how
    bright the patch is, relative to the middle of the face.
    """
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    if grey.shape[0] != 224:
        scale = 224 / grey.shape[0]
        grey, landmarks_crop = cv2.resize(grey, (224, 224), interpolation=cv2.INTER_AREA), landmarks_crop * scale
    inner = grey[_INNER]
    mean, spread = float(inner.mean()), max(8.0, float(inner.std()))
    rows = []
    for part, patch in zip(PARTS, _cut_patches(grey, landmarks_crop), strict=True):
        values = (patch[:, ::-1] if part == "right eye" else patch).astype(np.float32)
        values = np.ascontiguousarray(values)
        across, down = cv2.Sobel(values, cv2.CV_32F, 1, 0), cv2.Sobel(values, cv2.CV_32F, 0, 1)
        strength = np.hypot(across, down)
        strong = np.log1p(cv2.resize(strength / spread, (4, 4), interpolation=cv2.INTER_AREA))
        bright = (cv2.resize(values, (8, 8), interpolation=cv2.INTER_AREA) - mean) / spread
        edges = _count_edges(strength, np.arctan2(down, across), floor=0.15 * spread)
        rows.append(np.concatenate([edges, strong.reshape(-1), np.clip(bright, -3, 3).reshape(-1)]))
    return np.stack(rows).astype(np.float32)


def _cut_patches(grey: NDArray[np.uint8], landmarks: Landmarks) -> list[NDArray[np.uint8]]:
    """The patches, (32, 32), level with the eyes."""
    right, left = landmarks[REGIONS["right eye"]].mean(axis=0), landmarks[REGIONS["left eye"]].mean(axis=0)
    across = complex(*(left - right).tolist())
    centres = (right, left, (landmarks[30] + landmarks[33]) / 2, landmarks[REGIONS["outer lips"]].mean(axis=0))
    patches = []
    for part, centre in zip(PARTS, centres, strict=True):
        turn = _SIDE / (_WIDTHS[part] * (across or 1))
        matrix = np.array([[turn.real, -turn.imag, 0], [turn.imag, turn.real, 0]])
        matrix[:, 2] = (_SIDE - 1) / 2 - matrix[:, :2] @ centre
        smooth = cv2.GaussianBlur(grey, (0, 0), max(0.3, 0.4 / abs(turn)))  # against aliasing
        patches.append(cv2.warpAffine(smooth, matrix, (_SIDE, _SIDE), borderMode=cv2.BORDER_REPLICATE))
    return patches


def _count_edges(strength: NDArray[np.float32], direction: NDArray[np.float32], floor: float) -> NDArray[np.float32]:
    """Edges by direction in each cell, (512,), relative to all edges in it and around it."""
    along = np.maximum(0, np.cos(2 * (direction[..., None] - _ORIENTATIONS))) ** 2
    cells = _SIDE // _CELL
    counts = (strength[..., None] * along).reshape(cells, _CELL, cells, _CELL, -1).mean(axis=(1, 3))
    around = cv2.blur(counts.sum(axis=-1), (3, 3), borderType=cv2.BORDER_REPLICATE)
    edges: NDArray[np.float32] = np.sqrt(counts / (around[..., None] + floor)).reshape(-1)
    return edges


@cache
def _load_weights() -> dict[str, NDArray[np.float32]]:
    """`eye`, `nose`, `mouth` -> shape (593,): weights, and what is added."""
    return load_file(_WEIGHTS_FILE)
