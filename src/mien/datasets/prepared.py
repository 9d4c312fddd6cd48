"""The prepared set: what networks and people read, a folder that needs no mien to be understood.

samples.parquet   a row a photo, columns as in `SCHEMA`
crops-224.npy     uint8, (n, 224, 224, 3), RGB; row i is sample i, zeros where there is no face
set.json          versions, parameters, source, counts, checksums; written last, so that it marks a whole set
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.datasets.crops import crops_file, open_crops
from mien.displacement import displacement_by_subject
from mien.errors import DataError
from mien.faces.alignment import AlignmentName
from mien.faces.landmarks import LandmarkerName
from mien.faces.points68 import POINT_COUNT
from mien.files import hash_file
from mien.labels import texts_to_indices

SAMPLES_FILE = "samples.parquet"
SET_FILE = "set.json"
HELD_OUT = "held_out"
"""Key of `PreparedSet.info`: the subjects that validate, where a trial splits the set otherwise."""
WORK_FOLDER = "shards"
"""Holds the plan and the finished shards while a set is being prepared."""

OK = "ok"
NO_FACE = "no face"

SCHEMA: dict[str, pl.DataType] = {
    "path": pl.String(),  # relative to the source
    "subject": pl.String(),
    "label": pl.String(),  # label text, null where unknown
    "split": pl.String(),  # train, validation, test
    "status": pl.String(),  # ok, no face, unreadable, missing (a label without photo), duplicate (a repeated entry)
    "reason": pl.String(),  # why not ok, or what to know
    "face_count": pl.Int32(),
    "face_box": pl.Array(pl.Float32(), 4),  # left, top, right, bottom in photo pixels
    "face_score": pl.Float32(),
    "landmarks_photo": pl.Array(pl.Float32(), 2 * POINT_COUNT),  # x1 y1 ... in photo pixels
    "landmarks_crop": pl.Array(pl.Float32(), 2 * POINT_COUNT),  # x1 y1 ... in crop pixels
    "stretch": pl.Float32(),  # how many times wider than in the photo the face is in the crop, beside its size
    "file_hash": pl.String(),  # first 32 hexadecimal digits of the SHA-256 of the file
    "face_hash": pl.String(),  # perceptual hash of the crop, 64 hexadecimal digits
}


_FINER = "landmarks_crop_"
_PHOTOS = "photos_of_subject"
_REMEDY = "prepare it again into another folder"


def landmarks_column(size: int) -> str:
    """`landmarks_crop_1200` for 1200: landmarks found on a crop of that side, in the pixels of the *stored* crop
    (of side 224), like those of `landmarks_crop`."""
    return f"{_FINER}{size}"


def read_samples(path: Path) -> tuple[dict[str, Any], pl.DataFrame]:
    """Contents of set.json and of samples.parquet, whole and in their types, of a prepared set.

    Raises:
        DataError: not a prepared set, an unfinished or a damaged one: a table that is not what was prepared, crops
            that are missing or not as many as the rows, usable photos without a subject or whole landmarks.
    """
    if not os.path.isfile(path / SET_FILE):
        state = "the preparation did not finish" if os.path.isdir(path / WORK_FOLDER) else "not a prepared set"
        raise DataError(f"{path}: {state}; run: mien prepare SOURCE {path}", path=path)
    try:
        info = json.loads((path / SET_FILE).read_text(encoding="utf-8"))
        crop_size = int(info["crop_size"])
        if not isinstance(info.get("files", {}), dict) or not isinstance(info.get("parameters", {}), dict):
            raise ValueError(f"{SET_FILE} has another shape")
        _refuse_changed(path, SAMPLES_FILE, info)  # first, for what reads tables may burst on a damaged one
        table = pl.read_parquet(path / SAMPLES_FILE)
        if "stretch" not in table.columns:  # of before crops were stretched
            table = table.with_columns(stretch=1.0)
        finer = {name: SCHEMA["landmarks_crop"] for name in table.columns if name.startswith(_FINER)}
        table = table.with_columns(pl.col(name).cast(kind) for name, kind in (SCHEMA | finer).items())
    except (OSError, ValueError, TypeError, KeyError, pl.exceptions.PolarsError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path}: damaged ({reason}); {_REMEDY}", path=path) from error
    _refuse_broken(path / SAMPLES_FILE, table)
    open_crops(path / crops_file(crop_size), table.height, crop_size)
    return info, table


def hash_files(path: Path, crop_size: int) -> dict[str, str]:
    """Name -> SHA-256 of the table and the crops of a set, as set.json holds them under `files`."""
    return {name: hash_file(path / name) for name in (SAMPLES_FILE, crops_file(crop_size))}


def _refuse_changed(path: Path, name: str, info: dict[str, Any]) -> None:
    """Raise if a file of a set is not the one that was prepared; sets of before know no checksums."""
    expected = info.get("files", {}).get(name)
    if expected is not None and hash_file(path / name) != expected:
        raise DataError(
            f"{path / name}: not as it was prepared; {_REMEDY}, or, if you changed it yourself, remove its line in "
            f"{SET_FILE}",
            path=path / name,
        )


def _refuse_broken(path: Path, table: pl.DataFrame) -> None:
    """Raise if a row that is said to be usable lacks what everything rests on."""
    usable = table.filter(pl.col("status") == OK)
    for column in ("path", "subject", "landmarks_photo", "landmarks_crop"):
        found = usable[column]
        broken = found.null_count()
        if found.dtype == SCHEMA["landmarks_crop"] and not broken:
            broken = int((~np.isfinite(found.to_numpy()).all(axis=1)).sum())
        if broken:
            what = "numbers missing" if column.startswith("landmarks") else "nothing"
            raise DataError(
                f"{path}: {broken} usable photos have {what} in column {column}; {_REMEDY}", path=path, column=column
            )


@dataclass(frozen=True)
class Counts:
    """What a prepared set holds, by its usable photos.

    Attributes:
        photos, subjects: how many.
        labelled: photos with a label.
        classes: different labels.
        parts: part of the split -> photos in it, in the order train, validation, test.
    """

    photos: int
    subjects: int
    labelled: int
    classes: int
    parts: dict[str, int]

    @classmethod
    def of(cls, samples: pl.DataFrame) -> Counts:
        """Count the rows of samples.parquet."""
        usable = samples.filter(pl.col("status") == OK)
        labels = usable["label"].drop_nulls()
        parts = dict(usable["split"].drop_nulls().value_counts().iter_rows())
        return cls(
            photos=usable.height,
            subjects=usable["subject"].n_unique(),
            labelled=labels.len(),
            classes=labels.n_unique(),
            parts={part: parts[part] for part in ("train", "validation", "test") if part in parts},
        )


@dataclass(frozen=True, eq=False)
class PreparedSet:
    """The usable photos of a prepared set, or a part of them; arrays are row by row the same photos.

    Attributes:
        path: its folder.
        info: the content of set.json.
        table: the rows with status ok, columns as in `SCHEMA`, plus `row`: the place in `crops`.
        displacement: shape (n, 136), float32, crop pixels: Eq. 2 against the subject's mean over *all* its
            usable photos, the unlabelled ones too.
        landmark_size: side of the crops on which its landmarks were found; None for the stored crops.
    """

    path: Path
    info: dict[str, Any]
    table: pl.DataFrame
    displacement: NDArray[np.float32]
    landmark_size: int | None = None

    @classmethod
    def open(cls, path: Path, landmark_size: int | None = None) -> PreparedSet:
        """Open a whole prepared set.

        Args:
            path: its folder.
            landmark_size: use the landmarks that were found on crops of this side (`mien prepare --landmark-size`),
                in pixels of the stored crop all the same; None for those of the stored crop itself.

        Raises:
            DataError: not a prepared set, an unfinished or a damaged one, or one without such landmarks.
        """
        info, samples = read_samples(path)
        usable = samples.with_row_index("row").filter(pl.col("status") == OK)
        if usable.is_empty():
            raise DataError(f"{path}: no photo in it has a face; look at the reasons in {SAMPLES_FILE}")
        if landmark_size is not None and landmarks_column(landmark_size) not in usable.columns:
            raise DataError(
                f"{path}: holds no landmarks from crops of {landmark_size} pixels; prepare it into another folder "
                f"with --landmark-size {landmark_size}",
                path=path,
                column=landmarks_column(landmark_size),
            )
        usable = usable.with_columns(pl.len().over("subject").alias(_PHOTOS))
        moved = displacement_by_subject(_landmarks(usable, landmark_size), usable["subject"].to_list())
        return cls(path, info, usable, moved, landmark_size)

    def verify(self) -> None:
        """Read all crops once and compare them with their checksum, a second for each 10,000 photos.

        Raises:
            DataError: a crop is not as it was prepared.
        """
        _refuse_changed(self.path, crops_file(self.crop_size), self.info)

    def select(self, *splits: str) -> PreparedSet:
        """The labelled photos of one or more splits.

        Raises:
            DataError: there are none.
        """
        in_split = self.table["split"].is_in(splits).fill_null(False)
        chosen = (in_split & self.table["label"].is_not_null()).to_numpy()
        if not chosen.any():
            raise DataError(
                f"{self.path}: no labelled photos in the part {' or '.join(splits)}; prepare it again with "
                "--validation and --test above 0, or name the split in a manifest",
                path=self.path,
                column="split",
            )
        return self.where(chosen)

    def where(self, chosen: NDArray[np.bool_]) -> PreparedSet:
        """Some of the photos, (n,); each keeps its displacement, and its place in `crops`."""
        return PreparedSet(
            self.path, self.info, self.table.filter(chosen), self.displacement[chosen], self.landmark_size
        )

    def with_landmarks(self, landmark_size: int | None) -> PreparedSet:
        """The same photos with landmarks found on crops of another side, and the displacement that follows.

        Raises:
            DataError: the set holds no such landmarks.
        """
        if landmark_size == self.landmark_size:
            return self
        whole = PreparedSet.open(self.path, landmark_size)
        moved = whole.displacement[np.searchsorted(whole.rows, self.rows)]
        return PreparedSet(self.path, self.info, self.table, moved, landmark_size)

    def __len__(self) -> int:
        return len(self.table)

    @cached_property
    def crop_size(self) -> int:
        """Side of the crops in pixels."""
        return int(self.info["crop_size"])

    @cached_property
    def landmarker(self) -> LandmarkerName:
        """What found the landmarks."""
        return "cnn" if self._parameter("landmarker") == "cnn" else "ert"

    @cached_property
    def landmarker_version(self) -> str:
        """Of what found them, see `mien.faces.landmarks.landmarker_version`; "" where the set does not know."""
        return str(self._parameter("landmarker_version") or "")

    @cached_property
    def alignment(self) -> AlignmentName:
        """How its faces are aligned."""
        return "normalised" if self._parameter("alignment") == "normalised" else "similarity"

    def _parameter(self, name: str) -> Any:
        """Of the preparation; None where it did not know it yet."""
        return self.info.get("parameters", {}).get(name)

    @cached_property
    def crops(self) -> NDArray[np.uint8]:
        """All crops of the whole set, memory-mapped, (N, size, size, 3); index it with `rows`."""
        try:
            count = pl.scan_parquet(self.path / SAMPLES_FILE).select(pl.len()).collect().item()
        except (OSError, pl.exceptions.PolarsError) as error:
            raise DataError(
                f"{self.path / SAMPLES_FILE}: gone, or damaged, since it was opened", path=self.path
            ) from error
        return open_crops(self.path / crops_file(self.crop_size), count, self.crop_size)

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """Shape (n,): the place of each photo in `crops`."""
        return self.table["row"].to_numpy().astype(np.int64)

    @cached_property
    def landmarks(self) -> NDArray[np.float32]:
        """Shape (n, 68, 2), crop pixels."""
        return _landmarks(self.table, self.landmark_size)

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """Shape (n,): class indices 0..49. All photos must be labelled, see `select`."""
        return texts_to_indices(self.table["label"].to_list())

    @cached_property
    def subjects(self) -> list[str]:
        """n names."""
        return self.table["subject"].to_list()

    @cached_property
    def photo_counts(self) -> NDArray[np.int64]:
        """Shape (n,): how many usable photos of each one's subject the whole set has, whose mean is the reference."""
        return self.table[_PHOTOS].to_numpy().astype(np.int64)

    @cached_property
    def subject_numbers(self) -> NDArray[np.int64]:
        """Shape (n,): the subjects as numbers from 0."""
        return np.unique(np.asarray(self.subjects), return_inverse=True)[1].astype(np.int64)

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that change with any photo, label, landmark or split, and with the subjects that are
        held out in place of its split."""
        digest = hashlib.sha256((self.path / SAMPLES_FILE).read_bytes())
        digest.update(str(self.crop_size).encode())
        if self.landmark_size is not None:
            digest.update(f" {self.landmark_size}".encode())
        if HELD_OUT in self.info:
            digest.update(json.dumps(self.info[HELD_OUT]).encode())
        return digest.hexdigest()[:16]


def _landmarks(table: pl.DataFrame, size: int | None) -> NDArray[np.float32]:
    column = "landmarks_crop" if size is None else landmarks_column(size)
    return table[column].to_numpy().astype(np.float32).reshape(-1, POINT_COUNT, 2)
