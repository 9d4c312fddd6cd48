"""What the estimates of facial actions say of real people.

    python benchmarks/actions.py LONDON_PREPARED EXPRESSIONS_PREPARED

LONDON_PREPARED is a prepared set in which everybody has a neutral and a smiling photo: in how many is each action
stronger in the smile, both read alone. EXPRESSIONS_PREPARED is one of acted emotions: for each emotion the actions
that are strongest beside the same person's neutral photos, and the mean strength of those that EMFACS names for it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.datasets import PreparedSet
from mien.evaluation.references import references_of
from mien.inference import ExpressionModel
from mien.inference.actions import actions_for
from mien.labels import CompoundEmotion, Emotion

PROTOTYPES = {
    Emotion.ANGER: (4, 5, 7),
    Emotion.DISGUST: (9, 10),
    Emotion.FEAR: (1, 2, 4, 5, 20),
    Emotion.HAPPINESS: (6, 12),
    Emotion.SADNESS: (1, 4),
    Emotion.SURPRISE: (1, 2, 5, 26),
}
"""Units of EMFACS (Ekman, Friesen & Hager 2002) among those that can be read."""


def strengths(prepared: PreparedSet, kind: str, photos: int) -> tuple[list[str], NDArray[np.float32]]:
    """Columns and strengths, (n, k), of the labelled photos; NaN where there is no such reference."""
    model = ExpressionModel.load()
    features = np.zeros((len(prepared), 0), dtype=np.float32)
    references = references_of(kind, photos, model, prepared, features)  # type: ignore[arg-type]
    estimates = actions_for(model.meta.landmarker, model.meta.alignment)
    assert estimates is not None
    read = estimates.strengths(model.moved_from_neutral(prepared.landmarks, references).reshape(len(prepared), -1))
    if kind == "neutral":
        read[[used.kind != "neutral" for used in references]] = np.nan
    return estimates.columns, read


def main(london: str, expressions: str) -> None:
    pairs = PreparedSet.open(Path(london)).select("train", "validation", "test")
    columns, read = strengths(pairs, "estimated", 1)
    neutral = {subject: row for row, subject in enumerate(pairs.subjects) if pairs.labels[row] == 0}
    smiles = [(row, neutral[subject]) for row, subject in enumerate(pairs.subjects) if pairs.labels[row] != 0]
    print(f"stronger in the smile than in the neutral photo, of {len(smiles)} people; mean strength in either")
    for place, column in enumerate(columns):
        stronger = sum(read[smile, place] > read[rest, place] for smile, rest in smiles)
        either = [np.mean([read[pair[i], place] for pair in smiles]) for i in (0, 1)]
        print(f"{column:12} {stronger:3}   {either[0]:.2f} {either[1]:.2f}")

    acted = PreparedSet.open(Path(expressions)).select("train", "validation", "test")
    columns, read = strengths(acted, "neutral", 99)
    units = np.array([int(column.removeprefix("AU").partition("_")[0]) for column in columns])
    print(
        "acted emotions beside neutral photos: strongest units; mean of EMFACS's units there, and in the other photos"
    )
    for emotion, prototype in PROTOTYPES.items():
        rows = acted.labels == CompoundEmotion.plain(emotion).index
        mean = np.nanmean(read[rows], axis=0)
        by_unit = {unit: mean[units == unit].mean() for unit in np.unique(units)}
        strongest = sorted(by_unit, key=lambda unit: -by_unit[unit])[:5]
        named = np.isin(units, prototype)
        inside, outside = np.nanmean(read[rows][:, named]), np.nanmean(read[~rows][:, named])
        listed = ", ".join(f"AU{unit} {by_unit[unit]:.2f}" for unit in strongest)
        print(f"{emotion.noun:10} {listed}; {inside:.2f} {outside:.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("london")
    parser.add_argument("expressions")
    arguments = parser.parse_args()
    main(arguments.london, arguments.expressions)
