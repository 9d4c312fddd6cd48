"""Opening picture files with Pillow, and saying in one line why one cannot be read."""

from __future__ import annotations

import io
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from mien.errors import Fault, UnreadableError
from mien.images.types import MAX_PIXELS, MIN_SIDE, PHOTO_TYPES

_ORIENTATION = 0x0112
_OPENED_BY_PILLOW = [kind for kind in PHOTO_TYPES if kind not in ("HEIF", "MPO")]
"""Pillow knows an MPO by its being a JPEG."""
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})


@contextmanager
def open_picture(content: Path | bytes, name: str) -> Iterator[Image.Image]:
    """The picture in a file, not decoded yet, of a type that mien reads and a size that fits.

    Args:
        content: the file's path, or its bytes.
        name: what messages call it.

    Raises:
        UnreadableError: no picture, or one that is too large or too thin. Damage may show as any other exception.
    """
    if isinstance(content, Path):
        _refuse_what_is_no_file(content, name)
    elif not content:
        raise UnreadableError("the file is empty (0 bytes); copy it again from its source", name, "empty")
    with _open(content, name) as picture:
        refuse_size(picture.size, name)
        yield picture


def orientation_of(picture: Image.Image) -> int:
    """How EXIF says the picture is to be turned, 1 to 8; 1 where it says nothing that can be understood."""
    if picture.format == "TIFF":
        return 1  # Pillow turns it itself
    with suppress(Exception):  # broken EXIF raises many kinds
        found = picture.getexif().get(_ORIENTATION, 1)
        return found if isinstance(found, int) and 1 <= found <= 8 else 1
    return 1


def refuse_size(size: tuple[int, int], name: str) -> None:
    """Raise if a picture of this width and height holds no face or does not fit.

    Raises:
        UnreadableError: too large or too thin.
    """
    width, height = size
    if min(width, height) < MIN_SIDE:
        raise UnreadableError(
            f"{width} x {height} pixels is too small for a face; both sides must have {MIN_SIDE} or more",
            name,
            "too small",
        )
    if width * height > MAX_PIXELS:
        raise _too_large(f"{width} x {height} pixels", name)


@contextmanager
def saying_why(name: str) -> Iterator[None]:
    """Turn whatever Pillow raises on a bad file into an `UnreadableError` that says why."""
    try:
        with quiet:
            yield
    except UnreadableError:
        raise
    except MemoryError as error:
        reason = "not enough memory to decode it; make the picture smaller"
        raise UnreadableError(reason, name, "no memory") from error
    except Image.DecompressionBombError as error:
        raise _too_large("the picture", name) from error
    except Exception as error:  # Pillow's decoders raise many kinds on damaged files
        fault, reason = _fault(error)
        raise UnreadableError(reason, name, fault) from error


class _Quiet:
    """Silences warnings of broken EXIF and the like, since what matters raises.

    Filters of warnings belong to the whole process: the first thread that enters sets them and the last one that
    leaves puts them back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._filters: warnings.catch_warnings[None] = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.simplefilter("ignore")
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._filters.__exit__(None, None, None)


quiet = _Quiet()
"""To be entered around whatever Pillow warns in."""


def _open(content: Path | bytes, name: str) -> Image.Image:
    source = content if isinstance(content, Path) else io.BytesIO(content)
    try:
        return Image.open(source, formats=_OPENED_BY_PILLOW)
    except UnidentifiedImageError:
        if not _is_heif(content):
            raise
    try:
        import pillow_heif
    except ImportError as error:
        reason = "a HEIC photo, which needs one more package; run: pip install 'mien[heic]', or convert it to JPEG"
        raise UnreadableError(reason, name, "needs heic") from error
    heif: Any = pillow_heif.open_heif(content if isinstance(content, Path) else io.BytesIO(content))
    refuse_size(heif.size, name)
    picture: Image.Image = heif.to_pillow()
    return picture


def _is_heif(content: Path | bytes) -> bool:
    start = content[:12] if isinstance(content, bytes) else _first_bytes(content, 12)
    return start[4:8] == b"ftyp" and start[8:12] in _HEIF_BRANDS


def _first_bytes(path: Path, count: int) -> bytes:
    with path.open("rb") as file:
        return file.read(count)


def _refuse_what_is_no_file(path: Path, name: str) -> None:
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableError(f"cannot be read ({reason}); check the name", name, "missing") from error
    if stat.S_ISDIR(found.st_mode):
        raise UnreadableError("a folder, not a photo; name the photos in it", name, "not a file")
    if not stat.S_ISREG(found.st_mode):
        raise UnreadableError("not a regular file; copy the photo to one", name, "not a file")
    if found.st_size == 0:
        raise UnreadableError("the file is empty (0 bytes); copy it again from its source", name, "empty")


def _too_large(what: str, name: str) -> UnreadableError:
    limit = MAX_PIXELS // 1_000_000
    return UnreadableError(
        f"{what} is over the limit of {limit} megapixels; make the picture smaller", name, "too large"
    )


def _fault(error: Exception) -> tuple[Fault, str]:
    if isinstance(error, PermissionError):
        return "missing", "may not be read; change its permissions"
    if isinstance(error, UnidentifiedImageError):
        return (
            "unknown type",
            "not an image that mien knows, or the start of one; convert it to JPEG or PNG, or copy it again",
        )
    what = " ".join(str(error).split()) or type(error).__name__
    return "damaged", f"damaged picture ({what}); copy it again from its source"
