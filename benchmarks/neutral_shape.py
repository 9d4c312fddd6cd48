"""Whether neutral synthetic faces are shaped as real ones are, landmark by landmark.

    python benchmarks/neutral_shape.py SYNTH_PREPARED NEUTRAL.npz

SYNTH_PREPARED is a prepared set of synthetic faces, of which the neutral photos count. NEUTRAL.npz holds `landmarks`
(n, 68, 2) in pixels of the 224 crop, a row a person, and may hold `source` (n,), whose first word names the set of
photos. Printed are, in crop pixels:

- the difference of the means, region by region: its mean length over the points, and its mean x and y;
- the first eight principal variances of the synthetic faces as ratios of the real ones, and the variances of the
  synthetic faces along the real axes;
- the accuracy with which a shrinkage LDA tells both apart, cross-validated by subject, each side weighing the same;
  0.5 would be the same distribution.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import GroupKFold, cross_val_predict

from mien.datasets import PreparedSet
from mien.faces.points68 import REGIONS

Vectors = NDArray[np.float64]


def main(prepared: Path, file: Path) -> None:
    everyone = PreparedSet.open(prepared).select("train", "validation", "test")
    neutral = everyone.labels == 0
    ours = everyone.landmarks[neutral].astype(np.float64)
    subjects = everyone.subject_numbers[neutral]
    with np.load(file, allow_pickle=False) as arrays:
        theirs = arrays["landmarks"].astype(np.float64)
        sources = [str(s).split()[0] for s in arrays["source"]] if "source" in arrays else []
    print(f"{len(ours)} neutral photos of {len(set(subjects))} synthetic subjects, {len(theirs)} real people")
    print_differences(ours, theirs)
    for source in sorted(set(sources)):
        part = theirs[np.array(sources) == source]
        print(f"{source} ({len(part)}): {distances(ours, part).mean():.2f} pixels from the synthetic mean")
    print_spread(ours, theirs)
    print(f"told apart: {told_apart(ours, theirs, subjects):.3f} (0.5 is chance)")


def distances(ours: Vectors, theirs: Vectors) -> Vectors:
    """Between both means, (68,)."""
    away: Vectors = np.linalg.norm(ours.mean(axis=0) - theirs.mean(axis=0), axis=1)
    return away


def print_differences(ours: Vectors, theirs: Vectors) -> None:
    """A line for each region, then all points."""
    away, shift = distances(ours, theirs), ours.mean(axis=0) - theirs.mean(axis=0)
    for region, points in REGIONS.items():
        x, y = shift[points].mean(axis=0)
        print(
            f"{region:12} {away[points].mean():5.2f}   x {x:+5.2f}   y {y:+5.2f}   at most {away[points].max():5.2f}"
        )
    print(f"{'all':12} {away.mean():5.2f}")


def print_spread(ours: Vectors, theirs: Vectors) -> None:
    """Ratios of the first eight variances."""
    own, real = (np.linalg.eigvalsh(np.cov(v.reshape(len(v), -1).T))[::-1][:8] for v in (ours, theirs))
    along = np.linalg.eigh(np.cov(theirs.reshape(len(theirs), -1).T))[1][:, ::-1][:, :8]
    there = np.var((ours - ours.mean(axis=0)).reshape(len(ours), -1) @ along, axis=0)
    print("real deviations      " + " ".join(f"{s:6.1f}" for s in np.sqrt(real)))
    print("variance ratios      " + " ".join(f"{r:6.2f}" for r in own / real))
    print("along the real axes  " + " ".join(f"{r:6.2f}" for r in there / real))


def told_apart(ours: Vectors, theirs: Vectors, subjects: NDArray[np.int64]) -> float:
    """Accuracy of a classifier, each side weighing the same."""
    features = np.concatenate([v.reshape(len(v), -1) for v in (ours, theirs)])
    is_real = np.repeat([0, 1], [len(ours), len(theirs)])
    groups = np.concatenate([subjects, subjects.max() + 1 + np.arange(len(theirs))])
    analysis = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1, priors=[0.5, 0.5])
    said = cross_val_predict(analysis, features, is_real, groups=groups, cv=GroupKFold(10))
    return float(np.mean([(said[is_real == side] == side).mean() for side in (0, 1)]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("synthetic", type=Path)
    parser.add_argument("neutral", type=Path)
    arguments = parser.parse_args()
    main(arguments.synthetic, arguments.neutral)
