"""Reading photos: any common file to RGB, turned upright, of bounded size.

Everything downstream sees one form: a C-contiguous array of shape (height, width, 3), uint8, RGB, 0..255,
already turned by its EXIF orientation. The reader refuses with one line what can hold no face or would not
fit in memory, before it decodes a pixel.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from mien.errors import DataError, UnreadableError

RGBImage = NDArray[np.uint8]
"""Shape (height, width, 3), RGB, 0..255."""

PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm"})
MIN_SIDE = 32
"""Pixels; in less there is no room for a face with 68 points."""
MAX_PIXELS = 120_000_000
"""Width times height; 120 megapixels decode to 360 MB."""


def read_rgb(path: str | os.PathLike[str]) -> RGBImage:
    """Read a photo upright as RGB.

    Grey, CMYK, palette and 16-bit pictures are converted; transparency is laid over white.

    Returns:
        shape (height, width, 3), uint8, RGB, 0..255.

    Raises:
        UnreadableError: missing, empty, truncated, no image, too large or too thin.
    """
    path = Path(path)
    _refuse_what_is_no_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of broken EXIF and the like: what matters raises
            with Image.open(path) as opened:
                _refuse_size(path, opened.size)
                upright = ImageOps.exif_transpose(opened)
                rgb = _to_rgb(upright)
    except UnreadableError:
        raise
    except MemoryError as error:
        raise UnreadableError(f"{path}: not enough memory to decode it; make the picture smaller") from error
    except Image.DecompressionBombError as error:
        raise UnreadableError(f"{path}: {_too_large('the picture')}") from error
    except Exception as error:  # Pillow's decoders raise many kinds on damaged files
        raise UnreadableError(f"{path}: {_why_unreadable(path, error)}") from error
    return np.ascontiguousarray(rgb)


def list_photos(folder: str | os.PathLike[str]) -> list[Path]:
    """All photos below `folder`, sorted by their path, hidden ones left out. Links to folders are not followed.

    Raises:
        DataError: no such folder, or no photo in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; name the folder that holds the photos")
    photos = sorted(_walk_photos(folder))
    if not photos:
        kinds = " ".join(sorted(PHOTO_SUFFIXES))
        raise DataError(f"{folder}: no photos in this folder; mien reads {kinds}")
    return photos


def resize(image: RGBImage, factor: float) -> RGBImage:
    """A copy with `factor` times the pixels along each side, or the same array for 1: by area averaging where it
    shrinks, linear where it grows."""
    if factor == 1:
        return image
    height, width = image.shape[:2]
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)


def _walk_photos(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in PHOTO_SUFFIXES:
                yield Path(root, name)


def _refuse_what_is_no_file(path: Path) -> None:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise UnreadableError(f"{path}: cannot be read ({error.strerror}); check the name") from error
    if path.is_dir():
        raise UnreadableError(f"{path}: a folder, not a photo; name the photos in it")
    if size == 0:
        raise UnreadableError(f"{path}: the file is empty (0 bytes); copy it again from its source")


def _refuse_size(path: Path, size: tuple[int, int]) -> None:
    width, height = size
    if min(width, height) < MIN_SIDE:
        raise UnreadableError(
            f"{path}: {width} x {height} pixels is too small for a face; both sides must have {MIN_SIDE} or more"
        )
    if width * height > MAX_PIXELS:
        raise UnreadableError(f"{path}: {_too_large(f'{width} x {height} pixels')}")


def _too_large(what: str) -> str:
    return f"{what} is over the limit of {MAX_PIXELS // 1_000_000} megapixels; make the picture smaller"


def _to_rgb(picture: Image.Image) -> NDArray[np.uint8]:
    if picture.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        return _grey_to_rgb(np.asarray(picture))
    if "A" in picture.getbands() or "transparency" in picture.info:
        over_white = Image.new("RGBA", picture.size, "white")
        over_white.alpha_composite(picture.convert("RGBA"))
        picture = over_white
    return np.asarray(picture.convert("RGB"))


def _grey_to_rgb(deep: NDArray[np.generic]) -> NDArray[np.uint8]:
    """16-bit or floating grey to RGB: 0..65535 and 0..1 are whole ranges."""
    grey = deep.astype(np.float32)
    whole = 1.0 if deep.dtype.kind == "f" and grey.max() <= 1 else 255.0 if grey.max() <= 255 else 65535.0
    eight_bit = np.clip(grey * (255.0 / whole) + 0.5, 0, 255).astype(np.uint8)
    return np.repeat(eight_bit[..., None], 3, axis=2)


def _why_unreadable(path: Path, error: Exception) -> str:
    if isinstance(error, OSError) and "truncated" in str(error):
        return "the picture is truncated; copy it again from its source"
    if isinstance(error, PermissionError):
        return "may not be read; change its permissions"
    if isinstance(error, UnidentifiedImageError):
        return "not an image that mien knows; convert it to JPEG or PNG"
    return f"damaged picture ({' '.join(str(error).split()) or type(error).__name__}); copy it again from its source"
