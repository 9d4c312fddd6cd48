"""Does the visual feature say more relative to the subject's mean feature, as the landmarks do?

    python benchmarks/relative_features.py RUN PREPARED [PHOTOS]

Takes the trained visual branch of RUN, computes its 256 features for training and validation photos (PHOTOS of
each at most, whole subjects), and fits shrinkage LDA on the features as they are, on the features minus the mean of
their own subject, and on either beside the displacement. What the branch learnt is the same in all rows.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.artifacts import load_meta
from mien.datasets import PreparedSet
from mien.evaluation.metrics import interval_by_subject, top_accuracies
from mien.models.config import NetworkConfig
from mien.models.linear import fit_lda
from mien.models.network import Network, load_network
from mien.training.scoring import visual_features


def main(run: Path, path: Path, photos: int) -> None:
    network = load_network(run, NetworkConfig(**load_meta(run).recipe["network"])).eval()
    if not isinstance(network, Network) or network.visual is None:
        sys.exit(f"{run}: has no visual branch")
    prepared = PreparedSet.open(path)
    training, test = (_first_subjects(prepared.select(part), photos) for part in ("train", "validation"))
    print(f"fitted to {len(training)} photos, tested on {len(test)} of {len(set(test.subjects))} validation subjects")
    plain = [visual_features(network, part).numpy() for part in (training, test)]
    relative = [_minus_subject_means(f, p.subject_numbers) for f, p in zip(plain, (training, test), strict=True)]
    moved = [training.displacement, test.displacement]
    both = [[np.hstack(pair) for pair in zip(features, moved, strict=True)] for features in (plain, relative)]
    rows = {
        "feature": plain,
        "feature - subject's mean": relative,
        "displacement": moved,
        "feature, displacement": both[0],
        "feature - subject's mean, displacement": both[1],
    }
    for name, (fitted, tested) in rows.items():
        scores = fit_lda(fitted, training.labels).scores(tested)
        accuracies = top_accuracies(scores, test.labels)
        low, high = interval_by_subject(scores.argmax(axis=1) == test.labels, test.subjects)
        print(f"{name:40} top-1 {accuracies[0]:.3f} ({low:.3f} to {high:.3f}) top-5 {accuracies[4]:.3f}")


def _first_subjects(part: PreparedSet, photos: int) -> PreparedSet:
    """The first subjects of a part that have about `photos` photos together."""
    names = list(dict.fromkeys(part.subjects))
    wanted = names[: max(2, round(len(names) * min(1.0, photos / len(part))))]
    chosen = np.isin(part.subjects, wanted)
    return replace(part, table=part.table.filter(chosen), displacement=part.displacement[chosen])


def _minus_subject_means(features: NDArray[np.float32], subjects: NDArray[np.int64]) -> NDArray[np.float32]:
    sums = np.zeros((subjects.max() + 1, features.shape[1]))
    np.add.at(sums, subjects, features)
    relative: NDArray[np.float32] = features - (sums / np.bincount(subjects)[:, None])[subjects].astype(np.float32)
    return relative


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) == 4 else 8000)
