"""How fast synthetic faces are made, and how well the face detector and the landmark predictor see them.

    python benchmarks/synth.py [SUBJECTS]

Makes SUBJECTS synthetic subjects (8) with one photo in each of the 50 classes at 648 x 432, with all processors, in a
temporary folder; the rate is that of the whole call, start of the workers and JPEG included.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from mien.datasets import Preparation, PreparedSet
from mien.datasets.sources import read_source
from mien.faces.points68 import INNER, eye_distance
from mien.jobs.executors import LocalProcesses, processor_count
from mien.synth.generate import generate


def main(subjects: int) -> None:
    workers = processor_count()
    with tempfile.TemporaryDirectory() as folder:
        faces, prepared = Path(folder, "faces"), Path(folder, "prepared")
        start = time.perf_counter()
        photos = generate(faces, subjects=subjects, samples=1, seed=0, executor=LocalProcesses(workers)).photos
        seconds = time.perf_counter() - start
        print(f"{photos} photos in {seconds:.1f} s on {workers} processors: {photos / seconds:.1f} photos/s")
        preparation = Preparation(validation=0, test=0)
        found = preparation.run(read_source(faces), prepared, LocalProcesses(workers)).statuses.get("ok", 0)
        print(f"faces found: {found} of {photos}, {100 * found / photos:.2f}%")
        seen = PreparedSet.open(prepared).table
        truth = pl.read_parquet(faces / "truth.parquet").join(seen, on="path")
        true_points, seen_points = (
            truth[column].to_numpy().reshape(-1, 68, 2) for column in ("landmarks", "landmarks_photo")
        )
        distance = np.linalg.norm(true_points - seen_points, axis=2) / eye_distance(true_points)[:, None]
        print(f"predictor to true points, share of the outer-eye distance: inner 51 {distance[:, INNER].mean():.4f},")
        print(f"  jaw {distance[:, :17].mean():.4f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("subjects", type=int, nargs="?", default=8)
    arguments = parser.parse_args()
    main(arguments.subjects)
