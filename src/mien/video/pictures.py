"""The timeline of a film, and the film with its readings drawn into it, made as the second pass goes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.drawing.film_files import FilmWriter, writing_film
from mien.drawing.films import DrawnFace, annotate_frame
from mien.drawing.timeline import COLOURS, Timeline, draw_timeline
from mien.files import replacing
from mien.labels import CLASSES
from mien.video.analysis import FilmSummary
from mien.video.episodes import clock
from mien.video.reading import Film, Frame
from mien.video.table import Rows

_MOST_PEOPLE = 12
"""Rows of a timeline: those who are seen longest."""


class TimelinePicture:
    """Draws the timeline.

    Args:
        path: of the PNG.
        found: what the first pass found.
    """

    def __init__(self, path: Path, found: FilmSummary) -> None:
        self._path = path
        longest = sorted(found.people, key=lambda person: -person.frames)[:_MOST_PEOPLE]
        names = {person.number: person.name for person in found.people if person in longest}
        self._timeline = Timeline(found.duration, names)

    def add(self, rows: Rows, probabilities: NDArray[np.float64]) -> None:
        """Take a piece of the film."""
        for person in self._timeline.names:
            own = rows.person == person
            self._timeline.add(person, rows.time[own], probabilities[own])

    def end(self, summary: FilmSummary) -> None:
        """Draw it."""
        episodes = [
            (one.person, one.start, one.end, int(one.emotion.dominant or 0), one.emotion.phrase)
            for one in summary.episodes
        ]
        known = "their profile, or with " if any(person.enrolled for person in summary.people) else ""
        note = f"each person is compared with {known}an estimate from frames of the whole film"
        if len(summary.people) == 1:
            note = f"compared with {summary.people[0].compared_with}"
        drawn = draw_timeline(Path(summary.film).name, self._timeline, episodes, note)
        with replacing(self._path) as temporary:
            Image.fromarray(drawn).save(temporary, format="PNG")


class AnnotatedFilm:
    """Writes the film with boxes, landmarks and readings; its sound is left out.

    A context manager: the film is whole when the context ends, and not there where that is by an error.

    Args:
        path: of the film to write.
        source: of the film that is read.
        found: what the first pass found.
    """

    def __init__(self, path: Path, source: str | os.PathLike[str], found: FilmSummary) -> None:
        self._stack = ExitStack()
        self._names = {person.number: person.name for person in found.people}
        self._path = path
        self._film = self._stack.enter_context(Film.open(source))
        self._frames: Iterator[Frame] = self._film.frames()
        self._number = 0
        self._writer: FilmWriter | None = None

    def add(self, rows: Rows, probabilities: NDArray[np.float64]) -> None:
        """Write the frames of a piece of the film."""
        for number in np.unique(rows.frame):
            of_frame = np.flatnonzero(rows.frame == number)
            self._write_until(int(number))
            frame = next(self._frames, None)
            if frame is not None:
                self._write(frame, rows, of_frame, probabilities)

    def end(self, summary: FilmSummary) -> None:
        """Write the rest."""
        self._write_until(summary.frames)

    def __enter__(self) -> AnnotatedFilm:
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def _write_until(self, number: int) -> None:
        """Frames without a face before this one."""
        nothing = np.zeros(0, np.int64)
        while self._number < number and (frame := next(self._frames, None)) is not None:
            self._write(frame, None, nothing, np.zeros((0, 50)))

    def _write(
        self, frame: Frame, rows: Rows | None, of_frame: NDArray[np.int64], probabilities: NDArray[np.float64]
    ) -> None:
        self._number = frame.number + 1
        faces = []
        for i in of_frame.tolist() if rows is not None else ():
            assert rows is not None
            best = CLASSES[int(probabilities[i].argmax())]
            lines = [self._names[int(rows.person[i])], f"{best.phrase} {probabilities[i].max():.0%}"]
            colour = COLOURS[int(best.dominant or 0)]
            faces.append(DrawnFace(rows.box[i] / frame.scale, rows.landmarks_photo[i] / frame.scale, colour, lines))
        drawn = annotate_frame(frame.image, faces, clock(frame.time))
        height, width = drawn.shape[0] // 2 * 2, drawn.shape[1] // 2 * 2
        if self._writer is None:
            self._writer = self._stack.enter_context(writing_film(self._path, (width, height), self._film.rate))
        self._writer.add(np.ascontiguousarray(drawn[:height, :width]), frame.time)
