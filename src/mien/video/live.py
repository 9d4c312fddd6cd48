"""Reading a film or a camera in one pass: each frame is compared with what is known of the person by then."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import numpy as np

from mien.displacement import Reference
from mien.inference import Recognition, Recognizer, SubjectProfile
from mien.video.following import FollowedFrame, follow
from mien.video.people import People
from mien.video.reading import Film
from mien.video.results import FilmFace, FilmFrame
from mien.video.smoothing import Smoother
from mien.video.tracking import Tracker

SMOOTHING = 0.15
"""Seconds: time constant of the smoothing."""


def read(
    source: str | os.PathLike[str] | int | Film,
    recognizer: Recognizer | None = None,
    profiles: Sequence[SubjectProfile] = (),
    smoothing: float = SMOOTHING,
) -> Iterator[FilmFrame]:
    """The frames of a film with what their faces show, lazily, in order, in constant memory.

    Each answer rests on what came before: a person's reference gets better as the film goes on, and says from how
    many frames it is made. `mien video` reads a file a second time, so that early frames profit as well.

    Args:
        source: path of a film, number of a camera, or an open `Film`, which stays open.
        recognizer: None: with the weights that come with mien.
        profiles: of enrolled people who may be in the film.
        smoothing: time constant in seconds; 0: none.

    Raises:
        FilmError: it cannot be opened; or, after all frames that could be read, not to its end.
        ForeignReferenceError: a profile of other weights.
    """
    recognizer = recognizer or Recognizer.load()
    film = source if isinstance(source, Film) else Film.open(source)
    try:
        people = People(recognizer.model, profiles)
        smoother = Smoother(smoothing)
        frames = film.frames()
        tracker = Tracker(recognizer.extractor)
        for followed in follow(frames, tracker, people, recognizer.model, at_once=film.is_live):
            yield read_frame(followed, recognizer, smoother, film.name)
        if film.problem is not None:
            raise film.problem
    finally:
        if film is not source:
            film.close()


def read_frame(followed: FollowedFrame, recognizer: Recognizer, smoother: Smoother, film: str) -> FilmFrame:
    """What the faces of a frame show, compared with what is known of each person by now.

    Args:
        followed: the frame; those before it have been read.
        recognizer: whose weights are used.
        smoother: what came before.
        film: its name.
    """
    model, seen, frame = recognizer.model, followed.faces, followed.frame
    faces: list[FilmFace] = []
    if seen:
        references: list[Reference] = [one.person.reference(model) for one in seen]
        landmarks = np.stack([one.face.landmarks_crop for one in seen])
        scores = model.scores(np.stack([one.feature for one in seen]), landmarks, references)
        moved = model.moved_from_neutral(landmarks, references)
        rows = zip(model.probabilities(scores, references), moved, model.actions(moved), strict=True)
        for place, (row, points, actions) in enumerate(rows):
            one = seen[place]
            read_ = Recognition(
                probabilities=smoother.add(one.person.number, frame.time, row),
                reference=references[place],
                face=one.face,
                photo=film,
                place=place,
                unsure_below=recognizer.unsure_below,
                moved=points,
                actions=actions,
            )
            faces.append(FilmFace(one.track, one.person.number, one.person.name, read_))
    return FilmFrame(frame.number, frame.time, frame.image, tuple(faces))
