"""What a worker does with films and with frames of a camera."""

from __future__ import annotations

import json
import pickle
import tempfile
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mien.server import work
from mien.server.problems import Problem

if TYPE_CHECKING:
    from ctypes import Array, c_longlong

    from mien.inference import SubjectProfile
    from mien.video import FilmSummary
    from mien.video.table import Rows

_NICENESS = 5
_progress: Array[c_longlong] | None = None


def begin(run: Any, memory: int, progress: Array[c_longlong]) -> None:
    """First in the worker for films, which gives way to those for photos."""
    global _progress  # noqa: PLW0603, a process has one
    _progress = progress
    work.begin(run, memory, _NICENESS)


def read_film(path: str, folder: str, number: int, given: work.Given, most_frames: int) -> tuple[int, bytes]:
    """Read a film to its end, see `FilmAnswer`.

    Args:
        path: of the film.
        folder: for what is needed on the way; the server removes it.
        number: of the film, for the progress.
        given: of somebody who may be in it.
        most_frames: of a film.
    """
    from mien.video import analyse

    assert _progress is not None
    shared = _progress
    tempfile.tempdir = folder
    shared[:] = [number, 0, 0]
    reader = _Readings()

    def tell(done: int, total: int) -> None:
        shared[:] = [number, done, total]
        if done > most_frames:
            raise Problem("too-large", f"over {most_frames} frames")

    summary = analyse(
        path,
        None,
        work.recognizer(),
        [] if given is None else [_profile(given)],
        watchers=lambda found: [reader],
        progress=tell,
    )
    answer = {
        "frames": summary.frames,
        "duration": round(summary.duration, 3),
        "problem": None if summary.problem is None else summary.problem.reason,
        "people": [
            {
                "number": person.number,
                "name": person.name,
                "frames": person.frames,
                "reference": {"kind": person.reference.kind, "photos": person.reference.photo_count},
            }
            for person in summary.people
        ],
        "episodes": [
            {
                "person": episode.person,
                "start": round(episode.start, 3),
                "end": round(episode.end, 3),
                "label": str(episode.emotion),
                "phrase": episode.emotion.phrase,
                "probability": round(episode.probability, 4),
            }
            for episode in summary.episodes
        ],
        "faces": reader.faces,
    }
    return summary.frames, json.dumps(answer, separators=(",", ":")).encode()


class _Readings:
    """Keeps what the second pass reads; see `mien.video.analysis.Watcher`."""

    def __init__(self) -> None:
        self.faces: list[dict[str, Any]] = []

    def add(self, rows: Rows, probabilities: NDArray[np.float64]) -> None:
        """Take a piece."""
        for i, row in enumerate(probabilities):
            self.faces.append({
                "frame": int(rows.frame[i]),
                "time": round(float(rows.time[i]), 3),
                "person": int(rows.person[i]),
                "box": rows.box[i].astype(float).round(1).tolist(),
                "landmarks": rows.landmarks_photo[i].astype(float).round(1).tolist(),
                "probabilities": row.round(4).tolist(),
            })  # fmt: skip

    def end(self, summary: FilmSummary) -> None:
        """There are no more."""


def read_frame(
    content: bytes,
    number: int,
    time: float,
    given: work.Given,
    state: bytes | None,
    most_pixels: int,
) -> tuple[bytes, dict[str, Any]]:
    """What the faces in a frame of a camera show.

    Args:
        content: the frame, a JPEG, say.
        number, time: of the frame, from 0, in seconds.
        given: whom faces are compared with, where it is that person; the same as for the frame before.
        state: after the frame before; None: it is the first.
        most_pixels: of a frame.

    Returns:
        the state after it, with which any worker can go on, and the `FrameAnswer`.
    """
    from mien.video.following import follow
    from mien.video.live import SMOOTHING, read_frame
    from mien.video.people import People
    from mien.video.reading import Frame
    from mien.video.smoothing import Smoother
    from mien.video.tracking import Tracker

    photo = work.open_bounded(content, most_pixels)
    recognizer = work.recognizer()
    tracker = Tracker(recognizer.extractor)
    people = People(recognizer.model, [] if given is None else [_profile(given)])
    smoother = Smoother(SMOOTHING)
    if state is not None:
        arrays, smoother = pickle.loads(state)
        tracker.restore(arrays)
        people.restore(arrays)
    frame = Frame(number, time, photo.read().image)
    followed = next(follow([frame], tracker, people, recognizer.model, at_once=True))
    read = read_frame(followed, recognizer, smoother, "camera")
    faces = [work.answer(one.recognition) | {"person": one.name} for one in read]
    width, height = photo.size
    answer = {"number": number, "time": round(time, 3), "width": width, "height": height, "faces": faces}
    return pickle.dumps(({**tracker.to_arrays(), **people.to_arrays()}, smoother)), answer


def _profile(given: work.MadeReference | str) -> SubjectProfile:
    from mien.inference import SubjectProfile

    reference = work.reference_of(given)
    assert reference is not None
    name = given if isinstance(given, str) else "you"
    landmarker = work.recognizer().meta.landmarker
    return SubjectProfile(name, reference, landmarker, reference.photo_count, reference.photo_count, "")
