"""Photos: a file or pixels in memory, of known size, decoded when they are needed and only as finely as asked for."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.errors import UnreadableError
from mien.images.large_png import read_large_png
from mien.images.opening import open_picture, orientation_of, refuse_size, saying_why
from mien.images.pixels import FROM_BELOW, FROM_RIGHT, SIDES_SWAPPED, RGBImage, average_blocks, picture_to_rgb
from mien.images.repairs import repaired

PhotoSource = str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | Image.Image | NDArray[np.uint8]
"""A path; a file's content, or a file opened for reading bytes; a Pillow image, turned by its EXIF orientation; or
pixels, uint8: RGB (height, width, 3), or grey (height, width) or (height, width, 1)."""

_Used = TypeVar("_Used")
UNNAMED = "photo"
"""What a photo is called that has no path."""
_SMALL = 30_000_000
"""Pixels up to which a photo is read whole, and kept in memory, whatever the reduction; larger ones are averaged."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """A photo, or a reduced copy of one, upright.

    Attributes:
        image: shape (height, width, 3), uint8, RGB, 0..255.
        reduction: photo pixels along a side for one of `image`: 1, 2, 4 or 8.
        origin: x and y, in photo pixels, of the outer corner of the first pixel of `image`: 0, or some pixels less
            where a JPEG's decoder made the reduced copy of a turned photo and it reaches over its edge.
        repaired: the file lacked its end marker, but no pixel.
    """

    image: RGBImage
    reduction: int = 1
    origin: tuple[int, int] = (0, 0)
    repaired: bool = False


class PhotoFile:
    """A photo in a file, whose size is known before a pixel is decoded.

    Args:
        source: the file's path, or its content.
        draft: let a JPEG's decoder make reduced copies: it then works out fewer pixels, which costs a third of the
            time (docs/experiments.md). Without it a file is decoded whole, and behaves exactly as the `PhotoArray`
            of its pixels.
        name: what messages call it; its path if None.

    Raises:
        UnreadableError: missing, empty, no regular file, no image, too large or too thin.
    """

    def __init__(
        self, source: str | os.PathLike[str] | bytes, *, draft: bool = False, name: str | None = None
    ) -> None:
        self.path = None if isinstance(source, bytes) else Path(source)
        """Where it lies; None for one in memory."""
        self.name = name or (UNNAMED if isinstance(source, bytes) else os.fspath(source) or "''")
        """What messages call it."""
        self._draft = draft
        self._content: Path | bytes = source if isinstance(source, bytes) else Path(source)
        self._repaired = False
        self._kept: RGBImage | None = None
        self._orientation, (width, height) = self._with_repairs(_measure)
        self.size = (height, width) if self._orientation in SIDES_SWAPPED else (width, height)
        """Width and height, upright, in pixels."""

    def read(self, reduction: int = 1) -> Decoded:
        """Decode the photo.

        Grey, CMYK, palette and 16-bit pictures are converted; transparency is laid over white.

        Args:
            reduction: 1, 2, 4 or 8: photo pixels along a side whose mean is one pixel; what comes back may be
                reduced less.

        Raises:
            UnreadableError: cut off or damaged.
        """
        if self._kept is None:
            decoded = self._with_repairs(lambda picture: self._decode(picture, reduction))
            if self._draft or not _is_small(self.size):
                return decoded
            self._kept = decoded.image
        return Decoded(self._kept, repaired=self._repaired)

    def _decode(self, picture: Image.Image, reduction: int) -> Decoded:
        whole = picture.size
        if self._draft:
            picture.draft(None, (max(1, whole[0] // reduction), max(1, whole[1] // reduction)))
        if picture.size == whole:
            if _is_small(self.size):
                return Decoded(picture_to_rgb(picture, self._orientation), repaired=self._repaired)
            if picture.format == "PNG" and isinstance(self._content, Path) and self._orientation == 1:
                pixels = read_large_png(self._content, picture)
                if pixels is not None:
                    return Decoded(average_blocks(pixels, reduction), reduction)
            image = picture_to_rgb(picture, self._orientation, reduction)
            return Decoded(image, reduction, repaired=self._repaired)
        image = picture_to_rgb(picture, self._orientation)
        height, width = image.shape[:2]
        from_right, from_below = self._orientation in FROM_RIGHT, self._orientation in FROM_BELOW
        origin = (
            self.size[0] - width * reduction if from_right else 0,
            self.size[1] - height * reduction if from_below else 0,
        )
        return Decoded(image, reduction, origin, self._repaired)

    def _with_repairs(self, use: Callable[[Image.Image], _Used]) -> _Used:
        """Open the file and use it; where that fails and the file can be repaired, do so and try once more."""
        try:
            return self._use(use)
        except UnreadableError as error:
            repair = repaired(self._content) if error.fault == "damaged" else None
            if repair is None:
                raise
            self._content, self._repaired = repair
        return self._use(use)

    def _use(self, use: Callable[[Image.Image], _Used]) -> _Used:
        with saying_why(self.name), open_picture(self._content, self.name) as picture:
            return use(picture)


class PhotoArray:
    """A photo in memory, with the interface of a `PhotoFile`.

    Args:
        image: shape (height, width, 3), uint8, RGB, 0..255.
        name: what messages call it.
    """

    path: Path | None = None
    """None: it is in memory."""

    def __init__(self, image: RGBImage, *, name: str = UNNAMED) -> None:
        self._image = image
        self.name = name
        """What messages call it."""
        self.size = (image.shape[1], image.shape[0])
        """Width and height in pixels."""

    def read(self, reduction: int = 1) -> Decoded:
        """The photo itself, or, of a large one, the means of its blocks of `reduction` x `reduction` pixels."""
        reduction = 1 if _is_small(self.size) else reduction
        return Decoded(average_blocks(self._image, reduction), reduction)


Photo = PhotoFile | PhotoArray


def open_photo(source: PhotoSource | Photo, *, draft: bool = False) -> Photo:
    """Take whatever holds a photo for one.

    Args:
        source: a path, a file's content, a file opened for reading bytes, a Pillow image or pixels; a photo is given
            back as it is.
        draft: see `PhotoFile`.

    Raises:
        UnreadableError: something else, or no usable photo.
    """
    if isinstance(source, PhotoFile | PhotoArray):
        return source
    if isinstance(source, np.ndarray):
        return PhotoArray(_checked_pixels(source))
    if isinstance(source, Image.Image):
        return PhotoArray(_picture_pixels(source))
    if isinstance(source, bytes | bytearray | memoryview):
        return PhotoFile(bytes(source), draft=draft)
    if isinstance(source, str | os.PathLike):
        return PhotoFile(os.fsdecode(source), draft=draft)
    if callable(getattr(source, "read", None)):
        content, name = _file_content(source)
        return PhotoFile(content, draft=draft, name=name)
    raise _no_photo(f"{type(source).__name__} is no photo")


def read_rgb(source: PhotoSource) -> RGBImage:
    """Read a photo upright as RGB, in all its pixels.

    Returns:
        shape (height, width, 3), uint8, RGB, 0..255.

    Raises:
        UnreadableError: missing, empty, cut off, no image, too large or too thin.
    """
    return open_photo(source).read().image


def _is_small(size: tuple[int, int]) -> bool:
    return size[0] * size[1] <= _SMALL


def _measure(picture: Image.Image) -> tuple[int, tuple[int, int]]:
    """Orientation, and width and height as stored."""
    return orientation_of(picture), picture.size


def _no_photo(what: str) -> UnreadableError:
    return UnreadableError(
        f"{what}; give a path, a file's bytes, a file opened with 'rb', a Pillow image, or a uint8 array: RGB "
        "(height, width, 3) or grey (height, width)",
        UNNAMED,
        "not a photo",
    )


def _checked_pixels(pixels: NDArray[Any]) -> RGBImage:
    is_rgb = pixels.ndim == 3 and pixels.shape[2] == 3
    is_grey = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 1)
    if pixels.dtype != np.uint8 or not (is_rgb or is_grey):
        raise _no_photo(f"an array of shape {pixels.shape} and type {pixels.dtype} is no photo")
    refuse_size((pixels.shape[1], pixels.shape[0]), UNNAMED)
    if is_grey:
        pixels = np.repeat(pixels.reshape(*pixels.shape[:2], 1), 3, axis=2)
    return np.ascontiguousarray(pixels)


def _picture_pixels(picture: Image.Image) -> RGBImage:
    with saying_why(UNNAMED):
        refuse_size(picture.size, UNNAMED)
        picture.load()  # turns a TIFF
        return picture_to_rgb(picture, orientation_of(picture))


def _file_content(file: Any) -> tuple[bytes, str | None]:
    """All bytes of an open file, from its start where it has one, and its name."""
    name = getattr(file, "name", None)
    name = name if isinstance(name, str) else None
    try:
        if getattr(file, "seekable", bool)():
            file.seek(0)
        content = file.read()
    except (OSError, ValueError) as error:  # ValueError: it was closed
        raise UnreadableError(f"cannot be read ({error}); open it anew", name or UNNAMED, "missing") from error
    if not isinstance(content, bytes | bytearray):
        raise _no_photo("a file opened for text is no photo")
    return bytes(content), name
