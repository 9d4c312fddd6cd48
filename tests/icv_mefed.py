"""Fakes iCV-MEFED in its true layout, irregularities included, with tiny pictures in place of its photos.

    python tests/icv_mefed.py FOLDER [SUBJECTS]

What is irregular there: the label file has CRLF, and spaces before some of its tabs; names in it end in `.jpg`, those
of files in `.JPG` or `.jpg`; subject 011 is shifted by one, so that its indices 2 to 251 are used; 013, 017, 031 and
046 are incomplete; subject 111 has 251 photos; and the numbers 001, 002 and 103 are nobody's.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from PIL import Image

from mien.labels import CLASSES

CHALLENGE_COUNTS = {"train": 15_969, "validation": 7_000, "test": 5_751}
ALL_SUBJECTS = (*range(3, 74), *range(74, 103), *range(104, 129))
ABSENT = {5, 19, 22, 33, 40, 58, 66, 88, 110, 120}
"""Numbers within the parts that are nobody's, so that 64, 28 and 23 subjects are left."""
INCOMPLETE = {13: 8, 17: 10, 31: 6, 46: 7}
"""Subject -> how many of the last photos are not there: 31 in all."""


def subjects() -> list[int]:
    """The 115 subjects with a label."""
    return [subject for subject in ALL_SUBJECTS if subject not in ABSENT]


def photos_of(subject: int) -> Iterator[tuple[int, str]]:
    """Index and label text of each photo of a subject: five of each class, in order, but for the irregular ones."""
    texts = [str(emotion) for emotion in CLASSES for _ in range(5)]
    first = 2 if subject == 11 else 1
    listed = list(enumerate(texts[: len(texts) - INCOMPLETE.get(subject, 0)], start=first))
    if subject == 111:
        listed.append((251, "N_N"))
    return iter(listed)


def fake(folder: Path, chosen: Iterable[int]) -> dict[str, tuple[str, str]]:
    """Write the photos and label file of some subjects; give path -> (subject, label text)."""
    folder.mkdir(parents=True, exist_ok=True)
    model = folder / ".model.jpg"
    Image.new("RGB", (40, 30), (120, 110, 100)).save(model)
    truth, lines = {}, []
    for subject in chosen:
        for index, text in photos_of(subject):
            stem = f"Sample_{subject:03d}_{index:03d}"
            name = f"{stem}.{'jpg' if index % 3 == 0 else 'JPG'}"
            shutil.copyfile(model, folder / name)
            truth[name] = (f"{subject:03d}", text)
            lines.append(f"{stem}.jpg{'  ' if index % 7 == 0 else ''}\t{text}\r\n")
    model.unlink()
    (folder / "training.txt").write_text("".join(lines), newline="")
    return truth


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    fake(Path(sys.argv[1]), subjects()[: int(sys.argv[2]) if len(sys.argv) > 2 else None])
