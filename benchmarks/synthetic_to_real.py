"""How well synthetic faces teach about real ones, by geometry alone.

    python benchmarks/synthetic_to_real.py SYNTH_PREPARED REAL.npz

A shrinkage LDA over 50 classes is trained on the displacement of a prepared set of synthetic faces and tested on
real displacement vectors: REAL.npz holds `displacement` (n, 136) in crop pixels and `label` (n,) in 0..49.
Both sides are scaled to equal spread, coordinate by coordinate, each by its own. Chance is 0.02.

The shrinkage is fixed: estimated from synthetic faces alone it is best for these, and too weak for real ones. What
the estimate (Ledoit and Wolf) gives is printed too.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from mien.datasets import PreparedSet
from mien.evaluation.metrics import top_accuracies
from mien.models.linear import fit_lda

SHRINKAGE = 0.7


def main(prepared: str, real: str) -> None:
    synthetic = PreparedSet.open(Path(prepared)).select("train", "validation", "test")
    with np.load(real, allow_pickle=False) as file:
        displacement, labels = file["displacement"].astype(np.float32), file["label"].astype(np.int64)
    scaled = synthetic.displacement / synthetic.displacement.std(axis=0)
    real_scaled = displacement / displacement.std(axis=0)
    print(f"{len(synthetic)} synthetic photos, {len(labels)} real vectors")
    estimated = top_accuracies(fit_lda(scaled, synthetic.labels).scores(real_scaled), labels)
    print(f"shrinkage estimated: {estimated[0]:.3f}, {estimated[4]:.3f}; fixed at {SHRINKAGE}:")
    accuracies = top_accuracies(fit_lda(scaled, synthetic.labels, SHRINKAGE).scores(real_scaled), labels)
    print(f"top-1 {accuracies[0]:.3f}")
    print(f"top-5 {accuracies[4]:.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("synthetic")
    parser.add_argument("real")
    arguments = parser.parse_args()
    main(arguments.synthetic, arguments.real)
