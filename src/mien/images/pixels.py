"""From a decoded picture of any kind to upright RGB pixels, strip by strip, so that no second whole copy is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

RGBImage = NDArray[np.uint8]
"""Shape (height, width, 3), RGB, 0..255."""

_STRIP = 2_000_000
"""Pixels that are converted at once."""
SIDES_SWAPPED = (5, 6, 7, 8)
FROM_RIGHT = (2, 3, 6, 7)
FROM_BELOW = (3, 4, 7, 8)
"""EXIF orientations whose stored rows or columns run against those of the upright photo."""
_DEEP = ("I", "F")
_MAX_SAMPLE_VALUE = 281
"""TIFF tag: the highest value that a sample can have."""


def resize(image: RGBImage, factor: float) -> RGBImage:
    """A copy with `factor` times the pixels along each side, or the same array for 1: by area averaging where it
    shrinks, linear where it grows."""
    if factor == 1:
        return image
    height, width = image.shape[:2]
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)


def average_blocks(image: RGBImage, side: int) -> RGBImage:
    """Means of blocks of `side` x `side` pixels, counted from the first row and column; what is left over is cut."""
    if side == 1:
        return image
    rows, columns = image.shape[0] // side, image.shape[1] // side
    whole = image[: rows * side, : columns * side]
    return cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA)


def picture_to_rgb(picture: Image.Image, orientation: int = 1, reduction: int = 1) -> RGBImage:
    """The upright pixels of a picture, each the mean of a block of its pixels.

    Grey, CMYK, palette and 16-bit pictures are converted; transparency is laid over white. The blocks start at the
    upright photo's upper left corner, so that the answer is `average_blocks` of the upright photo, byte for byte.

    Args:
        picture: as it is stored.
        orientation: EXIF's, 1 to 8.
        reduction: side of the blocks.
    """
    to_rgb = _converter(picture)
    stored_columns, stored_rows = picture.size[0] // reduction, picture.size[1] // reduction
    swapped = orientation in SIDES_SWAPPED
    shape = (stored_columns, stored_rows) if swapped else (stored_rows, stored_columns)
    upright = np.empty((*shape, 3), dtype=np.uint8)
    stored = upright.transpose(1, 0, 2) if swapped else upright
    columns_reversed = orientation in (FROM_BELOW if swapped else FROM_RIGHT)
    rows_reversed = orientation in (FROM_RIGHT if swapped else FROM_BELOW)
    stored = stored[:: -1 if rows_reversed else 1, :: -1 if columns_reversed else 1]
    left = picture.size[0] % reduction if columns_reversed else 0
    top = picture.size[1] % reduction if rows_reversed else 0
    step = max(1, _STRIP // (stored_columns * reduction**2))
    for row in range(0, stored_rows, step):
        end = min(row + step, stored_rows)
        box = (left, top + row * reduction, left + stored_columns * reduction, top + end * reduction)
        stored[row:end] = average_blocks(to_rgb(picture.crop(box)), reduction)
    return upright


def _converter(picture: Image.Image) -> Callable[[Image.Image], RGBImage]:
    """What turns a strip of the picture into RGB."""
    if picture.mode.startswith(_DEEP):
        whole = _highest_value(picture)
        return lambda strip: _grey_to_rgb(np.asarray(strip), whole)
    has_alpha = "transparency" in picture.info
    has_alpha |= bool({"A", "a"} & {*picture.getbands()}) and picture.mode != "LAB"  # whose A is a colour
    if has_alpha and picture.format in ("BMP", "DIB") and picture.getchannel("A").getextrema() == (0, 0):
        has_alpha = False  # many programs leave the fourth byte at zero
        return lambda strip: np.asarray(strip)[..., :3]
    return over_white if has_alpha else lambda strip: np.asarray(strip.convert("RGB"))


def over_white(strip: Image.Image) -> RGBImage:
    """A picture with transparency, laid over white."""
    strip = strip.convert("LA") if strip.mode == "La" else strip
    ground = Image.new("RGBA", strip.size, "white")
    ground.alpha_composite(strip.convert("RGBA"))
    return np.asarray(ground.convert("RGB"))


def _highest_value(picture: Image.Image) -> float:
    """The value that stands for white in a deep grey picture.

    What a TIFF's own tag says. Else, for whole numbers, all ones in 8, 10, 12, 14, 16, ... bits, the fewest that hold
    the highest value in the picture, because cameras with 10 or 12 bits write their numbers into 16 bits as they are;
    for fractions 1, 255 or 65535.
    """
    tags: Any = getattr(picture, "tag_v2", {})
    said = tags.get(_MAX_SAMPLE_VALUE)
    said = said[0] if isinstance(said, tuple) and said else said
    highest = max(float(np.nanmax(strip, initial=0)) for strip in _deep_strips(picture))
    if isinstance(said, int | float) and said >= highest > 0:
        return float(said)
    if picture.mode.startswith("F"):
        return 1.0 if highest <= 1 else 255.0 if highest <= 255 else 65535.0
    bits = max(8, int(highest).bit_length())
    return float(2 ** (bits + bits % 2) - 1)


def _deep_strips(picture: Image.Image) -> Iterator[NDArray[np.generic]]:
    width, height = picture.size
    step = max(1, _STRIP // width)
    for row in range(0, height, step):
        strip = np.asarray(picture.crop((0, row, width, min(row + step, height))))
        yield np.where(np.isfinite(strip), strip, 0) if strip.dtype.kind == "f" else strip


def _grey_to_rgb(deep: NDArray[np.generic], whole: float) -> RGBImage:
    """Deep grey, 0..`whole`, to RGB; what is no number is black."""
    grey = np.nan_to_num(deep.astype(np.float32), nan=0, posinf=whole, neginf=0)
    eight_bit = np.clip(grey * np.float32(255.0 / whole) + 0.5, 0, 255).astype(np.uint8)
    return np.repeat(eight_bit[..., None], 3, axis=2)
