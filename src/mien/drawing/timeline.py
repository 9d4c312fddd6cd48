"""The timeline of a film: what each person displays over time, emotions as bands, episodes named below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mien.drawing.style import FAINT, INK, PAPER, font, rgb_of, shorten, text_width
from mien.images import RGBImage
from mien.labels import CLASS_COUNT, Emotion, indices_to_emotions

COLOURS: dict[int, str] = {
    0: "#dfe4e8", Emotion.ANGER: "#c0392b", Emotion.CONTEMPT: "#8e6bb0", Emotion.DISGUST: "#6f8f2f",
    Emotion.FEAR: "#2f4b7c", Emotion.HAPPINESS: "#f2b134", Emotion.SADNESS: "#3d8fc4", Emotion.SURPRISE: "#e07b39",
}  # fmt: skip
"""Of neutral (0) and the emotions, by number; told apart by those who see few colours too, by their lightness."""
BINS = 960
"""Columns of the picture; a film of any length has as many."""
_LEFT, _GAP, _BAND, _EPISODES = 120, 28, 130, 20
_HEAD, _FOOT, _LANES = 96, 46, 2
_BETWEEN = 0.3
"""Seconds between two frames of a person, up to which they are seen all the time."""
_GROUPS = indices_to_emotions(np.arange(CLASS_COUNT))


@dataclass
class Timeline:
    """Collects readings of a film for its picture; feed it in any order.

    Args:
        duration: of the film in seconds.
        names: number of a person -> what to call them.
    """

    duration: float
    names: dict[int, str]
    _sums: dict[int, NDArray[np.float64]] = field(default_factory=dict)
    _counts: dict[int, NDArray[np.int64]] = field(default_factory=dict)

    def add(self, person: int, times: NDArray[np.float64], probabilities: NDArray[np.float64]) -> None:
        """Take readings of a person: times, (n,), in seconds, and probabilities, (n, 50)."""
        sums = self._sums.setdefault(person, np.zeros((BINS, 8)))
        counts = self._counts.setdefault(person, np.zeros(BINS, np.int64))
        bins = np.clip((times / max(self.duration, 1e-6) * BINS).astype(int), 0, BINS - 1)
        np.add.at(sums, bins, _by_emotion(probabilities))
        np.add.at(counts, bins, 1)

    def shares(self, person: int) -> NDArray[np.float64]:
        """Shape (960, 8): neutral and the seven emotions, by column; no numbers where the person is not seen."""
        counts = self._counts.get(person, np.zeros(BINS, np.int64))[:, None]
        sums = self._sums.get(person, np.zeros((BINS, 8)))
        shares = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
        seen = np.flatnonzero(counts[:, 0])
        for before, after in pairwise(seen):  # a short film has fewer frames than columns
            if after - before <= max(1.0, _BETWEEN / max(self.duration, 1e-6) * BINS):
                shares[before:after] = shares[before]
        return shares


def draw_timeline(
    title: str, timeline: Timeline, episodes: Sequence[tuple[int, float, float, int, str]], note: str = ""
) -> RGBImage:
    """Draw it.

    Args:
        title: what the film is called.
        timeline: its readings.
        episodes: person, start and end in seconds, number of the dominant emotion, and what to write.
        note: what faces were compared with.

    Returns:
        (height, width, 3), uint8, RGB; 1,110 pixels wide, and higher with more people.
    """
    row = _BAND + _LANES * _EPISODES + _GAP
    height = _HEAD + row * max(1, len(timeline.names)) + _FOOT
    sheet = Image.new("RGB", (_LEFT + BINS + _GAP + 2, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP, 14), shorten(title, 22, BINS), fill=INK, font=font(22))
    draw.text((_GAP, 44), shorten(note, 14, BINS), fill=FAINT, font=font(14))
    _draw_legend(draw, 68)
    for place, (person, name) in enumerate(timeline.names.items()):
        top = _HEAD + place * row
        draw.text((_GAP, top + _BAND // 2 - 8), shorten(name, 15, _LEFT - _GAP - 8), fill=INK, font=font(15))
        sheet.paste(Image.fromarray(_bands(timeline.shares(person), _BAND)), (_LEFT, top))
        own = [episode for episode in episodes if episode[0] == person]
        _draw_episodes(draw, own, timeline.duration, top + _BAND + 4)
    _draw_axis(draw, timeline.duration, height - _FOOT + 6)
    return np.asarray(sheet)


def _by_emotion(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """P(neutral), and for each emotion half of it as dominant and half as complementary: (n, 50) to (n, 8)."""
    complementary, dominant = _GROUPS
    belongs = 0.5 * (np.eye(8)[complementary] + np.eye(8)[dominant])
    return probabilities @ belongs


def _bands(shares: NDArray[np.float64], height: int) -> RGBImage:
    """Stacked shares, a column each; white where nobody is seen."""
    colours = np.array([rgb_of(COLOURS[i]) for i in range(8)], dtype=np.uint8)
    edges = np.cumsum(np.nan_to_num(shares), axis=1) * height  # from the bottom: neutral first
    heights = np.arange(height)[::-1, None, None] + 0.5
    which = np.minimum((heights > edges[None]).sum(axis=2), 7)
    picture = colours[which]
    picture[:, np.isnan(shares[:, 0])] = rgb_of(PAPER)
    return picture


def _draw_legend(draw: ImageDraw.ImageDraw, top: int) -> None:
    left = _LEFT
    for number in range(8):
        name = Emotion(number).noun if number else "neutral"
        draw.rectangle((left, top + 2, left + 12, top + 14), fill=COLOURS[number])
        draw.text((left + 18, top), name, fill=INK, font=font(14))
        left += 18 + round(text_width(name, 14)) + 20


def _draw_episodes(
    draw: ImageDraw.ImageDraw, episodes: Sequence[tuple[int, float, float, int, str]], duration: float, top: int
) -> None:
    """A bar an episode, and its name where there is room for it in one of two lanes."""
    ends = [0.0] * _LANES
    for _, start, end, emotion, words in episodes:
        left = _LEFT + start / max(duration, 1e-6) * BINS
        right = max(left + 2, _LEFT + end / max(duration, 1e-6) * BINS)
        draw.rectangle((left, top - 3, right - 1, top), fill=COLOURS[emotion])
        width = text_width(words, 12)
        lane = next((i for i, taken in enumerate(ends) if left >= taken), None)
        if lane is not None and left + width < _LEFT + BINS + _GAP:
            draw.text((left, top + 3 + lane * (_EPISODES - 4)), words, fill=INK, font=font(12))
            ends[lane] = left + width + 8


def _draw_axis(draw: ImageDraw.ImageDraw, duration: float, top: int) -> None:
    step = next((s for s in (0.1, 0.5, 1, 5, 10, 30, 60, 300, 600, 1800, 3600) if duration / s <= 12), 7200)
    draw.line((_LEFT, top, _LEFT + BINS, top), fill=FAINT)
    for number in range(int(duration / step) + 1):
        x = _LEFT + number * step / max(duration, 1e-6) * BINS
        draw.line((x, top, x, top + 5), fill=FAINT)
        draw.text((x, top + 8), _clock(number * step, step), fill=FAINT, font=font(13), anchor="ma")


def _clock(seconds: float, step: float) -> str:
    if step < 1:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"
