"""Large PNG files, which Pillow would hold in four bytes a pixel beside the copy that is asked for."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from mien.images.pixels import RGBImage, over_white

_CHANNELS = {"RGB": 3, "RGBA": 4}
_STRIP = 2_000_000
"""Pixels that are converted at once."""


def read_large_png(path: Path, picture: Image.Image) -> RGBImage | None:
    """The pixels of a PNG of 8 bits a channel, as Pillow would give them, in no more memory than they need.

    OpenCV decodes into an array that is there already; transparency is laid over white within it.

    Args:
        path: the file.
        picture: the same, opened by Pillow, not decoded.

    Returns:
        shape (height, width, 3), or None where this is another kind of picture, or damaged.
    """
    channels = _CHANNELS.get(picture.mode)
    if channels is None or "transparency" in picture.info:
        return None
    width, height = picture.size
    decoded = np.empty((height, width, channels), dtype=np.uint8)
    how = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION if channels == 3 else cv2.IMREAD_UNCHANGED
    if cv2.imread(str(path), decoded, how) is not decoded:
        return None
    if channels == 3:
        return decoded
    packed = decoded.reshape(-1)  # three bytes a pixel, from the start on, overtake no pixel that is still to come
    step = max(1, _STRIP // width)
    for row in range(0, height, step):
        strip = cv2.cvtColor(decoded[row : row + step], cv2.COLOR_BGRA2RGBA)
        rgb = over_white(Image.fromarray(strip)).reshape(-1)
        packed[row * width * 3 :][: rgb.size] = rgb
    return packed[: height * width * 3].reshape(height, width, 3)
