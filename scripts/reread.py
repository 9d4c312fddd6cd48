"""A prepared set as another predictor of landmarks would have read it, if its faces were people.

    python scripts/reread.py PREPARED ONE OTHER OUT

mien's own predictor was trained on synthetic photos and errs less on them than on people, so a network that learns
from its landmarks of synthetic faces expects people to be read better than they are. dlib's regression trees were
trained on people. PREPARED is a set of `mien synth` by the trees; ONE and OTHER are the same photos of people, by the
trees and by mien's predictor. How OTHER differs from ONE, a linear map, is put upon the landmarks of PREPARED; the
crops stay.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.datasets.crops import crops_file
from mien.datasets.prepared import SAMPLES_FILE, SCHEMA, SET_FILE, PreparedSet, hash_files, read_samples
from mien.errors import DataError, OutputError
from mien.files import write_json, write_parquet
from mien.models.linear import fit_ridge
from mien.training.simulation import flat

RIDGE = 30.0
"""Pixels squared: how far a coordinate must vary among the people to speak for a difference; they are few."""


def reread(prepared: Path, one: PreparedSet, other: PreparedSet, out: Path) -> int:
    """Write the set.

    Args:
        prepared: folder of the synthetic set.
        one, other: the same photos of people, read by the predictor of `prepared` and by another.
        out: new folder.

    Returns:
        how many photos of people are in both.
    """
    if out.exists():
        raise OutputError(f"{out}: exists; name a new folder")
    info, table = read_samples(prepared)
    synthetic = PreparedSet.open(prepared)
    if synthetic.landmarker != one.landmarker or len({each.alignment for each in (synthetic, one, other)}) > 1:
        raise DataError(f"{prepared}, {one.path}: prepare both with one --landmarker, and all with one --alignment")
    if one.landmarker == other.landmarker:
        raise DataError(
            f"{one.path}, {other.path}: both by {one.landmarker}; prepare one with the other --landmarker"
        )
    theirs, ours = _pairs(one, other)
    middle, difference = theirs.mean(axis=0), ours - theirs
    linear = fit_ridge(theirs, difference, RIDGE)
    read = flat(synthetic.landmarks)
    read += difference.mean(axis=0) + (read - middle) @ linear
    finer = [name for name in table.columns if name.startswith("landmarks_crop_")]  # as the other predictor saw them
    landmarks = table["landmarks_crop"].to_list()
    for row, points in zip(synthetic.rows.tolist(), read.tolist(), strict=True):
        landmarks[row] = points
    column = pl.Series(landmarks, dtype=SCHEMA["landmarks_crop"])
    out.mkdir(parents=True)
    crops = crops_file(synthetic.crop_size)
    shutil.copyfile(prepared / crops, out / crops)
    write_parquet(out / SAMPLES_FILE, table.drop(finer).with_columns(landmarks_crop=column))
    by = {"photos of people": len(theirs), "from": synthetic.landmarker, "by": [one.fingerprint, other.fingerprint]}
    parameters = {**info.get("parameters", {}), "landmarker": other.landmarker, "reread": by}
    parameters["landmarker_version"] = other.landmarker_version
    write_json(out / SET_FILE, {**info, "parameters": parameters, "files": hash_files(out, synthetic.crop_size)})
    return len(theirs)


def _pairs(one: PreparedSet, other: PreparedSet) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Landmarks of the photos that are in both, (n, 136) each."""
    rows = {path: row for row, path in enumerate(one.table["path"].to_list())}
    pairs = [(rows[path], row) for row, path in enumerate(other.table["path"].to_list()) if path in rows]
    if not pairs:
        raise DataError(f"{one.path}, {other.path}: no photo is in both", path=one.path)
    theirs, ours = (list(each) for each in zip(*pairs, strict=True))
    return flat(one.landmarks[theirs]), flat(other.landmarks[ours])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("prepared", "one", "other", "out"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    count = reread(given.prepared, PreparedSet.open(given.one), PreparedSet.open(given.other), given.out)
    print(f"{given.out}: {given.prepared} as read by another predictor, known from {count} photos of people")
