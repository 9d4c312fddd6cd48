"""What one more photo of a person brings: accuracy by the number of photos that make the reference, as a curve.

    python benchmarks/reference_photos.py PREPARED OUT.png [--run RUN] [--part validation]

Every photo of the set is read with references from its person's other photos, drawn at random five times: of any
expression, the photo itself among them, or neutral ones, the photo itself not among them. A number of photos that
half of the people do not have is left out. Over the classes of the set where it has seven or fewer, by the rule of
`benchmarks/real_faces.py`, else over the 50.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from real_faces import emotions_of, read_emotions, shown_emotions

from mien.artifacts import ReferenceKind
from mien.datasets import PreparedSet
from mien.drawing.plots import curves_figure
from mien.evaluation.references import references_of
from mien.evaluation.scoring import precompute_features
from mien.inference import ExpressionModel

PHOTOS: dict[ReferenceKind, tuple[int, ...]] = {"estimated": (1, 2, 3, 5, 10, 20, 40), "neutral": (1, 2, 3, 5)}
NAMES = {"estimated": "photos of any expression", "neutral": "neutral photos"}
DRAWS = 5
ENOUGH = 0.5
"""Share of the photos whose person has so many others, below which nothing is said."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prepared", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--run", type=Path, help="a trained run; the weights that come with mien")
    parser.add_argument("--part", help="train, validation or test; all photos if left out")
    options = parser.parse_args()
    whole = PreparedSet.open(options.prepared)
    part = whole.select(*([options.part] if options.part else ["train", "validation", "test"]))
    model = ExpressionModel.load(options.run, threads=0)
    features = precompute_features(model, part)
    curves: dict[str, tuple[list[float], list[float]]] = {}
    for kind, numbers in PHOTOS.items():
        shares: list[float] = []
        for photos in numbers:
            drawn = [_right(model, part, features, kind, photos, seed) for seed in range(DRAWS)]
            shares.append(float(np.mean(drawn)))
            print(f"{NAMES[kind]:26} {photos:3}  {shares[-1]:.3f}  ({min(drawn):.3f} to {max(drawn):.3f} by draw)")
        known = [i for i, share in enumerate(shares) if np.isfinite(share)]
        curves[NAMES[kind]] = ([float(numbers[i]) for i in known], [shares[i] for i in known])
    options.out.write_bytes(curves_figure(curves, {}, "accuracy", xlabel="photos of the person"))


def _right(
    model: ExpressionModel,
    part: PreparedSet,
    features: NDArray[np.float32],
    kind: ReferenceKind,
    photos: int,
    seed: int,
) -> float:
    references = references_of(kind, photos, model, part, features, seed)
    usable = np.array([used.kind == kind and used.photo_count == photos for used in references])
    if usable.mean() < ENOUGH:
        return float("nan")
    scores = np.log(model.probabilities(model.scores(features, part.landmarks, references), references) + 1e-12)
    labels, emotions = part.labels, emotions_of(part.labels)
    if len(np.unique(labels)) <= len(emotions):
        return float((read_emotions(scores, emotions) == shown_emotions(labels))[usable].mean())
    return float((scores.argmax(axis=1) == labels)[usable].mean())


if __name__ == "__main__":
    main()
