"""Many faces on one sheet: photos of a prepared set, its mean faces, synthetic subjects by class."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mien.datasets.icv_mefed import TRUTH_FILE
from mien.datasets.prepared import PreparedSet
from mien.drawing.landmarks import cut_out_face, draw_arrows, draw_landmarks, enlarge_crop
from mien.drawing.style import FAINT, INK, PAPER, font, shorten
from mien.errors import DataError
from mien.files import replacing, saying_where
from mien.images import RGBImage, read_rgb
from mien.labels import CLASSES, NEUTRAL, CompoundEmotion, Emotion

ARROW_SCALE = 3
"""Times that arrows of displacement are drawn longer than they are."""
TILE = 224
"""Side of a face in pixels."""
_GAP, _CAPTION, _HEAD = 12, 24, 74
_COLUMNS = 6
_MOST_CROPS = 400
"""Crops of which a mean face is made."""
_CLASS_HEAD, _CLASS_COLUMNS = 36, 25
"""Of the synthetic sheet: height of the names above each block, and classes side by side."""


@dataclass(frozen=True, eq=False)
class Tile:
    """A face, (224, 224) pixels, and what to write below it."""

    picture: Image.Image
    caption: str


def draw_contact_sheet(prepared: PreparedSet, rows: int = 5) -> RGBImage:
    """Aligned faces with their landmarks (the paper's Fig. 1 and 5), evenly chosen from the set.

    Returns:
        (height, width, 3), uint8, RGB.
    """
    chosen = _spread(len(prepared), rows * _COLUMNS)
    title = f"{len(chosen)} of {len(prepared)} aligned faces"
    return _arrange(
        [landmark_tile(prepared, int(i), _caption(prepared, int(i))) for i in chosen],
        title, "chosen evenly from the set, with their 68 landmarks",
    )  # fmt: skip


def draw_mean_faces(prepared: PreparedSet) -> RGBImage:
    """The mean face of each emotion with its displacement (Fig. 4), see `mean_face_tiles`.

    Returns:
        (height, width, 3), uint8, RGB.
    """
    note = f"arrows: displacement from each subject's mean (Eq. 2), {ARROW_SCALE} times as long"
    return _arrange(mean_face_tiles(prepared), "Mean faces and displacement", note, columns=4)


def draw_synthetic_sheet(
    faces: Path, *, subjects: int = 8, classes: Sequence[CompoundEmotion] = CLASSES, side: int = 116
) -> RGBImage:
    """Synthetic subjects, a row each, in all classes, a column each.

    Args:
        faces: folder of a whole synthetic set.
        subjects: rows of each block.
        classes: columns, 25 to a block.
        side: of a tile in pixels.

    Returns:
        (height, width, 3), uint8, RGB.

    Raises:
        DataError: no whole synthetic set in the folder.
    """
    if not os.path.isfile(faces / TRUTH_FILE):
        raise DataError(f"{faces}: no synthetic set; run: mien synth {faces}")
    truth = pl.read_parquet(faces / TRUTH_FILE)
    names = truth["subject"].unique().sort().to_list()[:subjects]
    block = _CLASS_HEAD + side * len(names)
    blocks = -(-len(classes) // _CLASS_COLUMNS)
    sheet = Image.new("RGB", (side * min(len(classes), _CLASS_COLUMNS), block * blocks), PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, emotion in enumerate(classes):
        left, top = side * (number % _CLASS_COLUMNS), block * (number // _CLASS_COLUMNS)
        for line, word in enumerate(emotion.phrase.split(" ")):
            place = (left + side / 2, top + 10 + 15 * line)
            draw.text(place, shorten(word, 12, side - 2), fill=INK, font=font(12), anchor="mm")
        of_class = truth.filter(pl.col("label") == str(emotion))
        for row, name in enumerate(names):
            found = of_class.filter(pl.col("subject") == name)
            if not found.is_empty():
                landmarks = found["landmarks"].to_numpy()[0].reshape(68, 2)
                photo = read_rgb(faces / found["path"][0])
                tile, _ = cut_out_face(photo, landmarks, side, margin=0.75, above=0.1)
                sheet.paste(tile, (left, top + _CLASS_HEAD + side * row))
    return np.asarray(sheet)


def write_pictures(prepared: PreparedSet, folder: Path) -> list[Path]:
    """Write contact sheet and mean faces of a set into a folder, which is made if need be; give their paths.

    Raises:
        OutputError: they cannot be written.
    """
    with saying_where(folder):
        folder.mkdir(parents=True, exist_ok=True)
    drawings: dict[str, Callable[[PreparedSet], RGBImage]] = {
        "contact-sheet.png": draw_contact_sheet,
        "mean-faces.png": draw_mean_faces,
    }
    for name, draw in drawings.items():
        with replacing(folder / name) as temporary:
            Image.fromarray(draw(prepared)).save(temporary, format="png")
    return [folder / name for name in drawings]


def landmark_tile(prepared: PreparedSet, index: int, caption: str) -> Tile:
    """One aligned photo of a set, by its place in it, with its landmarks."""
    picture, points = enlarge_crop(prepared.crops[prepared.rows[index]], prepared.landmarks[index], TILE)
    draw_landmarks(picture, points, width=1)
    return Tile(picture, caption)


def mean_face_tiles(prepared: PreparedSet) -> list[Tile]:
    """The mean face of each emotion, and as arrows how it moves the mean landmarks.

    An emotion is shown by the photos where it is both dominant and complementary, or by all in which it is dominant
    where there are none. A set without labels shows its mean face alone.
    """
    mean_landmarks = prepared.landmarks.mean(axis=0)
    tiles = []
    for name, chosen in _emotion_groups(prepared):
        rows = np.flatnonzero(chosen)
        face = _mean_crop(prepared, rows)
        step = prepared.displacement[rows].mean(axis=0).reshape(-1, 2)
        picture, starts = enlarge_crop(face, mean_landmarks, TILE)
        draw_landmarks(picture, starts, width=0.7)
        draw_arrows(picture, starts, step * ARROW_SCALE * TILE / len(face), width=2)
        tiles.append(Tile(picture, f"{name}, {len(rows):,} {'photo' if len(rows) == 1 else 'photos'}"))
    return tiles


def _emotion_groups(prepared: PreparedSet) -> list[tuple[str, NDArray[np.bool_]]]:
    """Name and photos of each group that has any."""
    texts = prepared.table["label"].to_list()
    classes = [CompoundEmotion.parse(text) if text else None for text in texts]
    groups = [(NEUTRAL.phrase, np.array([shown == NEUTRAL for shown in classes]))]
    for emotion in Emotion:
        plain = np.array([shown == CompoundEmotion.plain(emotion) for shown in classes])
        dominant = np.array([shown is not None and shown.dominant == emotion for shown in classes])
        groups.append((emotion.noun, plain if plain.any() else dominant))
    groups = [(name, chosen) for name, chosen in groups if chosen.any()]
    return groups or [("all, unlabelled", np.ones(len(prepared), dtype=bool))]


def _mean_crop(prepared: PreparedSet, rows: NDArray[np.intp]) -> RGBImage:
    """The mean of the crops of some photos; of many, 400 evenly chosen ones."""
    some = rows[_spread(len(rows), _MOST_CROPS)]
    total = np.zeros(prepared.crops.shape[1:], dtype=np.float64)
    for i in some:
        total += prepared.crops[prepared.rows[i]]
    return (total / len(some) + 0.5).astype(np.uint8)


def _spread(count: int, most: int) -> NDArray[np.intp]:
    """Up to `most` of the places 0..count - 1, evenly."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.intp))


def _caption(prepared: PreparedSet, index: int) -> str:
    row = prepared.table.row(index, named=True)
    return f"{row['subject']}, {CompoundEmotion.parse(row['label']).phrase}" if row["label"] else str(row["subject"])


def _arrange(tiles: Sequence[Tile], title: str, note: str, columns: int = _COLUMNS) -> RGBImage:
    """Tiles in rows, a caption below each, a title above."""
    columns = min(columns, max(len(tiles), 3))
    rows = -(-len(tiles) // columns)
    width = _GAP + columns * (TILE + _GAP)
    sheet = Image.new("RGB", (width, _HEAD + rows * (TILE + _CAPTION + _GAP)), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP, 12), shorten(title, 26, width - 2 * _GAP), fill=INK, font=font(26))
    draw.text((_GAP, 46), shorten(note, 15, width - 2 * _GAP), fill=FAINT, font=font(15))
    for (left, top), tile in zip(_places(columns), tiles, strict=False):
        sheet.paste(tile.picture, (left, top))
        draw.text((left, top + TILE + 4), shorten(tile.caption, 14, TILE), fill=INK, font=font(14))
    return np.asarray(sheet)


def _places(columns: int) -> Iterator[tuple[int, int]]:
    """Left and top of one tile after the other."""
    top = _HEAD
    while True:
        for column in range(columns):
            yield _GAP + column * (TILE + _GAP), top
        top += TILE + _CAPTION + _GAP
