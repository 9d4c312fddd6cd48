"""What was recognised: one `Recognition` a face, `Recognitions` for all of a photo or of many.

**The rule.** A network gives a probability to each of 50 classes. The likeliest class is the answer; its two emotions
are the dominant and the complementary one. All else (`matrix`, `neutral`, `top`) says how the rest is spread.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from mien.displacement import Reference
from mien.errors import MienError, MissingExtraError, PhotoError, require
from mien.faces import Face
from mien.faces.identity import ONE_PERSON
from mien.faces.points68 import eye_distance
from mien.faces.quality import Quality
from mien.inference.actions import ACTION_COLUMNS, FacialAction
from mien.inference.movements import Movement, describe_movements
from mien.labels import CLASSES, CompoundEmotion, Emotion, scores_to_matrix

if TYPE_CHECKING:
    import pandas  # type: ignore[import-untyped]
    import polars

_BOX = ("left", "top", "right", "bottom")
DOUBTFUL_PERSON = "doubtful person"
OTHER_PERSON, UNSURE = "other person", "unsure"
UNSURE_BELOW = 0.15
"""Probability of the likeliest class below which an answer is unsure, unless told otherwise; chance is 0.02. See
docs/experiments.md for how often that is, and how often such answers are right."""
COLUMNS: dict[str, type] = {
    "photo": str,
    "face": int,
    "person": str,
    "label": str,
    "phrase": str,
    "dominant": str,
    "complementary": str,
    "probability": float,
    "neutral": float,
    "reference": str,
    "reference_photos": int,
    "reference_distance": float,
    "flags": str,
    **dict.fromkeys(_BOX, float),
    **{field.name: float for field in fields(Quality)},
    **{f"p_{emotion}": float for emotion in CLASSES},
    **dict.fromkeys(ACTION_COLUMNS, float),
    "error": str,
}
"""Columns of the tables, a row a face.

The photo's name and the face's place in it, from 0; in an album, whose face it is; what was read, as in
`Recognition`; what it was compared with, how far from that person the face is; what speaks against the answer,
joined by commas; where the face is, in photo pixels; its `Quality`; the probability of each of the 50 classes,
named by its label text (`p_N_N`, `p_1_1`, ...); strengths of the facial actions, named by their units in FACS and the
side (`AU12_left`, `AU26`, ...); and why there is nothing, where there is nothing."""


@dataclass(frozen=True, eq=False)
class Recognition:
    """What a face shows, as far as the network can tell: a displayed expression, not a feeling.

    Attributes:
        probabilities: shape (50,), sums to 1; position is class index.
        reference: what the face was compared with.
        face: the face.
        photo: name of the photo.
        place: of the face among those that were read in the photo, from 0.
        reference_distance: between the identities of the face and of the reference, for one person up to
            `mien.faces.identity.ONE_PERSON` (0.46); None where it was not asked for, or the reference has none.
        person: whose face it is, in an album; None where that was not asked for.
        person_doubtful: it may be somebody else's.
        unsure_below: probability of the likeliest class below which the answer is unsure.
        moved: shape (68, 2), float32: how far each landmark lies from its place in the same face when neutral, as far
            as the reference tells, crop pixels; None: not known.
        actions: the facial actions of FACS that can be read from that, with their strengths, see
            `mien.inference.actions`; empty for runs with other landmarks than the weights that come with mien.
    """

    probabilities: NDArray[np.float64]
    reference: Reference
    face: Face
    photo: str = "photo"
    place: int = 0
    reference_distance: float | None = None
    unsure_below: float = UNSURE_BELOW
    person: str | None = None
    person_doubtful: bool = False
    moved: NDArray[np.float32] | None = None
    actions: tuple[FacialAction, ...] = ()

    @cached_property
    def movements(self) -> tuple[Movement, ...]:
        """What moved in the face, beside the same face when neutral, the most first."""
        if self.moved is None:
            return ()
        return describe_movements(self.moved, float(eye_distance(self.face.landmarks_crop)))

    @cached_property
    def emotion(self) -> CompoundEmotion:
        """The likeliest of the 50 classes."""
        return CLASSES[int(np.argmax(self.probabilities))]

    @property
    def phrase(self) -> str:
        """The likeliest class in English, say `'disgustedly sad'`."""
        return self.emotion.phrase

    @property
    def dominant(self) -> Emotion | None:
        """The stronger emotion of the likeliest class; None if that is neutral."""
        return self.emotion.dominant

    @property
    def complementary(self) -> Emotion | None:
        """The weaker emotion of the likeliest class, which may be the same one; None if that is neutral."""
        return self.emotion.complementary

    @property
    def probability(self) -> float:
        """Of the likeliest class."""
        return float(self.probabilities.max())

    @cached_property
    def matrix(self) -> NDArray[np.float64]:
        """Shape (7, 7): probability by complementary (row) and dominant emotion (column)."""
        return scores_to_matrix(self.probabilities)[0]

    @property
    def neutral(self) -> float:
        """Probability that no emotion is shown."""
        return float(self.probabilities[0])

    @property
    def quality(self) -> Quality:
        """How well the face can be read."""
        return self.face.quality

    @property
    def unsure(self) -> bool:
        """Whether the likeliest class is too little likely to rely on."""
        return self.probability < self.unsure_below

    @property
    def flags(self) -> tuple[str, ...]:
        """What speaks against the answer, in words.

        `unsure`; `other person`: the face is not that of the reference; `doubtful person`: in an album, it may be
        that of somebody else than its group; and those of its `Quality`: `small`, `blurred`, `dark`, `bright`,
        `turned`, `covered`, `hardly a face`; `repaired`: the file lacked its end.
        """
        stranger = self.reference_distance is not None and self.reference_distance > ONE_PERSON
        of_person = (OTHER_PERSON,) * stranger + (DOUBTFUL_PERSON,) * self.person_doubtful
        of_file = ("repaired",) * self.face.repaired
        return (UNSURE,) * self.unsure + of_person + self.quality.flags + of_file

    def top(self, count: int = 5) -> list[tuple[CompoundEmotion, float]]:
        """The likeliest classes with their probabilities, falling."""
        order = np.argsort(-self.probabilities, kind="stable")[:count]
        return [(CLASSES[i], float(self.probabilities[i])) for i in order]

    def to_dict(self) -> dict[str, Any]:
        """For JSON: everything but the pixels; probabilities to 4 places."""
        return {
            "photo": self.photo,
            "person": self.person,
            "label": str(self.emotion),
            "phrase": self.phrase,
            "dominant": self.dominant and self.dominant.noun,
            "complementary": self.complementary and self.complementary.noun,
            "probability": _rounded(self.probability),
            "unsure": self.unsure,
            "flags": list(self.flags),
            "top": [
                {"label": str(emotion), "phrase": emotion.phrase, "probability": _rounded(probability)}
                for emotion, probability in self.top()
            ],
            "neutral": _rounded(self.neutral),
            "matrix": np.round(self.matrix, 4).tolist(),
            "reference": {"kind": self.reference.kind, "photos": self.reference.photo_count},
            "reference_distance": None if self.reference_distance is None else _rounded(self.reference_distance),
            "movements": [movement.to_dict() for movement in self.movements],
            "actions": [action.to_dict() for action in self.actions],
            "face": {
                "place": self.place,
                "count": self.face.face_count,
                "box": self.face.box.as_array().astype(float).round(1).tolist(),
                "landmarks": self.face.landmarks_photo.astype(float).round(1).tolist(),
                "quality": self.quality.to_dict(),
            },
        }

    def to_row(self) -> dict[str, Any]:
        """A row of a table, columns as in `COLUMNS`."""
        return {
            "photo": self.photo,
            "face": self.place,
            "person": self.person,
            "label": str(self.emotion),
            "phrase": self.phrase,
            "dominant": self.dominant and self.dominant.noun,
            "complementary": self.complementary and self.complementary.noun,
            "probability": self.probability,
            "neutral": self.neutral,
            "reference": self.reference.kind,
            "reference_photos": self.reference.photo_count,
            "reference_distance": self.reference_distance,
            "flags": ", ".join(self.flags),
            **dict(zip(_BOX, self.face.box.as_array().tolist(), strict=True)),
            **self.quality.to_dict(),
            **{f"p_{emotion}": float(p) for emotion, p in zip(CLASSES, self.probabilities, strict=True)},
            **dict.fromkeys(ACTION_COLUMNS),
            **{action.column: action.strength for action in self.actions},
            "error": None,
        }

    def to_polars(self) -> polars.DataFrame:
        """A table of one row, columns as in `COLUMNS`."""
        return Recognitions((self,), self.photo).to_polars()

    def to_pandas(self) -> pandas.DataFrame:
        """As `to_polars`, for pandas, where that is installed."""
        return Recognitions((self,), self.photo).to_pandas()

    def __repr__(self) -> str:
        flags = "".join(f", {flag}" for flag in self.flags)
        return f"Recognition({self.phrase}, {self.probability:.0%}, {self.photo}{flags})"


@dataclass(frozen=True, eq=False)
class Recognitions(Sequence[Recognition]):
    """What was recognised in a photo, a face after the other, or why nothing was; or in many photos, see `concat`.

    Attributes:
        faces: the recognitions.
        photo: name of the photo; empty for those of many.
        errors: (name of the photo, what was wrong with it), in order.
    """

    faces: tuple[Recognition, ...] = ()
    photo: str = ""
    errors: tuple[tuple[str, MienError], ...] = field(default=())

    @classmethod
    def concat(cls, several: Iterable[Recognitions]) -> Recognitions:
        """All of several, in order: of a `Recognizer.recognize_many`, say, for one table."""
        parts = list(several)
        faces = tuple(face for part in parts for face in part)
        return cls(faces, "", tuple(error for part in parts for error in part.errors))

    @classmethod
    def failed(cls, error: PhotoError) -> Recognitions:
        """Of a photo that cannot be used."""
        name = error.photo or "photo"
        return cls((), name, ((name, error),))

    @property
    def error(self) -> MienError | None:
        """What was wrong with the photo; None if nothing was."""
        return self.errors[0][1] if self.errors else None

    def __len__(self) -> int:
        return len(self.faces)

    @overload
    def __getitem__(self, place: int) -> Recognition: ...

    @overload
    def __getitem__(self, place: slice) -> Recognitions: ...

    def __getitem__(self, place: int | slice) -> Recognition | Recognitions:
        return replace(self, faces=self.faces[place]) if isinstance(place, slice) else self.faces[place]

    def __iter__(self) -> Iterator[Recognition]:
        return iter(self.faces)

    def to_dict(self) -> list[dict[str, Any]]:
        """For JSON: an entry a face, and one with `photo` and `error` for each photo that could not be read."""
        return [face.to_dict() for face in self] + [
            {"photo": photo, "error": str(error)} for photo, error in self.errors
        ]

    def to_rows(self) -> list[dict[str, Any]]:
        """Rows of a table, columns as in `COLUMNS`."""
        nothing = dict.fromkeys(COLUMNS)
        failed = [nothing | {"photo": photo, "error": str(error)} for photo, error in self.errors]
        return [face.to_row() for face in self] + failed

    def to_polars(self) -> polars.DataFrame:
        """A row a face, columns as in `COLUMNS`; a photo that could not be read has a row with `error` alone.

        Raises:
            MissingExtraError: the extra `tables` is not installed.
        """
        return rows_to_polars(self.to_rows())

    def to_pandas(self) -> pandas.DataFrame:
        """As `to_polars`, for pandas, where that is installed."""
        try:
            import pandas as pd
        except ModuleNotFoundError as error:
            raise MissingExtraError("pandas is not installed; run: pip install pandas") from error
        return pd.DataFrame(self.to_rows(), columns=list(COLUMNS))

    def __repr__(self) -> str:
        shown = ", ".join(face.phrase for face in self.faces[:3]) + (", ..." if len(self) > 3 else "")
        what = "face" if len(self) == 1 else "faces"
        failed = f"; {len(self.errors)} photos could not be read" if self.errors else ""
        return f"Recognitions({len(self)} {what}{': ' if shown else ''}{shown}{failed})"


def rows_to_polars(rows: list[dict[str, Any]]) -> polars.DataFrame:
    """Rows of `Recognitions.to_rows` as a table; bytes of file names that are no UTF-8 stand there as escapes.

    Raises:
        MissingExtraError: the extra `tables` is not installed.
    """
    pl = require("polars", "tables")
    kinds = {str: pl.String, int: pl.Int64, float: pl.Float64}
    texts = [name for name, kind in COLUMNS.items() if kind is str]
    clean = [row | {name: _escaped(row[name]) for name in texts} for row in rows]
    return pl.DataFrame(clean, schema={name: kinds[kind] for name, kind in COLUMNS.items()}, orient="row")


def _escaped(text: str | None) -> str | None:
    return None if text is None else text.encode(errors="backslashreplace").decode()


def _rounded(value: float) -> float:
    return round(float(value), 4)
