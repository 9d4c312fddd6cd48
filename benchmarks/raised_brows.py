"""How far landmarks follow brows that are raised by a known amount, by mien's network and by dlib's regression trees.

    python benchmarks/raised_brows.py [--subjects 20] [--seed 7] [--weights landmarks.onnx]

Synthetic subjects raise both brows in steps; all else stands still. Printed for each predictor: the slope of read
on true height of the ten brow points over the corners of the eyes, each subject's mean taken out (1: brows are
followed as far as they go), the correlation, and the mean error in percent of the distance of the outer corners of
the eyes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.errors import MienError
from mien.faces import FaceExtractor
from mien.faces.cnn import LandmarkModel
from mien.faces.landmarks import NETWORK_FILE
from mien.faces.points68 import eye_distance
from mien.synth.anatomy import draw_subject
from mien.synth.assets import load_head_assets
from mien.synth.studio import Photo, Studio

RAISED = np.linspace(0, 1.2, 7)
"""Strengths of the actions that raise the brows."""
ACTIONS = ("browInnerUp", "browOuterUpLeft", "browOuterUpRight")
BROWS, CORNERS = slice(17, 27), [36, 39, 42, 45]


def main(subjects: int, seed: int, weights: Path) -> None:
    assets = load_head_assets()
    studio = Studio(assets, 432)
    photos = []
    for number in range(1, subjects + 1):
        studio.enter(draw_subject(assets, np.random.default_rng([seed, number])))
        photos.append(_photograph(studio, [str(name) for name in assets.action_names], seed))
    extractors = {"cnn": FaceExtractor(landmarker=LandmarkModel(weights)), "ert": FaceExtractor(landmarker="ert")}
    print(f"{subjects} subjects, {len(RAISED)} heights each")
    for name, extractor in extractors.items():
        true, read = [], []
        for series in photos:
            pairs = [pair for photo in series if (pair := _heights(extractor, photo)) is not None]
            if len(pairs) > len(RAISED) // 2:
                apart = np.array(pairs) - np.mean(pairs, axis=0)
                true.append(apart[:, 0])
                read.append(apart[:, 1])
        x, y = np.concatenate(true), np.concatenate(read)
        slope, fit = float(x @ y / (x @ x)), float(np.corrcoef(x, y)[0, 1])
        error = float(np.abs(y - x).mean())
        print(f"{name}: slope {slope:.2f}, correlation {fit:.3f}, error {error:.2f}%, {len(true)} people")


def _photograph(studio: Studio, names: list[str], seed: int) -> list[Photo]:
    """The person who sits there, raising the brows."""
    places = [names.index(action) for action in ACTIONS]
    series = []
    for strength in RAISED:
        actions = np.zeros(len(names), dtype=np.float32)
        actions[places] = strength
        series.append(studio.film(actions, np.zeros(3), np.zeros(2), seed))
    return series


def _heights(extractor: FaceExtractor, photo: Photo) -> tuple[float, float] | None:
    """True and read height of the brows, in percent of the distance of the eyes' outer corners; None: no face."""
    try:
        found = extractor.extract(photo.image).landmarks_photo
    except MienError:
        return None
    return _height(photo.landmarks), _height(found)


def _height(landmarks: NDArray[np.float32]) -> float:
    """Along the face's own vertical, so that a tilted head does not count."""
    across = landmarks[[42, 45]].mean(axis=0) - landmarks[[36, 39]].mean(axis=0)
    up = np.array([across[1], -across[0]]) / np.linalg.norm(across)
    lifted = landmarks[BROWS].mean(axis=0) - landmarks[CORNERS].mean(axis=0)
    return 100 * float(lifted @ up) / float(eye_distance(landmarks))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subjects", type=int, default=20)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--weights", type=Path, default=NETWORK_FILE)
    arguments = parser.parse_args()
    main(arguments.subjects, arguments.seed, arguments.weights)
