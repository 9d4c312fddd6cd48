"""How well faces of an album are grouped by person, by threshold, and how long it takes.

    python benchmarks/albums.py FOLDER

FOLDER holds a folder a person with photos, or a labels.csv with the columns path and subject.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import polars as pl
from identity import describe_faces
from numpy.typing import NDArray

from mien.images import scan_folder
from mien.inference.grouping import JOINED, group_identities


def main(folder: Path) -> None:
    rows, people, took = describe_faces(_photos(folder))
    true = np.unique(people, return_inverse=True)[1]
    print(f"{len(rows)} faces of {true.max() + 1} people; {np.median(took):.0f} ms to describe one")
    same = true[:, None] == true
    upper = np.triu_indices(len(rows), 1)
    for joined in (0.34, 0.36, 0.38, 0.39, 0.4, 0.41, 0.42, 0.44, 0.46, 0.5, 0.54, 0.58):
        began = time.perf_counter()
        grouping = group_identities(rows, list(range(len(rows))), joined)
        milliseconds = 1000 * (time.perf_counter() - began) / len(rows)
        together = (grouping.groups[:, None] == grouping.groups)[upper]
        right = (together & same[upper]).sum()
        precision, recall = right / max(1, together.sum()), right / same[upper].sum()
        wrong = _wrong(grouping.groups, true)
        flagged = grouping.doubtful[wrong].mean() if wrong.any() else 1.0
        note = " <- used" if joined == JOINED else ""
        print(
            f"{joined:.2f}: {grouping.groups.max() + 1:4} groups; pairs put together rightly {precision:.3f}, of one "
            f"person put together {recall:.3f}; {wrong.sum()} faces with others, {flagged:.0%} of them flagged; "
            f"{grouping.doubtful.mean():.0%} flagged in all; {milliseconds:.2f} ms a face{note}"
        )


def _photos(folder: Path) -> list[tuple[Path, str]]:
    if (folder / "labels.csv").is_file():
        table = pl.read_csv(folder / "labels.csv", schema_overrides={"subject": pl.String})
        return [(folder / path, subject) for path, subject in table.select("path", "subject").iter_rows()]
    return [(Path(path), Path(path).parent.name) for path in scan_folder(folder).photos]


def _wrong(groups: NDArray[np.int64], true: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Faces in a group whose faces are mostly somebody else's."""
    wrong = np.zeros(len(groups), dtype=bool)
    for group in np.unique(groups):
        own = groups == group
        wrong[own] = true[own] != np.bincount(true[own]).argmax()
    return wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    main(arguments.folder)
