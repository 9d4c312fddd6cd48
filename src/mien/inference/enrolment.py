"""From photos of a person to their profile: neutral photos and others are told apart by what the model reads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from mien.displacement import NEUTRAL_WORTH
from mien.errors import PhotoError
from mien.faces import Faces
from mien.inference.finding import PhotoLike
from mien.inference.profiles import SubjectProfile
from mien.inference.recognizer import Recognizer
from mien.inference.results import Recognition
from mien.labels import NEUTRAL

Shown = Literal["neutral", "mixed"]
"""What photos of a person show: no emotion, or any."""


@dataclass(frozen=True, eq=False)
class Enrolment:
    """A profile, and how it came about.

    Attributes:
        profile: of the person.
        readings: what each photo shows, read by itself.
        neutral: whether each photo was taken for neutral.
    """

    profile: SubjectProfile
    readings: tuple[Recognition, ...]
    neutral: tuple[bool, ...]


def enroll(
    recognizer: Recognizer,
    name: str,
    photos: Iterable[PhotoLike],
    shown: Shown | None = None,
    faces: Literal["one", "largest"] = "one",
) -> Enrolment:
    """Make the profile of a person; it is not saved yet.

    Without `shown` a photo is taken for neutral where that is the likeliest class. Of the reference from those alone
    and the one from all photos, that is chosen which is worth more (`Reference.worth`).

    Args:
        recognizer: whose weights the profile is for.
        name: of the person.
        photos: one or more, see `Recognizer.recognize`.
        shown: what all of them show, where that is known.
        faces: which face is meant where a photo shows several.

    Raises:
        PhotoError: one of the photos cannot be used, or there are none.
    """
    seen = [recognizer.recognize(photo, faces=faces) for photo in photos]
    if not seen:
        raise PhotoError("a profile needs at least one photo; name photos of the person")
    neutral = tuple(shown == "neutral" or (shown is None and face.emotion == NEUTRAL) for face in seen)
    of_all = [Faces((face.face,), face.photo) for face in seen]
    of_neutral = [face for face, is_neutral in zip(of_all, neutral, strict=True) if is_neutral]
    model = recognizer.model
    if of_neutral and (shown == "neutral" or len(seen) <= NEUTRAL_WORTH):
        reference = recognizer.neutral_reference(of_neutral)
    else:
        reference = recognizer.reference(of_all)
    today = datetime.now(UTC).date().isoformat()
    profile = SubjectProfile(name, reference, model.meta.landmarker, len(seen), sum(neutral), today)
    return Enrolment(profile, tuple(seen), neutral)
