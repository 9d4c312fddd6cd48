"""Looking at a prepared set: what is in it, counted and drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from mien.datasets.leaks import Leak, find_leaks
from mien.datasets.prepared import OK, SAMPLES_FILE, PreparedSet
from mien.faces.points68 import CLOSED_REGIONS, REGIONS
from mien.files import replacing, saying_where
from mien.images import RGBImage
from mien.labels import NEUTRAL, CompoundEmotion, Emotion

_PAPER, _INK, _FAINT, _LINE, _ARROW = "#ffffff", "#1d2733", "#52616f", "#ffe08a", "#d23f22"
_TILE, _GAP, _CAPTION, _HEAD = 224, 12, 24, 74
_COLUMNS = 6
_ENLARGED = 3
"""Times that arrows of displacement are drawn longer than they are."""
_MOST = 400
"""Crops of which a mean face is made."""


@dataclass(frozen=True)
class Inspection:
    """What is in a prepared set.

    Attributes:
        photos: entries in all.
        statuses, splits, labels: name -> number of photos; of the usable ones, but for statuses.
        subjects: subject -> number of usable photos.
        class_balance, subject_balance: entropy of the counts as a share of its maximum, 1 where all are equal; None
            where there is nothing to count.
        reasons: reason -> number of entries that have it.
        leaks: see `mien.datasets.leaks`.
    """

    photos: int
    statuses: dict[str, int]
    splits: dict[str, int]
    labels: dict[str, int]
    subjects: dict[str, int]
    class_balance: float | None
    subject_balance: float | None
    reasons: dict[str, int]
    leaks: list[Leak]


def inspect(prepared: PreparedSet) -> Inspection:
    """Count what a prepared set holds."""
    samples = pl.read_parquet(prepared.path / SAMPLES_FILE)
    usable = samples.filter(pl.col("status") == OK)
    labels, subjects = _counts(usable["label"].drop_nulls()), _counts(usable["subject"])
    return Inspection(
        photos=samples.height,
        statuses=_counts(samples["status"]),
        splits=_counts(usable["split"].fill_null("no part")),
        labels=labels,
        subjects=subjects,
        class_balance=_balance(labels),
        subject_balance=_balance(subjects),
        reasons=_counts(samples["reason"].drop_nulls()),
        leaks=find_leaks(samples),
    )


def draw_contact_sheet(prepared: PreparedSet, rows: int = 5) -> RGBImage:
    """Aligned faces with their landmarks (the paper's Fig. 1 and 5), evenly chosen from the set.

    Returns:
        (height, width, 3), uint8, RGB.
    """
    chosen = np.unique(np.linspace(0, len(prepared) - 1, min(len(prepared), rows * _COLUMNS)).round().astype(int))
    title = f"{len(chosen)} of {len(prepared)} aligned faces"
    sheet = _Sheet(len(chosen), title, "chosen evenly from the set, with their 68 landmarks")
    scale = _TILE / prepared.crop_size
    for place, i in enumerate(chosen):
        subject, label = prepared.table.row(int(i), named=True)["subject"], prepared.table["label"][int(i)]
        caption = f"{subject}, {CompoundEmotion.parse(label).phrase}" if label else str(subject)
        tile = _enlarged(prepared.crops[prepared.rows[i]])
        _draw_face(ImageDraw.Draw(tile), prepared.landmarks[i] * scale * _FINE, _LINE, 1.2 * _FINE)
        sheet.add(place, tile, caption)
    return sheet.picture()


def draw_mean_faces(prepared: PreparedSet) -> RGBImage:
    """The mean face of each emotion, and as arrows how it moves the landmarks from where they rest (Fig. 4).

    An emotion is shown by the photos where it is both dominant and complementary, or by all in which it is dominant
    where there are none. A set without labels shows its mean face alone.

    Returns:
        (height, width, 3), uint8, RGB.
    """
    texts = prepared.table["label"].to_list()
    indices = np.array([CompoundEmotion.parse(text).index if text else -1 for text in texts])
    dominant = np.where(indices > 0, (indices - 1) % len(Emotion) + 1, 0)
    groups: list[tuple[str, NDArray[np.bool_]]] = [(NEUTRAL.phrase, indices == 0)]
    for emotion in Emotion:
        plain = indices == CompoundEmotion(emotion, emotion).index
        groups.append((emotion.noun, plain if plain.any() else dominant == emotion))
    groups = [(name, chosen) for name, chosen in groups if chosen.any()]
    if not groups:
        groups = [("all, unlabelled", np.ones(len(prepared), dtype=bool))]
    title = "Mean faces and displacement"
    sheet = _Sheet(len(groups), title, f"arrows from each subject's mean, drawn {_ENLARGED} times as long", columns=4)
    rest = prepared.landmarks.mean(axis=0)
    scale = _TILE / prepared.crop_size * _FINE
    for place, (name, chosen) in enumerate(groups):
        rows = np.flatnonzero(chosen)
        some = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _MOST)).round().astype(int))]
        total = np.zeros(prepared.crops.shape[1:], dtype=np.float64)
        for i in some:
            total += prepared.crops[prepared.rows[i]]
        tile = _enlarged((total / len(some) + 0.5).astype(np.uint8))
        draw = ImageDraw.Draw(tile)
        move = prepared.displacement[rows].mean(axis=0).reshape(-1, 2)
        for start, step in zip(rest * scale, move * scale * _ENLARGED, strict=True):
            _draw_arrow(draw, start, step)
        photos = "photo" if len(rows) == 1 else "photos"
        sheet.add(place, tile, f"{name}, {len(rows)} {photos}")
    return sheet.picture()


def write_pictures(prepared: PreparedSet, folder: Path) -> list[Path]:
    """Write both pictures into a folder, which is made if need be; give their paths.

    Raises:
        OutputError: they cannot be written.
    """
    with saying_where(folder):
        folder.mkdir(parents=True, exist_ok=True)
    drawn: dict[str, Callable[[PreparedSet], RGBImage]] = {
        "contact-sheet.png": draw_contact_sheet,
        "mean-faces.png": draw_mean_faces,
    }
    for name, draw in drawn.items():
        with replacing(folder / name) as temporary:
            Image.fromarray(draw(prepared)).save(temporary, format="png")
    return [folder / name for name in drawn]


_FINE = 2
"""Tiles are drawn at twice their size and shrunk, for smooth lines."""


class _Sheet:
    """Tiles in rows, a caption below each, a title above."""

    def __init__(self, count: int, title: str, note: str, columns: int = _COLUMNS) -> None:
        self._columns = min(columns, max(count, 3))
        rows = -(-count // self._columns)
        width = _GAP + self._columns * (_TILE + _GAP)
        self._sheet = Image.new("RGB", (width, _HEAD + rows * (_TILE + _CAPTION + _GAP)), _PAPER)
        self._draw = ImageDraw.Draw(self._sheet)
        self._draw.text((_GAP, 12), title, fill=_INK, font=ImageFont.load_default(26))
        self._draw.text((_GAP, 46), note, fill=_FAINT, font=ImageFont.load_default(15))

    def add(self, place: int, tile: Image.Image, caption: str) -> None:
        """Put a tile into its place."""
        row, column = divmod(place, self._columns)
        left, top = _GAP + column * (_TILE + _GAP), _HEAD + row * (_TILE + _CAPTION + _GAP)
        self._sheet.paste(tile.resize((_TILE, _TILE), Image.Resampling.LANCZOS), (left, top))
        font = ImageFont.load_default(14)
        caption = caption.encode("latin-1", errors="replace").decode("latin-1").replace("\n", " ")
        while self._draw.textlength(caption, font=font) > _TILE:
            caption = caption.rstrip("…")[:-1] + "…"
        self._draw.text((left, top + _TILE + 4), caption, fill=_INK, font=font)

    def picture(self) -> RGBImage:
        """(height, width, 3), uint8, RGB."""
        return np.asarray(self._sheet)


def _enlarged(crop: RGBImage) -> Image.Image:
    return Image.fromarray(crop).resize((_FINE * _TILE, _FINE * _TILE), Image.Resampling.BICUBIC)


def _draw_face(draw: ImageDraw.ImageDraw, points: NDArray[np.floating], colour: str, width: float) -> None:
    for name, region in REGIONS.items():
        line = [(float(x), float(y)) for x, y in points[region]]
        draw.line(line + line[:1] if name in CLOSED_REGIONS else line, fill=colour, width=round(width))
    for x, y in points:
        draw.ellipse((x - 1.5 * width, y - 1.5 * width, x + 1.5 * width, y + 1.5 * width), fill=colour)


def _draw_arrow(draw: ImageDraw.ImageDraw, start: NDArray[np.floating], step: NDArray[np.floating]) -> None:
    """A dot at rest, and from it an arrow where the point goes to."""
    x, y = (float(v) for v in start)
    draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=_LINE)
    length = float(np.hypot(*step))
    if length < 3:
        return
    tip = start + step
    along = step / length
    across = np.array([-along[1], along[0]])
    head = min(12.0, 0.6 * length)
    neck = tip - head * along
    draw.line([(x, y), (float(neck[0]), float(neck[1]))], fill=_ARROW, width=4)
    corners = [tip, neck + 0.5 * head * across, neck - 0.5 * head * across]
    draw.polygon([(float(cx), float(cy)) for cx, cy in corners], fill=_ARROW)


def _counts(values: pl.Series) -> dict[str, int]:
    """Value -> how often, the most frequent first."""
    counted = values.value_counts().sort(["count", values.name], descending=[True, False])
    return dict(counted.iter_rows())


def _balance(counts: dict[str, int]) -> float | None:
    if len(counts) < 2:
        return None
    shares = np.array(list(counts.values())) / sum(counts.values())
    return float(-(shares * np.log(shares)).sum() / np.log(len(counts)))
