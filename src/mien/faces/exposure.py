"""Exposure: a face in a dim room, or one of very dark or light skin, is shown to what reads it as in ordinary light.

dlib's predictor of landmarks compares the brightness of pixels, and the visual branch has seen synthetic faces in a
range of light. A face outside that range is exposed anew, as a camera would have done with a longer or shorter time:
its values are multiplied in linear light. One within the range is left as it is, to the bit.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.images import RGBImage

USUAL = (112.0, 178.0)
"""Mean grey of the middle of a face, 0..255, outside of which it is exposed anew: 5% to 98% of synthetic faces."""
_GREYS = np.arange(256.0)
_STOPS = 5.0
"""Most by which it is, either way; beyond is only noise."""


def expose(image: RGBImage, box: NDArray[np.floating]) -> RGBImage:
    """A picture in which the face in `box` is as bright as usual; the same array where it is.

    Args:
        image: shape (height, width, 3), uint8, RGB.
        box: shape (4,): left, top, right, bottom in pixels of `image`; may reach over its edges.
    """
    return expose_measured(image, box)[0]


def expose_measured(image: RGBImage, box: NDArray[np.floating]) -> tuple[RGBImage, float | None]:
    """What `expose` gives, and what `measure_exposure` says of the picture before."""
    counts = _count_greys(image, box)
    mean = _mean(counts)
    if mean is None or USUAL[0] <= mean <= USUAL[1]:
        return image, mean
    stops = _solve(counts / counts.sum(), float(np.clip(mean, *USUAL)))
    return cv2.LUT(image, _table(stops)), mean


def measure_exposure(image: RGBImage, box: NDArray[np.floating]) -> float | None:
    """Mean grey of the middle of the face in `box`, 0..255; None where that lies outside of the picture."""
    return _mean(_count_greys(image, box))


def _mean(counts: NDArray[np.float64]) -> float | None:
    total = float(counts.sum())
    return float(counts @ _GREYS) / total if total else None


def _count_greys(image: RGBImage, box: NDArray[np.floating]) -> NDArray[np.float64]:
    """Histogram, (256,), of the middle of the face: its inner 60%, where there is neither hair nor background."""
    corners = np.asarray(box, dtype=np.float64).reshape(2, 2)
    middle, half = corners.mean(axis=0), 0.3 * np.ptp(corners, axis=0)
    limits = np.array([image.shape[1], image.shape[0]])
    (left, top), (right, bottom) = np.clip([middle - half, middle + half], 0, limits).round().astype(int)
    part = image[top:bottom, left:right]
    if part.size == 0:
        return np.zeros(256)
    grey = cv2.cvtColor(np.ascontiguousarray(part), cv2.COLOR_RGB2GRAY)
    return np.bincount(grey.reshape(-1), minlength=256).astype(np.float64)


def _solve(density: NDArray[np.float64], wanted: float) -> float:
    """Stops that bring the mean of a histogram to a value, in steps of a 32nd; brightness rises with stops."""
    low, high = -_STOPS, _STOPS
    while high - low > 1 / 32:
        middle = (low + high) / 2
        low, high = (middle, high) if density @ _table(middle) < wanted else (low, middle)
    return high


@cache
def _linear() -> NDArray[np.float64]:
    values = np.arange(256) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def _table(stops: float) -> NDArray[np.uint8]:
    """sRGB values, (256,), after so many stops of exposure (IEC 61966-2-1)."""
    light = _linear() * 2.0**stops
    values = np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055)
    return np.clip(values * 255 + 0.5, 0, 255).astype(np.uint8)
