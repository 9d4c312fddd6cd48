"""A picture of one recognition: the face with its landmarks, and the probabilities of the 50 classes beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw

from mien.drawing.landmarks import cut_out_face, draw_arrows, draw_landmarks
from mien.drawing.style import ACCENT, FAINT, INK, PAPER, font, text_width, wrap
from mien.faces.alignment import to_photo_steps
from mien.faces.points68 import eye_distance
from mien.images import RGBImage
from mien.inference import Recognition
from mien.labels import CLASSES, CompoundEmotion, Emotion, scores_to_matrix

_PHOTO, _CELL, _GAP = 560, 58, 28
_NAMES = 120
"""Width of the emotions' names beside the grid, and height of those above it."""
_WIDTH = _GAP + _PHOTO + _GAP + _NAMES + 7 * _CELL + _GAP
_LEAST, _MOST = np.array([241, 244, 247]), np.array([31, 90, 138])
"""Colours of a cell without and with the largest probability."""
_DEEP = 0.79
"""From here on white is told from a cell better than black: 4.5 to 1 at least on either side."""
_LINE_HEIGHT = 1.3
_SMALLEST = 0.005
"""Probabilities below are drawn as a dot."""


def draw_recognition(image: RGBImage, recognition: Recognition) -> RGBImage:
    """Draw a recognition.

    Args:
        image: the photo, (height, width, 3), uint8, RGB.
        recognition: what was recognised in it.

    Returns:
        (height, width, 3), uint8, RGB.
    """
    reference = describe_reference(recognition.reference.kind, recognition.reference.photo_count)
    face, steps = recognition.face, None
    if recognition.moved is not None:
        steps = to_photo_steps(recognition.moved, face.landmarks_photo, face.stretch)
    return draw_probabilities(image, face.landmarks_photo, recognition.probabilities, reference, steps)


def describe_reference(kind: str, photo_count: int) -> str:
    """What the face was compared with, in words.

    Args:
        kind: `mean`, `neutral` or `estimated`.
        photo_count: of how many photos.
    """
    if kind == "estimated" and photo_count == 1:
        return "no reference was given; the neutral face is estimated from this photo alone"
    photos = "1 photo" if photo_count == 1 else f"{photo_count} photos"
    return {
        "mean": f"compared with the mean of {photos} of this face",
        "neutral": f"compared with {photos} of this face when neutral",
        "estimated": f"compared with an estimate of this face when neutral, from {photos} of it",
    }.get(kind, f"reference: {kind}, {photos}")


def draw_probabilities(
    image: RGBImage,
    landmarks: NDArray[np.floating],
    probabilities: NDArray[np.floating],
    reference: str,
    steps: NDArray[np.floating] | None = None,
) -> RGBImage:
    """Draw a face beside the probabilities of the 50 classes.

    Args:
        image: the photo, (height, width, 3), uint8, RGB.
        landmarks: shape (68, 2), photo pixels.
        probabilities: shape (50,), sums to 1; position is class index.
        reference: what the face was compared with, in words, of any length.
        steps: shape (68, 2), photo pixels: how far each landmark moved from its place when neutral; drawn as arrows.

    Returns:
        (height, width, 3), uint8, RGB. As high as the text needs, 1,170 pixels wide.
    """
    texts = [_Text(line, 34, INK) for line in wrap(_headline(probabilities), 34, _WIDTH - 2 * _GAP)]
    for sentence in (_shares(probabilities), reference):
        texts += [_Text(line, 17, FAINT) for line in wrap(sentence, 17, _WIDTH - 2 * _GAP)]
    note = wrap("mien reads what a face displays, not what a person feels", 15, _PHOTO)
    top = 18 + sum(text.height for text in texts) + 18
    height = top + _PHOTO + 12 + len(note) * round(15 * _LINE_HEIGHT) + 16
    sheet = Image.new("RGB", (_WIDTH, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    _draw_texts(draw, texts, _GAP, 18)
    face, points = cut_out_face(image, landmarks, _PHOTO)
    draw_landmarks(face, points)
    if steps is not None:
        enlarged = steps * (eye_distance(points) / eye_distance(landmarks))
        draw_arrows(face, points - enlarged, enlarged)
    sheet.paste(face, (_GAP, top))
    _draw_texts(draw, [_Text(line, 15, FAINT) for line in note], _GAP, top + _PHOTO + 12)
    _Grid(sheet, probabilities, _WIDTH - _GAP - 7 * _CELL, top).draw()
    return np.asarray(sheet)


def _headline(probabilities: NDArray[np.floating]) -> str:
    best = CLASSES[int(np.argmax(probabilities))]
    return "neutral: no emotion is displayed" if best.dominant is None else best.phrase


def _shares(probabilities: NDArray[np.floating]) -> str:
    """The likeliest classes with their probabilities."""
    best, *others = np.argsort(-probabilities, kind="stable")[:3]
    named = [f"{CLASSES[i].phrase} {_percent(probabilities[i])}%" for i in others if probabilities[i] >= _SMALLEST]
    return f"{_percent(probabilities[best])}% among 50 classes" + (f"; then {', '.join(named)}" if named else "")


def _percent(share: float) -> str:
    return f"{100 * share:.0f}" if share >= _SMALLEST else "under 1"


@dataclass(frozen=True)
class _Text:
    line: str
    size: int
    colour: str

    @property
    def height(self) -> int:
        return round(self.size * _LINE_HEIGHT)


def _draw_texts(draw: ImageDraw.ImageDraw, texts: list[_Text], left: int, top: int) -> None:
    for text in texts:
        draw.text((left, top), text.line, fill=text.colour, font=font(text.size))
        top += text.height


class _Grid:
    """Probability by complementary (row) and dominant (column) emotion, and that of neutral in a bar below.

    The colour of a cell is deepest for the likeliest class, and goes with the square root of the probability, so
    that small ones can be told from none. The likeliest class is framed.
    """

    def __init__(self, sheet: Image.Image, probabilities: NDArray[np.floating], left: int, top: int) -> None:
        self._sheet, self._draw = sheet, ImageDraw.Draw(sheet)
        self._matrix, self._neutral = scores_to_matrix(probabilities)
        self._best = CLASSES[int(np.argmax(probabilities))]
        self._highest = float(probabilities.max())
        self._left, self._top = left, top + _NAMES - 20

    def draw(self) -> None:
        """Draw all of it."""
        title = "dominant emotion across, complementary down; percent, a dot is under half"
        self._draw.text((self._left - _NAMES + 12, self._top - _NAMES + 20), title, fill=FAINT, font=font(15))
        for emotion in Emotion:
            middle = (emotion - 1) * _CELL + _CELL // 2
            self._draw_slanted(emotion.noun, self._left + middle, self._top - 4)
            self._draw_name(emotion.noun, self._top + middle)
        for (row, column), share in np.ndenumerate(self._matrix):
            shown = CompoundEmotion(complementary=Emotion(row + 1), dominant=Emotion(column + 1))
            place = (self._left + column * _CELL, self._top + row * _CELL)
            self._draw_cell(place, float(share), shown == self._best)
        self._draw_neutral(self._top + 7 * _CELL + 10)

    def _draw_neutral(self, top: int) -> None:
        """A bar as long as the probability, on a track that stands for 100%."""
        height, share = _CELL - 17, float(self._neutral)
        track = (self._left, top, self._left + 7 * _CELL - 3, top + height)
        end = round(self._left + share * (7 * _CELL - 3))
        self._draw.rectangle(track, fill=_colour(0))
        if end > self._left:
            self._draw.rectangle((self._left, top, end, top + height), fill=_colour(1))
        self._draw_name("neutral", top + height // 2)
        text, place = f"{_percent(share)}%", (end + 10, top + height // 2)
        if self._best.dominant is None:
            self._draw.rectangle(track, outline=ACCENT, width=4)
            text = f"neutral is the reading: {text}"
        if share > 0.5:
            self._draw.text((end - 10, place[1]), text, fill="white", font=font(16), anchor="rm")
        else:
            self._draw.text(place, text, fill=INK, font=font(16), anchor="lm")

    def _draw_cell(self, place: tuple[int, int], share: float, framed: bool) -> None:
        x, y = place
        depth = float(np.sqrt(share / self._highest))
        box = (x, y, x + _CELL - 3, y + _CELL - 3)
        self._draw.rectangle(box, fill=_colour(depth), outline=ACCENT if framed else None, width=4)
        text = _percent(share) if share >= _SMALLEST else "·"
        middle = (x + _CELL / 2 - 1.5, y + _CELL / 2 - 1.5)
        self._draw.text(middle, text, fill="white" if depth > _DEEP else "black", font=font(16), anchor="mm")

    def _draw_name(self, text: str, middle: int) -> None:
        self._draw.text((self._left - 10, middle), text, fill=INK, font=font(16), anchor="rm")

    def _draw_slanted(self, text: str, x: int, bottom: int) -> None:
        label = Image.new("L", (round(text_width(text, 16)) + 4, 22))
        ImageDraw.Draw(label).text((0, 1), text, fill=255, font=font(16))
        turned = label.rotate(45, expand=True, resample=Image.Resampling.BICUBIC)
        place = (x - 12, bottom - turned.height)
        self._sheet.paste(ImageColor.getrgb(INK), (*place, place[0] + turned.width, place[1] + turned.height), turned)


def _colour(depth: float) -> tuple[int, ...]:
    return tuple(round(v) for v in _LEAST + (_MOST - _LEAST) * depth)
