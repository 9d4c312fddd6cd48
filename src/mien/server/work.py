"""What worker processes do. Each has one `Recognizer`; tasks take and give plain values, so nothing outlives them."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, Literal

from mien.errors import MienError, PhotoError
from mien.server.problems import Problem, problem_of

if TYPE_CHECKING:
    from mien.displacement import Reference
    from mien.images.photos import PhotoFile
    from mien.inference import Recognition, Recognizer, SubjectProfile

_LOOK = 0.5
"""Seconds between two looks whether the server is still there."""
_OF_PERSON = ("name", "usable", "photos", "neutral", "enrolled")
_run: Path | None = None


@dataclass(frozen=True)
class MadeReference:
    """A reference as the server keeps it, which need not load what it takes to understand it.

    Attributes:
        content: pickled by a worker, for workers.
        kind, photos: as in `Reference`.
        strangers: places of the photos that show somebody else than most.
        expressive: places of photos that are not neutral, and what they show.
    """

    content: bytes = field(repr=False)
    kind: str
    photos: int
    strangers: tuple[int, ...] = ()
    expressive: tuple[tuple[int, str], ...] = ()

    @classmethod
    def of(cls, reference: Reference) -> MadeReference:
        """From one whose photos are named by their places."""
        return cls(
            pickle.dumps(reference),
            reference.kind,
            reference.photo_count,
            tuple(int(place) for place in reference.strangers),
            tuple((int(place), phrase) for place, phrase in reference.expressive),
        )


Given = MadeReference | str | None
"""What faces are compared with: a reference, the name of an enrolled person, or an estimate."""


def begin(run: Path | None, memory: int, niceness: int = 0) -> None:
    """First in each worker: which weights, and how many bytes of data it may have."""
    global _run  # noqa: PLW0603, a process has one
    _run = run
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal; the server ends its workers itself
    Thread(target=_end_with, args=[os.getppid()], daemon=True).start()
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a picture of the memory would hold photos
        os.nice(niceness)


def _end_with(server: int) -> None:
    """End this process when the server is gone, however that went."""
    while os.getppid() == server:
        time.sleep(_LOOK)
    os._exit(1)


def attempt(task: Callable[..., Any], *arguments: Any) -> Any:
    """Do a task; an error of the user's is returned as a `Problem`."""
    try:
        return task(*arguments)
    except MienError as error:
        return problem_of(error)
    except Problem as problem:
        return problem
    except MemoryError:
        return Problem("too-large", "not enough memory to read it")


@cache
def recognizer() -> Recognizer:
    """The one of this process."""
    from mien.inference import Recognizer

    return Recognizer.load(_run)


def describe_model(sample: bytes) -> dict[str, Any]:
    """What is read with; reads a photo, so that the next one is quick."""
    recognizer().recognize(sample).face.identity  # noqa: B018
    meta = recognizer().meta
    return {
        "weights": recognizer().model.identity,
        "method": meta.method,
        "landmarker": meta.landmarker,
        "accuracy": [
            {"reference": one.reference, "photos": one.photos, "top1": one.top1, "top5": one.top5}
            for one in meta.calibration
        ],
    }


def read_photo(
    content: bytes, faces: Literal["one", "largest", "all"], given: Given, most_pixels: int
) -> dict[str, Any]:
    """What the faces of a photo show: width, height and faces."""
    from mien.inference import Recognitions

    photo = open_bounded(content, most_pixels)
    read = recognizer().recognize(photo, reference_of(given), faces=faces)
    found = read if isinstance(read, Recognitions) else [read]
    return {"width": photo.size[0], "height": photo.size[1], "faces": [answer(one) for one in found]}


def read_person(contents: Sequence[bytes], most_pixels: int) -> tuple[MadeReference | None, list[Any]]:
    """What photos of one person show: the reference that they make, and an answer or a `Problem` for each."""
    photos = [attempt(open_bounded, content, most_pixels, str(place)) for place, content in enumerate(contents)]
    usable = [photo for photo in photos if not isinstance(photo, Problem)]
    reference, read = recognizer().recognize_person(usable, faces="largest", workers=1, errors="return")
    answers = iter(read)
    made = None if reference is None else MadeReference.of(reference)
    given = [photo if isinstance(photo, Problem) else _of_photo(photo, next(answers)) for photo in photos]
    return made, given


def read_album(contents: Sequence[bytes], people: bool, most_pixels: int) -> dict[str, Any]:
    """Who is in an album, and what all faces show.

    Args:
        contents: of the photos.
        people: whether enrolled people are looked for.
        most_pixels: of a photo.
    """
    from mien.inference.albums import read_album

    photos = [attempt(open_bounded, content, most_pixels) for content in contents]
    usable = [photo for photo in photos if not isinstance(photo, Problem)]
    profiles = _usable_profiles() if people else []
    album = read_album(recognizer(), usable, profiles=profiles, workers=1)
    read = iter(album.photos)
    return {
        "people": [
            {
                "name": person.name,
                "faces": person.faces,
                "doubtful": person.doubtful,
                "reference": {"kind": person.reference.kind, "photos": person.reference.photo_count},
            }
            for person in album.people
        ],
        "photos": [photo if isinstance(photo, Problem) else _of_photo(photo, next(read)) for photo in photos],
    }


@contextmanager
def _saying_which() -> Iterator[None]:
    """Say which of several photos, named by their places, cannot be used."""
    try:
        yield
    except PhotoError as error:
        problem = problem_of(error)
        place = error.photo or ""
        which = f"photo {int(place) + 1}: " if place.isdigit() else ""
        raise Problem(problem.kind, which + problem.detail) from error


def make_reference(contents: Sequence[bytes], most_pixels: int) -> MadeReference:
    """A reference from photos of the neutral face."""
    with _saying_which():
        photos = [open_bounded(content, most_pixels, str(place)) for place, content in enumerate(contents)]
        return MadeReference.of(recognizer().neutral_reference(photos, faces="largest"))


def _usable_profiles() -> list[SubjectProfile]:
    from mien.inference.profiles import SubjectProfile, enrolled_names

    profiles = []
    for name in enrolled_names():
        with suppress(MienError):  # a damaged one is nobody's
            profiles.append(SubjectProfile.open(name))
    return [profile for profile in profiles if profile.fits(recognizer().model)]


def list_people() -> list[dict[str, Any]]:
    """Who is enrolled; those whose profile cannot be used are said to be unusable."""
    from mien.inference.profiles import SubjectProfile, enrolled_names

    people = []
    for name in enrolled_names():
        usable = False
        with suppress(MienError):
            profile = SubjectProfile.open(name)
            profile.reference_for(recognizer().model)
            usable = True
        kept = (profile.photo_count, profile.neutral_count, profile.enrolled) if usable else (0, 0, "")
        people.append(dict(zip(_OF_PERSON, (name, usable, *kept), strict=True)))
    return people


def enroll_person(
    name: str, contents: Sequence[bytes], neutral: bool, replacing: bool, most_pixels: int
) -> dict[str, Any]:
    """Keep what somebody looks like, in the folder of profiles."""
    from mien.inference.enrolment import enroll
    from mien.inference.profiles import is_enrolled

    if is_enrolled(name) and not replacing:
        raise Problem("enrolled-already", "somebody of that name is enrolled")
    with _saying_which():
        photos = [open_bounded(content, most_pixels, str(place)) for place, content in enumerate(contents)]
        enrolment = enroll(recognizer(), name, photos, "neutral" if neutral else None, faces="largest")
    profile = enrolment.profile
    profile.save(replacing=replacing)
    return {
        "name": name,
        "usable": True,
        "photos": profile.photo_count,
        "neutral": profile.neutral_count,
        "enrolled": profile.enrolled,
    }


def forget_person(name: str) -> None:
    """Delete a profile."""
    from mien.inference.profiles import delete_profile, is_enrolled

    if not is_enrolled(name):
        raise Problem("unknown-person", "nobody of that name is enrolled")
    delete_profile(name)


def answer(seen: Recognition) -> dict[str, Any]:
    """A `Recognition` for JSON, with where its landmarks would lie if it were neutral."""
    from mien.faces.alignment import to_photo_steps

    assert seen.moved is not None  # of films and photos it is always known
    face, meta = seen.face, recognizer().meta
    neutral = face.landmarks_photo - to_photo_steps(seen.moved, face.landmarks_photo, face.stretch)
    calibration = meta.calibration_for(seen.reference.kind, seen.reference.photo_count)
    content = seen.to_dict()
    content["face"]["neutral_landmarks"] = neutral.round(1).tolist()
    content["reference"] |= {"top1": calibration.top1, "top5": calibration.top5}
    return content


def _of_photo(photo: PhotoFile, read: Any) -> Any:
    if read.error is not None:
        return problem_of(read.error)
    return {"width": photo.size[0], "height": photo.size[1], "faces": [answer(one) for one in read]}


def open_bounded(content: bytes, most_pixels: int, name: str = "photo") -> PhotoFile:
    """A photo that is not decoded yet, of no more pixels than are allowed."""
    from mien.images.photos import PhotoFile

    photo = PhotoFile(content, name=name)
    width, height = photo.size
    if width * height > most_pixels:
        raise Problem("too-large", f"{width} x {height} pixels; {most_pixels / 1e6:.0f} megapixels are read at most")
    return photo


def reference_of(given: Given) -> Reference | None:
    from mien.inference.profiles import SubjectProfile, is_enrolled

    if given is None:
        return None
    if isinstance(given, MadeReference):
        reference: Reference = pickle.loads(given.content)
        return reference
    if not is_enrolled(given):
        raise Problem("unknown-person", "nobody of that name is enrolled")
    return SubjectProfile.open(given).reference_for(recognizer().model)
