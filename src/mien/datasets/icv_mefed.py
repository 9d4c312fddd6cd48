"""iCV-MEFED: 125 subjects, 50 classes, 31,250 photos (Guo et al., IEEE Access 2018; on request from its owners).

On disk: one flat folder of `Sample_<subject>_<index>.JPG` and a label file, a line a photo:
`Sample_003_001.jpg<TAB>1_1`. Lines may have spaces before the tab, files may end their lines with CRLF, and
the photo's suffix need not match its file's in case. The index says nothing about the class: about 500
photos break the "five per class in order" rule.

The faces that mien makes (`mien synth`) are laid out the same way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from mien.datasets.manifest import DOUBLE, MISSING, Entry, Manifest, parse_label
from mien.errors import DataError
from mien.images import list_photos

LABEL_FILE = "labels.txt"
_PHOTO = re.compile(r"Sample_(?P<subject>\d{3,})_(?P<index>\d{3,})\.jpe?g", re.IGNORECASE)


def photo_name(subject: int, index: int) -> str:
    """`Sample_003_001.jpg` for subject 3 and index 1."""
    return f"Sample_{subject:03d}_{index:03d}.jpg"


def is_icv_mefed(folder: Path) -> bool:
    """Whether all photos of a folder are named as in iCV-MEFED, or some, with a label file.

    Raises:
        DataError: no photos, or something that cannot be read.
    """
    named = [_PHOTO.fullmatch(path.name) is not None for path in list_photos(folder)]
    return all(named) or (any(named) and bool(find_label_files(folder)))


def find_label_files(folder: Path) -> list[Path]:
    """The label files of a folder: `labels.txt`, else all text files that begin with a label line.

    Raises:
        DataError: a text file that cannot be read.
    """
    own = folder / LABEL_FILE
    if own.is_file():
        return [own]
    return [path for path in sorted(folder.glob("*.txt")) if path.is_file() and _starts_with_label(path)]


def read_icv_mefed(folder: Path, labels: Sequence[Path] = ()) -> Manifest:
    """Read the set.

    Photos without a label line are kept, unlabelled. Lines without their photo and contradicting lines stay in the
    manifest with their reason.

    Args:
        folder: holds the photos, flat or nested.
        labels: the label files; looked for in `folder` if none are given.

    Raises:
        DataError: no photos, or a label line that cannot be read.
    """
    lines: dict[str, list[str]] = {}
    for path in labels or find_label_files(folder):
        for name, texts in read_label_lines(path).items():
            lines.setdefault(name, []).extend(texts)
    entries = []
    photos: dict[str, str] = {}
    for path in list_photos(folder):
        match = _PHOTO.fullmatch(path.name)
        if not match:
            continue
        where, key = path.relative_to(folder).as_posix(), path.name.lower()
        texts = lines.get(key, [])
        label = texts[0] if texts else None
        if key in photos:
            reason = f"{photos[key]} has the same name, which the label file means; keep one of them"
            entries.append(Entry(where, match["subject"], None, None, DOUBLE, reason))
        elif len(set(texts)) > 1:
            reason = f"labelled {' and '.join(texts)} in the label file; keep the right line"
            entries.append(Entry(where, match["subject"], None, None, DOUBLE, reason))
        else:
            entries.append(Entry(where, match["subject"], label))
            again = "labelled in more than one line; the first counts"
            entries += [Entry(where, match["subject"], label, None, DOUBLE, again)] * (len(texts) - 1)
        photos.setdefault(key, where)
    for name, texts in lines.items():
        if name not in photos:
            subject = name.split("_")[1]
            reason = "a label line without its photo; add the photo or take the line out"
            entries.append(Entry(f"Sample{name[6:]}", subject, texts[0], None, MISSING, reason))
    return Manifest.from_entries(folder, entries, "icv-mefed")


def read_label_lines(path: Path) -> dict[str, list[str]]:
    """Photo name in lower case -> its label texts, one for each line that names it.

    Raises:
        DataError: not readable, or a line that is no photo name and label.
    """
    try:
        content = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not readable as a label file ({error}); give a text file") from error
    labels: dict[str, list[str]] = {}
    for number, line in enumerate(content.splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        where = f"{path}, line {number}"
        if len(words) != 2 or not _PHOTO.fullmatch(words[0]):
            raise DataError(f"{where}: {line.strip()!r} is not 'Sample_SSS_III.jpg<TAB>C_D'")
        label = parse_label(words[1], where)
        assert label is not None
        labels.setdefault(words[0].lower(), []).append(label)
    return labels


def write_labels(path: Path, labels: dict[str, str]) -> None:
    """Write a label file that `read_label_lines` reads back: photo name -> label text."""
    path.write_text("".join(f"{name}\t{label}\n" for name, label in labels.items()), encoding="utf-8")


def _starts_with_label(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            start = file.read(1000).decode("utf-8-sig", errors="replace")
    except OSError as error:
        reason = error.strerror
        raise DataError(f"{path}: cannot be read ({reason}); change its permissions, or move it away") from error
    words = next((line.split() for line in start.splitlines() if line.strip()), [])
    return len(words) == 2 and _PHOTO.fullmatch(words[0]) is not None
