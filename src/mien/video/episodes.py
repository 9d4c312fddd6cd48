"""Episodes: from when to when a person displays one expression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.labels import CLASSES, NEUTRAL, CompoundEmotion

SHORTEST = 0.2
"""Seconds; what is shorter is no episode."""
_GAP = 0.2
"""Seconds without a reading after which an episode has ended; one and a half frames where there are few a second."""


@dataclass(frozen=True)
class Episode:
    """One expression of one person, without interruption.

    Attributes:
        person: number of the person in the film, from 1.
        name: of the person.
        start, end: in seconds.
        emotion: what is displayed.
        probability: the mean of it.
    """

    person: int
    name: str
    start: float
    end: float
    emotion: CompoundEmotion
    probability: float

    def __str__(self) -> str:
        what = f"{self.emotion.phrase} {self.probability:.0%}"
        return f"{clock(self.start)} to {clock(self.end)}  {self.name}  {what}"


@dataclass
class _Open:
    name: str
    index: int
    start: float
    end: float
    total: float
    count: int


class EpisodeFinder:
    """Finds episodes; feed it readings in order of time.

    Args:
        rate: frames a second.
    """

    def __init__(self, rate: float = 25.0) -> None:
        self._gap = max(_GAP, 1.5 / rate)
        self._open: dict[int, _Open] = {}
        self.found: list[Episode] = []

    def add(self, person: int, name: str, time: float, probabilities: NDArray[np.floating]) -> None:
        """Take a reading, (50,)."""
        index = int(np.argmax(probabilities))
        current = self._open.get(person)
        if current is not None and (current.index != index or time - current.end > self._gap):
            if time - current.end <= self._gap:
                current.end = time
            self._close(person)
            current = None
        if current is None:
            current = self._open[person] = _Open(name, index, time, time, 0.0, 0)
        current.end, current.name = time, name
        current.total, current.count = current.total + float(probabilities[index]), current.count + 1

    def end(self) -> list[Episode]:
        """All episodes, by their start."""
        for person in list(self._open):
            self._close(person)
        self.found.sort(key=lambda episode: (episode.start, episode.person))
        return self.found

    def _close(self, person: int) -> None:
        done = self._open.pop(person)
        emotion = CLASSES[done.index]
        if emotion != NEUTRAL and done.end - done.start >= SHORTEST:
            mean = done.total / done.count
            self.found.append(Episode(person, done.name, done.start, done.end, emotion, mean))


def clock(seconds: float) -> str:
    """`00:12.4`, or `1:00:12.4` from an hour on."""
    tenths = round(10 * seconds)
    hours, rest = divmod(tenths, 36_000)
    minutes, rest = divmod(rest, 600)
    shown = f"{minutes:02d}:{rest // 10:02d}.{rest % 10}"
    return f"{hours}:{shown}" if hours else shown
