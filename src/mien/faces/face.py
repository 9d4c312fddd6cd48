"""What is found in a photo: a `Face`, and `Faces` for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import overload

import numpy as np
from numpy.typing import NDArray

from mien.faces.alignment import take_back_stretch
from mien.faces.detection import FaceBox
from mien.faces.identity import Identity, describe_identity
from mien.faces.landmarks import Landmarks
from mien.faces.points68 import POINT_COUNT
from mien.faces.quality import Quality, measure_quality
from mien.images import RGBImage


@dataclass(frozen=True, eq=False)
class Face:
    """A face found in a photo and aligned.

    Attributes:
        box: where the detector saw it, in photo pixels.
        face_count: how many faces of comparable size the photo shows. 0 where none was found and the whole photo was
            taken for one.
        landmarks_photo: shape (68, 2), float32, photo pixels.
        crop: shape (size, size, 3), uint8, RGB: the aligned face.
        landmarks_crop: shape (68, 2), float32, crop pixels, found anew on the crop.
        confidence: shape (68,), float32, 0..1: how sure the predictor is of each landmark of the crop, see `Marks`;
            NaN where it does not say.
        stretch: how many times wider than in the photo the face is in the crop, beside its size.
        landmarks_fine: side -> shape (68, 2), float32: found on a crop of that side, but in pixels of `crop`, so
            that they can be compared with `landmarks_crop`.
        exposure: mean grey of its middle in the photo, 0..255; None: as that of the crop.
        repaired: the photo's file lacked its end marker, but no pixel.
    """

    box: FaceBox
    face_count: int
    landmarks_photo: Landmarks
    crop: RGBImage
    landmarks_crop: Landmarks
    confidence: NDArray[np.float32]
    stretch: float = 1.0
    landmarks_fine: dict[int, Landmarks] = field(default_factory=dict)
    exposure: float | None = None
    repaired: bool = False

    @cached_property
    def quality(self) -> Quality:
        """How well it can be read."""
        return measure_quality(self.crop, self.landmarks_photo, self.landmarks_crop, self.box.score, self.exposure)

    @cached_property
    def identity(self) -> Identity:
        """Who it is, shape (128,): asked for only where a face is compared with a reference (11 ms)."""
        return describe_identity(*take_back_stretch(self.crop, self.landmarks_crop, self.stretch))

    def without_pixels(self) -> Face:
        """The same face with an empty crop, for keeping thousands.

        What follows from its pixels is measured first; its identity only if somebody asked for it before.
        """
        light = replace(self, crop=np.zeros((0, 0, 3), dtype=np.uint8))
        measured = {"quality": self.quality} | {
            key: self.__dict__[key] for key in ("identity",) if key in self.__dict__
        }
        light.__dict__.update(measured)
        return light

    def __repr__(self) -> str:
        left, top, right, bottom = (round(edge) for edge in self.box.as_array().tolist())
        return f"Face(x {left} to {right}, y {top} to {bottom}, score {self.box.score:.2f})"


@dataclass(frozen=True, eq=False)
class Faces(Sequence[Face]):
    """The faces of a photo, the largest first.

    Attributes:
        faces: one or more.
        photo: name of the photo.
    """

    faces: tuple[Face, ...]
    photo: str = "photo"

    @property
    def boxes(self) -> NDArray[np.float32]:
        """Shape (n, 4): left, top, right, bottom in photo pixels."""
        return np.array([face.box.as_array() for face in self.faces]).reshape(-1, 4)

    @property
    def scores(self) -> NDArray[np.float32]:
        """Shape (n,): of the detector, whose threshold is 0."""
        return np.array([face.box.score for face in self.faces], dtype=np.float32)

    @property
    def landmarks(self) -> NDArray[np.float32]:
        """Shape (n, 68, 2), photo pixels."""
        return np.array([face.landmarks_photo for face in self.faces]).reshape(-1, POINT_COUNT, 2)

    @property
    def quality(self) -> tuple[Quality, ...]:
        """How well each can be read."""
        return tuple(face.quality for face in self.faces)

    def __len__(self) -> int:
        return len(self.faces)

    @overload
    def __getitem__(self, place: int) -> Face: ...

    @overload
    def __getitem__(self, place: slice) -> Faces: ...

    def __getitem__(self, place: int | slice) -> Face | Faces:
        return Faces(self.faces[place], self.photo) if isinstance(place, slice) else self.faces[place]

    def __iter__(self) -> Iterator[Face]:
        return iter(self.faces)

    def __repr__(self) -> str:
        return f"Faces({len(self)} in {self.photo})"
