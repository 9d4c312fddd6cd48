"""From anything that is a photo to the faces in it that are wanted."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Literal

import numpy as np

from mien.displacement import Reference
from mien.errors import FaceError, MienError, SeveralFacesError
from mien.faces import Face, FaceExtractor, Faces
from mien.images import Photo, PhotoArray, PhotoFile, PhotoSource, open_photo

WhichFaces = Literal["one", "largest", "all"]
"""`one`: the face of a photo that shows one; several are refused. `largest`: the largest. `all`: every face."""
PhotoLike = PhotoSource | Photo | Face | Faces
"""A photo (path, bytes, binary file, PIL image, or array), an open one, or what `Recognizer.detect` found in one."""


def find_faces(extractor: FaceExtractor, photo: PhotoLike, which: WhichFaces) -> Faces:
    """The faces of a photo that are wanted; one at least, the largest first.

    Raises:
        MienError: `which` is none of the three words.
        UnreadableError: no usable picture.
        FaceError: no face, or several where one is wanted.
    """
    if which not in ("one", "largest", "all"):
        raise MienError(f"faces={which!r}: choose 'one', 'largest' or 'all'")
    if isinstance(photo, Face):
        return Faces((photo,))
    if isinstance(photo, Faces):
        if not photo:
            raise FaceError("there are no faces in it", photo.photo)
        _refuse_several(min(len(photo), photo[0].face_count), which)  # others may have been left out already
        return photo if which == "all" else photo[:1]
    opened = open_photo(photo)
    try:
        found = extractor.extract_all(opened)
        first = next(found)
        _refuse_several(first.face_count, which)
        return Faces((first, *found) if which == "all" else (first,), opened.name)
    except FaceError as error:
        raise type(error)(error.reason, opened.name, error.count) from error


def list_photos(photos: Iterable[PhotoLike] | PhotoLike) -> Iterable[PhotoLike]:
    """Photos as they are given, one alone as a list of one: a text is one path, an array one picture."""
    single = isinstance(photos, (Face, Faces, PhotoFile, PhotoArray, np.ndarray)) or not isinstance(photos, Iterable)
    if single or isinstance(photos, (str, bytes, bytearray, memoryview, os.PathLike)) or hasattr(photos, "read"):
        return [photos]  # type: ignore[list-item]
    return photos  # type: ignore[return-value]


def pair_photos(
    photos: Iterable[PhotoLike], references: Iterable[Reference | None]
) -> Iterator[tuple[PhotoLike, Reference | None]]:
    """Each photo with its reference, as many of one as of the other.

    Raises:
        MienError: more of one than of the other.
    """
    own = iter(references)
    for photo in photos:
        for reference in islice(own, 1):
            yield photo, reference
            break
        else:
            raise MienError("fewer references than photos; give one for each photo, None where there is none")
    if next(own, own) is not own:
        raise MienError("more references than photos; give one for each photo")


def _refuse_several(count: int, which: WhichFaces) -> None:
    if count > 1 and which == "one":
        raise SeveralFacesError(
            f"{count} faces found; crop the photo to one of them, or choose faces='largest' or faces='all'",
            count=count,
        )
