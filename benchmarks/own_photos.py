"""What a small set of one's own photos adds: `mien train --from weights`, in folds by subject.

    python benchmarks/own_photos.py PREPARED [--from RUN] [--folds 5]

PREPARED is a prepared set of labelled photos. In each fold a part of its people is left out, the run goes on learning
from the others (a sixth of them validates), and the people left out are read before and after, with each kind of
reference, as in `benchmarks/real_faces.py`.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from real_faces import RUN_REFERENCES, emotions_of, print_heads, print_line

from mien.datasets import PreparedSet
from mien.evaluation.references import references_of
from mien.evaluation.scoring import precompute_features
from mien.inference import ExpressionModel
from mien.training.adapt import adapt


def split(prepared: PreparedSet, left_out: list[str], validating: list[str]) -> PreparedSet:
    """The set with some subjects as its test part, and some as its validation part."""
    is_test, validates = pl.col("subject").is_in(left_out), pl.col("subject").is_in(validating)
    part = pl.when(is_test).then(pl.lit("test")).when(validates).then(pl.lit("validation")).otherwise(pl.lit("train"))
    return PreparedSet(prepared.path, prepared.info, prepared.table.with_columns(split=part), prepared.displacement)


def read(run: Path | None, part: PreparedSet) -> dict[str, np.ndarray]:
    """Log-probabilities of the photos, (n, 50), with each kind of reference; NaN where there is none."""
    model = ExpressionModel.load(run, threads=0)
    features = precompute_features(model, part)
    scores = {}
    for name, (kind, photos) in RUN_REFERENCES.items():
        references = references_of(kind, photos, model, part, features)
        probabilities = model.probabilities(model.scores(features, part.landmarks, references), references)
        scores[name] = np.log(probabilities + 1e-12)
        if kind == "neutral":
            scores[name][[used.kind != "neutral" for used in references]] = np.nan
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prepared", type=Path)
    parser.add_argument("--from", dest="run", type=Path, help="a trained run; the weights that come with mien")
    parser.add_argument("--folds", type=int, default=5)
    arguments = parser.parse_args()
    prepared = PreparedSet.open(arguments.prepared)
    prepared = split(prepared, [], []).select("train")
    people = sorted(set(prepared.subjects))
    order = np.random.default_rng(0).permutation(people).tolist()
    before: list[dict[str, np.ndarray]] = []
    after: list[dict[str, np.ndarray]] = []
    labels, subjects = [], []
    with tempfile.TemporaryDirectory() as temporary:
        for fold in range(arguments.folds):
            left_out = order[fold :: arguments.folds]
            rest = [person for person in order if person not in left_out]
            parts = split(prepared, left_out, rest[: max(1, len(rest) // 6)])
            meta = adapt(parts, arguments.run, Path(temporary, str(fold)), allow_leaks=True)
            print(f"fold {fold + 1}: {meta.data.training.photos} photos, weight {meta.recipe['adapted']['weight']}")
            test = parts.select("test")
            before.append(read(arguments.run, test))
            after.append(read(Path(temporary, str(fold)), test))
            labels.append(test.labels)
            subjects += test.subjects
    shown = np.concatenate(labels)
    print_heads(emotions_of(shown))
    for reference in RUN_REFERENCES:
        for name, several in (("before", before), ("after", after)):
            print_line(name, reference, np.concatenate([one[reference] for one in several]), shown, subjects)


if __name__ == "__main__":
    main()
