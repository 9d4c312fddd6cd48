"""How a predictor of landmarks that was trained on synthetic photos reads people, for `mien train --points --errors`.

    python scripts/reading_errors.py SYNTHETIC ONE OTHER OUT.safetensors

SYNTHETIC is a prepared set of `mien synth`, by dlib's regression trees; ONE and OTHER are the same photos of people,
prepared by the trees and by the predictor. The trees were trained on people, so their errors on synthetic photos are
like those on photos; how the predictor reads otherwise than they do follows from the people, as a linear map.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mien.datasets import PreparedSet
from mien.errors import DataError
from mien.training.simulation import ReadingErrors, errors_of, flat

RIDGE = 30.0
"""As `mien.training.simulation.RIDGE`; the people are few."""


def reading_errors(synthetic: PreparedSet, one: PreparedSet, other: PreparedSet) -> ReadingErrors:
    """Errors as the predictor of `other` has them on people."""
    rows = {path: row for row, path in enumerate(one.table["path"].to_list())}
    pairs = [(rows[path], row) for row, path in enumerate(other.table["path"].to_list()) if path in rows]
    if one.alignment != other.alignment or one.alignment != synthetic.alignment:
        raise DataError(f"{one.path}, {other.path}: aligned otherwise; prepare all with one --alignment")
    if not pairs:
        raise DataError(f"{one.path}, {other.path}: no photo in both", path=one.path)
    theirs, ours = (list(each) for each in zip(*pairs, strict=True))
    between = ReadingErrors.fit(
        flat(one.landmarks[theirs]), flat(other.landmarks[ours]), other.subject_numbers[ours], RIDGE
    )
    return errors_of(synthetic).then(between)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("synthetic", "one", "other", "out"):
        parser.add_argument(name, type=Path)
    arguments = parser.parse_args()
    sets = (PreparedSet.open(path) for path in (arguments.synthetic, arguments.one, arguments.other))
    reading_errors(*sets).save(arguments.out)
