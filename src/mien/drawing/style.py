"""Colours and lettering that all pictures share, and text that keeps within a width."""

from __future__ import annotations

from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

PAPER, INK, FAINT = "#ffffff", "#1d2733", "#52616f"
LANDMARKS, ARROW, ACCENT = "#ffe08a", "#d23f22", "#b5402a"

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_RULER = ImageDraw.Draw(Image.new("L", (1, 1)))


@lru_cache(maxsize=32)
def font(size: int) -> Font:
    """Pillow's own font, so that pictures look the same on every machine."""
    return ImageFont.load_default(size)


def text_width(text: str, size: int) -> float:
    """Of one line, in pixels."""
    return float(_RULER.textlength(text, font=font(size)))


def printable(text: str) -> str:
    """One line that the font can show: characters that it lacks become `?`, line breaks become spaces."""
    shown = " ".join(text.split()).replace("…", "...")
    return shown.encode("latin-1", errors="replace").decode("latin-1")


def shorten(text: str, size: int, width: float) -> str:
    """The text, or its beginning and an ellipsis, within a width in pixels."""
    text = printable(text)
    if text_width(text, size) <= width:
        return text
    while text and text_width(f"{text}…", size) > width:
        text = text[:-1].rstrip()
    return f"{text}…"


def wrap(text: str, size: int, width: float) -> list[str]:
    """The text in lines, each within a width in pixels; a word that is wider is broken."""
    lines, line = [], ""
    for word in printable(text).split(" "):
        longer = f"{line} {word}" if line else word
        if text_width(longer, size) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        line = word
        while text_width(line, size) > width and len(line) > 1:
            end = max(1, _fitting(line, size, width))
            lines.append(line[:end])
            line = line[end:]
    return [*lines, line] if line else lines


def _fitting(word: str, size: int, width: float) -> int:
    """How many characters fit."""
    return next(end for end in range(len(word), -1, -1) if text_width(word[:end], size) <= width)


def rgb_of(colour: str) -> tuple[int, int, int]:
    """A colour as `#rrggbb` in three numbers, 0..255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
