"""Preparing a set: every photo to an aligned crop and landmarks (paper, section II), on disk, unkillable.

Work goes shard by shard (`mien.jobs.shards`). A shard's crops go into a file of its own, then its rows into a small
Parquet file, the marker that the shard is done; the one process that runs the preparation copies the crops into
their place in the one crops file.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from mien.datasets.crops import crops_file, lay_out_crops, save_crops, write_crops
from mien.datasets.leaks import Leak, find_leaks, hash_face
from mien.datasets.manifest import UNREADABLE, Manifest
from mien.datasets.prepared import (
    NO_FACE,
    OK,
    SAMPLES_FILE,
    SCHEMA,
    SET_FILE,
    WORK_FOLDER,
    hash_files,
    landmarks_column,
    read_samples,
)
from mien.datasets.splits import RANGES, split_by_number, split_by_subject
from mien.errors import DataError, FaceError, MienError, UnreadableError
from mien.faces import Face, FaceExtractor
from mien.faces.alignment import CROP_SIZE, AlignmentName
from mien.faces.extraction import open_landmarker
from mien.faces.landmarks import LandmarkerName, landmarker_version
from mien.files import hash_file, saying_where, write_json, write_parquet
from mien.images import PhotoFile
from mien.jobs.claims import claim_folder, name_and_value, working_in
from mien.jobs.executors import THIS_PROCESS, Executor
from mien.jobs.shards import Progress, run_shards

_PLAN = f"{WORK_FOLDER}/plan.json"
_FORMAT = 4
_REMEDY = "prepare into another folder, or remove this one"
REPAIRED = "the file's end is missing, but no pixel"
MANY = 100
"""Leaks that set.json names one by one."""


Note = Literal["several faces", "no face found", "repaired", "unlabelled", "single photo", "in no part"]
"""Of photos that show several faces, of which the largest was taken, or none, so that the whole photo was; that lack
the end of their file, but no pixel; that have no label. Of subjects of whom one photo alone can be used; that have
labels, but are in no part of this split."""

_RANDOM = "random"
"""Subjects fall to the parts at random."""


@dataclass(frozen=True)
class Summary:
    """What a preparation did.

    Attributes:
        photos: all entries of the set.
        statuses: status -> number of entries.
        problems: (path, reason) of the entries that are not usable, in order.
        notes: what to know about the usable ones -> of how many photos, subjects for the last two; none that are 0.
        leaks: faults of the split and of who is who, see `mien.datasets.leaks`.
        up_to_date: the set was there already and nothing was done.
    """

    photos: int
    statuses: dict[str, int]
    problems: list[tuple[str, str]]
    notes: dict[Note, int]
    leaks: list[Leak]
    up_to_date: bool


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """How a set of photos is prepared.

    Attributes:
        crop_size: side of the crops in pixels.
        landmark_size: find the landmarks on crops of this side as well (1200 in the paper's study).
        landmarker: what finds the landmarks, see `mien.faces.landmarks`.
        alignment: of the crops, see `mien.faces.alignment`.
        whole_without_face: where no face is found, take the whole photo for one, as the paper's code did, and say so.
        split: `random`; `challenge` or `paper`, by the subject numbers of iCV-MEFED.
        validation, test: shares of the subjects that the manifest assigns to no split.
        seed: of the random numbers that assign them.
        shard_size: photos that a kill may cost.
    """

    crop_size: int = CROP_SIZE
    landmark_size: int | None = None
    landmarker: LandmarkerName = "cnn"
    alignment: AlignmentName = "normalised"
    whole_without_face: bool = False
    split: str = _RANDOM
    validation: float = 0.1
    test: float = 0.1
    seed: int = 0
    shard_size: int = 16

    def run(
        self,
        manifest: Manifest,
        out: Path,
        executor: Executor = THIS_PROCESS,
        progress: Progress | None = None,
    ) -> Summary:
        """Prepare the photos of a manifest.

        A photo that cannot be used is recorded with its reason and does not stop the rest.

        Args:
            manifest: which photos, see `mien.datasets.sources.read_source`.
            out: folder of the prepared set; new, empty, or of the same preparation begun earlier.
            executor: where the photos are read.
            progress: called with (photos done, photos in all).

        Raises:
            DataError: too few subjects for a split, or subjects without the numbers that it goes by.
            OutputError: `out` holds something else, cannot be written, or another process works there.
            WorkerLostError: a worker was killed.
            MissingExtraError: the predictor of landmarks is not installed.
        """
        parameters = self._parameters(manifest)
        manifest = self._assign_splits(manifest)
        if os.path.isfile(out / SET_FILE):
            return self._reopen(out, parameters)
        open_landmarker(self.landmarker)  # one that is missing is said before anything is written
        claim_folder(out, _PLAN, parameters, _REMEDY, _as_option)
        with working_in(out):
            if os.path.isfile(out / SET_FILE):  # another process has just finished
                return self._reopen(out, parameters)
            samples = self._prepare_all(manifest, out, executor, progress)
            leaks = find_leaks(samples)
            files = hash_files(out, self.crop_size)
            write_json(out / SET_FILE, _describe(parameters, self.crop_size, samples, leaks) | {"files": files})
            shutil.rmtree(out / WORK_FOLDER, ignore_errors=True)
        return _summarise(samples, leaks, up_to_date=False)

    def _parameters(self, manifest: Manifest) -> dict[str, Any]:
        shares = {"validation": self.validation, "test": self.test, "seed": self.seed}
        return {
            "format": _FORMAT,
            "source": str(manifest.root.resolve()),
            "layout": manifest.layout,
            "photos": _fingerprint(manifest),
            "crop_size": self.crop_size,
            "landmark_size": self.landmark_size,
            "landmarker": self.landmarker,
            "landmarker_version": landmarker_version(self.landmarker),
            "alignment": self.alignment,
            "whole_without_face": self.whole_without_face,
            "split": self.split if self.split in RANGES else shares,
            "shard_size": self.shard_size,
        }

    def _assign_splits(self, manifest: Manifest) -> Manifest:
        if self.split != _RANDOM and self.split not in RANGES:
            raise MienError(f"split={self.split!r}: choose one of {', '.join((_RANDOM, *RANGES))}")
        if self.split in RANGES:
            return manifest.with_table(split_by_number(manifest.table, RANGES[self.split]))
        try:
            return manifest.with_table(split_by_subject(manifest.table, self.validation, self.test, self.seed))
        except DataError as error:
            raise DataError(f"{manifest.root}: {error}", path=manifest.root, column=error.column) from error

    def _reopen(self, out: Path, parameters: dict[str, Any]) -> Summary:
        """Look a finished set through, and remove what a kill at the very end left."""
        claim_folder(out, SET_FILE, parameters, _REMEDY, _as_option)
        shutil.rmtree(out / WORK_FOLDER, ignore_errors=True)
        _, samples = read_samples(out)
        return _summarise(samples, find_leaks(samples), up_to_date=True)

    def _prepare_all(
        self, manifest: Manifest, out: Path, executor: Executor, progress: Progress | None
    ) -> pl.DataFrame:
        """Do the shards that are missing, and give the rows of all."""
        with saying_where(out):
            is_new = lay_out_crops(out / crops_file(self.crop_size), manifest.table.height, self.crop_size)
        pixels = _Pixels(self.crop_size, self.landmark_size, self.landmarker, self.alignment, self.whole_without_face)
        folder, root = out.absolute(), manifest.root.absolute()
        shards = [
            _Shard(folder, number, root, start, manifest.table.slice(start, self.shard_size), pixels)
            for number, start in enumerate(range(0, manifest.table.height, self.shard_size))
        ]
        for shard in shards:  # what had been collected went with the file of the crops
            if is_new and not os.path.isfile(shard.uncollected):
                shard.marker.unlink(missing_ok=True)
        run_shards(shards, _prepare_shard, executor, _collect_crops, progress)
        samples = pl.concat([pl.read_parquet(shard.marker) for shard in shards])
        write_parquet(out / SAMPLES_FILE, samples)
        return samples


def _as_option(name: str, value: Any) -> str:
    """A parameter as the command line says it."""
    if name == "whole_without_face":
        return f"--fallback {'whole' if value else 'none'}"
    if name == "split":
        return f"--split {'random' if isinstance(value, dict) else value}"
    if name in ("landmark_size", "landmarker", "alignment") or name.startswith("split."):
        option = f"--{name.removeprefix('split.').replace('_', '-')}"
        return f"no {option}" if value is None else f"{option} {value}"
    return name_and_value(name, value)


@dataclass(frozen=True)
class _Pixels:
    """What the pixels of a set depend on."""

    crop_size: int
    landmark_size: int | None
    landmarker: LandmarkerName
    alignment: AlignmentName
    whole_without_face: bool

    @property
    def schema(self) -> dict[str, pl.DataType]:
        if self.landmark_size is None:
            return SCHEMA
        return SCHEMA | {landmarks_column(self.landmark_size): SCHEMA["landmarks_crop"]}


@dataclass(frozen=True)
class _Shard:
    """Some neighbouring photos of a set, and where their results go."""

    out: Path
    number: int
    root: Path
    start: int
    table: pl.DataFrame
    pixels: _Pixels

    @property
    def size(self) -> int:
        return self.table.height

    @property
    def marker(self) -> Path:
        """The rows."""
        return self.out / WORK_FOLDER / f"{self.number:06d}.parquet"

    @property
    def uncollected(self) -> Path:
        """The crops."""
        return self.out / WORK_FOLDER / f"{self.number:06d}.npy"


@cache
def _extractor(pixels: _Pixels) -> FaceExtractor:
    """One in a process: loading a predictor of landmarks may take half a second."""
    finer = () if pixels.landmark_size is None else (pixels.landmark_size,)
    # Sets show one person a photo; to notice every face beside would double the time of a camera's photos.
    return FaceExtractor(
        pixels.crop_size,
        finer,
        pixels.whole_without_face,
        thorough=False,
        landmarker=pixels.landmarker,
        alignment=pixels.alignment,
    )


def _prepare_shard(shard: _Shard) -> None:
    if not os.path.isdir(shard.root):
        raise DataError(
            f"{shard.root}: no such folder on the machine {platform.node()}; share it under the same path"
        )
    pixels = shard.pixels
    crops = np.zeros((shard.size, pixels.crop_size, pixels.crop_size, 3), dtype=np.uint8)
    rows = []
    for sample, crop in zip(shard.table.iter_rows(named=True), crops, strict=True):
        found = {} if sample["status"] else _prepare_photo(_extractor(pixels), shard.root / sample["path"], crop)
        rows.append(sample | found)
    save_crops(shard.uncollected, crops)
    write_parquet(shard.marker, pl.DataFrame(rows, schema=pixels.schema, orient="row"))


def _collect_crops(shard: _Shard) -> None:
    with saying_where(shard.out):
        write_crops(shard.out / crops_file(shard.pixels.crop_size), shard.start, np.load(shard.uncollected))


def _prepare_photo(extractor: FaceExtractor, path: Path, crop: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Fill `crop` and give the columns that follow from the photo."""
    try:
        photo = PhotoFile(path, draft=True)
        file_hash = _hash_file(path)
    except UnreadableError as error:
        return {"status": UNREADABLE, "reason": _without(path, error)}
    try:
        face = extractor.extract(photo)
    except (UnreadableError, FaceError) as error:
        status = NO_FACE if isinstance(error, FaceError) else UNREADABLE
        return {"status": status, "reason": _without(path, error), "file_hash": file_hash}
    crop[:] = face.crop
    fine = {landmarks_column(size): points.reshape(-1).tolist() for size, points in face.landmarks_fine.items()}
    return {
        "status": OK,
        "reason": _what_to_know(face),
        "face_count": face.face_count,
        "face_box": face.box.as_array().tolist(),
        "face_score": face.box.score if face.face_count else None,
        "landmarks_photo": face.landmarks_photo.reshape(-1).tolist(),
        "landmarks_crop": face.landmarks_crop.reshape(-1).tolist(),
        "stretch": face.stretch,
        "file_hash": file_hash,
        "face_hash": hash_face(face.crop, face.landmarks_crop, face.stretch),
    } | fine


def _what_to_know(face: Face) -> str | None:
    facts = []
    if face.face_count == 0:
        facts.append("no face found; the whole photo was taken for one")
    elif face.face_count > 1:
        facts.append(f"{face.face_count} faces; this is the largest")
    if face.repaired:
        facts.append(REPAIRED)
    return "; ".join(facts) or None


def _hash_file(path: Path) -> str:
    try:
        return hash_file(path)[:32]
    except OSError as error:
        raise UnreadableError(f"{path}: cannot be read ({error.strerror}); copy it again from its source") from error


def _without(path: Path, error: Exception) -> str:
    return str(error).removeprefix(f"{path}: ")


def _fingerprint(manifest: Manifest) -> str:
    """16 hexadecimal digits over the rows of the manifest and the sizes of its files."""
    digest = hashlib.sha256()
    for row in manifest.table.iter_rows():
        try:
            size = (manifest.root / row[0]).stat().st_size
        except (OSError, ValueError):
            size = -1
        digest.update(repr((row, size)).encode())
    return digest.hexdigest()[:16]


def _describe(parameters: dict[str, Any], crop_size: int, samples: pl.DataFrame, leaks: list[Leak]) -> dict[str, Any]:
    """The content of set.json."""
    return {
        "parameters": parameters,
        "crop_size": crop_size,
        "photos": samples.height,
        "statuses": _count_statuses(samples),
        "leaks": [asdict(leak) for leak in leaks[:MANY]],
        "leak_count": len(leaks),
        "versions": {name: version(name) for name in ("mien", "dlib-bin", "opencv-python-headless", "pillow")},
    }


def _count_statuses(samples: pl.DataFrame) -> dict[str, int]:
    return dict(samples["status"].value_counts().sort("status").iter_rows())


def _summarise(samples: pl.DataFrame, leaks: list[Leak], up_to_date: bool) -> Summary:
    bad = samples.filter(pl.col("status") != OK)
    good = samples.filter(pl.col("status") == OK)
    unlabelled = good["label"].null_count() if good["label"].null_count() < good.height else 0
    alone = int((good.group_by("subject").len()["len"] == 1).sum())
    undecided = good.filter(pl.col("split").is_null() & pl.col("label").is_not_null())["subject"].n_unique()
    notes: dict[Note, int] = {
        "several faces": int((good["face_count"] > 1).sum()),
        "no face found": int((good["face_count"] == 0).sum()),
        "repaired": int(good["reason"].str.contains(REPAIRED, literal=True).sum()),
        "unlabelled": unlabelled,
        "single photo": alone,
        "in no part": undecided,
    }
    return Summary(
        photos=samples.height,
        statuses=_count_statuses(samples),
        problems=list(bad.select("path", "reason").iter_rows()),
        notes={note: count for note, count in notes.items() if count},
        leaks=leaks,
        up_to_date=up_to_date,
    )
