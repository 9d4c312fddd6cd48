"""Room, lamps and camera, and what they add to a drawn head to make a photo of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.images import RGBImage
from mien.synth.light import Lighting, draw_lighting, draw_studio_lighting
from mien.synth.viewpoint import PhotoStyle, Stand, draw_stand

HEADROOM = 2.3
"""Brightest light that a drawn picture can hold; 1 leaves a texture as it is."""
_GRAIN = 16.0
"""Standard deviation of the noise in `_grain`."""
_SPARE = 500_000
"""Places at which a photo's grain may begin."""
_GAMMA = 2.2
_FACE = 1.6
"""Side of the box that a detector puts around a face, in decimetres."""
_USUAL_HEIGHT = 432
"""Of a photo, in pixels; blur is given for it."""


@dataclass(frozen=True)
class Lens:
    """What a camera does to every photo of a session.

    Attributes:
        stops: by how much photos are exposed more (positive) or less than they should be.
        contrast: exponent of the tones; above 1 is harder.
        haze: what is added to black, of 255.
        balance: factors of red, green and blue.
        blur: standard deviation of the defocus in pixels of a photo of 432 rows.
        motion: how far things move at most while the shutter is open, in the same pixels.
        grain: standard deviation of the sensor's noise, of 255.
        sharpness: pixels that the photo really has along each side, as a share of those of its file.
        quality: of JPEG, lowest and highest.
        grey: whether photos are black and white.
    """

    stops: float = 0.0
    contrast: float = 1.0
    haze: float = 0.0
    balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    blur: float = 0.4
    motion: float = 0.0
    grain: float = 1.5
    sharpness: float = 1.0
    quality: tuple[int, int] = (86, 95)
    grey: bool = False


@dataclass(frozen=True, eq=False)
class Session:
    """What stays the same while one person's photos are taken.

    Attributes:
        lighting: of the room.
        background: (height, width, 3), uint8, RGB, exposed as the photos are.
        stand: where the camera stands.
        lens: what it does.
    """

    lighting: Lighting
    background: RGBImage
    stand: Stand
    lens: Lens


def draw_session(size: tuple[int, int], style: PhotoStyle, rng: np.random.Generator) -> Session:
    """Draw room, lamps and camera for photos of this (width, height)."""
    in_studio = style == "studio" or (style == "mixed" and rng.random() < 0.5)
    stand = draw_stand(in_studio, rng)
    lens = _draw_studio_lens(rng) if in_studio else _draw_any_lens(size[1] / stand.field * _FACE, rng)
    lighting = draw_studio_lighting(rng) if in_studio else draw_lighting(rng)
    background = draw_background(size, 0.15 if in_studio else 0.6, rng)
    return Session(lighting, cv2.LUT(background, _tones(lens, _exposure(lens.stops))), stand, lens)


def _draw_studio_lens(rng: np.random.Generator) -> Lens:
    return Lens(
        stops=rng.normal(0, 0.3),
        contrast=float(np.exp(rng.normal(0, 0.06))),
        balance=_cast(0.02, rng),
        blur=rng.uniform(0.2, 0.8),
        grain=rng.uniform(0.8, 4.0),
        grey=rng.random() < 0.06,
    )


def _draw_any_lens(face: float, rng: np.random.Generator) -> Lens:
    """Any camera, in any light; `face` is the side of a face in pixels of the file."""
    is_dim = rng.random() < 0.3
    wanted = np.exp(rng.uniform(np.log(40), np.log(400)))  # pixels along the side of a face
    lowest = int(rng.uniform(30, 90))
    return Lens(
        stops=rng.uniform(-3, -1) if is_dim else float(np.clip(rng.normal(-0.1, 0.6), -1.5, 1)),
        contrast=float(np.exp(rng.normal(0, 0.12))),
        haze=float(rng.choice([0.0, rng.uniform(0, 14)])),
        balance=_cast(0.12 if is_dim else 0.05, rng),
        blur=float(np.exp(rng.uniform(np.log(0.25), np.log(1.8)))),
        motion=rng.uniform(2, 6) if rng.random() < (0.4 if is_dim else 0.1) else 0.0,
        grain=rng.uniform(3, 8) if is_dim else rng.uniform(1, 6),
        sharpness=float(min(1.0, wanted / face)),
        quality=(lowest, min(95, lowest + 10)),
        grey=rng.random() < 0.12,
    )


def _cast(spread: float, rng: np.random.Generator) -> tuple[float, float, float]:
    """Warm or cold, and a little green or magenta."""
    warmth, green = rng.normal(0, spread), rng.normal(0, 0.4 * spread)
    return float(np.exp(warmth)), float(np.exp(green)), float(np.exp(-warmth))


def draw_background(size: tuple[int, int], clutter: float, rng: np.random.Generator) -> RGBImage:
    """A wall with a gradient or, as often as `clutter` says, a blurred room, (height, width, 3), uint8, RGB."""
    colour = np.clip(rng.uniform(70, 230) + rng.normal(0, 5, 3), 0, 255)
    if rng.random() >= clutter:
        slope = np.cumsum(rng.normal(0, 6, (2, 4)), axis=1)
        wall = colour + (slope[0][:, None] + slope[1])[..., None]
    else:
        wall = np.ones((48, 72, 3)) * colour
        for _ in range(rng.integers(3, 10)):
            corner, extent = rng.integers(0, [72, 48]), rng.integers(4, 24, 2)
            tint = np.clip(colour + rng.normal(0, 35) + rng.normal(0, 10, 3), 0, 255).tolist()
            cv2.rectangle(wall, corner.tolist(), (corner + extent).tolist(), tint, -1)
        wall = cv2.GaussianBlur(wall, (0, 0), rng.uniform(1.5, 5))
    full = cv2.resize(wall.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    full += rng.uniform(-0.5, 0.5, (size[1], size[0], 1)).astype(np.float32)  # no steps in the gradient
    return cv2.convertScaleAbs(np.clip(full, 0, 255))


def develop(
    picture: NDArray[np.uint8],
    landmarks: NDArray[np.float32],
    brightness: float,
    session: Session,
    rng: np.random.Generator,
) -> RGBImage:
    """Put the background behind a drawn head and add what a camera does: exposure, white balance, blur, noise.

    Args:
        picture: (height, width, 4), uint8: RGB, premultiplied, in units of 1 / `HEADROOM`, and opacity.
        landmarks: (68, 2): where the face is, for its exposure.
        brightness: of the skin, 0..255.
    """
    lens, (height, width) = session.lens, picture.shape[:2]
    left, top = np.clip(landmarks.min(axis=0), 0, [width - 2, height - 2]).astype(int)
    right, bottom = np.clip(landmarks.max(axis=0), [left + 1, top + 1], [width, height]).astype(int)
    metered = HEADROOM * float(picture[top:bottom:4, left:right:4, :3].mean())
    wanted = 58 + 0.42 * brightness  # dark skin is exposed longer, but not until it looks light
    exposure = np.clip(wanted / max(metered, 1.0), 0.5, 2.5) * _exposure(lens.stops) * np.exp(rng.normal(0, 0.05))
    photo = cv2.LUT(cv2.cvtColor(picture, cv2.COLOR_RGBA2RGB), _tones(lens, HEADROOM * exposure))
    around = cv2.cvtColor(cv2.bitwise_not(cv2.extractChannel(picture, 3)), cv2.COLOR_GRAY2RGB)
    photo = cv2.add(photo, cv2.multiply(session.background, around, scale=1 / 255))
    if lens.haze >= 1:
        photo = cv2.add(photo, (lens.haze,) * 3)
    photo = _blurred(photo, lens, rng)
    if lens.sharpness < 1:
        small = (max(1, round(width * lens.sharpness)), max(1, round(height * lens.sharpness)))
        photo = cv2.resize(photo, small, interpolation=cv2.INTER_AREA)
    start = int(rng.integers(_SPARE))
    grain = _grain(height * width * 3)[start : start + photo.size].reshape(photo.shape)
    photo = cv2.addWeighted(photo, 1.0, grain, lens.grain / _GRAIN, 0.0, dtype=cv2.CV_8U)
    if lens.sharpness < 1:
        photo = cv2.resize(photo, (width, height), interpolation=cv2.INTER_LINEAR)
    return cv2.cvtColor(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB) if lens.grey else photo


def _exposure(stops: float) -> float:
    """Stops as a factor of values that are encoded as sRGB is."""
    return float(2 ** (stops / _GAMMA))


def _tones(lens: Lens, factor: float) -> NDArray[np.uint8]:
    """What the 256 values of each colour become, (1, 256, 3)."""
    levels = np.arange(256)[:, None] / 255 * (factor * np.array(lens.balance))
    hard = levels**lens.contrast * 0.5 ** (1 - lens.contrast)  # 0.5 stays
    return np.clip(hard * (255 - lens.haze) + 0.5, 0, 255).astype(np.uint8)[None]


def _blurred(photo: RGBImage, lens: Lens, rng: np.random.Generator) -> RGBImage:
    """Out of focus and, in some sessions, moved while the shutter was open."""
    scale = photo.shape[0] / _USUAL_HEIGHT
    photo = cv2.GaussianBlur(photo, (0, 0), lens.blur * scale * rng.uniform(0.7, 1.4))
    length, angle = lens.motion * scale * rng.random(), rng.uniform(0, np.pi)
    if length < 1:
        return photo
    side = 2 * int(np.ceil(length / 2)) + 3
    kernel = np.zeros((side, side), dtype=np.float32)
    half = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    ends = np.round((side // 2 + np.stack([-half, half])) * 16).astype(int)
    cv2.line(kernel, ends[0].tolist(), ends[1].tolist(), 1.0, 1, cv2.LINE_8, shift=4)
    return cv2.filter2D(photo, -1, kernel / kernel.sum())


@cache
def _grain(count: int) -> NDArray[np.int8]:
    """Noise to take every photo's grain from, at a random place: drawing it anew costs 4 ms a photo."""
    grain = np.random.default_rng(0).standard_normal(count + _SPARE, dtype=np.float32) * _GRAIN
    return np.clip(np.rint(grain), -127, 127).astype(np.int8)
