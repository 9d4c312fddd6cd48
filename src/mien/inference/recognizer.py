"""Recognising photos with a trained network, through onnxruntime; torch is not needed.

>>> recognizer = Recognizer.load()
>>> recognizer.recognize("photo.jpg").phrase  # doctest: +SKIP
'surprisedly happy'
>>> me = recognizer.reference_at_rest(["passport.jpg"])  # doctest: +SKIP
>>> recognizer.recognize("photo.jpg", me).phrase  # doctest: +SKIP
'happy'
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from mien.artifacts import ONNX_FILE, load_meta
from mien.displacement import Population, Reference, displacement, load_population
from mien.errors import CheckpointError, FaceError, PhotoError, UnreadableError
from mien.faces import Face, FaceExtractor
from mien.images import MIN_SIDE, PhotoArray, PhotoFile, RGBImage
from mien.inference.calibration import probabilities
from mien.labels import CLASSES, CompoundEmotion, Emotion, scores_to_matrix

_WEIGHTS = Path(__file__).parent / "weights"

Photo = str | os.PathLike[str] | RGBImage
"""A file, or pixels: (height, width, 3), uint8, RGB."""


@dataclass(frozen=True, eq=False)
class Recognition:
    """What a face shows, as far as the network can tell: a displayed expression, not a feeling.

    Attributes:
        probabilities: shape (50,), sums to 1; position is class index.
        reference: what the landmarks were compared with.
        face: the face that was looked at.
    """

    probabilities: NDArray[np.float64]
    reference: Reference
    face: Face

    @cached_property
    def emotion(self) -> CompoundEmotion:
        """The likeliest of the 50 classes."""
        return CLASSES[int(np.argmax(self.probabilities))]

    @property
    def phrase(self) -> str:
        """The likeliest class in English, say `'disgustedly sad'`."""
        return self.emotion.phrase

    @cached_property
    def matrix(self) -> NDArray[np.float64]:
        """Shape (7, 7): probability by complementary (row) and dominant emotion (column)."""
        return scores_to_matrix(self.probabilities)[0]

    @property
    def neutral(self) -> float:
        """Probability that no emotion is shown."""
        return float(self.probabilities[0])

    def top(self, count: int = 5) -> list[tuple[CompoundEmotion, float]]:
        """The likeliest classes with their probabilities, falling."""
        order = np.argsort(-self.probabilities, kind="stable")[:count]
        return [(CLASSES[i], float(self.probabilities[i])) for i in order]

    def as_dict(self) -> dict[str, Any]:
        """For JSON: everything but the pixels, probabilities to 4 places."""
        dominant, complementary = self.matrix.sum(axis=0), self.matrix.sum(axis=1)
        return {
            "label": str(self.emotion),
            "phrase": self.phrase,
            "dominant": self.emotion.dominant and self.emotion.dominant.noun,
            "complementary": self.emotion.complementary and self.emotion.complementary.noun,
            "probability": _rounded(self.probabilities.max()),
            "top": [
                {"label": str(emotion), "phrase": emotion.phrase, "probability": _rounded(share)}
                for emotion, share in self.top()
            ],
            "neutral": _rounded(self.neutral),
            "dominant_probabilities": {e.noun: _rounded(dominant[e - 1]) for e in Emotion},
            "complementary_probabilities": {e.noun: _rounded(complementary[e - 1]) for e in Emotion},
            "matrix": np.round(self.matrix, 4).tolist(),
            "reference": {"kind": self.reference.kind, "photos": self.reference.photo_count},
            "face": {
                "count": self.face.face_count,
                "box": self.face.box.as_array().round(1).tolist(),
                "score": round(self.face.box.score, 3),
                "landmarks": self.face.landmarks_photo.tolist(),
            },
        }


class Recognizer:
    """Reads compound expressions from photos; build it with `Recognizer.load`.

    Args:
        session: the network; inputs `crops` and `displacement`, output `scores`.
        population: makes references from few photos.
        meta: the run's meta.json.
    """

    def __init__(self, session: onnxruntime.InferenceSession, population: Population, meta: dict[str, Any]) -> None:
        self._session = session
        self._population = population
        self._extractor = FaceExtractor()
        self.meta = meta

    @classmethod
    def load(cls, run: str | os.PathLike[str] | None = None) -> Recognizer:
        """Load a trained run, or the weights that come with mien.

        Raises:
            CheckpointError: no such run, an unfinished, damaged or linear one, or one of other landmarks.
        """
        path = Path(run) if run is not None else _WEIGHTS
        meta = load_meta(path)
        if meta["method"] != "network":
            raise CheckpointError(f"{path}: a linear model ({meta['method']}); name the run of a network")
        if size := meta["data"].get("landmark_size"):
            raise CheckpointError(
                f"{path}: trained with landmarks from crops of {size} pixels; name a run of those from crops of its "
                "pictures' own size"
            )
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(path / ONNX_FILE, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has no common base for its errors
            reason = str(error).splitlines()[0]
            raise CheckpointError(
                f"{path / ONNX_FILE}: missing or damaged ({reason}); train the run again"
            ) from error
        return cls(session, load_population(path), meta)

    def find_face(self, photo: Photo, *, largest: bool = False) -> Face:
        """The face in a photo.

        Args:
            largest: take the largest where several are found; else they are refused.

        Raises:
            UnreadableError: the file is no usable image.
            FaceError: no face, or several.
        """
        pixels = PhotoArray(_checked(photo)) if isinstance(photo, np.ndarray) else PhotoFile(photo)
        where = "photo" if isinstance(photo, np.ndarray) else os.fspath(photo)
        try:
            face = self._extractor.extract(pixels)
        except FaceError as error:
            raise FaceError(f"{where}: {error}") from error
        if face.face_count > 1 and not largest:
            raise FaceError(
                f"{where}: {face.face_count} faces found; crop the photo to one of them, or take the largest "
                "(--largest-face)"
            )
        return face

    def reference_at_rest(self, photos: Iterable[Photo | Face], *, largest: bool = False) -> Reference:
        """A reference from photos of the face at rest; one is enough.

        Args:
            photos: files, pixels, or faces that were found before.
            largest: see `find_face`.

        Raises:
            PhotoError: one of the photos cannot be used, or there are none.
        """
        return self._population.from_neutral(self._landmarks(photos, largest))

    def reference_from_many(self, photos: Iterable[Photo | Face], *, largest: bool = False) -> Reference:
        """A reference from photos of one person with various expressions, the more the better.

        Args:
            photos: files, pixels, or faces that were found before.
            largest: see `find_face`.

        Raises:
            PhotoError: one of the photos cannot be used, or there are none.
        """
        return self._population.estimate(self._landmarks(photos, largest))

    def recognize(self, photo: Photo, reference: Reference | None = None, *, largest: bool = False) -> Recognition:
        """What the face in a photo shows.

        Args:
            photo: a file or pixels.
            reference: the same face at rest; estimated from the photo alone if None, which is less sure
                (`reference_costs` tells how much).
            largest: see `find_face`.

        Raises:
            PhotoError: the photo cannot be used.
        """
        return self.recognize_faces([self.find_face(photo, largest=largest)], reference)[0]

    def recognize_faces(self, faces: list[Face], reference: Reference | None = None) -> list[Recognition]:
        """What faces show that were found before; all against `reference`, or each against its estimate."""
        if not faces:
            return []
        references = [reference or self._population.estimate(face.landmarks_crop) for face in faces]
        moved = [displacement(f.landmarks_crop, r) for f, r in zip(faces, references, strict=True)]
        feed = {"crops": np.stack([face.crop for face in faces]), "displacement": np.stack(moved)}
        scores = self._session.run(["scores"], feed)[0]
        return [
            Recognition(probabilities(row, self.meta["references"][used.kind]["temperature"]), used, face)
            for row, used, face in zip(scores, references, faces, strict=True)
        ]

    @property
    def reference_costs(self) -> dict[str, float]:
        """Top-1 accuracy with each kind of reference, on the validation subjects of the run."""
        return {kind: measured["top1"] for kind, measured in self.meta["references"].items()}

    def _landmarks(self, photos: Iterable[Photo | Face], largest: bool) -> NDArray[np.float32]:
        faces = (photo if isinstance(photo, Face) else self.find_face(photo, largest=largest) for photo in photos)
        landmarks = [face.landmarks_crop for face in faces]
        if not landmarks:
            raise PhotoError("a reference needs at least one photo; name a photo of the face at rest")
        return np.stack(landmarks)


def _checked(pixels: NDArray[Any]) -> RGBImage:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or min(pixels.shape[:2]) < MIN_SIDE:
        raise UnreadableError(
            f"photo: pixels of shape {pixels.shape} and type {pixels.dtype}; give (height, width, 3), uint8, RGB, "
            f"with sides of {MIN_SIDE} or more"
        )
    return np.ascontiguousarray(pixels)


def _rounded(share: float) -> float:
    return round(float(share), 4)
