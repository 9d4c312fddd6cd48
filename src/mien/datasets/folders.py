"""Photos in folders, whose names say who is shown, what they show, and in which part of the split they are.

Read are `subject/label/photo`, `label/photo`, `split/label/photo`, `split/subject/label/photo`, `subject/photo` and
photos alone. All folders at one depth are taken for the same:

- parts, if all their names are words for parts of a split (`train`, `val`, ...), and no other names lie above them;
- labels, if all their names are labels, in words or as label texts. A label text (`3_6`, `N_N`) or a phrase
  (`happily surprised`) is a label anywhere;
- else, the topmost such folder of a photo is its subject, and what lies below is passed over.

Photos with no folder that could name a subject all count as subjects of their own. Names at one depth of which some
are emotions or parts and others are not are refused: nobody can say what the others are.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mien.datasets.manifest import Entry, Manifest, label_or_none
from mien.datasets.splits import parse_split
from mien.errors import LayoutError
from mien.images import scan_folder
from mien.labels import CompoundEmotion

_ALSO_FIRST_NAMES = frozenset({"joy", "dev", "val"})
_NAMED = 8
"""Names that a note lists one by one."""


def read_folders(folder: Path) -> Manifest:
    """Read a tree of photos.

    Raises:
        LayoutError: names that can be read in two ways.
        DataError: no such folder, or no photos in it.
    """
    content = scan_folder(folder)
    paths = [path.relative_to(folder) for path in content.photos]
    layout = _Layout.of(folder, [path.parts[:-1] for path in paths])
    entries = []
    alike = Counter(path.with_suffix("") for path in paths)
    for path in paths:
        split, subject, label = layout.read(path.parts[:-1])
        own = path if alike[path.with_suffix("")] > 1 else path.with_suffix("")  # `1.jpg` and `1.png` are two
        entries.append(Entry(path.as_posix(), subject or own.as_posix(), label, split))
    manifest = Manifest.from_entries(folder, entries, "folders")
    return manifest.noting(layout.description, others=content.others)


@dataclass(frozen=True)
class _Layout:
    """What the names of folders mean.

    Attributes:
        folder: that holds them all.
        levels: the names at each depth.
        split_depth: depth of the parts, or None.
        label_depths: depths at which all names are labels.
    """

    folder: Path
    levels: list[set[str]]
    split_depth: int | None
    label_depths: frozenset[int]

    @classmethod
    def of(cls, folder: Path, parents: Iterable[Sequence[str]]) -> _Layout:
        """Recognise the layout.

        Raises:
            LayoutError: names that can be read in two ways.
        """
        levels: list[set[str]] = []
        for names in parents:
            levels += [set() for _ in range(len(names) - len(levels))]
            for level, name in zip(levels, names, strict=False):
                level.add(name)
        split_depth = _split_depth(folder, levels)
        label_depths = {
            depth for depth, names in enumerate(levels) if depth != split_depth and _are_labels(folder, names)
        }
        return cls(folder, levels, split_depth, frozenset(label_depths))

    def read(self, names: Sequence[str]) -> tuple[str | None, str | None, str | None]:
        """Part, subject and label of a photo, each None where no folder says so.

        Raises:
            LayoutError: the names of two folders are different labels.
        """
        split = None
        subjects: list[str] = []
        labels: dict[str, str] = {}
        for depth, name in enumerate(names):
            if depth == self.split_depth:
                split, subjects = parse_split(name), []
            elif label := self._label(depth, name):
                labels[label] = name
            else:
                subjects.append(unicodedata.normalize("NFC", name.strip()))
        if len(labels) > 1:
            told = " and ".join(repr(name) for name in labels.values())
            raise LayoutError(
                f"{self.folder}: folders {told} lie within each other, and both were taken for labels; rename one",
                path=self.folder,
                roles=dict.fromkeys(labels.values(), "label"),
            )
        return split, next(iter(subjects), None), next(iter(labels), None)

    @property
    def description(self) -> str | None:
        """One line for people, or None where there are no folders."""
        told, subject_told = [], False
        for depth, names in enumerate(self.levels):
            if depth == self.split_depth:
                told.append(f"part ({_listed(names)})")
            elif depth in self.label_depths:
                told.append(f"label ({_listed(names)})")
            elif self.split_depth is not None and depth < self.split_depth:
                told.append(f"passed over ({_listed(names)})")
            else:
                labels = {name for name in names if self._label(depth, name)}
                role = f"label ({_listed(labels)}) or " if labels else ""
                told.append(f"{role}{'passed over' if subject_told else 'subject'} ({_listed(names - labels)})")
                subject_told = True
        return "folders were taken for " + " / ".join(told) if told else None

    def _label(self, depth: int, name: str) -> str | None:
        label = label_or_none(name)
        return label if label and (depth in self.label_depths or _is_sure(name, label)) else None


def _split_depth(folder: Path, levels: list[set[str]]) -> int | None:
    for depth, names in enumerate(levels):
        parts = {name for name in names if parse_split(name)}
        if {name.lower() for name in parts} - _ALSO_FIRST_NAMES:
            if parts == names:
                return depth
            raise _mixed(folder, parts, names - parts, "part")
        if len(names) > 1:
            return None  # below the subjects
    return None


def _are_labels(folder: Path, names: set[str]) -> bool:
    labels = {name: label for name in names if (label := label_or_none(name))}
    words = {name for name, label in labels.items() if not _is_sure(name, label)}
    others = names - labels.keys()
    if not others:
        return True
    if {word.lower() for word in words} - _ALSO_FIRST_NAMES:
        raise _mixed(folder, words, others, "label")
    return False


def _mixed(folder: Path, taken: set[str], others: set[str], role: str) -> LayoutError:
    return LayoutError(
        f"{folder}: folders {_listed(taken)} were taken for {role}s, but {_listed(others)} beside them cannot be; "
        "rename or move folders until all that lie side by side mean the same, or list the photos in a table",
        path=folder,
        roles=dict.fromkeys(taken, role) | dict.fromkeys(others),
    )


def _is_sure(name: str, label: str) -> bool:
    """Whether a name can be nothing but a label: a label text, or a phrase of two emotions."""
    emotion = CompoundEmotion.parse(label)
    return name.strip() == label or emotion.complementary != emotion.dominant


def _listed(names: Iterable[str]) -> str:
    names = sorted(names)
    more = f", and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
