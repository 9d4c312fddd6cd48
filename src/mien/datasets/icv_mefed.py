"""iCV-MEFED: 125 subjects, 50 classes, 31,250 photos (Guo et al., IEEE Access 2018; on request from its owners).

On disk: one flat folder of `Sample_<subject>_<index>.JPG` and a label file, a line a photo:
`Sample_003_001.jpg<TAB>1_1`. Lines may have spaces before the tab, files may end their lines with CRLF, and
the photo's suffix need not match its file's in case. The index says nothing about the class: about 500
photos break the "five per class in order" rule.

The faces that mien makes (`mien synth`) are laid out the same way.
"""

from __future__ import annotations

import re
from pathlib import Path

from mien.datasets.manifest import Manifest, parse_label
from mien.errors import DataError
from mien.images import list_photos

LABEL_FILE = "labels.txt"
_PHOTO = re.compile(r"Sample_(?P<subject>\d{3,})_(?P<index>\d{3,})\.jpe?g", re.IGNORECASE)


def photo_name(subject: int, index: int) -> str:
    """`Sample_003_001.jpg` for subject 3 and index 1."""
    return f"Sample_{subject:03d}_{index:03d}.jpg"


def is_icv_mefed(folder: Path) -> bool:
    """Whether a folder holds photos named as in iCV-MEFED, and a label file."""
    return find_label_file(folder) is not None and any(map(_is_photo, folder.rglob("Sample_*")))


def find_label_file(folder: Path) -> Path | None:
    """The label file of a folder: `labels.txt`, else the first text file with a label line; None without."""
    candidates = [folder / LABEL_FILE, *sorted(folder.glob("*.txt"))]
    return next((path for path in candidates if path.is_file() and _starts_with_label(path)), None)


def read_icv_mefed(folder: Path, labels: Path | None = None) -> Manifest:
    """Read the set; photos without a label line are kept, unlabelled.

    Args:
        folder: holds the photos, flat or nested.
        labels: the label file; looked for in `folder` if None.

    Raises:
        DataError: no photos, a label line that cannot be read, or a line whose photo is missing.
    """
    label_file = labels or find_label_file(folder)
    by_name = read_labels(label_file) if label_file else {}
    rows = []
    for path in list_photos(folder):
        match = _PHOTO.fullmatch(path.name)
        if not match:
            continue
        label = by_name.pop(path.name.lower(), None)
        rows.append((path.relative_to(folder).as_posix(), match["subject"], label, None))
    if by_name:
        raise DataError(
            f"{label_file}: {len(by_name)} lines name photos that are not in {folder} "
            f"(the first: {next(iter(by_name))}); take them out, or add the photos"
        )
    return Manifest.from_rows(folder, rows, "icv-mefed")


def read_labels(path: Path) -> dict[str, str]:
    """Photo name in lower case -> label text.

    Raises:
        DataError: a line that is no photo name and label, or a photo with two labels.
    """
    labels: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        where = f"{path}, line {number}"
        if len(words) != 2 or not _PHOTO.fullmatch(words[0]):
            raise DataError(f"{where}: {line.strip()!r} is not 'Sample_SSS_III.jpg<TAB>C_D'")
        label = parse_label(words[1], where)
        assert label is not None
        if labels.setdefault(words[0].lower(), label) != label:
            raise DataError(f"{where}: {words[0]} has another label further up; keep one of the lines")
    return labels


def write_labels(path: Path, labels: dict[str, str]) -> None:
    """Write a label file that `read_labels` reads back: photo name -> label text."""
    path.write_text("".join(f"{name}\t{label}\n" for name, label in labels.items()), encoding="utf-8")


def _is_photo(path: Path) -> bool:
    return _PHOTO.fullmatch(path.name) is not None


def _starts_with_label(path: Path) -> bool:
    with path.open("rb") as file:
        words = file.readline(200).decode("utf-8", errors="replace").split()
    return len(words) == 2 and _PHOTO.fullmatch(words[0].lstrip("\ufeff")) is not None
