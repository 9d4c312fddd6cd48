"""Leaks: what lets a model be tested on what it was trained on.

Three kinds: a subject in two parts of a split; the same file under two subjects; nearly the same face under two
subjects, as when a photo was saved again, scaled, brightened or mirrored. The last is found by a perceptual hash of
the crop, moved so that its landmarks are centred, upright and of one size, and as broad as in the photo, for there a
frame cut closer or a turn changes nothing: the signs, about their median, of the 255 lowest frequencies of its cosine
transform (after Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010), and by the
landmarks, which lie in the same places in copies of a picture. In a mirror the odd horizontal
frequencies change their signs, so that the hash of the mirrored crop follows from the crop's.
docs/decisions/0006 has the measurements behind the limits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.errors import LeakError
from mien.faces.alignment import Similarity, stretched, take_back_stretch
from mien.faces.points68 import INNER, POINT_COUNT, REGIONS, eye_distance, mirror
from mien.images import RGBImage

NEAR = (40, 20)
"""Bits of 255 in which the hashes of two copies of one picture differ at most, in a small and in a very large set."""
APART = (0.018, 0.012)
"""Mean distance between the landmarks of two copies at most, as a share of the outer-eye distance; the same."""
_PAIRS = (1e5, 1e9)
"""Pairs of photos in a set that is small and in one that is very large. The more people, the more alike are the two
that are most alike, by about 6 bits for ten times the pairs."""
_SIDE = 16
"""Frequencies along a side."""
_MIRRORED = np.packbits(np.tile(np.arange(_SIDE) % 2 == 1, _SIDE)).view(np.uint64)
"""The bits of a hash that change in a mirror."""
_BLOCK = 64
_MOST = 5_000
"""Near duplicates that are told, of those within a part and of those across parts; nobody reads more."""


@dataclass(frozen=True)
class Leak:
    """A fault of a set.

    Attributes:
        kind: `subject` in two parts, `same file` or `near duplicate` under two subjects.
        text: one line for people.
        across: whether it joins two parts of the split, so that a model would be tested on what it has seen.
    """

    kind: str
    text: str
    across: bool


def hash_face(crop: RGBImage, landmarks: NDArray[np.floating], stretch: float = 1.0) -> str:
    """The perceptual hash of an aligned crop, as 64 hexadecimal digits.

    Args:
        crop: shape (size, size, 3), uint8, RGB.
        landmarks: shape (68, 2), crop pixels.
        stretch: of the crop, see `mien.faces.Face`; it is taken back, for it differs a little between copies.
    """
    size = crop.shape[0]
    crop, landmarks = take_back_stretch(crop, landmarks, stretch)
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    moved = _to_standard(landmarks)
    in_crop = Similarity(moved.a * size / 4, moved.b * size / 4 + complex(size / 2, 0.55 * size))
    grey = cv2.warpAffine(grey, in_crop.matrix, (size, size), borderMode=cv2.BORDER_REPLICATE)
    low = cv2.dct(cv2.resize(grey, (64, 64), interpolation=cv2.INTER_AREA))[:_SIDE, :_SIDE].reshape(-1)
    low[0] = -np.inf  # the mean brightness says nothing
    return np.packbits(low > np.median(low[1:])).tobytes().hex()


def _to_standard(landmarks: NDArray[np.floating]) -> Similarity:
    """What centres the landmarks within the face, levels the eyes and makes the root mean square distance from the
    centre 1. All of them together jitter less than the two by which a crop is aligned, and alike in a mirror."""
    inner = landmarks[INNER].astype(np.float64) @ (1, 1j)
    right, left = (
        landmarks[REGIONS[eye]].astype(np.float64).mean(axis=0) @ (1, 1j) for eye in ("right eye", "left eye")
    )
    centre = inner.mean()
    scale = np.sqrt((np.abs(inner - centre) ** 2).mean()) * (left - right) / max(abs(left - right), 1e-9)
    a = 1 / scale if scale else 1.0
    return Similarity(complex(a), complex(-a * centre))


def find_leaks(samples: pl.DataFrame) -> list[Leak]:
    """All leaks of a prepared set.

    Args:
        samples: with the columns `path`, `subject`, `split`, and maybe `file_hash`, and `face_hash` with
            `landmarks_crop` and `stretch`.
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
        LeakError: names the first one, and says how many there are.
    """
    across = [leak for leak in find_leaks(samples) if leak.across]
    if across:
        more = f" (and {len(across) - 1} more, see mien inspect)" if len(across) > 1 else ""
        raise LeakError(
            f"{where}: {across[0].text}{more}; every person and picture belongs to one part only: fix the split, or "
            "train on it all the same with --allow-leaks",
            path=where,
            leaks=across,
        )


def _split_subjects(samples: pl.DataFrame) -> Iterator[Leak]:
    sides = samples.drop_nulls("split").group_by("subject").agg(pl.col("split").unique().sort()).sort("subject")
    for name, parts in sides.filter(pl.col("split").list.len() > 1).iter_rows():
        yield Leak("subject", f"subject {name} is in {' and '.join(parts)}", across=True)


def _same_files(samples: pl.DataFrame) -> Iterator[Leak]:
    alike = samples.drop_nulls("file_hash").group_by("file_hash", maintain_order=True).agg("path", "subject", "split")
    for _, paths, subjects, splits in alike.filter(pl.col("subject").list.n_unique() > 1).iter_rows():
        first: dict[str | None, dict[str, int]] = {}  # by part, the first two subjects and their first rows
        for row, (subject, split) in enumerate(zip(subjects, splits, strict=True)):
            here = first.setdefault(split, {})
            if len(here) < 2:
                here.setdefault(subject, row)
        some = sorted(row for here in first.values() for row in here.values())
        pairs = [(one, other) for one, other in combinations(some, 2) if subjects[one] != subjects[other]]
        across = [pair for pair in pairs if len({splits[pair[0]], splits[pair[1]]} - {None}) > 1]
        one, other = (across or pairs)[0]
        yield Leak("same file", _words(paths, subjects, one, other, "the same file"), across=bool(across))


def _near_duplicates(samples: pl.DataFrame) -> Iterator[Leak]:
    hashed = samples.drop_nulls("face_hash")
    if hashed.height < 2:
        return
    words = np.frombuffer(bytes.fromhex("".join(hashed["face_hash"])), dtype=np.uint64).reshape(hashed.height, -1)
    paths, subjects, splits = (hashed[name].to_list() for name in ("path", "subject", "split"))
    files = hashed["file_hash"].to_list() if "file_hash" in hashed.columns else [None] * hashed.height
    in_crop = hashed["landmarks_crop"].to_numpy().reshape(hashed.height, POINT_COUNT, 2)
    stretches = hashed["stretch"].fill_null(1.0)
    landmarks = [stretched(points, 1 / stretch) for points, stretch in zip(in_crop, stretches, strict=True)]
    number = hashed["subject"].rank("dense").to_numpy()
    near, apart = _limits(hashed.height)
    told_before = Counter[bool]()
    for mirrored in (False, True):
        others = words ^ _MIRRORED if mirrored else words
        for first, second in _pairs_within(words, others, number, near):
            across = len({splits[first], splits[second]} - {None}) > 1
            if told_before[across] >= _MOST:  # a placeholder in place of photos
                continue
            told = files[first] is not None and files[first] == files[second]  # as the same file
            other = mirror(landmarks[second], 1) if mirrored else landmarks[second]
            if not told and _landmarks_apart(landmarks[first], other) <= apart:
                what = "nearly the same picture, mirrored" if mirrored else "nearly the same picture"
                told_before[across] += 1
                yield Leak("near duplicate", _words(paths, subjects, first, second, what), across=across)


def _limits(photos: int) -> tuple[float, float]:
    """`NEAR` and `APART` in a set of so many photos."""
    pairs = np.log10(max(1, photos * (photos - 1) / 2))
    near, apart = (float(np.interp(pairs, np.log10(_PAIRS), limits)) for limits in (NEAR, APART))
    return near, apart


def _landmarks_apart(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Mean distance between two faces' landmarks, (68, 2), centred, upright and of one size, as a share of the
    outer-eye distance."""
    here, there = (_to_standard(landmarks).apply(landmarks) for landmarks in (first, second))
    return float(np.linalg.norm(here - there, axis=1).mean() / eye_distance(here))


def _pairs_within(
    words: NDArray[np.uint64], others: NDArray[np.uint64], subject: NDArray[np.integer], limit: float
) -> Iterator[tuple[int, int]]:
    """Rows i < j of different subjects whose bits, of i in `words` and of j in `others`, differ in `limit` places or
    fewer; both (n, 4), compared some rows at a time."""
    for start in range(0, len(words), _BLOCK):
        block = words[start : start + _BLOCK]
        rest = others[start:]
        distance = np.zeros((len(block), len(rest)), dtype=np.uint16)
        for column in range(words.shape[1]):
            distance += np.bitwise_count(block[:, None, column] ^ rest[None, :, column])
        near = (distance <= limit) & (subject[start : start + _BLOCK, None] != subject[None, start:])
        for i, j in zip(*np.nonzero(near), strict=True):
            if i < j:
                yield start + int(i), start + int(j)


def _words(paths: list[str], subjects: list[str], first: int, second: int, what: str) -> str:
    return f"{paths[first]!r} of {subjects[first]} and {paths[second]!r} of {subjects[second]} are {what}"
