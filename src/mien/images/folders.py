"""What a folder holds: its photos, and how much else."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mien.errors import DataError
from mien.images.types import PHOTO_SUFFIXES


@dataclass(frozen=True)
class FolderContent:
    """Files below a folder.

    Attributes:
        photos: sorted by their path.
        others: how names of the other files end, in lower case ("" where they have no ending) -> number of files.
    """

    photos: list[Path]
    others: dict[str, int]


def list_photos(folder: str | os.PathLike[str]) -> list[Path]:
    """All photos below `folder`, sorted by their path; see `scan_folder`.

    Raises:
        DataError: no such folder, no photo in it, or a folder in it that may not be read.
    """
    return scan_folder(folder).photos


def list_files(folder: str | os.PathLike[str]) -> list[Path]:
    """All files below `folder` that `scan_folder` counts, photos and others, sorted by their path.

    Raises:
        DataError: a folder in it may not be read.
    """
    return sorted(_walk(Path(folder)))


def scan_folder(folder: str | os.PathLike[str]) -> FolderContent:
    """All files below `folder`.

    Hidden ones are left out, and prepared sets, whose pictures show photos. A link to a folder is followed, unless
    that folder is, or holds, one that is listed anyway.

    Raises:
        DataError: no such folder, no photo in it, or a folder in it that may not be read.
    """
    folder = Path(folder)
    if not os.path.isdir(folder):  # unlike Path's, it never raises
        raise DataError(f"{folder}: no such folder; name the folder that holds the photos", path=folder)
    photos: list[Path] = []
    others: Counter[str] = Counter()
    for path in list_files(folder):
        suffix = os.path.splitext(path.name)[1].lower()
        if suffix in PHOTO_SUFFIXES:
            photos.append(path)
        else:
            others[suffix] += 1
    if not photos:
        kinds = " ".join(sorted(PHOTO_SUFFIXES))
        raise DataError(f"{folder}: no photos in this folder; mien reads {kinds}", path=folder)
    return FolderContent(photos, dict(sorted(others.items())))


def _walk(folder: Path) -> Iterator[Path]:
    """All files; folders that lie there come before linked ones, so that each counts at its own place."""
    seen: set[str] = set()
    waiting = [folder]
    while waiting:
        links: list[Path] = []
        for start in waiting:
            real = os.path.realpath(start)
            if not any(_holds(real, other) for other in seen):
                yield from _walk_without_links(start, seen, links)
        waiting = sorted(links)


def _walk_without_links(start: Path, seen: set[str], links: list[Path]) -> Iterator[Path]:
    for root, folders, names in os.walk(start, onerror=_refuse_folder):
        real = os.path.realpath(root)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        if {"set.json", "samples.parquet"} <= {*names} or Path(root, "shards", "plan.json").is_file():
            folders.clear()  # a prepared set, whole or begun
            continue
        visible = [name for name in folders if not name.startswith(".")]
        links += [Path(root, name) for name in visible if os.path.islink(os.path.join(root, name))]
        folders[:] = [name for name in visible if not os.path.islink(os.path.join(root, name))]
        yield from (Path(root, name) for name in names if not name.startswith("."))


def _holds(outer: str, inner: str) -> bool:
    return outer == inner or inner.startswith(outer.rstrip(os.sep) + os.sep)


def _refuse_folder(error: OSError) -> None:
    message = f"{error.filename}: cannot be read ({error.strerror}); change its permissions, or move it away"
    raise DataError(message, path=Path(error.filename))
