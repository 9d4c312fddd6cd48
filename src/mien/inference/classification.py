"""From faces to what they show: encoded once, compared with a reference, classified."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.displacement import Reference
from mien.errors import MienError
from mien.faces import Faces
from mien.faces.identity import identity_distance
from mien.inference.model import ExpressionModel
from mien.inference.results import Recognition, Recognitions


@dataclass(frozen=True, eq=False)
class EncodedFaces:
    """Faces of a photo and what the encoder makes of them.

    Attributes:
        faces: n of them.
        features: shape (n, size), float32.
    """

    faces: Faces
    features: NDArray[np.float32]

    @classmethod
    def of(cls, faces: Faces, model: ExpressionModel) -> EncodedFaces:
        """Encode faces.

        Raises:
            MienError: faces without pixels, as in the answers of `Recognizer.recognize_person`.
        """
        if model.encoder is not None and not all(face.crop.size for face in faces):
            raise MienError("a face holds no pixels any more; take one of `detect` or `recognize`")
        return cls(faces, model.encode(np.stack([face.crop for face in faces])))

    def without_pixels(self) -> EncodedFaces:
        """The same without crops: some kilobytes a face."""
        small = Faces(tuple(face.without_pixels() for face in self.faces), self.faces.photo)
        return EncodedFaces(small, self.features)


def classify(
    encoded: EncodedFaces,
    model: ExpressionModel,
    reference: Reference | None,
    *,
    check_identity: bool,
    unsure_below: float,
) -> Recognitions:
    """What faces of one photo show.

    Args:
        encoded: the faces.
        model: what encoded them.
        reference: of all of them; None: each is compared with what it alone says of its person.
        check_identity: ask whether they show the person of the reference.
        unsure_below: probability, 0..1, below which an answer is unsure.

    Raises:
        MienError: something else than a reference.
        ForeignReferenceError: a reference that another run made.
    """
    faces, features = encoded.faces, encoded.features
    if reference is not None:
        if not isinstance(reference, Reference):
            raise MienError(
                f"{type(reference).__name__} is no reference; make one with neutral_reference or reference, or "
                "read one with mien.Reference.load"
            )
        model.refuse_foreign(reference)
    landmarks = np.stack([face.landmarks_crop for face in faces])
    references = [reference or model.reference(landmarks[i : i + 1], features[i : i + 1]) for i in range(len(faces))]
    known = None if reference is None or not check_identity else reference.identity
    distances = [None if known is None else identity_distance(face.identity, known) for face in faces]
    probabilities = model.probabilities(model.scores(features, landmarks, references), references)
    moved = model.moved_from_neutral(landmarks, references)
    rows = zip(faces, probabilities, references, distances, moved, model.actions(moved), strict=True)
    read = tuple(
        Recognition(
            probabilities=row,
            reference=used,
            face=face,
            photo=faces.photo,
            place=place,
            reference_distance=distance,
            unsure_below=unsure_below,
            moved=points,
            actions=actions,
        )
        for place, (face, row, used, distance, points, actions) in enumerate(rows)
    )
    return Recognitions(read, faces.photo)
