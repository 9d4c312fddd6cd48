"""Reading a film from a file, in two passes, so that its first frame profits from its last one.

The first pass follows the faces and keeps their landmarks and features, piece by piece, in a folder beside the table;
with each piece goes the state to go on from, so a kill costs one piece. The second compares every face with what is
known of its person by the end, smooths, and writes the table. Neither holds more than two pieces in memory.

    .OUT.work/
      film.json               what the work depends on
      piece-000000.safetensors ...  faces of 600 frames each, see `Rows`
      state.safetensors       how far the first pass has come; written after its piece
      rows-000000.parquet ...       the second pass
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, get_args

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from mien.artifacts import save_arrays
from mien.displacement import Reference
from mien.errors import FilmError, MienError, OutputError
from mien.files import write_parquet
from mien.inference import ExpressionModel, Recognizer, SubjectProfile
from mien.jobs.claims import claim_folder, name_and_value, working_in
from mien.video.episodes import Episode, EpisodeFinder
from mien.video.following import FollowedFrame, follow, without_pixels
from mien.video.live import SMOOTHING
from mien.video.people import People
from mien.video.reading import Film
from mien.video.smoothing import Smoother
from mien.video.table import QUALITY, TABLES, Probabilities, Rows, join_tables, to_table
from mien.video.tracking import Tracker

PIECE = 600
"""Frames of a piece."""
_FORMAT = 1
_MARKER, _STATE = "film.json", "state.safetensors"
Progress = Callable[[int, int], None]


class Watcher(Protocol):
    """Wants the readings of the second pass, piece by piece."""

    def add(self, rows: Rows, probabilities: NDArray[np.float64]) -> None:
        """Take a piece and its smoothed probabilities, (n, 50)."""

    def end(self, summary: FilmSummary) -> None:
        """There are no more."""


@dataclass(frozen=True)
class PersonSummary:
    """Attributes:
    number: of the person, from 1.
    name: of the profile, or `person 1`.
    frames: in how many the person is seen.
    reference: what the person's faces were compared with.
    enrolled: it is the one of their profile; else it is made of frames of the film.
    """

    number: int
    name: str
    frames: int
    reference: Reference
    enrolled: bool = False

    @property
    def compared_with(self) -> str:
        """The reference, in words."""
        count = self.reference.photo_count
        photos = f"{count} {'photo' if self.enrolled else 'frame'}{'s' * (count != 1)}"
        if self.reference.kind == "neutral":
            return f"{photos} of the neutral face"
        return f"{photos} of their profile" if self.enrolled else f"an estimate from {photos} of the film"


@dataclass(frozen=True)
class FilmSummary:
    """What was read.

    Attributes:
        film: its name.
        frames: how many.
        duration: time of the last one, in seconds.
        faces: in all frames together.
        people: who is seen, in the order in which they appear.
        episodes: what they display, by the start.
        problem: why the film could not be read to its end; None: it was.
    """

    film: str
    frames: int
    duration: float
    faces: int
    people: tuple[PersonSummary, ...]
    episodes: tuple[Episode, ...]
    problem: FilmError | None = field(default=None, compare=False)


def analyse(
    source: str | os.PathLike[str],
    out: Path | None = None,
    recognizer: Recognizer | None = None,
    profiles: Sequence[SubjectProfile] = (),
    *,
    smoothing: float = SMOOTHING,
    probabilities: Probabilities = "all",
    watchers: Callable[[FilmSummary], Sequence[Watcher]] = lambda summary: (),
    progress: Progress | None = None,
    piece: int = PIECE,
) -> FilmSummary:
    """Read a film to its end and write its table; the same call goes on where a killed one was.

    Args:
        source: path of the film.
        out: of the table: .parquet, .csv or .jsonl; None: none is written, and nothing is left to go on with.
        recognizer: None: with the weights that come with mien.
        profiles: of enrolled people who may be in the film.
        smoothing: time constant in seconds; 0: none.
        probabilities: all 50, or the five largest.
        watchers: given what the first pass found (its episodes are not known yet), gives who else wants the readings.
        progress: called with (frames done, frames in all as the film claims).
        piece: frames that are kept in memory, and lost by a kill at most.

    Raises:
        FilmError: it cannot be opened, or no frame of it be decoded.
        ForeignReferenceError: a profile of other weights.
        OutputError: the table cannot be written, or another process works at it.
    """
    if out is not None and out.suffix.lower() not in TABLES:
        raise OutputError(f"{out}: name a file that ends in {', '.join(TABLES)}")
    if probabilities not in get_args(Probabilities):
        raise MienError(f"probabilities={probabilities!r}: choose one of {', '.join(get_args(Probabilities))}")
    recognizer = recognizer or Recognizer.load()
    with ExitStack() as stack:
        film = stack.enter_context(Film.open(source))
        if film.is_live:
            raise FilmError("a camera; read it with mien.video.read", film.name)
        people = People(recognizer.model, profiles)
        if out is None:
            work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mien-")))
        else:
            work = out.with_name(f".{out.name}.work")
            about = _describe(Path(source), recognizer.model, profiles) | {"piece": piece}
            claim_folder(work, _MARKER, about, f"write into another file, or remove {work}", _worded)
            stack.enter_context(working_in(work))
        first = _FirstPass(film, work, recognizer, people, progress, piece)
        try:
            first.run()
        except FilmError:  # not one frame: there is nothing to go on with
            stack.close()
            shutil.rmtree(work, ignore_errors=True)
            raise
        summary = _second_pass(first, out, smoothing, probabilities, watchers)
    if out is not None:
        shutil.rmtree(work, ignore_errors=True)
    return summary


class _FirstPass:
    """Frames to faces, in pieces on the disk."""

    def __init__(
        self, film: Film, work: Path, recognizer: Recognizer, people: People, progress: Progress | None, piece: int
    ) -> None:
        self.film, self.work, self.recognizer, self.people = film, work, recognizer, people
        self.pieces, self.frames, self.last, self.faces = 0, 0, 0.0, 0
        self._tracker = Tracker(recognizer.extractor)
        self._progress, self._piece = progress, piece

    def run(self) -> None:
        """Follow all faces, from where an earlier run was."""
        if (self.work / _STATE).is_file():
            self._restore()
        total = round((self.film.duration or 0) * self.film.rate)
        pending: list[FollowedFrame] = []
        frames = self.film.frames(self.frames)
        model = self.recognizer.model
        for followed in follow(frames, self._tracker, self.people, model, state_every=self._piece):
            pending.append(without_pixels(followed))
            self.frames, self.last = followed.frame.number + 1, followed.frame.time
            if self._progress is not None and self.frames % 10 == 0:
                self._progress(self.frames, max(total, self.frames))
            if followed.state is not None:
                self._keep(pending, followed.state)
                pending = []
        if pending or not self.pieces:
            self._keep(pending, self._tracker.to_arrays())
        if self._progress is not None:
            self._progress(self.frames, self.frames)

    def piece(self, number: int) -> Rows:
        """The faces of a piece."""
        return Rows(**load_file(self.work / f"piece-{number:06d}.safetensors"))

    def _keep(self, followed: list[FollowedFrame], tracker: dict[str, NDArray[Any]]) -> None:
        rows = _to_rows(followed)
        save_arrays(self.work / f"piece-{self.pieces:06d}.safetensors", rows.to_arrays())
        self.pieces, self.faces = self.pieces + 1, self.faces + len(rows)
        counts = np.array([self.pieces, self.frames, self.faces], np.int64)
        state = {"counts": counts, "last": np.array([self.last]), **tracker, **self.people.to_arrays()}
        save_arrays(self.work / _STATE, state)

    def _restore(self) -> None:
        state = load_file(self.work / _STATE)
        self.pieces, self.frames, self.faces = (int(count) for count in state["counts"])
        self.last = float(state["last"][0])
        self._tracker.restore(state)
        self.people.restore(state)


def _second_pass(
    first: _FirstPass,
    out: Path | None,
    smoothing: float,
    probabilities: Probabilities,
    watchers: Callable[[FilmSummary], Sequence[Watcher]],
) -> FilmSummary:
    model, people = first.recognizer.model, first.people.people
    references = {person.number: person.reference(model) for person in people}
    names = {person.number: person.name for person in people}
    counts = dict.fromkeys(names, 0)
    for number in range(first.pieces):
        for person in first.piece(number).person.tolist():
            counts[person] += 1
    enrolled = {person.number: person.profile is not None for person in people}
    known = tuple(PersonSummary(n, names[n], counts[n], references[n], enrolled[n]) for n in names)
    film = first.film
    summary = FilmSummary(film.name, first.frames, first.last, first.faces, known, (), film.problem)
    watching, episodes = watchers(summary), EpisodeFinder(first.film.rate)
    parts = []
    for number, (rows, smoothed) in enumerate(_readings(first, references, smoothing)):
        for person, time, row in zip(rows.person.tolist(), rows.time.tolist(), smoothed, strict=True):
            episodes.add(person, names[person], time, row)
        for watcher in watching:
            watcher.add(rows, smoothed)
        if out is not None:
            of_rows = [references[person] for person in rows.person.tolist()]
            named = [names[person] for person in rows.person.tolist()]
            as_text = out.suffix.lower() == ".csv"
            parts.append(first.work / f"rows-{number:06d}.parquet")
            actions = model.action_columns(rows.landmarks_crop, of_rows)
            write_parquet(parts[-1], to_table(rows, smoothed, actions, named, of_rows, probabilities, as_text))
    if out is not None:
        join_tables(parts, out)
    summary = replace(summary, episodes=tuple(episodes.end()))
    for watcher in watching:
        watcher.end(summary)
    return summary


def _readings(
    first: _FirstPass, references: dict[int, Reference], smoothing: float
) -> Iterator[tuple[Rows, NDArray[np.float64]]]:
    """Each piece with its smoothed probabilities, (n, 50)."""
    model, smoother = first.recognizer.model, Smoother(smoothing)

    def read(number: int) -> tuple[Rows, NDArray[np.float64]]:
        rows = first.piece(number)
        used = [references[person] for person in rows.person.tolist()]
        if not used:
            return rows, np.zeros((0, 50))
        return rows, model.probabilities(model.scores(rows.feature, rows.landmarks_crop, used), used)

    current = read(0)
    for number in range(first.pieces):
        following = read(number + 1) if number + 1 < first.pieces else None
        rows, row_values = current
        nothing = rows.person[:0], rows.time[:0], row_values[:0]
        later = nothing if following is None else (following[0].person, following[0].time, following[1])
        yield rows, smoother.smooth(rows.person, rows.time, row_values, *later)
        if following is not None:
            current = following


def _to_rows(followed: list[FollowedFrame]) -> Rows:
    seen = [(one.frame, face) for one in followed for face in one.faces]
    size = seen[0][1].feature.shape[0] if seen else 0
    quality = [[getattr(face.face.quality, name) for name in QUALITY] for _, face in seen]

    def stack(rows: list[Any], *shape: int) -> NDArray[Any]:
        return np.array(rows, dtype=np.float32).reshape(len(rows), *shape)

    return Rows(
        frame=np.array([frame.number for frame, _ in seen], np.int64),
        track=np.array([face.track for _, face in seen], np.int64),
        person=np.array([face.person.number for _, face in seen], np.int64),
        time=np.array([frame.time for frame, _ in seen], np.float64),
        box=stack([face.face.box.as_array() for _, face in seen], 4),
        quality=stack(quality, len(QUALITY)),
        landmarks_photo=stack([face.face.landmarks_photo for _, face in seen], 68, 2),
        landmarks_crop=stack([face.face.landmarks_crop for _, face in seen], 68, 2),
        feature=stack([face.feature for _, face in seen], size),
    )


def _worded(name: str, value: Any) -> str:
    """What a first pass depends on, for people."""
    if name == "changed":
        return f"the film as it was on {datetime.fromtimestamp(value / 1e9):%Y-%m-%d %H:%M:%S}"
    return name_and_value(name, value)


def _digest(reference: Reference) -> str:
    arrays = (reference.landmarks, reference.feature, reference.identity)
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays if array is not None)).hexdigest()[:8]


def _describe(film: Path, model: ExpressionModel, profiles: Sequence[SubjectProfile]) -> dict[str, Any]:
    """What the first pass depends on."""
    status = film.stat()
    return {
        "format": _FORMAT,
        "film": str(film.resolve()),
        "size": status.st_size,
        "changed": status.st_mtime_ns,
        "weights": model.identity,
        "profiles": [f"{profile.name}, {profile.enrolled}, {_digest(profile.reference)}" for profile in profiles],
    }
