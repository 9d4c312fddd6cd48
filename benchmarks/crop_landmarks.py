"""How steady the landmarks on aligned crops are, by where the predictor is told to look.

    python benchmarks/crop_landmarks.py PHOTO_FOLDER [PHOTOS]

Each photo is taken six times at random size (45-60%), turn (up to 5 degrees) and place, prepared, and marked; the
jitter is the standard deviation of a crop coordinate over the six, in crop pixels.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import cv2
import dlib
import numpy as np

from mien.faces import FaceExtractor
from mien.faces.alignment import Similarity
from mien.faces.ert import RegressionTrees
from mien.faces.landmarks import ALIGNED_BOX
from mien.faces.points68 import INNER
from mien.images import RGBImage, list_photos, read_rgb

SIDE = 648


def main(folder: str, count: int) -> None:
    extractor, predictor = FaceExtractor(landmarker="ert"), RegressionTrees()
    detector = dlib.get_frontal_face_detector()
    rng = np.random.default_rng(0)

    def by_detector(crop: RGBImage) -> np.ndarray:
        found = detector(crop, 1)
        edges = [found[0].left(), found[0].top(), found[0].right(), found[0].bottom()] if found else [0, 0, 224, 224]
        return predictor.mark(crop, np.array(edges, dtype=float)).landmarks

    ways: dict[str, Callable[[RGBImage], np.ndarray]] = {
        "detector's box, as published": by_detector,
        "one fixed box": lambda crop: predictor.mark(crop, ALIGNED_BOX * crop.shape[0]).landmarks,
        "mean over five fixed boxes": lambda crop: predictor.mark_aligned(crop).landmarks,
    }
    jitter: dict[str, list[np.ndarray]] = {name: [] for name in ways}
    for path in list_photos(folder)[:count]:
        crops = [extractor.extract(_taken_again(read_rgb(path), rng)).crop for _ in range(6)]
        for name, way in ways.items():
            jitter[name].append(np.std([way(crop) for crop in crops], axis=0))
    for name, values in jitter.items():
        squares = np.square(values)
        print(f"{name:30} inner {np.sqrt(squares[:, INNER].mean()):.3f}  jaw {np.sqrt(squares[:, :17].mean()):.3f}")


def _taken_again(photo: RGBImage, rng: np.random.Generator) -> RGBImage:
    height, width = photo.shape[:2]
    a = SIDE / max(height, width) * rng.uniform(0.9, 1.2) * np.exp(1j * np.radians(rng.uniform(-5, 5)))
    centre = complex(width / 2, height / 2)
    place = complex(SIDE / 2, SIDE / 2) + complex(*rng.uniform(-20, 20, 2))
    return cv2.warpAffine(photo, Similarity(a, place - a * centre).matrix, (SIDE, SIDE), flags=cv2.INTER_AREA)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("photos", type=int, nargs="?", default=24)
    arguments = parser.parse_args()
    main(arguments.folder, arguments.photos)
