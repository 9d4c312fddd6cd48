"""Photos in folders: `subject/label/photo`, `subject/photo`, `label/photo`, or photos alone.

A folder named like a label (`3_6`, `N_N`) says what its photos show; the topmost other folder says who.
Photos with no folder that could name a subject all count as subjects of their own.
"""

from __future__ import annotations

from pathlib import Path, PurePath

from mien.datasets.manifest import Entry, Manifest
from mien.errors import LabelError
from mien.images import list_photos
from mien.labels import CompoundEmotion


def read_folders(folder: Path) -> Manifest:
    """Read a tree of photos.

    Raises:
        DataError: no such folder, or no photos in it.
    """
    entries = []
    for path in list_photos(folder):
        relative = path.relative_to(folder)
        subject, label = _who_and_what(relative)
        entries.append(Entry(relative.as_posix(), subject, label))
    return Manifest.from_entries(folder, entries, "folders")


def _who_and_what(relative: PurePath) -> tuple[str, str | None]:
    labels = [label for part in relative.parts[:-1] if (label := _label_or_none(part))]
    names = [part for part in relative.parts[:-1] if not _label_or_none(part)]
    return (names[0] if names else relative.with_suffix("").as_posix()), (labels[-1] if labels else None)


def _label_or_none(text: str) -> str | None:
    try:
        return str(CompoundEmotion.parse(text))
    except LabelError:
        return None
