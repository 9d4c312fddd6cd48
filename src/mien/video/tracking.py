"""Following faces from frame to frame by their landmarks; the detector is asked now and then only.

A face is followed by one look at where it was (`FaceExtractor.follow`). What is followed stays a face: a few times a
second, and at once where it looks different all of a sudden, the detector looks at that place alone. It searches the
whole frame at intervals, after a cut, and more often for a while after a face was lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.errors import FaceError
from mien.faces import Face, FaceExtractor
from mien.faces.detection import COARSE_SIDE, COARSE_TO_FINE, FaceBox
from mien.faces.landmarks import Landmarks
from mien.images import RGBImage
from mien.video.reading import Frame

_SEARCH, _SEARCH_SOON = 1.0, 0.25
"""Seconds between searches of the whole frame; while nothing is followed, or after a face was lost."""
_CHECK, _CHECK_SOON = 0.33, 0.06
"""Seconds between looks of the detector at a face that is followed; while in doubt."""
_DOUBTS = 3
"""Looks in a row that see no face, after which it is lost."""
_REMEMBERED = 3.0
"""Seconds for which a lost face may come back in its place."""
_FINER_EVERY = 4
"""Searches of which one goes finer, for faces that are small in the frame."""
_COARSER_EVERY = 2
"""Searches of which one sees large faces only, in a quarter of the time, while all that are known are followed."""
_LIKE_BEFORE = 0.75
"""Correlation of a small picture of the face with that at the last look, under which the detector looks at once."""
_SAME_SHOT, _SLIGHT = 0.6, 12.0
"""Correlation of small pictures of two frames under which there is a cut, and mean difference (of 255) over which."""
_SMALL, _PATCH = (32, 24), 28
"""Sides of small pictures of a frame, and of a face."""
_COMMON = 0.4
"""What two boxes of one face have in common at least, as a share of the smaller."""
_GROWTH = 1.35
"""Most by which a face grows or shrinks from frame to frame."""

Small = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Tracked:
    """A face in a frame.

    Attributes:
        track: number of the track, from 0: one face without interruption.
        after: the track that was lost nearby a short while before this one began; None: none.
        face: in pixels of `Frame.image`.
    """

    track: int
    after: int | None
    face: Face


@dataclass
class _Track:
    number: int
    after: int | None
    landmarks: Landmarks
    score: float
    patch: Small
    checked: float
    doubts: int = 0
    seen: float = 0.0


class Tracker:
    """Follows the faces of a film; feed it the frames in order.

    Args:
        extractor: what finds and marks faces.
    """

    def __init__(self, extractor: FaceExtractor) -> None:
        self._extractor = extractor
        self._tracks: list[_Track] = []
        self._lost: list[_Track] = []
        self._next, self._searches, self._searched = 0, 0, -np.inf
        self._small: Small | None = None

    @property
    def in_doubt(self) -> frozenset[int]:
        """Numbers of the tracks that are followed, but not given, for their face may be gone."""
        return frozenset(track.number for track in self._tracks if track.doubts)

    def step(self, frame: Frame) -> list[Tracked]:
        """The faces of the next frame, those that are in doubt left out."""
        if self._is_cut(frame.image):
            self._tracks, self._lost, self._searched = [], [], -np.inf
        seen = [(track, face) for track in list(self._tracks) if (face := self._follow(track, frame)) is not None]
        seen = self._without_doubles(seen)
        self._lost = [track for track in self._lost if frame.time - track.seen <= _REMEMBERED]
        if frame.time - self._searched >= (_SEARCH if self._tracks and not self._lost else _SEARCH_SOON):
            seen += self._search(frame, [face.box for _, face in seen])
        return [Tracked(track.number, track.after, face) for track, face in seen]

    def _follow(self, track: _Track, frame: Frame) -> Face | None:
        """The face of a track; None where it is in doubt, or lost."""
        try:
            face = self._extractor.follow(frame.image, track.landmarks, track.score)
        except FaceError:
            self._lose(track)
            return None
        before, now = _extent(track.landmarks), _extent(face.landmarks_photo)
        patch = _small(face.crop, (_PATCH, _PATCH))
        jumped = not 1 / _GROWTH < now / before < _GROWTH
        wait = _CHECK_SOON if track.doubts else _CHECK
        if jumped or frame.time - track.checked >= wait or _alike(patch, track.patch) < _LIKE_BEFORE:
            track.checked = frame.time
            found = None if jumped else self._extractor.detector.look_near(frame.image, face.box)
            if found is None:
                track.doubts += 1
                if track.doubts >= _DOUBTS:
                    self._lose(track)
                if not jumped:
                    track.landmarks = face.landmarks_photo
                return None
            track.score, track.doubts, track.patch = found.score, 0, patch
            face = replace(face, box=replace(face.box, score=found.score))
            if found.common(face.box) < 2 * _COMMON:  # the landmarks have gone astray
                try:
                    face = self._extractor.begin(frame.image, found)
                except FaceError:
                    self._lose(track)
                    return None
        elif track.doubts:
            track.landmarks = face.landmarks_photo
            return None
        track.landmarks, track.seen = face.landmarks_photo, frame.time
        return face

    def _lose(self, track: _Track) -> None:
        self._tracks.remove(track)
        self._lost.append(track)

    def _without_doubles(self, seen: list[tuple[_Track, Face]]) -> list[tuple[_Track, Face]]:
        """Two tracks on one face: the older one stays, for the other has slid there."""
        kept: list[tuple[_Track, Face]] = []
        for track, face in seen:
            if any(face.box.common(other.box) > 2 * _COMMON for _, other in kept):
                self._lose(track)
            else:
                kept.append((track, face))
        return kept

    def _search(self, frame: Frame, known: list[FaceBox]) -> list[tuple[_Track, Face]]:
        side = COARSE_TO_FINE[0]
        if self._searches % _FINER_EVERY == 0 and max(frame.image.shape[:2]) > side:
            side = COARSE_TO_FINE[1]
        elif self._searches % _COARSER_EVERY and self._tracks and not self._lost:
            side = COARSE_SIDE
        self._searched, self._searches = frame.time, self._searches + 1
        begun = []
        doubtful = [track for track in self._tracks if track.doubts]
        for box in self._extractor.detector.search(frame.image, side):
            if any(box.common(other) > _COMMON for other in known):
                continue
            try:
                face = self._extractor.begin(frame.image, box)
            except FaceError:
                continue
            patch = _small(face.crop, (_PATCH, _PATCH))
            for track in doubtful:
                if _near(face.landmarks_photo, track.landmarks):
                    self._lose(track)
            doubtful = [track for track in doubtful if track in self._tracks]
            after = next((t for t in reversed(self._lost) if _near(face.landmarks_photo, t.landmarks)), None)
            if after is not None:
                self._lost.remove(after)
            track = _Track(
                self._next, None if after is None else after.number, face.landmarks_photo, box.score, patch,
                frame.time, 0, frame.time,
            )  # fmt: skip
            self._next += 1
            self._tracks.append(track)
            known = [*known, box]
            begun.append((track, face))
        return begun

    def _is_cut(self, image: RGBImage) -> bool:
        before, self._small = self._small, _small(image, _SMALL)
        if before is None:
            return False
        return _alike(self._small, before) < _SAME_SHOT and float(np.abs(self._small - before).mean()) > _SLIGHT

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """All that it knows, to go on later."""
        both = [*self._tracks, *self._lost]
        nothing = np.zeros((0, 68, 2), np.float32), np.zeros((0, _PATCH, _PATCH), np.float32)
        numbers = [
            [t.number, -1 if t.after is None else t.after, t.doubts, i < len(self._tracks)]
            for i, t in enumerate(both)
        ]
        return {
            "tracker.counts": np.array([self._next, self._searches], np.int64),
            "tracker.searched": np.array([self._searched], np.float64),
            "tracker.small": np.zeros(0, np.float32) if self._small is None else self._small,
            "tracker.numbers": np.array(numbers, np.int64).reshape(-1, 4),
            "tracker.times": np.array([[t.checked, t.seen, t.score] for t in both], np.float64).reshape(-1, 3),
            "tracker.landmarks": np.stack([t.landmarks for t in both]) if both else nothing[0],
            "tracker.patches": np.stack([t.patch for t in both]) if both else nothing[1],
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `to_arrays` gave."""
        self._next, self._searches = (int(n) for n in arrays["tracker.counts"])
        self._searched = float(arrays["tracker.searched"][0])
        small = arrays["tracker.small"]
        self._small = small if small.size else None
        self._tracks, self._lost = [], []
        rows = zip(
            arrays["tracker.numbers"].tolist(), arrays["tracker.times"].tolist(), arrays["tracker.landmarks"],
            arrays["tracker.patches"], strict=True,
        )  # fmt: skip
        for (number, after, doubts, followed), (checked, seen, score), landmarks, patch in rows:
            previous = None if after < 0 else after
            track = _Track(number, previous, landmarks, score, patch, checked, doubts, seen)
            (self._tracks if followed else self._lost).append(track)


def _small(image: RGBImage, sides: tuple[int, int]) -> Small:
    """A small grey picture, float32, (height, width)."""
    step = max(1, min(image.shape[0] // (2 * sides[1]), image.shape[1] // (2 * sides[0])))
    small = cv2.resize(np.ascontiguousarray(image[::step, ::step]), sides, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)


def _alike(one: Small, other: Small) -> float:
    """Correlation, -1 to 1; brighter or darker light leaves it at 1."""
    a, b = one - one.mean(), other - other.mean()
    length = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / length if length > 1e-6 else 1.0


def _extent(landmarks: Landmarks) -> float:
    """Diagonal of the landmarks' box."""
    return max(1e-6, float(np.hypot(*np.ptp(landmarks, axis=0))))


def _near(one: Landmarks, other: Landmarks) -> bool:
    """Whether a face can be the one that was lost: within a face's width, and of about its size."""
    a, b = _extent(one), _extent(other)
    apart = float(np.hypot(*(one.mean(axis=0) - other.mean(axis=0))))
    return apart < 0.7 * max(a, b) and 1 / 1.6 < a / b < 1.6
