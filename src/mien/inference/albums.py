"""Reading an album: photos of several people, each face compared with all photos of the same person."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mien.displacement import Reference
from mien.errors import MienError, PhotoError
from mien.faces.identity import ONE_PERSON, identity_distance
from mien.images import RGBImage, resize
from mien.inference.classification import EncodedFaces, classify
from mien.inference.finding import PhotoLike, WhichFaces, find_faces
from mien.inference.grouping import group_identities
from mien.inference.profiles import SubjectProfile
from mien.inference.recognizer import Recognizer
from mien.inference.results import Recognition, Recognitions
from mien.jobs.executors import Executor
from mien.jobs.mapping import map_in_order

GroupBy = Literal["person", "folder"]
"""`person`: who is who is found out. `folder`: each folder holds photos of one person, the largest face of each."""
THUMBNAIL = 112
"""Side in pixels."""


@dataclass(frozen=True, eq=False)
class AlbumPerson:
    """Somebody in an album.

    Attributes:
        name: of the profile or the folder, or `person 1`.
        reference: what the faces are compared with.
        faces: how many there are.
        doubtful: how many of them may be somebody else's.
        thumbnails: of the faces, the surest grouped first, shape (112, 112, 3), uint8, RGB; with what they display.
    """

    name: str
    reference: Reference
    faces: int
    doubtful: int
    thumbnails: tuple[tuple[RGBImage, str], ...]


@dataclass(frozen=True, eq=False)
class Album:
    """What is in an album.

    Attributes:
        photos: what each shows, in order; errors too.
        people: who is in it, those with most photos first.
    """

    photos: tuple[Recognitions, ...]
    people: tuple[AlbumPerson, ...]


def read_album(
    recognizer: Recognizer,
    photos: Iterable[PhotoLike],
    group_by: GroupBy = "person",
    profiles: Sequence[SubjectProfile] = (),
    *,
    workers: int | None = None,
    executor: Executor | None = None,
    progress: Callable[[int], None] | None = None,
) -> Album:
    """Read all faces of an album, each relative to the same person's other photos.

    Args:
        recognizer: whose weights are used.
        photos: see `Recognizer.recognize`; paths, to group them by folder.
        group_by: how it is known who is who.
        profiles: enrolled people: a group whose identity is near to one's has the name, and is compared with the
            profile where that is worth more than the photos.
        workers, executor: see `Recognizer.recognize_many`.
        progress: called with (photos done).

    Raises:
        MienError: `group_by` is something else.
        ForeignReferenceError: a profile was made with other weights.
    """
    if group_by not in get_args(GroupBy):
        raise MienError(f"group_by={group_by!r}: choose 'person' or 'folder'")
    model = recognizer.model
    for profile in profiles:
        profile.reference_for(model)
    wanted: WhichFaces = "all" if group_by == "person" else "largest"
    look = partial(_look, recognizer=recognizer, wanted=wanted, identified=group_by == "person" or bool(profiles))
    read: list[Recognitions] = []
    seen: list[_Seen] = []
    for part, faces in map_in_order(look, photos, workers, executor):
        seen += [replace(face, photo=len(read)) for face in faces]
        read.append(part)
        if progress is not None:
            progress(len(read))
    groups, doubtful, names = _group(seen, read, group_by)
    return _compare(recognizer, read, seen, groups, doubtful, names, profiles)


@dataclass(frozen=True, eq=False)
class _Seen:
    """A face, without the pixels that are not needed any more."""

    photo: int
    landmarks: NDArray[np.float32]
    feature: NDArray[np.float32]
    identity: NDArray[np.float32] | None
    thumbnail: RGBImage


def _look(
    photo: PhotoLike, recognizer: Recognizer, wanted: WhichFaces, identified: bool
) -> tuple[Recognitions, list[_Seen]]:
    """A photo by itself: all that costs time, and none of the pixels that are not needed any more."""
    try:
        encoded = EncodedFaces.of(find_faces(recognizer.extractor, photo, wanted), recognizer.model)
    except PhotoError as error:
        return Recognitions.failed(error), []
    seen = [
        _Seen(0, face.landmarks_crop, feature, face.identity if identified else None, _thumbnail(face.crop))
        for face, feature in zip(encoded.faces, encoded.features, strict=True)
    ]
    unsure_below = recognizer.unsure_below
    light = encoded.without_pixels()
    return classify(light, recognizer.model, None, check_identity=False, unsure_below=unsure_below), seen


def _group(
    seen: list[_Seen], read: list[Recognitions], group_by: GroupBy
) -> tuple[NDArray[np.int64], NDArray[np.bool_], list[str]]:
    """Group of each face, whether that is doubtful, and the groups' names."""
    if group_by == "folder":
        folders = [Path(read[one.photo].photo).parent for one in seen]
        own = list(dict.fromkeys(folders))
        groups, order = _largest_first(np.array([own.index(folder) for folder in folders], np.int64))
        names = _short_names(own)
        return groups, np.zeros(len(seen), np.bool_), [names[number] for number in order]
    identities = np.array([one.identity for one in seen], np.float32).reshape(-1, 128)
    grouping = group_identities(identities, [one.photo for one in seen])
    groups, order = _largest_first(grouping.groups)
    return groups, grouping.doubtful, [f"person {i + 1}" for i in range(len(order))]


def _largest_first(groups: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[int]]:
    """Groups numbered by size, the largest first, and for each the number that it had."""
    order = np.argsort(-np.bincount(groups), kind="stable")
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    return places[groups], order.tolist()


def _short_names(folders: Sequence[Path]) -> list[str]:
    """The name of each folder, with those above it where others are called the same."""
    names = [folder.name or folder.resolve().name for folder in folders]
    return [name if names.count(name) == 1 else str(folder) for name, folder in zip(names, folders, strict=True)]


def _compare(
    recognizer: Recognizer,
    read: list[Recognitions],
    seen: list[_Seen],
    groups: NDArray[np.int64],
    doubtful: NDArray[np.bool_],
    names: list[str],
    profiles: Sequence[SubjectProfile],
) -> Album:
    model = recognizer.model
    answers: list[list[Recognition]] = [list(part) for part in read]
    people = []
    first = {one.photo: i for i, one in reversed(list(enumerate(seen)))}
    named = _name_groups(seen, groups, doubtful, len(names), profiles)
    for number, given in enumerate(names):
        own = np.flatnonzero(groups == number)
        sure = _sure(own, doubtful)
        landmarks = np.stack([seen[i].landmarks for i in own])
        features = np.stack([seen[i].feature for i in own])
        among = np.isin(own, sure)
        reference = model.reference(landmarks[among], features[among])
        profile = named.get(number)
        name = given if profile is None else profile.name
        if profile is not None and profile.reference.worth > reference.worth:
            reference = profile.reference
        references = [reference] * len(own)
        rows = model.probabilities(model.scores(features, landmarks, references), references)
        moved = model.moved_from_neutral(landmarks, references)
        shown = []
        for i, row, points, actions in zip(own.tolist(), rows, moved, model.actions(moved), strict=True):
            one, place = seen[i], i - first[seen[i].photo]
            before = answers[one.photo][place]
            answers[one.photo][place] = replace(
                before,
                probabilities=row,
                reference=reference,
                moved=points,
                actions=actions,
                person=name,
                person_doubtful=bool(doubtful[i]),
            )
            shown.append((doubtful[i], one.thumbnail, answers[one.photo][place].phrase))
        shown.sort(key=lambda item: bool(item[0]))
        tiles = tuple((tile, phrase) for _, tile, phrase in shown)
        people.append(AlbumPerson(name, reference, len(own), int(doubtful[own].sum()), tiles))
    photos = tuple(replace(part, faces=tuple(faces)) for part, faces in zip(read, answers, strict=True))
    return Album(photos, tuple(people))


def _sure(own: NDArray[np.int64], doubtful: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The faces of a group that surely belong to it; all where none does."""
    return own[~doubtful[own]] if (~doubtful[own]).any() else own


def _name_groups(
    seen: list[_Seen],
    groups: NDArray[np.int64],
    doubtful: NDArray[np.bool_],
    count: int,
    profiles: Sequence[SubjectProfile],
) -> dict[int, SubjectProfile]:
    """Whose group it is, by number: the nearest profile, but nobody is twice in one photo."""
    near = []
    for number in range(count):
        own = _sure(np.flatnonzero(groups == number), doubtful)
        known = [identity for identity in (seen[i].identity for i in own) if identity is not None]
        if not known:
            continue
        mean = np.mean(known, axis=0)
        for place, profile in enumerate(profiles):
            if profile.reference.identity is not None:
                distance = identity_distance(profile.reference.identity, mean)
                near += [(distance, number, place)] if distance <= ONE_PERSON else []
    named: dict[int, SubjectProfile] = {}
    photos: dict[int, set[int]] = {}
    for _, number, place in sorted(near):
        own_photos = {seen[i].photo for i in np.flatnonzero(groups == number)}
        if number not in named and not own_photos & photos.setdefault(place, set()):
            named[number] = profiles[place]
            photos[place] |= own_photos
    return named


def _thumbnail(crop: RGBImage) -> RGBImage:
    return resize(crop, THUMBNAIL / len(crop))
