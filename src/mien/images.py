"""Reading photos: any common file to RGB, turned upright, of bounded size.

Everything downstream sees one form: a C-contiguous array of shape (height, width, 3), uint8, RGB, 0..255,
already turned by its EXIF orientation. The reader refuses with one line what can hold no face or would not
fit in memory, before it decodes a pixel.
"""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from mien.errors import DataError, UnreadableError

RGBImage = NDArray[np.uint8]
"""Shape (height, width, 3), RGB, 0..255."""

PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm"})
MIN_SIDE = 32
"""Pixels; in less there is no room for a face with 68 points."""
MAX_PIXELS = 120_000_000
"""Width times height; 120 megapixels decode to 360 MB."""

_ORIENTATION = 0x0112
_TURNS = dict(
    zip(
        range(2, 9),
        (
            Image.Transpose.FLIP_LEFT_RIGHT,
            Image.Transpose.ROTATE_180,
            Image.Transpose.FLIP_TOP_BOTTOM,
            Image.Transpose.TRANSPOSE,
            Image.Transpose.ROTATE_270,
            Image.Transpose.TRANSVERSE,
            Image.Transpose.ROTATE_90,
        ),
        strict=True,
    )
)
"""EXIF orientation -> what makes the photo upright."""
_SIDES_SWAPPED = (5, 6, 7, 8)
_FROM_RIGHT = (2, 3, 6, 7)
_FROM_BELOW = (3, 4, 7, 8)
"""EXIF orientations whose stored rows or columns run against those of the upright photo."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """A photo, or a reduced copy of one, upright.

    Attributes:
        image: shape (height, width, 3), uint8, RGB, 0..255.
        reduction: photo pixels along a side for one of `image`: 1, 2, 4 or 8.
        origin: x and y, in photo pixels, of the outer corner of the first pixel of `image`: 0, or some pixels less
            where the reduced copy of a turned photo reaches over its edge.
    """

    image: RGBImage
    reduction: int = 1
    origin: tuple[int, int] = (0, 0)


class PhotoFile:
    """A photo on disk whose size is known before a pixel is decoded.

    A JPEG can be decoded at a half, a quarter or an eighth: its decoder then works out fewer pixels, which costs a
    third of the time (docs/experiments.md). Other formats are always decoded whole.

    Args:
        path: the file.

    Raises:
        UnreadableError: missing, empty, no regular file, no image, too large or too thin.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        _refuse_what_is_no_file(self.path)
        with _saying_why(self.path), Image.open(self.path) as opened:
            _refuse_size(self.path, opened.size)
            # Pillow turns TIFF files itself
            self._orientation = 1 if opened.format == "TIFF" else opened.getexif().get(_ORIENTATION, 1)
            width, height = opened.size
        self.size = (height, width) if self._orientation in _SIDES_SWAPPED else (width, height)
        """Width and height, upright, in pixels."""

    def read(self, reduction: int = 1) -> Decoded:
        """Decode the photo.

        Grey, CMYK, palette and 16-bit pictures are converted; transparency is laid over white.

        Args:
            reduction: 1, 2, 4 or 8; what comes back may be reduced less.

        Raises:
            UnreadableError: truncated or damaged.
        """
        with _saying_why(self.path), Image.open(self.path) as opened:
            whole = opened.size
            opened.draft(None, (max(1, whole[0] // reduction), max(1, whole[1] // reduction)))
            if opened.size == whole:
                reduction = 1
            turn = _TURNS.get(self._orientation)
            rgb = np.ascontiguousarray(_to_rgb(opened if turn is None else opened.transpose(turn)))
        height, width = rgb.shape[:2]
        from_right, from_below = self._orientation in _FROM_RIGHT, self._orientation in _FROM_BELOW
        origin = (
            self.size[0] - width * reduction if from_right else 0,
            self.size[1] - height * reduction if from_below else 0,
        )
        return Decoded(rgb, reduction, origin)


class PhotoArray:
    """A photo in memory, with the face of a `PhotoFile`.

    Args:
        image: shape (height, width, 3), uint8, RGB, 0..255.
    """

    def __init__(self, image: RGBImage) -> None:
        self._decoded = Decoded(image)
        self.size = (image.shape[1], image.shape[0])
        """Width and height in pixels."""

    def read(self, reduction: int = 1) -> Decoded:
        """The photo itself, whatever the reduction."""
        return self._decoded


Photo = PhotoFile | PhotoArray


def read_rgb(path: str | os.PathLike[str]) -> RGBImage:
    """Read a photo upright as RGB, in all its pixels.

    Returns:
        shape (height, width, 3), uint8, RGB, 0..255.

    Raises:
        UnreadableError: missing, empty, truncated, no image, too large or too thin.
    """
    return PhotoFile(path).read().image


def list_photos(folder: str | os.PathLike[str]) -> list[Path]:
    """All photos below `folder`, sorted by their path.

    Hidden ones are left out, and prepared sets, whose pictures show photos. Links to folders are not followed.

    Raises:
        DataError: no such folder, no photo in it, or a folder in it that may not be read.
    """
    folder = Path(folder)
    if not os.path.isdir(folder):  # unlike Path's, it never raises
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


def _refuse_folder(error: OSError) -> None:
    raise DataError(f"{error.filename}: cannot be read ({error.strerror}); change its permissions, or move it away")


def _walk_photos(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder, onerror=_refuse_folder):
        if {"set.json", "samples.parquet"} <= {*names} or Path(root, "shards", "plan.json").is_file():
            folders.clear()  # a prepared set, whole or begun
            continue
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in PHOTO_SUFFIXES:
                yield Path(root, name)


@contextmanager
def _saying_why(path: Path) -> Iterator[None]:
    """Turn whatever Pillow raises on a bad file into an `UnreadableError` that says why."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of broken EXIF and the like: what matters raises
            yield
    except UnreadableError:
        raise
    except MemoryError as error:
        raise UnreadableError(f"{path}: not enough memory to decode it; make the picture smaller") from error
    except Image.DecompressionBombError as error:
        raise UnreadableError(f"{path}: {_too_large('the picture')}") from error
    except Exception as error:  # Pillow's decoders raise many kinds on damaged files
        raise UnreadableError(f"{path}: {_why_unreadable(path, error)}") from error


def _refuse_what_is_no_file(path: Path) -> None:
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableError(f"{path}: cannot be read ({reason}); check the name") from error
    if stat.S_ISDIR(found.st_mode):
        raise UnreadableError(f"{path}: a folder, not a photo; name the photos in it")
    if not stat.S_ISREG(found.st_mode):
        raise UnreadableError(f"{path}: not a regular file; copy the photo to one")
    if found.st_size == 0:
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
