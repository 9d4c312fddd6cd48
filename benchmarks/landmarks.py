"""How well landmarks lie, by mien's network and by dlib's regression trees, against points placed by hand.

    python benchmarks/landmarks.py FOLDER... [--weights landmarks.onnx] [--folds 5 --held-out 0]

Each FOLDER holds photos with `.tem` files beside them (Face Research Lab). Printed: mean distance to the points
placed by hand, each point's own mean offset taken out, in percent of the distance of the outer corners of the
eyes: as photographed, 2.5 stops darker, and with faces of 60 pixels; then milliseconds for a look on one thread.
With --folds only people who were held out in `mien train-landmarks --set folds=5 --set held_out=0` are read.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.errors import MienError
from mien.faces import FaceExtractor
from mien.faces.cnn import LandmarkModel
from mien.faces.ert import RegressionTrees
from mien.faces.landmarks import ALIGNED_BOX, NETWORK_FILE, Landmarker
from mien.faces.points68 import INNER, eye_distance
from mien.images import RGBImage, read_rgb
from mien.training.landmarks.template import read_template

PARTS = {"inner": INNER, "brows": slice(17, 27), "nose": slice(27, 36), "eyes": slice(36, 48), "mouth": slice(48, 68)}
SIDE = 700
"""Longer side, in pixels, at which photos are read."""


def main(folders: list[Path], weights: Path, folds: int, held_out: int) -> None:
    templates = [template for folder in folders for template in sorted(folder.rglob("*.tem"))]
    subjects = [t.parent.name if t.parent not in folders else t.stem for t in templates]
    names = [
        f"{folder.name}/{s}"
        for folder in folders
        for t, s in zip(templates, subjects, strict=True)
        if folder in t.parents
    ]
    if folds:
        chosen = set(np.unique(names)[held_out::folds])
        templates = [t for t, name in zip(templates, names, strict=True) if name in chosen]
    photos, marked = zip(*[_read(template) for template in templates], strict=True)
    landmarkers: dict[str, Landmarker] = {"cnn": LandmarkModel(weights), "ert": RegressionTrees()}
    changes = {"as photographed": lambda p: p, "2.5 stops darker": _darker, "faces of 60 pixels": None}
    print(f"{len(photos)} photos; percent of the outer-eye distance")
    print(f"{'':22}{'':5}{'found':>6}" + "".join(f"{part:>8}" for part in PARTS))
    for change, function in changes.items():
        for name, landmarker in landmarkers.items():
            extractor = FaceExtractor(landmarker=landmarker)
            pairs = []
            for photo, points in zip(photos, marked, strict=True):
                scale = 1.0 if function else 60 / (1.7 * float(eye_distance(points)))
                shown = (
                    function(photo)
                    if function
                    else cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
                )
                try:
                    pairs.append((extractor.extract(shown).landmarks_photo / scale, points))
                except MienError:
                    continue
            print(f"{change:22}{name:5}{len(pairs):6}" + "".join(f"{value:8.2f}" for value in _errors(pairs)))
    for name, landmarker in landmarkers.items():
        print(f"{name}: {_time(landmarker, photos[0], marked[0]):.2f} ms a look in a box")


def _read(template: Path) -> tuple[RGBImage, NDArray[np.float32]]:
    photo, points = read_rgb(template.with_suffix(".jpg")), read_template(template)
    scale = SIDE / max(photo.shape)
    return cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), points * np.float32(scale)


def _darker(photo: RGBImage) -> RGBImage:
    """2.5 stops less light, as the sensor sees it."""
    linear = (photo / 255.0) ** 2.2 * 2**-2.5
    return np.round(255 * linear ** (1 / 2.2)).astype(np.uint8)


def _errors(pairs: list[tuple[NDArray[np.float32], NDArray[np.float32]]]) -> list[float]:
    found, points = (np.stack(each) for each in zip(*pairs, strict=True))
    errors = (found - points) / eye_distance(points)[:, None, None]
    errors -= errors.mean(axis=0)
    distances = 100 * np.linalg.norm(errors, axis=2)
    return [float(distances[:, part].mean()) for part in PARTS.values()]


def _time(landmarker: Landmarker, photo: RGBImage, points: NDArray[np.float32]) -> float:
    corners = ALIGNED_BOX.reshape(2, 2)
    span = 2.3 * float(eye_distance(points))
    centre = points[27:31].mean(axis=0)
    box = np.concatenate([centre + span * (corners[0] - 0.5), centre + span * (corners[1] - 0.5)])
    landmarker.mark(photo, box)
    times = []
    for _ in range(50):
        start = time.perf_counter()
        landmarker.mark(photo, box)
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--weights", type=Path, default=NETWORK_FILE)
    parser.add_argument("--folds", type=int, default=0)
    parser.add_argument("--held-out", type=int, default=0)
    arguments = parser.parse_args()
    main(arguments.folders, arguments.weights, arguments.folds, arguments.held_out)
