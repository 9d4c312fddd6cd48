"""iCV-MEFED: 125 subjects, 50 classes, 31,250 photos (Guo et al., IEEE Access 2018; on request from its owners).

On disk: one flat folder of `Sample_<subject>_<index>.JPG` and a label file, a line a photo:
`Sample_003_001.jpg<TAB>1_1`. Lines may have spaces before the tab, files may end their lines with CRLF, and
the photo's suffix need not match its file's in case. The index says nothing about the class: about 500
photos break the "five per class in order" rule.

Label files that people and other programs have made of it are read too: with a header, with commas or semicolons,
with labels in words, with more columns, in UTF-16, and in a folder below.

The synthetic faces of `mien synth` are laid out the same way.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path, PureWindowsPath

from mien.datasets.manifest import DUPLICATE, MISSING, Entry, Manifest, decode_text, label_or_none, parse_label
from mien.errors import DataError
from mien.images import list_files, list_photos, scan_folder

LABEL_FILE = "labels.txt"
TRUTH_FILE = "truth.parquet"
"""Of a synthetic set, which is laid out in the same way: what is true of each photo."""
_HEADER_LINES = 3
"""Lines at the top of a label file that may say something else."""
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
    """The label files of a folder: `labels.txt` in it, else all text and CSV files in it or below with a label line.

    Raises:
        DataError: a text file that cannot be read.
    """
    own = folder / LABEL_FILE
    if os.path.isfile(own):
        return [own]
    texts = [path for path in list_files(folder) if path.suffix.lower() in (".txt", ".csv", ".tsv")]
    return [path for path in texts if os.path.isfile(path) and _has_label(path)]


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
    files = labels or find_label_files(folder)
    for path in files:
        for name, texts in read_label_lines(path).items():
            lines.setdefault(name, []).extend(texts)
    entries = []
    photos: dict[str, str] = {}
    content = scan_folder(folder)
    unnamed: list[Path] = []
    for path in content.photos:
        match = _PHOTO.fullmatch(path.name)
        if not match:
            unnamed.append(path)
            continue
        where, key = path.relative_to(folder).as_posix(), path.name.lower()
        texts = lines.get(key, [])
        label = texts[0] if texts else None
        if key in photos:
            reason = f"{photos[key]} has the same name, which the label file means; keep one of them"
            entries.append(Entry(where, match["subject"], None, None, DUPLICATE, reason))
        elif len(set(texts)) > 1:
            reason = f"labelled {' and '.join(texts)} in the label file; keep the right line"
            entries.append(Entry(where, match["subject"], None, None, DUPLICATE, reason))
        else:
            entries.append(Entry(where, match["subject"], label))
            again = "labelled in more than one line; the first counts"
            entries += [Entry(where, match["subject"], label, None, DUPLICATE, again)] * (len(texts) - 1)
        photos.setdefault(key, where)
    for name, texts in lines.items():
        if name not in photos:
            subject = name.split("_")[1]
            reason = "a label line without its photo; add the photo or take the line out"
            entries.append(Entry(f"Sample{name[6:]}", subject, texts[0], None, MISSING, reason))
    others = Counter(content.others)
    others.subtract(path.suffix.lower() for path in files if path.is_relative_to(folder))
    told = f"labels from {', '.join(str(path) for path in files)}" if files else None
    left = None
    if unnamed:
        left = (
            f"photos that are not named Sample_SSS_III.jpg are left out: {len(unnamed)}, the first "
            f"{unnamed[0].relative_to(folder)}; move them elsewhere, or list all photos in a table"
        )
    manifest = Manifest.from_entries(folder, entries, "icv-mefed")
    return manifest.noting(told, left, others={suffix: count for suffix, count in others.items() if count > 0})


def read_label_lines(path: Path) -> dict[str, list[str]]:
    """Photo name in lower case -> its label texts, one for each line that names it.

    Raises:
        DataError: not readable, or without a label line, or a line that is no photo name and label.
    """
    labels: dict[str, list[str]] = {}
    header = 0
    for number, line in enumerate(_read_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        name, others = _photo_and_others(line)
        if name is None and not labels and header < _HEADER_LINES:
            header += 1
            continue
        if name is None or not others:
            message = (
                f"{path}, line {number}: {line.strip()!r} is not 'Sample_SSS_III.jpg<TAB>C_D'; correct it, or name "
                "the label file (--labels)"
            )
            raise DataError(message, path=path, line=number)
        pairs = [text for text in others if text == label_or_none(text)]  # `3_5`, not a word for it
        found = {label for text in pairs or others if (label := label_or_none(text))}
        if len(found) > 1:
            message = f"{path}, line {number}: says {' and '.join(sorted(found))}; leave one label in it"
            raise DataError(message, path=path, line=number)
        label = found.pop() if found else parse_label(others[0], path, number)
        assert label is not None
        labels.setdefault(name.lower(), []).append(label)
    if not labels:
        raise DataError(f"{path}: no line in it is 'Sample_SSS_III.jpg<TAB>C_D'; give another label file", path=path)
    return labels


def write_labels(path: Path, labels: dict[str, str]) -> None:
    """Write a label file that `read_label_lines` reads back: photo name -> label text."""
    path.write_text("".join(f"{name}\t{label}\n" for name, label in labels.items()), encoding="utf-8")


def _read_text(path: Path) -> str:
    try:
        return decode_text(path.read_bytes())
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path}: not readable as a label file ({error}); give a text file, or move it away"
        raise DataError(message, path=path) from error


def _has_label(path: Path) -> bool:
    """Whether one of the first lines names a photo and more."""
    with suppress(UnicodeDecodeError):
        try:
            text = decode_text(path.read_bytes())
        except OSError as error:
            message = f"{path}: cannot be read ({error.strerror}); change its permissions, or move it away"
            raise DataError(message, path=path) from error
        lines = [line for line in text.splitlines() if line.strip()][: _HEADER_LINES + 1]
        return any(name and others for name, others in map(_photo_and_others, lines))
    return False


def _photo_and_others(line: str) -> tuple[str | None, list[str]]:
    """The name of the photo in a line, without its folders, and what else stands there."""
    mark = next((mark for mark in ",;\t" if mark in line), None)
    cells = [cell.strip().strip('"').strip() for cell in (line.split(mark) if mark else line.split(maxsplit=1))]
    names = [PureWindowsPath(cell).name for cell in cells]
    at = next((i for i, name in enumerate(names) if _PHOTO.fullmatch(name)), None)
    if at is None:
        return None, cells
    return names[at], [cell for i, cell in enumerate(cells) if i != at and cell]
