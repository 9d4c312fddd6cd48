"""The crops of a prepared set: one `.npy` file, uint8, (n, size, size, 3), RGB; row i is sample i."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.errors import DataError
from mien.files import replacing


def crops_file(size: int) -> str:
    """`crops-224.npy` for 224."""
    return f"crops-{size}.npy"


def open_crops(path: Path, count: int, size: int) -> NDArray[np.uint8]:
    """The crops, memory-mapped, shape (count, size, size, 3).

    Raises:
        DataError: missing, damaged, or of another shape.
    """
    remedy = "prepare the set again into another folder"
    try:
        crops: NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: damaged ({error}); {remedy}", path=path) from error
    if crops.shape != (count, size, size, 3) or crops.dtype != np.uint8:
        raise DataError(f"{path}: holds {crops.dtype} of shape {crops.shape} for {count} photos; {remedy}", path=path)
    if (too_many := path.stat().st_size - _header_size(path) - crops.nbytes) != 0:
        raise DataError(f"{path}: damaged ({too_many} bytes too many); {remedy}", path=path)
    return crops


def lay_out_crops(path: Path, count: int, size: int) -> bool:
    """Make the file at its full size, if it is not there: a NumPy header, then zeros. Gives whether it was made."""
    shape = (count, size, size, 3)
    if path.is_file() and path.stat().st_size == _header_size(path) + math.prod(shape):
        return False
    with replacing(path) as temporary, temporary.open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + math.prod(shape))
    return True


def save_crops(path: Path, crops: NDArray[np.uint8]) -> None:
    """Write a crops file of its own, whole or not at all."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, crops, allow_pickle=False)


def write_crops(path: Path, start: int, crops: NDArray[np.uint8]) -> None:
    """Write crops into their rows, from `start` on, down to the disk.

    Not through a memory map: that dies of SIGBUS on a full disk.
    """
    with path.open("r+b") as file:
        file.seek(_header_size(path) + start * crops[0].nbytes)
        file.write(crops.tobytes())
        file.flush()
        os.fsync(file.fileno())


def _header_size(path: Path) -> int:
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        return file.tell()
