"""The one way through a film: frames are decoded in one thread, faces followed here, crops encoded in another."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.faces import Face
from mien.faces.detection import FaceBox
from mien.inference import ExpressionModel
from mien.video.people import People, Person
from mien.video.reading import Frame
from mien.video.tracking import Tracked, Tracker

_TOGETHER = 16
"""Faces that are encoded at once, and frames after which they are if there are fewer."""


@dataclass(frozen=True, eq=False)
class Seen:
    """A face of a film, before it is read.

    Attributes:
        track: number of the track.
        person: who it is.
        face: in pixels of the film.
        feature: shape (size,), float32.
    """

    track: int
    person: Person
    face: Face
    feature: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FollowedFrame:
    """Attributes:
    frame: the frame.
    faces: in it, the longest followed first.
    state: what the tracker knew after it, where that was asked for.
    """

    frame: Frame
    faces: tuple[Seen, ...]
    state: dict[str, NDArray[Any]] | None = None


def follow(
    frames: Iterable[Frame],
    tracker: Tracker,
    people: People,
    model: ExpressionModel,
    *,
    at_once: bool = False,
    state_every: int = 0,
) -> Iterator[FollowedFrame]:
    """Follow and encode the faces of a film.

    Args:
        frames: in order.
        tracker, people: what is known already.
        model: whose encoder is used.
        at_once: give each frame before the next is asked for, as a camera needs it; else some are done together.
        state_every: give the tracker's state with every so manieth frame; 0: never.
    """
    waiting: deque[tuple[list[_Pending], Future[NDArray[np.float32]]]] = deque()
    batch: list[_Pending] = []
    with ThreadPoolExecutor(1, thread_name_prefix="mien-encode") as pool:
        for frame in frames:
            tracked = tracker.step(frame)
            wanted = state_every and (frame.number + 1) % state_every == 0
            batch.append((frame, tracked, tracker.in_doubt, tracker.to_arrays() if wanted else None))
            if at_once or len(batch) >= _TOGETHER or sum(len(faces) for _, faces, *_ in batch) >= _TOGETHER:
                waiting.append((batch, pool.submit(model.encode, _crops(batch))))
                batch = []
            while len(waiting) > (0 if at_once else 1):
                yield from _finish(*waiting.popleft(), people)
        waiting.append((batch, pool.submit(model.encode, _crops(batch))))
        while waiting:
            yield from _finish(*waiting.popleft(), people)


_Pending = tuple[Frame, list[Tracked], frozenset[int], dict[str, NDArray[Any]] | None]


def _crops(batch: list[_Pending]) -> NDArray[np.uint8]:
    crops = [tracked.face.crop for _, faces, *_ in batch for tracked in faces]
    return np.stack(crops) if crops else np.zeros((0, 1, 1, 3), np.uint8)


def _finish(batch: list[_Pending], encoded: Future[NDArray[np.float32]], people: People) -> Iterator[FollowedFrame]:
    features = iter(encoded.result())
    for frame, tracked, in_doubt, state in batch:
        tracks = {one.track for one in tracked} | in_doubt
        here = {people.of_track[track] for track in tracks if track in people.of_track}
        faces = []
        for one in tracked:
            feature = next(features)
            person = people.see(one.track, one.after, frame.time, one.face, feature, here)
            here.add(person.number)
            faces.append(Seen(one.track, person, _in_film(one.face, frame.scale), feature))
        yield FollowedFrame(frame, tuple(faces), state)


def _in_film(face: Face, scale: float) -> Face:
    """From pixels of a frame that was made smaller to those of the film."""
    if scale == 1:
        return face
    left, top, right, bottom = ((face.box.as_array() + 0.5) * scale - 0.5).tolist()
    landmarks = ((face.landmarks_photo + 0.5) * scale - 0.5).astype(np.float32)
    return replace(face, box=FaceBox(left, top, right, bottom, face.box.score), landmarks_photo=landmarks)


def without_pixels(followed: FollowedFrame) -> FollowedFrame:
    """The same without frame and crops, once the quality of the faces has been measured."""
    faces = tuple(replace(one, face=one.face.without_pixels()) for one in followed.faces)
    frame = replace(followed.frame, image=np.zeros((0, 0, 3), np.uint8))
    return replace(followed, frame=frame, faces=faces, state=None)
