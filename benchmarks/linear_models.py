"""Whether displacement says more than plain landmarks: every linear model on both, on subjects not trained on.

python benchmarks/linear_models.py PREPARED
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mien.datasets import PreparedSet
from mien.evaluation.metrics import interval_by_subject, top_accuracies
from mien.models.linear import LINEAR_FITS


def main(path: Path) -> None:
    prepared = PreparedSet.open(path)
    training, test = prepared.select("train"), prepared.select("validation", "test")
    subjects = len(set(training.subjects)), len(set(test.subjects))
    print(f"trained on {len(training)} photos of {subjects[0]} subjects, tested on {len(test)} of {subjects[1]}")
    for method, fit in LINEAR_FITS.items():
        for features in ("landmarks", "displacement"):
            fitted, tested = (
                part.displacement if features == "displacement" else part.landmarks.reshape(len(part), -1)
                for part in (training, test)
            )
            scores = fit(fitted, training.labels).scores(tested)
            accuracies = top_accuracies(scores, test.labels)
            low, high = interval_by_subject(scores.argmax(axis=1) == test.labels, test.subjects)
            interval = f"({low:.3f} to {high:.3f})"
            print(f"{method} {features:12} top-1 {accuracies[0]:.3f} {interval} top-5 {accuracies[4]:.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prepared", type=Path)
    arguments = parser.parse_args()
    main(arguments.prepared)
