"""Grey pictures of faces with their true landmarks, upright and at one size: what the predictor is trained on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from mien.errors import DataError
from mien.faces.alignment import Similarity, photo_to_crop
from mien.faces.points68 import POINT_COUNT
from mien.files import replacing
from mien.images import read_rgb
from mien.labels import NEUTRAL
from mien.training.landmarks.template import read_template
from mien.training.simulation import read_truth

PATCH_SIZE = 208
"""Side of a patch in pixels."""
CROP_IN_PATCH = 148
"""Side of the aligned crop, which lies in the middle of the patch, in pixels of the patch."""
_IMAGES, _TABLE = "patches.npy", "patches.npz"


@dataclass(frozen=True, eq=False)
class Patches:
    """Faces to learn from.

    Attributes:
        images: (n, 208, 208), uint8, grey; a memory map.
        points: (n, 68, 2), float32, pixels of the patch; NaN where a point is not known.
        by_hand: (n,), bool: points were placed by hand on a real photo, not computed for a synthetic one.
        subjects: (n,), text.
        neutral: (n,), bool: no expression is shown.
    """

    images: NDArray[np.uint8]
    points: NDArray[np.float32]
    by_hand: NDArray[np.bool_]
    subjects: NDArray[np.str_]
    neutral: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True, eq=False)
class Marked:
    """A photo whose landmarks are known."""

    photo: Path
    points: NDArray[np.float32]
    by_hand: bool
    subject: str
    neutral: bool


def find_marked(synthetic: Sequence[Path], by_hand: Sequence[Path]) -> list[Marked]:
    """The photos of the sources, as for `make_patches`; none is opened.

    Raises:
        DataError: a folder holds no such photos.
    """
    marked = [each for source in synthetic for each in _of_synthetic_set(source)]
    return marked + [each for source in by_hand for each in _of_marked_folder(source)]


def make_patches(synthetic: Sequence[Path], by_hand: Sequence[Path], folder: Path) -> Patches:
    """Cut patches out of photos, or read those that lie in `folder` already.

    Args:
        synthetic: sets as `mien synth` makes them.
        by_hand: folders of photos, each with a `.tem` file of its name beside it; a photo's subject is its folder
            below the one that is given, or the photo itself where there is none.
        folder: where the patches are kept.

    Raises:
        DataError: a folder holds no such photos.
    """
    if not os.path.isfile(folder / _TABLE):
        _write(find_marked(synthetic, by_hand), folder)
    with np.load(folder / _TABLE) as table:
        images = np.load(folder / _IMAGES, mmap_mode="r")
        return Patches(images, table["points"], table["by_hand"], table["subjects"], table["neutral"])


def _of_synthetic_set(folder: Path) -> Iterator[Marked]:
    for path, subject, label, landmarks in read_truth(folder).iter_rows():
        points = np.array(landmarks, dtype=np.float32).reshape(POINT_COUNT, 2)
        yield Marked(folder / path, points, False, f"{folder.name}/{subject}", label == str(NEUTRAL))


def _of_marked_folder(folder: Path) -> Iterator[Marked]:
    templates = sorted(folder.rglob("*.tem"))
    if not templates:
        raise DataError(f"{folder}: no .tem files")
    for template in templates:
        photo = template.with_suffix(".jpg")
        subject = template.parent.name if template.parent != folder else template.stem
        yield Marked(photo, read_template(template), True, f"{folder.name}/{subject}", True)


def _write(marked: Sequence[Marked], folder: Path) -> None:
    with replacing(folder / _IMAGES) as temporary:
        images = open_memmap(temporary, "w+", np.uint8, (len(marked), PATCH_SIZE, PATCH_SIZE))
        points = np.stack([_cut(each, images[i]) for i, each in enumerate(marked)])
        images.flush()
        del images
    with replacing(folder / _TABLE) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            points=points,
            by_hand=np.array([each.by_hand for each in marked]),
            subjects=np.array([each.subject for each in marked]),
            neutral=np.array([each.neutral for each in marked]),
        )


def _cut(marked: Marked, into: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Write one face into its patch; returns its points there."""
    image = cv2.cvtColor(read_rgb(marked.photo), cv2.COLOR_RGB2GRAY)
    margin = (PATCH_SIZE - CROP_IN_PATCH) / 2
    to_patch = Similarity(1, complex(margin, margin)).after(photo_to_crop(marked.points, CROP_IN_PATCH))
    shrinking = 1 / to_patch.scale
    if shrinking > 1.5:
        image = cv2.GaussianBlur(image, (0, 0), 0.4 * shrinking)
    cv2.warpAffine(image, to_patch.matrix, (PATCH_SIZE, PATCH_SIZE), dst=into, flags=cv2.INTER_LINEAR)
    return to_patch.apply(marked.points).astype(np.float32)
