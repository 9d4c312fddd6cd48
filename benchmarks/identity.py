"""How well distances between identities part people: within a person and between people, and the time of a face.

    python benchmarks/identity.py FOLDER

FOLDER holds a folder a person with photos, or photos beside each other, one a person.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.errors import MienError
from mien.faces import FaceExtractor
from mien.faces.identity import ONE_PERSON
from mien.images import scan_folder


def describe_faces(photos: Iterable[tuple[Path, str]]) -> tuple[NDArray[np.float32], list[str], list[float]]:
    """The identity of the face in each photo, (n, 128), whose it is, and the milliseconds that it took."""
    extractor = FaceExtractor()
    identities, people, took = [], [], []
    for path, person in photos:
        try:
            face = extractor.extract(path)
        except MienError as error:
            print(error)
            continue
        began = time.perf_counter()
        identities.append(face.identity)
        took.append(1000 * (time.perf_counter() - began))
        people.append(person)
    return np.stack(identities), people, took


def main(folder: Path) -> None:
    photos = scan_folder(folder).photos
    rows, people, took = describe_faces((p, p.parent.name if p.parent != folder else p.stem) for p in photos)
    print(f"first face {took[0]:.0f} ms (loads the network), others {np.median(took[1:]):.0f} ms")
    person = np.array(people)
    upper = np.triu_indices(len(rows), 1)
    distances = np.linalg.norm(rows[:, None] - rows[None], axis=-1)[upper]
    same = (person[:, None] == person[None])[upper]
    for name, part in (("within a person", distances[same]), ("between people", distances[~same])):
        if len(part):
            levels = ", ".join(f"{q}%: {np.percentile(part, q):.3f}" for q in (0, 0.1, 1, 50, 99, 100))
            print(f"{name}, {len(part)} pairs: {levels}")
    for limit in (0.38, 0.42, ONE_PERSON, 0.50):
        apart, taken = (distances[same] > limit).mean() if same.any() else 0, (distances[~same] <= limit).mean()
        print(f"limit {limit:.2f}: {apart:.1%} of one person taken for two, {taken:.1%} of two people for one")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    main(arguments.folder)
