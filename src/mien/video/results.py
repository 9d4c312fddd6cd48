"""What `mien.video.read` gives: frames of faces, each with its reading."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np

from mien.images import RGBImage
from mien.inference import Recognition


@dataclass(frozen=True, eq=False)
class FilmFace:
    """A face in a frame of a film.

    Attributes:
        track: the same number as long as it is followed without interruption, from 0.
        person: number of who it is, from 1; the same after cuts.
        name: of the person, where a profile is known; else `person 1`.
        recognition: what it shows, smoothed; its face in film pixels, and what it was compared with.
    """

    track: int
    person: int
    name: str
    recognition: Recognition

    @property
    def phrase(self) -> str:
        """The likeliest class in English."""
        return self.recognition.phrase

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"track": self.track, **self.recognition.to_dict(), "person": self.name}

    def __repr__(self) -> str:
        return f"FilmFace({self.name}, {self.phrase}, {self.recognition.probability:.0%})"


@dataclass(frozen=True, eq=False)
class FilmFrame(Sequence[FilmFace]):
    """A frame of a film, as a sequence of its faces; there may be none.

    Attributes:
        number: from 0.
        time: in seconds from the first frame.
        image: shape (height, width, 3), uint8, RGB, upright; frames of more than 1,920 pixels are made smaller.
        faces: in it, the longest followed first.
    """

    number: int
    time: float
    image: RGBImage
    faces: tuple[FilmFace, ...]

    def __len__(self) -> int:
        return len(self.faces)

    @overload
    def __getitem__(self, place: int) -> FilmFace: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[FilmFace, ...]: ...

    def __getitem__(self, place: int | slice) -> FilmFace | tuple[FilmFace, ...]:
        return self.faces[place]

    def __iter__(self) -> Iterator[FilmFace]:
        return iter(self.faces)

    def without_pixels(self) -> FilmFrame:
        """The same frame with an empty image and faces with empty crops, for keeping hundreds."""

        def light(seen: FilmFace) -> FilmFace:
            read = seen.recognition
            return replace(seen, recognition=replace(read, face=read.face.without_pixels()))

        return replace(self, image=np.zeros((0, 0, 3), dtype=np.uint8), faces=tuple(map(light, self.faces)))

    def to_dict(self) -> dict[str, Any]:
        """For JSON: everything but the pixels."""
        return {"frame": self.number, "time": round(self.time, 4), "faces": [face.to_dict() for face in self]}

    def __repr__(self) -> str:
        return f"FilmFrame({self.time:.2f} s: {', '.join(map(repr, self.faces)) or 'no face'})"
