"""Preparing a set: every photo to an aligned crop and landmarks (paper, section II), on disk, unkillable.

Work goes shard by shard. A shard's crops are written into their place in the one crops file, then its rows
into a small Parquet file; the second exists only when the first is whole. Killed at any moment, the same
call does the missing shards and ends with the same bytes.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mien.datasets.crops import crops_file, lay_out_crops, open_crops, write_crops
from mien.datasets.leaks import Leak, find_leaks, hash_face
from mien.datasets.manifest import UNREADABLE, Manifest
from mien.datasets.prepared import (
    NO_FACE,
    OK,
    SAMPLES_FILE,
    SCHEMA,
    SET_FILE,
    WORK_FOLDER,
    landmarks_column,
    read_samples,
)
from mien.datasets.splits import RANGES, split_by_number, split_by_subject
from mien.errors import FaceError, UnreadableError
from mien.faces import FaceExtractor
from mien.faces.alignment import CROP_SIZE
from mien.files import saying_where, write_json, write_parquet
from mien.images import PhotoFile
from mien.jobs.claims import claim_folder, working_in
from mien.jobs.processes import run_in_processes

_PLAN = f"{WORK_FOLDER}/plan.json"
_FORMAT = 2
MANY = 100
"""Leaks that set.json names one by one."""


@dataclass(frozen=True)
class Summary:
    """What a preparation did.

    Attributes:
        photos: all entries of the set.
        statuses: status -> number of entries.
        problems: (path, reason) of the entries that are not usable, in order.
        notes: what to know about the usable ones, a line each.
        leaks: faults of the split and of who is who, see `mien.datasets.leaks`.
        up_to_date: the set was there already and nothing was done.
    """

    photos: int
    statuses: dict[str, int]
    problems: list[tuple[str, str]]
    notes: list[str]
    leaks: list[Leak]
    up_to_date: bool


def prepare(
    manifest: Manifest,
    out: Path,
    *,
    crop_size: int = CROP_SIZE,
    landmark_size: int | None = None,
    whole_without_face: bool = False,
    split: str = "random",
    validation: float = 0.1,
    test: float = 0.1,
    seed: int = 0,
    workers: int = 1,
    shard_size: int = 16,
    progress: Callable[[int, int], None] | None = None,
) -> Summary:
    """Prepare a set of photos.

    A photo that cannot be used is recorded with its reason and does not stop the rest.

    Args:
        manifest: which photos, see `mien.datasets.sources.read_source`.
        out: folder of the prepared set; new, empty, or of the same preparation begun earlier.
        crop_size: side of the crops in pixels.
        landmark_size: find the landmarks on crops of this side as well (1200 in the paper's study).
        whole_without_face: where no face is found, take the whole photo for one, as the paper's code did, and say so.
        split: `random`, by lot; `challenge` or `paper`, by the subject numbers of iCV-MEFED.
        validation, test: shares of the subjects that the manifest assigns to no split.
        seed: of the lot that assigns them.
        workers: processes.
        shard_size: photos that a kill may cost.
        progress: called with (photos done, photos in all).

    Raises:
        DataError: too few subjects for a split, or subjects without the numbers that it goes by.
        OutputError: `out` holds something else, cannot be written, or another process works there.
    """
    listed = _fingerprint(manifest)
    lot = {"validation": validation, "test": test, "seed": seed}
    if split in RANGES:
        manifest = manifest.with_table(split_by_number(manifest.table, RANGES[split]))
    else:
        manifest = manifest.with_table(split_by_subject(manifest.table, validation, test, seed))
    parameters: dict[str, Any] = {
        "format": _FORMAT,
        "source": str(manifest.root.resolve()),
        "layout": manifest.layout,
        "photos": listed,
        "crop_size": crop_size,
        "landmark_size": landmark_size,
        "whole_without_face": whole_without_face,
        "split": lot if split == "random" else split,
        "shard_size": shard_size,
    }
    remedy = "prepare into another folder, or remove this one"
    if (out / SET_FILE).is_file():
        claim_folder(out, SET_FILE, parameters, remedy)
        shutil.rmtree(out / WORK_FOLDER, ignore_errors=True)
        _, samples = read_samples(out)
        open_crops(out / crops_file(crop_size), samples.height, crop_size)
        return _summarise(samples, find_leaks(samples), up_to_date=True)
    claim_folder(out, _PLAN, parameters, remedy)
    with working_in(out, _PLAN):
        how = _How(crop_size, landmark_size, whole_without_face)
        samples = _prepare_all(manifest, out, how, shard_size, workers, progress or (lambda done, total: None))
        leaks = find_leaks(samples)
        info: dict[str, Any] = {
            "parameters": parameters,
            "crop_size": crop_size,
            "photos": samples.height,
            "statuses": dict(samples["status"].value_counts().sort("status").iter_rows()),
            "leaks": [asdict(leak) for leak in leaks[:MANY]],
            "leak_count": len(leaks),
            "versions": {name: version(name) for name in ("mien", "dlib-bin", "opencv-python-headless", "pillow")},
        }
        write_json(out / SET_FILE, info)
        shutil.rmtree(out / WORK_FOLDER)
    return _summarise(samples, leaks, up_to_date=False)


@dataclass(frozen=True)
class _How:
    """What the pixels of a set depend on."""

    crop_size: int
    landmark_size: int | None
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
    how: _How

    @property
    def rows_path(self) -> Path:
        return self.out / WORK_FOLDER / f"{self.number:06d}.parquet"


def _prepare_all(
    manifest: Manifest, out: Path, how: _How, shard_size: int, workers: int, report: Callable[[int, int], None]
) -> pl.DataFrame:
    """Do the shards that are missing, and give the rows of all."""
    with saying_where(out):
        lay_out_crops(out / crops_file(how.crop_size), manifest.table.height, how.crop_size)
    shards = [
        _Shard(out, number, manifest.root, start, manifest.table.slice(start, shard_size), how)
        for number, start in enumerate(range(0, manifest.table.height, shard_size))
    ]
    missing = [shard for shard in shards if not shard.rows_path.is_file()]
    done = manifest.table.height - sum(shard.table.height for shard in missing)
    report(done, manifest.table.height)
    for photos in run_in_processes(_prepare_shard, missing, workers):
        done += photos
        report(done, manifest.table.height)
    samples = pl.concat([pl.read_parquet(shard.rows_path) for shard in shards])
    write_parquet(out / SAMPLES_FILE, samples)
    return samples


@cache
def _extractor(how: _How) -> FaceExtractor:
    """One in a process: loading the landmark predictor takes half a second."""
    finer = () if how.landmark_size is None else (how.landmark_size,)
    return FaceExtractor(how.crop_size, finer, how.whole_without_face)


def _prepare_shard(shard: _Shard) -> int:
    how = shard.how
    crops = np.zeros((shard.table.height, how.crop_size, how.crop_size, 3), dtype=np.uint8)
    rows = []
    for sample, crop in zip(shard.table.iter_rows(named=True), crops, strict=True):
        found = {} if sample["status"] else _prepare_photo(_extractor(how), shard.root / sample["path"], crop)
        rows.append(sample | found)
    with saying_where(shard.out):
        write_crops(shard.out / crops_file(how.crop_size), shard.start, crops)
    write_parquet(shard.rows_path, pl.DataFrame(rows, schema=how.schema, orient="row"))
    return shard.table.height


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
        "reason": _what_to_know(face.face_count),
        "face_count": face.face_count,
        "face_box": face.box.as_array().tolist(),
        "face_score": face.box.score if face.face_count else None,
        "landmarks_photo": face.landmarks_photo.reshape(-1).tolist(),
        "landmarks_crop": face.landmarks_crop.reshape(-1).tolist(),
        "file_hash": file_hash,
        "face_hash": hash_face(face.crop),
    } | fine


def _what_to_know(face_count: int) -> str | None:
    if face_count == 0:
        return "no face found; the whole photo was taken for one"
    return f"{face_count} faces; this is the largest" if face_count > 1 else None


def _hash_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:32]
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


def _summarise(samples: pl.DataFrame, leaks: list[Leak], up_to_date: bool) -> Summary:
    bad = samples.filter(pl.col("status") != OK)
    good = samples.filter(pl.col("status") == OK)
    unlabelled = good["label"].null_count() if good["label"].null_count() < good.height else 0
    alone = int((good.group_by("subject").len()["len"] == 1).sum())
    undecided = good.filter(pl.col("split").is_null() & pl.col("label").is_not_null())["subject"].n_unique()
    notes = {
        "show several faces; the largest was taken": int((good["face_count"] > 1).sum()),
        "show no face that was found; the whole photo was taken": int((good["face_count"] == 0).sum()),
        "have no label; they count towards their subject's mean": unlabelled,
    }
    lines = [f"{count} photos {what}" for what, count in notes.items() if count]
    if alone:
        lines.append(f"{alone} subjects have one photo that can be used: their displacement from its mean is zero")
    if undecided:
        lines.append(f"{undecided} labelled subjects are in no part of this split")
    return Summary(
        photos=samples.height,
        statuses=dict(samples["status"].value_counts().sort("status").iter_rows()),
        problems=list(bad.select("path", "reason").iter_rows()),
        notes=lines,
        leaks=leaks,
        up_to_date=up_to_date,
    )
