"""The contact sheet of an album: a row a person, the surest faces first, with what each displays."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from mien.drawing.style import FAINT, INK, PAPER, font, shorten
from mien.images import RGBImage
from mien.inference import Album, AlbumPerson

_SIDE, _GAP, _NAME, _CAPTION, _HEAD = 112, 10, 170, 20, 56
_COLUMNS, _MOST = 9, 40
"""Faces of a person, and people, that are shown."""


def draw_album(album: Album) -> RGBImage:
    """Draw it; (height, width, 3), uint8, RGB."""
    people = album.people[:_MOST]
    row = _SIDE + _CAPTION + _GAP
    columns = min(_COLUMNS, max((person.faces for person in people), default=1))
    size = (_NAME + max(4, columns) * (_SIDE + _GAP) + _GAP, _HEAD + row * max(1, len(people)) + _GAP)
    sheet = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP, 12), _title(album), fill=INK, font=font(22))
    for number, person in enumerate(people):
        _draw_person(sheet, draw, person, _HEAD + number * row)
    return np.asarray(sheet)


def _title(album: Album) -> str:
    more = f", {_MOST} shown" if len(album.people) > _MOST else ""

    def count(number: int, one: str, several: str) -> str:
        return f"{number} {one if number == 1 else several}"

    faces = count(sum(person.faces for person in album.people), "face", "faces")
    people = count(len(album.people), "person", "people")
    photos = count(len(album.photos), "photo", "photos")
    return f"{faces} of {people} in {photos}{more}"


def _draw_person(sheet: Image.Image, draw: ImageDraw.ImageDraw, person: AlbumPerson, top: int) -> None:
    draw.text((_GAP, top + 6), shorten(person.name, 16, _NAME - 2 * _GAP), fill=INK, font=font(16))
    lines = [f"{person.faces} face{'s' * (person.faces != 1)}"]
    lines += [f"{person.doubtful} doubtful"] if person.doubtful else []
    for place, line in enumerate(lines):
        draw.text((_GAP, top + 30 + 18 * place), line, fill=FAINT, font=font(14))
    for place, (face, phrase) in enumerate(person.thumbnails[:_COLUMNS]):
        left = _NAME + place * (_SIDE + _GAP)
        sheet.paste(Image.fromarray(face), (left, top))
        draw.text((left, top + _SIDE + 2), shorten(phrase, 12, _SIDE), fill=INK, font=font(12))
