"""Preparing a set: every photo to an aligned crop and landmarks (paper, section II), on disk, unkillable.

Work goes shard by shard. A shard's crops are written into their place in the one crops file, then its rows
into a small Parquet file; the second exists only when the first is whole. Killed at any moment, the same
call does the missing shards and ends with the same bytes.
"""

from __future__ import annotations

import hashlib
import math
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mien.datasets.manifest import Manifest
from mien.datasets.prepared import OK, SAMPLES_FILE, SCHEMA, SET_FILE, WORK_FOLDER, crops_file
from mien.datasets.splits import refuse_leak, split_by_subject
from mien.errors import FaceError, UnreadableError
from mien.faces import FaceExtractor
from mien.faces.alignment import CROP_SIZE
from mien.files import claim_folder, replacing, saying_where, write_json
from mien.images import read_rgb
from mien.workers import run_in_processes

_PLAN = f"{WORK_FOLDER}/plan.json"
_FORMAT = 1


@dataclass(frozen=True)
class Summary:
    """What a preparation did.

    Attributes:
        photos: all photos of the set.
        statuses: status -> number of photos.
        problems: (path, reason) of the photos that are not usable, in order.
        up_to_date: the set was there already and nothing was done.
    """

    photos: int
    statuses: dict[str, int]
    problems: list[tuple[str, str]]
    up_to_date: bool


def prepare(
    manifest: Manifest,
    out: Path,
    *,
    crop_size: int = CROP_SIZE,
    validation: float = 0.1,
    test: float = 0.1,
    seed: int = 0,
    workers: int = 1,
    shard_size: int = 128,
    progress: Callable[[int, int], None] | None = None,
) -> Summary:
    """Prepare a set of photos.

    A photo that cannot be used is recorded with its reason and does not stop the rest.

    Args:
        manifest: which photos, see `mien.datasets.sources.read_source`.
        out: folder of the prepared set; new, empty, or of the same preparation begun earlier.
        crop_size: side of the crops in pixels.
        validation, test: shares of the subjects that the manifest assigns to no split.
        seed: of the lot that assigns them.
        workers: processes.
        shard_size: photos that a kill may cost.
        progress: called with (photos done, photos in all).

    Raises:
        DataError: a subject on both sides of the split, or too few subjects for one.
        OutputError: `out` holds something else, or cannot be written.
    """
    listed = _fingerprint(manifest)
    manifest = Manifest(manifest.root, split_by_subject(manifest.table, validation, test, seed), manifest.layout)
    refuse_leak(manifest.table, manifest.root)
    parameters = {
        "format": _FORMAT,
        "source": str(manifest.root.resolve()),
        "layout": manifest.layout,
        "photos": listed,
        "crop_size": crop_size,
        "split": {"validation": validation, "test": test, "seed": seed},
        "shard_size": shard_size,
    }
    remedy = "prepare into another folder, or remove this one"
    if (out / SET_FILE).is_file():
        claim_folder(out, SET_FILE, parameters, remedy)
        shutil.rmtree(out / WORK_FOLDER, ignore_errors=True)
        return _summarise(out, up_to_date=True)
    claim_folder(out, _PLAN, parameters, remedy)

    with saying_where(out):
        _lay_out_crops(out / crops_file(crop_size), manifest.table.height, crop_size)
    shards = [
        _Shard(out, number, manifest.root, start, manifest.table.slice(start, shard_size), crop_size)
        for number, start in enumerate(range(0, manifest.table.height, shard_size))
    ]
    missing = [shard for shard in shards if not shard.rows_path.is_file()]
    done = manifest.table.height - sum(shard.table.height for shard in missing)
    report = progress or (lambda done, total: None)
    report(done, manifest.table.height)
    for photos in run_in_processes(_prepare_shard, missing, workers):
        done += photos
        report(done, manifest.table.height)

    samples = pl.concat([pl.read_parquet(shard.rows_path) for shard in shards])
    with replacing(out / SAMPLES_FILE) as temporary:
        samples.write_parquet(temporary)
    info: dict[str, Any] = {
        "parameters": parameters,
        "crop_size": crop_size,
        "photos": samples.height,
        "statuses": dict(samples["status"].value_counts().sort("status").iter_rows()),
        "versions": {name: version(name) for name in ("mien", "dlib-bin", "opencv-python-headless", "pillow")},
    }
    write_json(out / SET_FILE, info)
    shutil.rmtree(out / WORK_FOLDER)
    return _summarise(out, up_to_date=False)


@dataclass(frozen=True)
class _Shard:
    """Some neighbouring photos of a set, and where their results go."""

    out: Path
    number: int
    root: Path
    start: int
    table: pl.DataFrame
    crop_size: int

    @property
    def rows_path(self) -> Path:
        return self.out / WORK_FOLDER / f"{self.number:06d}.parquet"


_extractors: dict[int, FaceExtractor] = {}
"""One for each crop size in a process: loading the landmark predictor takes half a second."""


def _prepare_shard(shard: _Shard) -> int:
    extractor = _extractors.setdefault(shard.crop_size, FaceExtractor(shard.crop_size))
    crops = np.zeros((shard.table.height, shard.crop_size, shard.crop_size, 3), dtype=np.uint8)
    rows = []
    for sample, crop in zip(shard.table.iter_rows(named=True), crops, strict=True):
        rows.append(sample | _prepare_photo(extractor, shard.root / sample["path"], crop))
    with saying_where(shard.out):
        _write_crops(shard.out / crops_file(shard.crop_size), shard.start, crops)
    with replacing(shard.rows_path) as temporary:
        pl.DataFrame(rows, schema=SCHEMA, orient="row").write_parquet(temporary)
    return shard.table.height


def _prepare_photo(extractor: FaceExtractor, path: Path, crop: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Fill `crop` and give the columns that follow from the photo."""
    try:
        face = extractor.extract(read_rgb(path))
    except (UnreadableError, FaceError) as error:
        status = "no face" if isinstance(error, FaceError) else "unreadable"
        return {"status": status, "reason": str(error).removeprefix(f"{path}: ")}
    crop[:] = face.crop
    several = f"{face.face_count} faces; this is the largest" if face.face_count > 1 else None
    return {
        "status": OK,
        "reason": several,
        "face_count": face.face_count,
        "face_box": face.box.as_array().tolist(),
        "face_score": face.box.score,
        "landmarks_photo": face.landmarks_photo.reshape(-1).tolist(),
        "landmarks_crop": face.landmarks_crop.reshape(-1).tolist(),
    }


def _lay_out_crops(path: Path, count: int, size: int) -> None:
    """Make the crops file at its full size, if it is not there: a NumPy header, then zeros."""
    shape = (count, size, size, 3)
    if path.is_file() and path.stat().st_size == _header_size(path) + math.prod(shape):
        return
    with replacing(path) as temporary, temporary.open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + math.prod(shape))


def _write_crops(path: Path, start: int, crops: np.ndarray[Any, Any]) -> None:
    """Write crops into their rows. Not through a memory map: that dies of SIGBUS on a full disk."""
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


def _fingerprint(manifest: Manifest) -> str:
    """16 hexadecimal digits over the rows of the manifest and the sizes of its files."""
    digest = hashlib.sha256()
    for row in manifest.table.iter_rows():
        path = manifest.root / row[0]
        size = path.stat().st_size if path.exists() else -1
        digest.update(repr((row, size)).encode())
    return digest.hexdigest()[:16]


def _summarise(out: Path, up_to_date: bool) -> Summary:
    samples = pl.read_parquet(out / SAMPLES_FILE, columns=["path", "status", "reason"])
    bad = samples.filter(pl.col("status") != OK)
    return Summary(
        photos=samples.height,
        statuses=dict(samples["status"].value_counts().sort("status").iter_rows()),
        problems=list(bad.select("path", "reason").iter_rows()),
        up_to_date=up_to_date,
    )
