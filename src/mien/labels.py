"""The 50 classes: a dominant and a complementary emotion, each one of seven, or neutral.

The label text of iCV-MEFED is `C_D`: the *complementary* emotion first, the dominant one second, both as
numbers 1..7; neutral is `N_N`. The class index is `7 (C - 1) + D` for 1..49 and 0 for neutral. This is the
only place that knows so.

    >>> CompoundEmotion.parse("3_6").phrase
    'disgustedly sad'
    >>> CompoundEmotion.parse("3_6").index
    20
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.errors import LabelError

CLASS_COUNT = 50
EMOTION_COUNT = 7

_ADJECTIVES = ("angry", "contemptuous", "disgusted", "fearful", "happy", "sad", "surprised")
_ADVERBS = ("angrily", "contemptuously", "disgustedly", "fearfully", "happily", "sadly", "surprisedly")
_SEPARATORS = re.compile(r"[-_\s]+")
_NUMBERED = re.compile(r"^\d+[. ]+")
"""Sets that number their classes name them `0_neutral`, `1. happy`."""
_MILD = "mild-"
"""Before an emotion: where a face shows little."""


class Emotion(IntEnum):
    """One of the seven emotions, with the number that iCV-MEFED gives it."""

    ANGER = 1
    CONTEMPT = 2
    DISGUST = 3
    FEAR = 4
    HAPPINESS = 5
    SADNESS = 6
    SURPRISE = 7

    @property
    def noun(self) -> str:
        """`'anger'`, `'contempt'`, ..."""
        return self.name.lower()

    @property
    def adjective(self) -> str:
        """`'angry'`, `'contemptuous'`, ..."""
        return _ADJECTIVES[self - 1]

    @property
    def adverb(self) -> str:
        """`'angrily'`, `'contemptuously'`, ..."""
        return _ADVERBS[self - 1]


@dataclass(frozen=True)
class CompoundEmotion:
    """One of the 50 classes: a complementary and a dominant emotion, or neither (neutral).

    Build it from a text, an index or a pair; `str()` gives the text back.

    Attributes:
        complementary: the weaker emotion, or None for neutral.
        dominant: the stronger emotion, or None for neutral.
    """

    complementary: Emotion | None
    dominant: Emotion | None

    def __post_init__(self) -> None:
        if (self.complementary is None) != (self.dominant is None):
            raise LabelError("a class has two emotions, or none (neutral); one alone was given")

    @classmethod
    def parse(cls, text: str) -> CompoundEmotion:
        """Read a label text, `'C_D'` with C and D in 1..7 or `'N_N'`, or words.

        Words are `'neutral'`, a phrase as `phrase` gives it, or an emotion alone, which means its plain class, in the
        forms that data sets use: `'happy'`, `'Happiness'`, `'happily_surprised'`, `'4-fear'`.

        Raises:
            LabelError: the text is no such label.
        """
        stripped = text.strip()
        if stripped == "N_N":
            return NEUTRAL
        match stripped.split("_"):
            case [complementary, dominant] if complementary in _DIGITS and dominant in _DIGITS:
                return cls(Emotion(int(complementary)), Emotion(int(dominant)))
        match _NUMBERED.sub("", _SEPARATORS.sub(" ", stripped.lower())).split(" "):
            case ["neutral"]:
                return NEUTRAL
            case [word] if word in _WORDS:
                return cls(_WORDS[word], _WORDS[word])
            case [adverb, word] if adverb in _ADVERBS and word in _WORDS:
                return cls(Emotion(_ADVERBS.index(adverb) + 1), _WORDS[word])
        raise LabelError(f"label {text!r} is not one of the 50 classes; write it {HOW_TO_LABEL}", text)

    @classmethod
    def from_index(cls, index: int) -> CompoundEmotion:
        """The class with this index, 0..49.

        Raises:
            LabelError: the index is outside 0..49.
        """
        if not 0 <= index < CLASS_COUNT:
            raise LabelError(f"class index {index} is outside 0..{CLASS_COUNT - 1}")
        if index == 0:
            return NEUTRAL
        complementary, dominant = divmod(int(index) - 1, EMOTION_COUNT)
        return cls(Emotion(complementary + 1), Emotion(dominant + 1))

    @classmethod
    def plain(cls, emotion: Emotion) -> CompoundEmotion:
        """The class that shows one emotion alone: it is both dominant and complementary."""
        return cls(emotion, emotion)

    @property
    def index(self) -> int:
        """The class index, 0..49: 0 for neutral, else 7 (C - 1) + D."""
        if self.complementary is None or self.dominant is None:
            return 0
        return EMOTION_COUNT * (self.complementary - 1) + self.dominant

    @property
    def phrase(self) -> str:
        """English for people: `'disgustedly sad'`, `'sad'` where both are the same, or `'neutral'`."""
        if self.complementary is None or self.dominant is None:
            return "neutral"
        if self.complementary == self.dominant:
            return self.dominant.adjective
        return f"{self.complementary.adverb} {self.dominant.adjective}"

    def __str__(self) -> str:
        if self.complementary is None or self.dominant is None:
            return "N_N"
        return f"{int(self.complementary)}_{int(self.dominant)}"


_DIGITS = tuple("1234567")
_WORDS: dict[str, Emotion] = {
    **{emotion.noun: emotion for emotion in Emotion},
    **{emotion.adjective: emotion for emotion in Emotion},
    "afraid": Emotion.FEAR,
    "scared": Emotion.FEAR,
    "joy": Emotion.HAPPINESS,
    "joyful": Emotion.HAPPINESS,
}
"""What data sets call an emotion."""
HOW_TO_LABEL = (
    f"C_D, complementary first, with the numbers {', '.join(f'{int(e)} {e.noun}' for e in Emotion)}; "
    "N_N for neutral; or in words, as happy, neutral, happily surprised"
)
"""For messages."""
NEUTRAL = CompoundEmotion(None, None)
CLASSES: tuple[CompoundEmotion, ...] = tuple(CompoundEmotion.from_index(i) for i in range(CLASS_COUNT))
"""All 50 classes; position is class index."""


def texts_to_indices(texts: Iterable[str]) -> NDArray[np.int64]:
    """Label texts to class indices, shape (n,) in 0..49.

    Raises:
        LabelError: one of the texts is no label.
    """
    return np.array([CompoundEmotion.parse(text).index for text in texts], dtype=np.int64)


def indices_to_texts(indices: ArrayLike) -> list[str]:
    """Class indices in 0..49, shape (n,), to label texts.

    Raises:
        LabelError: an index is outside 0..49.
    """
    return [str(CompoundEmotion.from_index(int(i))) for i in np.asarray(indices).reshape(-1)]


def indices_to_emotions(indices: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split class indices in 0..49, shape (n,), into the two emotions.

    Returns:
        complementary, dominant: each shape (n,), the emotion's number 1..7, or 0 for neutral.
    """
    indices = np.asarray(indices, dtype=np.int64)
    complementary, dominant = np.divmod(np.maximum(indices - 1, 0), EMOTION_COUNT)
    return np.where(indices > 0, complementary + 1, 0), np.where(indices > 0, dominant + 1, 0)


def counts_by_dominant(counts: ArrayLike) -> NDArray[np.int64]:
    """Reduce counts of classes to counts of the dominant emotion.

    Args:
        counts: shape (50, 50), row true class, column predicted class.

    Returns:
        shape (8, 8), rows and columns: the seven emotions by number, then neutral.
    """
    return _sum_groups(counts, indices_to_emotions(range(CLASS_COUNT))[1])


def counts_by_complementary(counts: ArrayLike) -> NDArray[np.int64]:
    """Reduce counts of classes to counts of the complementary emotion, as `counts_by_dominant`."""
    return _sum_groups(counts, indices_to_emotions(range(CLASS_COUNT))[0])


def _sum_groups(counts: ArrayLike, emotion_numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sum rows and columns of the same emotion; `emotion_numbers` (50,) has 1..7, or 0 for neutral."""
    belongs = (emotion_numbers[:, None] == [*Emotion, 0]).astype(np.int64)
    return belongs.T @ np.asarray(counts, dtype=np.int64) @ belongs


def scores_to_matrix(scores: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Split scores of the 50 classes into the 7 x 7 picture and neutral.

    Args:
        scores: shape (..., 50), position is class index.

    Returns:
        matrix: shape (..., 7, 7), row complementary - 1, column dominant - 1.
        neutral: shape (...).
    """
    scores = np.asarray(scores, dtype=np.float64)
    return scores[..., 1:].reshape(*scores.shape[:-1], EMOTION_COUNT, EMOTION_COUNT), scores[..., 0]


@dataclass(frozen=True)
class Commonness:
    """How many times as common as in synthetic sets, where all classes are equally common, some are held to be.

    In life most expressions are plain, mild smiles and neutral faces are common, and contempt is rare.

    Attributes:
        plain: the seven classes with the same emotion twice.
        neutral: the class without emotion.
        emotions: classes with this dominant emotion; those with it as the complementary one by its root.
        mild: the same for faces that show little; as in `emotions` for those that are not in it.
    """

    plain: float = 1.0
    neutral: float = 1.0
    emotions: Mapping[Emotion, float] = field(default_factory=dict)
    mild: Mapping[Emotion, float] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, factors: Mapping[str, float]) -> Commonness:
        """From what `to_dict` gives; what is not named is as common as in a synthetic set.

        Raises:
            LabelError: a name that is no emotion.
        """
        nouns = {emotion.noun: emotion for emotion in Emotion}
        if unknown := factors.keys() - nouns.keys() - {_MILD + noun for noun in nouns} - {"plain", "neutral"}:
            raise LabelError(
                f"{min(unknown)}: choose one of {', '.join(('plain', 'neutral', *nouns))}, "
                f"or {_MILD} before an emotion"
            )
        emotions = {emotion: factors[noun] for noun, emotion in nouns.items() if noun in factors}
        mild = {emotion: factors[_MILD + noun] for noun, emotion in nouns.items() if _MILD + noun in factors}
        return cls(factors.get("plain", 1.0), factors.get("neutral", 1.0), emotions, mild)

    def to_dict(self) -> dict[str, float]:
        """For meta.json."""
        emotions = {emotion.noun: factor for emotion, factor in self.emotions.items()}
        mild = {_MILD + emotion.noun: factor for emotion, factor in self.mild.items()}
        return {"plain": self.plain, "neutral": self.neutral, **emotions, **mild}

    def log_prior(self, mildness: ArrayLike = 0.0) -> NDArray[np.float32]:
        """What is added to the log-probabilities of the 50 classes.

        Args:
            mildness: any shape: how mild a face shows what it shows, 0..1; see `mien.displacement.mildness`.

        Returns:
            shape (..., 50), of logarithms; between those of mild and of other faces by `mildness`.
        """
        strong, mild = self._bounds
        return (strong + np.asarray(mildness, dtype=np.float64)[..., None] * (mild - strong)).astype(np.float32)

    @cached_property
    def _bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """For faces that are not mild at all, and for those that are wholly."""
        return self._logarithms(self.emotions), self._logarithms({**self.emotions, **self.mild})

    def _logarithms(self, emotions: Mapping[Emotion, float]) -> NDArray[np.float64]:
        """Of the factors of the 50 classes, (50,), with these of the emotions."""

        def factor(emotion: CompoundEmotion) -> float:
            dominant, complementary = emotion.dominant, emotion.complementary
            if dominant is None or complementary is None:
                return self.neutral
            if dominant == complementary:
                return self.plain * emotions.get(dominant, 1.0)
            return emotions.get(dominant, 1.0) * float(np.sqrt(emotions.get(complementary, 1.0)))

        return np.log([factor(emotion) for emotion in CLASSES])
