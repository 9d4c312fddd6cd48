"""A picture of one recognition: the face with its landmarks, and the 7 x 7 probabilities beside it."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mien.faces.points68 import CLOSED_REGIONS, REGIONS
from mien.images import RGBImage
from mien.inference import Recognition
from mien.labels import Emotion

_PAPER, _INK, _FAINT, _LINE = "#ffffff", "#1d2733", "#52616f", "#ffe08a"
_DARK = np.array([31, 90, 138])
_PHOTO, _CELL, _GAP = 560, 58, 28
_WORDS = {
    "mean": "compared with the mean of {n} photos of this face",
    "neutral": "compared with {n} photo(s) of this face at rest",
    "estimated": "compared with an estimate of this face at rest, from {n} photos of it",
    "alone": "compared with an estimate of this face at rest: no reference was given",
}


def draw_recognition(image: RGBImage, recognition: Recognition) -> RGBImage:
    """Draw a recognition.

    Args:
        image: the photo, (height, width, 3), uint8, RGB.
        recognition: what was recognised in it.

    Returns:
        (height, width, 3), uint8, RGB.
    """
    left, matrix_side = _GAP, 7 * _CELL
    grid_left = left + _PHOTO + _GAP + 120
    sheet = Image.new("RGB", (grid_left + matrix_side + _GAP, _PHOTO + 150), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((left, 20), recognition.phrase, fill=_INK, font=_font(34))
    reference = recognition.reference
    alone = reference.kind == "estimated" and reference.photo_count == 1
    used = _WORDS["alone" if alone else reference.kind].format(n=reference.photo_count)
    share = f"probability {100 * recognition.probabilities.max():.0f}% among 50 classes; "
    draw.text((left, 66), share + used, fill=_FAINT, font=_font(17))
    sheet.paste(Image.fromarray(_face_cutout(image, recognition)), (left, 106))
    _draw_matrix(draw, recognition, grid_left, 106)
    note = "mien reads what a face displays, not what a person feels"
    draw.text((left, _PHOTO + 118), note, fill=_FAINT, font=_font(15))
    return np.asarray(sheet)


def _face_cutout(image: RGBImage, recognition: Recognition) -> RGBImage:
    """A square around the face with its landmarks."""
    landmarks = recognition.face.landmarks_photo
    centre = (landmarks.min(axis=0) + landmarks.max(axis=0)) / 2
    half = 0.85 * float(np.ptp(landmarks, axis=0).max())
    scale = _PHOTO / (2 * half)
    box = (*(centre - half), *(centre + half))
    cutout = Image.fromarray(image).transform(
        (_PHOTO, _PHOTO), Image.Transform.EXTENT, box, Image.Resampling.BICUBIC, fillcolor="#e9edf0"
    )
    draw = ImageDraw.Draw(cutout)
    points = (landmarks - (centre - half)) * scale
    for name, region in REGIONS.items():
        line = [tuple(point) for point in points[region]]
        draw.line(line + line[:1] if name in CLOSED_REGIONS else line, fill=_LINE, width=2)
    for x, y in points:
        draw.ellipse((x - 2.5, y - 2.5, x + 2.5, y + 2.5), fill=_LINE)
    return np.asarray(cutout)


def _draw_matrix(draw: ImageDraw.ImageDraw, recognition: Recognition, left: int, top: int) -> None:
    """Probability by complementary (row) and dominant (column) emotion."""
    matrix = recognition.matrix
    font, small = _font(16), _font(15)
    darkest = max(0.05, float(matrix.max()))
    draw.text((left, top), "dominant emotion, across; complementary, down", fill=_FAINT, font=small)
    top += 100
    for emotion in Emotion:
        place = (emotion - 1) * _CELL + _CELL // 2
        _draw_slanted(draw, emotion.noun, left + place, top - 8)
        draw.text((left - 10, top + place), emotion.noun, fill=_INK, font=font, anchor="rm")
    for (row, column), share in np.ndenumerate(matrix):
        x, y = left + column * _CELL, top + row * _CELL
        depth = float(share) / darkest
        colour = tuple(int(v) for v in 246 + (_DARK - 246) * depth)
        draw.rectangle((x, y, x + _CELL - 3, y + _CELL - 3), fill=colour)
        if share >= 0.005:
            ink = "white" if depth > 0.5 else _INK
            draw.text((x + _CELL / 2 - 2, y + _CELL / 2 - 2), f"{100 * share:.0f}", fill=ink, font=small, anchor="mm")
    below = f"percent; neutral {100 * recognition.neutral:.0f}"
    draw.text((left, top + 7 * _CELL + 10), below, fill=_FAINT, font=small)


def _draw_slanted(draw: ImageDraw.ImageDraw, text: str, x: int, bottom: int) -> None:
    font = _font(16)
    width = int(draw.textlength(text, font=font)) + 2
    label = Image.new("L", (width, 24), 0)
    ImageDraw.Draw(label).text((0, 2), text, fill=255, font=font)
    turned = label.rotate(45, expand=True, resample=Image.Resampling.BICUBIC)
    draw.bitmap((x - 8, bottom - turned.height + 4), turned, fill=_INK)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
