"""Leaks: what lets a model be judged on what it was trained on.

Three kinds: a subject in two parts of a split; the same file under two subjects; nearly the same face under two
subjects, as when a photo was saved again, scaled or brightened. The last is found by a perceptual hash of the
*aligned* crop, for there a frame cut closer or a turn changes nothing: the signs, about their median, of the 255
lowest frequencies of its cosine transform (after Zauner, "Implementation and Benchmarking of Perceptual Image Hash
Functions", 2010), and by the landmarks, which lie in the same places in copies of a picture. docs/decisions/0006
has the measurements behind `NEAR` and `APART`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.errors import DataError
from mien.faces.points68 import POINT_COUNT, eye_distance
from mien.images import RGBImage

NEAR = 20
"""Bits of 255 in which the hashes of two copies of one picture differ at most."""
APART = 0.016
"""Mean distance between the landmarks of two copies at most, as a share of the outer-eye distance."""
_BLOCK = 64


@dataclass(frozen=True)
class Leak:
    """A fault of a set.

    Attributes:
        kind: `subject` in two parts, `same file` or `near duplicate` under two subjects.
        text: one line for people.
        across: whether it joins two parts of the split, so that a model would be judged on what it has seen.
    """

    kind: str
    text: str
    across: bool


def hash_face(crop: RGBImage) -> str:
    """The perceptual hash of an aligned crop, (size, size, 3), uint8, RGB, as 64 hexadecimal digits."""
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    low = cv2.dct(cv2.resize(grey, (64, 64), interpolation=cv2.INTER_AREA))[:16, :16].reshape(-1)
    low[0] = -np.inf  # the mean brightness says nothing
    return np.packbits(low > np.median(low[1:])).tobytes().hex()


def find_leaks(samples: pl.DataFrame) -> list[Leak]:
    """All leaks of a prepared set.

    Args:
        samples: with the columns `path`, `subject`, `split`, and maybe `file_hash`, and `face_hash` with
            `landmarks_crop`.
    """
    leaks = [*_split_subjects(samples)]
    if "file_hash" in samples.columns:
        leaks += _same_files(samples)
    if "face_hash" in samples.columns:
        leaks += _near_duplicates(samples)
    return leaks


def refuse_leaks(samples: pl.DataFrame, where: Path) -> None:
    """Raise if a subject or a picture stands on both sides of the split.

    Raises:
        DataError: names the first one, and says how many there are.
    """
    across = [leak for leak in find_leaks(samples) if leak.across]
    if across:
        more = f" (and {len(across) - 1} more, see mien inspect)" if len(across) > 1 else ""
        raise DataError(
            f"{where}: {across[0].text}{more}; every person and picture belongs to one part only: mend the split, or "
            "train on it all the same with --allow-leaks"
        )


def _split_subjects(samples: pl.DataFrame) -> Iterator[Leak]:
    sides = samples.drop_nulls("split").group_by("subject").agg(pl.col("split").unique().sort()).sort("subject")
    for name, parts in sides.filter(pl.col("split").list.len() > 1).iter_rows():
        yield Leak("subject", f"subject {name} is in {' and '.join(parts)}", across=True)


def _same_files(samples: pl.DataFrame) -> Iterator[Leak]:
    alike = samples.drop_nulls("file_hash").group_by("file_hash", maintain_order=True).agg("path", "subject", "split")
    for _, paths, subjects, splits in alike.filter(pl.col("subject").list.n_unique() > 1).iter_rows():
        other = next(i for i, subject in enumerate(subjects) if subject != subjects[0])
        parts = {split for split in splits if split}
        yield Leak("same file", _words(paths, subjects, 0, other, "the same file"), across=len(parts) > 1)


def _near_duplicates(samples: pl.DataFrame) -> Iterator[Leak]:
    hashed = samples.drop_nulls("face_hash")
    if hashed.height < 2:
        return
    words = np.frombuffer(bytes.fromhex("".join(hashed["face_hash"])), dtype=np.uint64).reshape(hashed.height, -1)
    paths, subjects, splits = (hashed[name].to_list() for name in ("path", "subject", "split"))
    files = hashed["file_hash"].to_list() if "file_hash" in hashed.columns else [None] * hashed.height
    landmarks = hashed["landmarks_crop"].to_numpy().reshape(hashed.height, POINT_COUNT, 2)
    number = hashed["subject"].rank("dense").to_numpy()
    for first, second in _pairs_within(words, number, NEAR):
        told = files[first] is not None and files[first] == files[second]  # as the same file
        if not told and _landmarks_apart(landmarks[first], landmarks[second]) <= APART:
            parts = {splits[first], splits[second]} - {None}
            text = _words(paths, subjects, first, second, "nearly the same picture")
            yield Leak("near duplicate", text, across=len(parts) > 1)


def _landmarks_apart(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Mean distance between two faces' landmarks, (68, 2), as a share of the outer-eye distance."""
    return float(np.linalg.norm(first - second, axis=1).mean() / eye_distance(first))


def _pairs_within(words: NDArray[np.uint64], subject: NDArray[np.integer], limit: int) -> Iterator[tuple[int, int]]:
    """Rows of different subjects whose bits differ in `limit` places or fewer; (n, 4) words, some rows at a time."""
    for start in range(0, len(words), _BLOCK):
        block = words[start : start + _BLOCK]
        rest = words[start:]
        distance = np.zeros((len(block), len(rest)), dtype=np.uint16)
        for column in range(words.shape[1]):
            distance += np.bitwise_count(block[:, None, column] ^ rest[None, :, column])
        near = (distance <= limit) & (subject[start : start + _BLOCK, None] != subject[None, start:])
        for i, j in zip(*np.nonzero(near), strict=True):
            if i < j:
                yield start + int(i), start + int(j)


def _words(paths: list[str], subjects: list[str], first: int, second: int, what: str) -> str:
    return f"{paths[first]!r} of {subjects[first]} and {paths[second]!r} of {subjects[second]} are {what}"
