"""A contact sheet of a made set: in each block a row a person, a column a class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from mien.errors import DataError
from mien.images import RGBImage, read_rgb
from mien.labels import CLASSES, CompoundEmotion

_HEAD = 36
"""Height of the names above each block."""
_COLUMNS = 25
"""Classes side by side."""
_MARGIN = 0.75
"""How far around the landmarks a tile reaches, as a share of their extent."""


def draw_contact_sheet(
    faces: Path, *, subjects: int = 8, classes: Sequence[CompoundEmotion] = CLASSES, side: int = 116
) -> RGBImage:
    """Draw a contact sheet.

    Args:
        faces: folder of a whole made set.
        subjects: rows of each block.
        classes: columns, 25 to a block.
        side: of a tile in pixels.

    Returns:
        (height, width, 3), uint8, RGB.

    Raises:
        DataError: no whole made set in the folder.
    """
    if not (faces / "truth.parquet").is_file():
        raise DataError(f"{faces}: no made set; run: mien synth {faces}")
    truth = pl.read_parquet(faces / "truth.parquet")
    people = truth["subject"].unique().sort().to_list()[:subjects]
    block = _HEAD + side * len(people)
    blocks = -(-len(classes) // _COLUMNS)
    sheet = Image.new("RGB", (side * min(len(classes), _COLUMNS), block * blocks), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for number, emotion in enumerate(classes):
        left, top = side * (number % _COLUMNS), block * (number // _COLUMNS)
        words = emotion.phrase.replace(" ", "\n", 1)
        draw.text((left + side / 2, top + _HEAD / 2), words, fill="#1d2733", font=font, anchor="mm", align="center")
        of_class = truth.filter(pl.col("label") == str(emotion))
        for row, person in enumerate(people):
            found = of_class.filter(pl.col("subject") == person)
            if not found.is_empty():
                landmarks = found["landmarks"].to_numpy()[0].reshape(68, 2)
                tile = _around(read_rgb(faces / found["path"][0]), landmarks, side)
                sheet.paste(Image.fromarray(tile), (left, top + _HEAD + side * row))
    return np.asarray(sheet)


def _around(photo: RGBImage, landmarks: NDArray[np.float32], side: int) -> RGBImage:
    """The head in a photo, cut out as a square and scaled."""
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    extent = float((high - low).max()) * (1 + _MARGIN)
    left, top = (low + high) / 2 - extent / 2 - [0, extent * 0.1]
    scale = side / extent
    matrix = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]])
    smooth = cv2.GaussianBlur(photo, (0, 0), max(0.01, 0.4 / scale)) if scale < 1 else photo
    return cv2.warpAffine(smooth, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
