"""What a drawn head needs to become a photo: a background, and what a camera adds."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.images import RGBImage


def draw_background(size: tuple[int, int], chance: np.random.Generator) -> NDArray[np.float32]:
    """A wall with a gradient, or blurred clutter, (height, width, 3), 0..255."""
    width, height = size
    colour = np.clip(chance.uniform(70, 225) + chance.normal(0, 7, 3), 0, 255)
    coarse = np.ones((3, 4, 3), dtype=np.float32) * colour + chance.normal(0, 7, (3, 4, 1))
    wall = cv2.resize(coarse.astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    if chance.random() < 0.25:
        for _ in range(chance.integers(3, 10)):
            corner = chance.integers(0, [width, height])
            extent = chance.integers(height // 12, height // 2, 2)
            tint = np.clip(colour + chance.normal(0, 40) + chance.normal(0, 10, 3), 0, 255).tolist()
            cv2.rectangle(wall, corner.tolist(), (corner + extent).tolist(), tint, -1)
        wall = cv2.blur(wall, (int(height / chance.uniform(10, 30)) | 1,) * 2)
    return wall


def develop(
    picture: NDArray[np.float32],
    alpha: NDArray[np.float32],
    background: NDArray[np.float32],
    chance: np.random.Generator,
) -> RGBImage:
    """What a camera adds: exposure, white balance, a little blur, noise."""
    photo = picture + background * (1 - alpha)
    photo *= (np.exp(chance.normal(0, 0.07)) * np.exp(chance.normal(0, 0.025, 3))).astype(np.float32)
    blur = chance.uniform(0.2, 0.9) * picture.shape[0] / 432
    photo = cv2.GaussianBlur(photo, (0, 0), blur)
    grain = np.empty_like(photo)
    cv2.setRNGSeed(int(chance.integers(2**31)))
    cv2.randn(grain, 0, chance.uniform(0.8, 4.0))
    return np.clip(photo + grain, 0, 255).astype(np.uint8)
