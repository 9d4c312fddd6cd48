"""Who is who in a film, and what each person's faces are compared with.

A track is a person's from its first frame: that of the person who was lost in that place a moment ago, or whose
identity (`mien.faces.identity`) is nearest, or a new one. A person's reference is estimated from frames some time
apart, those that lie far from most left out; it gets better as the film goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.displacement import Reference
from mien.faces import Face
from mien.faces.identity import ONE_PERSON, identity_distance
from mien.inference import ExpressionModel, SubjectProfile

_SAMPLES = 240
"""Frames of a person that are kept for the reference: a few kilobytes each."""
_SPACING = 0.5
"""Seconds between them, at first; doubled whenever there are too many."""
_FRONTAL = 0.22
"""How far the nose may lie beside the middle, as a share of the eyes' distance, in such a frame."""
_FAR = 3.0
"""Median distances from the middle of all samples, beyond which one is left out."""
_STILL_ONE = 1.25
"""Times `ONE_PERSON` up to which a face that comes back in its place is the same person's."""
_DESCRIBED = (0.0, 0.7, 2.0)
"""Seconds after a track begins at which it is described who is seen."""


@dataclass(eq=False)
class Person:
    """Somebody in a film.

    Attributes:
        number: from 1, in the order in which they appear.
        profile: of somebody enrolled, where it is known who it is.
    """

    number: int
    profile: SubjectProfile | None = None
    described: list[NDArray[np.float32]] = field(default_factory=list)
    to_describe: list[Face] = field(default_factory=list)
    landmarks: list[NDArray[np.float32]] = field(default_factory=list)
    features: list[NDArray[np.float32]] = field(default_factory=list)
    spacing: float = _SPACING
    sampled: float = -np.inf
    _reference: Reference | None = None

    @property
    def name(self) -> str:
        """The name of the profile, or `person 1`."""
        return f"person {self.number}" if self.profile is None else self.profile.name

    @property
    def identities(self) -> list[NDArray[np.float32]]:
        """Descriptions of who is seen, of shape (128,); made when they are asked for (11 ms each)."""
        self.described += [face.identity for face in self.to_describe]
        self.to_describe.clear()
        return self.described

    def is_due(self, time: float) -> bool:
        """Whether it is time for another frame."""
        return time - self.sampled >= self.spacing

    def sample(self, time: float, landmarks_crop: NDArray[np.float32], feature: NDArray[np.float32]) -> None:
        """Keep a frame for the reference."""
        self.sampled, self._reference = time, None
        self.landmarks.append(landmarks_crop)
        self.features.append(feature)
        if len(self.landmarks) > _SAMPLES:
            self.landmarks, self.features, self.spacing = self.landmarks[::2], self.features[::2], 2 * self.spacing

    def reference(self, model: ExpressionModel) -> Reference:
        """What the person's faces are compared with, as far as it is known by now."""
        if self.profile is not None:
            return self.profile.reference_for(model)
        if self._reference is None:
            landmarks = np.stack(self.landmarks)
            usual = _usual(landmarks)
            self._reference = model.reference(landmarks[usual], np.stack(self.features)[usual])
        return self._reference


class People:
    """All people of a film.

    Args:
        model: whose references are made.
        profiles: enrolled people who may be in the film; one without an identity, if it is the only one, is taken for
            everybody's.
    """

    def __init__(self, model: ExpressionModel, profiles: Sequence[SubjectProfile] = ()) -> None:
        self._model = model
        self._profiles = tuple(profiles)
        for profile in self._profiles:
            profile.reference_for(model)
        self.people: list[Person] = []
        self.of_track: dict[int, int] = {}
        """Number of a track -> number of its person."""
        self._begun: dict[int, tuple[float, int]] = {}
        """Number of a track -> when it began, and how often it has been described."""

    def see(
        self, track: int, after: int | None, time: float, face: Face, feature: NDArray[np.float32], here: set[int]
    ) -> Person:
        """Whose face a track shows, and what is learnt from it.

        Args:
            track, after, face: see `Tracked`.
            time: of the frame.
            feature: visual feature of the face, shape (size,).
            here: numbers of the people whom other tracks show in this frame.
        """
        if track not in self.of_track:
            self.of_track[track] = self._recognise(after, face, here).number
            self._begun[track] = (time, 1)
        person = self.people[self.of_track[track] - 1]
        begun, described = self._begun[track]
        if described < len(_DESCRIBED) and time - begun >= _DESCRIBED[described] and _is_frontal(face):
            self._begun[track] = (begun, described + 1)
            self._describe(person, face)
        if person.is_due(time) and (not person.landmarks or _is_frontal(face)):
            person.sample(time, face.landmarks_crop, feature)
        return person

    def _recognise(self, after: int | None, face: Face, here: set[int]) -> Person:
        before = None if after is None else self.of_track.get(after)
        best, nearest = None, np.inf
        for person in self.people:
            if person.number in here:
                continue
            allowed = ONE_PERSON * (_STILL_ONE if person.number == before else 1)
            distance = identity_distance(np.mean(person.identities, axis=0), face.identity) / allowed
            if distance <= 1 and distance < nearest:
                best, nearest = person, distance
        if best is None:
            best = Person(len(self.people) + 1)
            self.people.append(best)
        self._describe(best, face)
        return best

    def _describe(self, person: Person, face: Face) -> None:
        if len(person.described) + len(person.to_describe) < 4 * len(_DESCRIBED):
            person.to_describe.append(face)  # of who is alone in a film nobody may ever ask who it is
        if person.profile is not None or not self._profiles:
            return
        taken = {other.profile.name for other in self.people if other.profile is not None}
        mean = np.mean(person.identities, axis=0)
        known = [
            (_distance(profile, mean), i) for i, profile in enumerate(self._profiles) if profile.name not in taken
        ]
        if known and min(known)[0] <= ONE_PERSON:
            person.profile = self._profiles[min(known)[1]]
        elif len(self._profiles) == 1 and self._profiles[0].reference.identity is None:
            person.profile = self._profiles[0]

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """All that is known, to go on later."""
        places = {id(profile): place for place, profile in enumerate(self._profiles)}
        arrays: dict[str, NDArray[Any]] = {
            "people.tracks": np.array(
                [[t, p, self._begun[t][1]] for t, p in self.of_track.items()], np.int64
            ).reshape(-1, 3),
            "people.begun": np.array([self._begun[t][0] for t in self.of_track], np.float64),
            "people.profiles": np.array(
                [-1 if p.profile is None else places[id(p.profile)] for p in self.people], np.int64
            ),
            "people.sampling": np.array([[p.spacing, p.sampled] for p in self.people], np.float64).reshape(-1, 2),
        }
        for person in self.people:
            arrays[f"person.{person.number}.identities"] = np.stack(person.identities)
            arrays[f"person.{person.number}.landmarks"] = np.stack(person.landmarks)
            arrays[f"person.{person.number}.features"] = np.stack(person.features)
        return arrays

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `to_arrays` gave."""
        self.of_track, self._begun = {}, {}
        for (track, person, described), begun in zip(
            arrays["people.tracks"].tolist(), arrays["people.begun"].tolist(), strict=True
        ):
            self.of_track[track] = person
            self._begun[track] = (begun, described)
        self.people = []
        for i, (spacing, sampled) in enumerate(arrays["people.sampling"].tolist()):
            place = int(arrays["people.profiles"][i])
            person = Person(i + 1, None if place < 0 else self._profiles[place], spacing=spacing, sampled=sampled)
            person.described = list(arrays[f"person.{i + 1}.identities"])
            person.landmarks = list(arrays[f"person.{i + 1}.landmarks"])
            person.features = list(arrays[f"person.{i + 1}.features"])
            self.people.append(person)


def _usual(landmarks: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which samples, of (n, 68, 2), lie no farther from their middle than is usual; one at least."""
    apart = np.linalg.norm(landmarks - np.median(landmarks, axis=0), axis=(1, 2))
    near: NDArray[np.bool_] = apart <= _FAR * max(1e-6, float(np.median(apart)))
    return near if near.any() else np.ones(len(landmarks), dtype=bool)


def _is_frontal(face: Face) -> bool:
    return abs(face.quality.yaw) <= _FRONTAL


def _distance(profile: SubjectProfile, identity: NDArray[np.float64]) -> float:
    known = profile.reference.identity
    return np.inf if known is None else identity_distance(known, identity)
