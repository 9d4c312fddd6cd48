"""Room, lamps and camera, and what they add to a drawn head to make a photo of it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.images import RGBImage
from mien.synth.light import Lighting, draw_lighting


@dataclass(frozen=True, eq=False)
class Session:
    """What stays the same while one person's photos are taken.

    Attributes:
        lighting: of the room.
        background: (height, width, 3), 0..255.
        distance: from camera to face in decimetres.
        field: decimetres that a photo shows, top to bottom, at the face.
        balance: (3,): the camera's factors of red, green and blue.
        blur: standard deviation in photo pixels.
        grain: standard deviation of the sensor's noise, of 255.
    """

    lighting: Lighting
    background: NDArray[np.float32]
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


def draw_background(size: tuple[int, int], chance: np.random.Generator) -> NDArray[np.float32]:
    """A wall with a gradient, or blurred clutter, (height, width, 3), 0..255."""
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
    return cv2.resize(wall.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)


def develop(
    picture: NDArray[np.float32],
    alpha: NDArray[np.float32],
    landmarks: NDArray[np.float32],
    brightness: float,
    session: Session,
    chance: np.random.Generator,
) -> RGBImage:
    """Put the background behind a drawn head and add what a camera does: exposure, white balance, blur, noise.

    Args:
        picture: (height, width, 3), premultiplied, 0..255 and above.
        alpha: (height, width, 1), 0..1.
        landmarks: (68, 2): where the face is, for its exposure.
        brightness: of the skin, 0..255.
    """
    height, width = picture.shape[:2]
    left, top = np.clip(landmarks.min(axis=0), 0, [width - 2, height - 2]).astype(int)
    right, bottom = np.clip(landmarks.max(axis=0), [left + 1, top + 1], [width, height]).astype(int)
    metered = float(picture[top:bottom:4, left:right:4].mean())
    wanted = 58 + 0.42 * brightness  # dark skin is exposed longer, but not until it looks light
    exposure = np.clip(wanted / max(metered, 1.0), 0.5, 2.5) * np.exp(chance.normal(0, 0.05))
    photo = cv2.multiply(picture, (*(exposure * session.balance), 0.0))
    photo += session.background * (1 - alpha)
    photo = cv2.GaussianBlur(photo, (0, 0), session.blur * chance.uniform(0.7, 1.4))
    grain = np.empty(photo.shape, dtype=np.int16)
    cv2.setRNGSeed(int(chance.integers(2**31)))
    cv2.randn(grain, 0, session.grain)
    return cv2.add(photo, grain, dtype=cv2.CV_8U)
