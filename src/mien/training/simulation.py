"""Photos that were not taken, as a predictor of landmarks would have read them: geometry of many subjects.

A predictor reads true points with errors that are for the most part a linear map of the points themselves (dlib's
trees follow brows too far); the rest differs between people and between photos. All three are learnt from
synthetic photos that were prepared, and put upon points for which no photo exists.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.datasets.icv_mefed import TRUTH_FILE
from mien.datasets.prepared import OK, SCHEMA, PreparedSet
from mien.displacement import DISPLACEMENT_SIZE, displacement_by_subject
from mien.errors import DataError
from mien.faces.alignment import AlignmentName, photo_to_crop, stretch_of, stretched
from mien.faces.points68 import POINT_COUNT
from mien.files import hash_file
from mien.models.linear import fit_ridge

ELSEWHERE = "elsewhere"
"""Column of landmarks of the neutral face before another camera."""
RIDGE = 3.0
"""Pixels squared: how far a coordinate must vary to speak for an error, or for an action of the face."""

Rows = NDArray[np.float64]
"""Shape (n, 136): landmarks in crop pixels."""


@dataclass(frozen=True, eq=False)
class ReadingErrors:
    """How a predictor reads true points; crop pixels.

    Attributes:
        middle: (136,): where points lie on average.
        constant: (136,): error of points that lie there.
        linear: (136, 136): what is added for each pixel by which a point lies elsewhere.
        of_subjects: (subjects, 136): what is left, the same in all photos of a person.
        of_photos: (photos, 136): what is left in single photos.
    """

    middle: NDArray[np.float64]
    constant: NDArray[np.float64]
    linear: NDArray[np.float64]
    of_subjects: Rows
    of_photos: Rows

    @classmethod
    def fit(cls, true: Rows, read: Rows, subjects: NDArray[np.int64]) -> ReadingErrors:
        """Learn from photos whose truth is known.

        Args:
            true, read: (n, 136), the same photos.
            subjects: (n,), numbers from 0.
        """
        middle, errors = true.mean(axis=0), read - true
        constant, linear = errors.mean(axis=0), fit_ridge(true, errors, RIDGE)
        left = errors - constant - (true - middle) @ linear
        of_subjects = np.zeros((subjects.max() + 1, left.shape[1]))
        np.add.at(of_subjects, subjects, left)
        of_subjects /= np.bincount(subjects)[:, None]
        return cls(middle, constant, linear, of_subjects, left - of_subjects[subjects])

    def read(self, true: Rows, subjects: NDArray[np.int64], rng: np.random.Generator) -> Rows:
        """Points as the predictor would read them: each subject and each photo with errors of a random one."""
        of_subject = rng.integers(len(self.of_subjects), size=subjects.max() + 1)[subjects]
        of_photo = rng.integers(len(self.of_photos), size=len(true))
        explained = true + self.constant + (true - self.middle) @ self.linear
        return explained + self.of_subjects[of_subject] + self.of_photos[of_photo]


def simulate(points: Path, prepared: PreparedSet, seed: int) -> PreparedSet:
    """A training part without pictures: true points as the predictor of a prepared set would have read them.

    Args:
        points: folder of `mien synth --points`.
        prepared: labelled photos of `mien synth`, whose folder is still where they were prepared from.
        seed: of the errors.

    Returns:
        as many labelled samples as there are points, all in the part `train`, aligned as `prepared` is; with a
        column `elsewhere`, the landmarks of the same person's neutral face before another camera.

    Raises:
        DataError: a folder without the truth about its photos, one of the same seed, whose subjects are the same, or
            photos that it knows nothing about.
    """
    truth, photos = read_truth(points, ELSEWHERE), source_of(prepared)
    table = read_truth(photos)
    if _seed(points) == _seed(photos):
        raise DataError(
            f"{points}: made with the seed of {photos}, so that the same subjects are in both; make it with another "
            "--seed",
            path=points,
        )
    where = {path: row for row, path in enumerate(table["path"].to_list())}
    rows = [where[path] for path in prepared.table["path"].to_list() if path in where]
    if len(rows) < len(prepared):
        raise DataError(f"{photos}: knows no truth about the photos of {prepared.path}", path=photos)
    true = align(_points(table[rows]), prepared.alignment)
    errors = ReadingErrors.fit(true, flat(prepared.landmarks), prepared.subject_numbers)

    subjects = truth["subject"].to_list()
    numbers = np.unique(np.asarray(subjects), return_inverse=True)[1].astype(np.int64)
    both = [align(_points(truth, column), prepared.alignment) for column in ("landmarks", ELSEWHERE)]
    read = errors.read(np.concatenate(both), np.tile(numbers, 2), np.random.default_rng(seed)).astype(np.float32)
    landmarks, elsewhere = np.split(read, 2)
    samples = truth.select("path", "subject", "label").with_columns(
        split=pl.lit("train"),
        status=pl.lit(OK),
        landmarks_crop=pl.Series(landmarks, dtype=SCHEMA["landmarks_crop"]),
        row=pl.int_range(pl.len(), dtype=pl.UInt32),
        **{ELSEWHERE: pl.Series(elsewhere, dtype=SCHEMA["landmarks_crop"])},
    )
    moved = displacement_by_subject(landmarks.reshape(-1, POINT_COUNT, 2), subjects)
    return PreparedSet(prepared.path, prepared.info, samples, moved)


def fingerprint(points: Path) -> str:
    """16 hexadecimal digits that change with any point.

    Raises:
        DataError: a folder without the truth about its photos.
    """
    try:
        return hash_file(points / TRUTH_FILE)[:16]
    except OSError as error:
        raise _no_truth(points) from error


def source_of(prepared: PreparedSet) -> Path:
    """The folder that a set was prepared from."""
    return Path(prepared.info.get("parameters", {}).get("source", prepared.path))


def read_truth(folder: Path, *more: str) -> pl.DataFrame:
    """Path, subject, label, true landmarks, (136,) photo pixels, and more columns, of a folder of `mien synth`.

    Raises:
        DataError: there is no truth in it, or none of these columns.
    """
    try:
        return pl.read_parquet(folder / TRUTH_FILE, columns=["path", "subject", "label", "landmarks", *more])
    except pl.exceptions.ColumnNotFoundError as error:
        raise DataError(
            f"{folder}: made otherwise, or by an older mien; make it with mien synth --points", path=folder
        ) from error
    except (OSError, pl.exceptions.PolarsError) as error:
        raise _no_truth(folder) from error


def _no_truth(folder: Path) -> DataError:
    return DataError(
        f"{folder}: no truth about photos in it ({TRUTH_FILE}); name a folder that `mien synth` made", path=folder
    )


def align(landmarks_photo: NDArray[np.float32], alignment: AlignmentName) -> Rows:
    """Landmarks in photo pixels, (n, 68, 2), to crop pixels, (n, 136)."""
    aligned = np.empty(landmarks_photo.shape)
    for points, row in zip(landmarks_photo, aligned, strict=True):
        stretch = stretch_of(points) if alignment == "normalised" else 1.0
        row[:] = stretched(photo_to_crop(points).apply(points), stretch)
    return flat(aligned)


def _seed(folder: Path) -> int:
    """Of a folder of `mien synth`."""
    try:
        return int(json.loads((folder / "synth.json").read_text(encoding="utf-8"))["parameters"]["seed"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder}: synth.json is missing or damaged; make the folder again", path=folder) from error


def _points(truth: pl.DataFrame, column: str = "landmarks") -> NDArray[np.float32]:
    points: NDArray[np.float32] = truth[column].to_numpy().reshape(-1, POINT_COUNT, 2)
    return points


def flat(landmarks: NDArray[np.floating]) -> Rows:
    """(n, 68, 2) to (n, 136)."""
    return landmarks.reshape(-1, DISPLACEMENT_SIZE).astype(np.float64)
