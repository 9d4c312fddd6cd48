"""Room, lamps and camera, and what they add to a drawn head to make a photo of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.images import RGBImage
from mien.synth.light import Lighting, draw_lighting

HEADROOM = 2.3
"""Brightest light that a drawn picture can hold; 1 leaves a texture as it is."""
_GRAIN = 16.0
"""Standard deviation of the noise in `_grain`."""
_SPARE = 500_000
"""Places at which a photo's grain may begin."""


@dataclass(frozen=True, eq=False)
class Session:
    """What stays the same while one person's photos are taken.

    Attributes:
        lighting: of the room.
        background: (height, width, 3), uint8, RGB.
        distance: from camera to face in decimetres.
        field: decimetres that a photo shows, top to bottom, at the face.
        balance: (3,): the camera's factors of red, green and blue.
        blur: standard deviation in photo pixels.
        grain: standard deviation of the sensor's noise, of 255.
    """

    lighting: Lighting
    background: RGBImage
    distance: float
    field: float
    balance: NDArray[np.float64]
    blur: float
    grain: float


def draw_session(size: tuple[int, int], chance: np.random.Generator) -> Session:
    """Draw room, lamps and camera for photos of this (width, height)."""
    return Session(
        lighting=draw_lighting(chance),
        background=draw_background(size, chance),
        distance=chance.uniform(11, 26),
        field=chance.uniform(3.5, 4.5),
        balance=np.exp(chance.normal(0, 0.02, 3)),
        blur=chance.uniform(0.2, 0.8) * size[1] / 432,
        grain=chance.uniform(0.8, 4.0),
    )


def draw_background(size: tuple[int, int], chance: np.random.Generator) -> RGBImage:
    """A wall with a gradient, or blurred clutter, (height, width, 3), uint8, RGB."""
    colour = np.clip(chance.uniform(70, 230) + chance.normal(0, 5, 3), 0, 255)
    if chance.random() < 0.85:
        slope = np.cumsum(chance.normal(0, 6, (2, 4)), axis=1)
        wall = colour + (slope[0][:, None] + slope[1])[..., None]
    else:
        wall = np.ones((48, 72, 3)) * colour
        for _ in range(chance.integers(3, 10)):
            corner, extent = chance.integers(0, [72, 48]), chance.integers(4, 24, 2)
            tint = np.clip(colour + chance.normal(0, 35) + chance.normal(0, 10, 3), 0, 255).tolist()
            cv2.rectangle(wall, corner.tolist(), (corner + extent).tolist(), tint, -1)
        wall = cv2.GaussianBlur(wall, (0, 0), chance.uniform(1.5, 5))
    full = cv2.resize(wall.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    full += chance.uniform(-0.5, 0.5, (size[1], size[0], 1)).astype(np.float32)  # no steps in the gradient
    return cv2.convertScaleAbs(np.clip(full, 0, 255))


def develop(
    picture: NDArray[np.uint8],
    landmarks: NDArray[np.float32],
    brightness: float,
    session: Session,
    chance: np.random.Generator,
) -> RGBImage:
    """Put the background behind a drawn head and add what a camera does: exposure, white balance, blur, noise.

    Args:
        picture: (height, width, 4), uint8: RGB, premultiplied, in units of 1 / `HEADROOM`, and opacity.
        landmarks: (68, 2): where the face is, for its exposure.
        brightness: of the skin, 0..255.
    """
    height, width = picture.shape[:2]
    left, top = np.clip(landmarks.min(axis=0), 0, [width - 2, height - 2]).astype(int)
    right, bottom = np.clip(landmarks.max(axis=0), [left + 1, top + 1], [width, height]).astype(int)
    metered = HEADROOM * float(picture[top:bottom:4, left:right:4, :3].mean())
    wanted = 58 + 0.42 * brightness  # dark skin is exposed longer, but not until it looks light
    exposure = np.clip(wanted / max(metered, 1.0), 0.5, 2.5) * np.exp(chance.normal(0, 0.05))
    levels = np.arange(256)[:, None] * (HEADROOM * exposure * session.balance)
    table = np.clip(levels + 0.5, 0, 255).astype(np.uint8)[None]
    photo = cv2.LUT(cv2.cvtColor(picture, cv2.COLOR_RGBA2RGB), table)
    around = cv2.cvtColor(cv2.bitwise_not(cv2.extractChannel(picture, 3)), cv2.COLOR_GRAY2RGB)
    photo = cv2.add(photo, cv2.multiply(session.background, around, scale=1 / 255))
    photo = cv2.GaussianBlur(photo, (0, 0), session.blur * chance.uniform(0.7, 1.4))
    start = int(chance.integers(_SPARE))
    grain = _grain(photo.size)[start : start + photo.size].reshape(photo.shape)
    return cv2.addWeighted(photo, 1.0, grain, session.grain / _GRAIN, 0.0, dtype=cv2.CV_8U)


@cache
def _grain(count: int) -> NDArray[np.int8]:
    """Noise to take every photo's grain from, at a place that falls by lot: drawing it anew costs 4 ms a photo."""
    grain = np.random.default_rng(0).standard_normal(count + _SPARE, dtype=np.float32) * _GRAIN
    return np.clip(np.rint(grain), -127, 127).astype(np.int8)
