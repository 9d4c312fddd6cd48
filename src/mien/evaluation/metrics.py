"""How well scores of the 50 classes agree with the labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mien.errors import require
from mien.labels import CLASS_COUNT, EMOTION_COUNT, counts_by_complementary, counts_by_dominant

TOP = (1, 2, 3, 4, 5)


def top_accuracies(scores: NDArray[np.floating], labels: NDArray[np.integer]) -> NDArray[np.float64]:
    """Share of photos whose true class is among the k best scores, for k = 1..5.

    Classes that tie with the true one count as better, so that equal scores are no success; nor are scores that
    are no number.

    Args:
        scores: (n, 50).
        labels: (n,) class indices.

    Returns:
        shape (5,), rising, 0..1.
    """
    true_score = np.take_along_axis(scores, labels[:, None], axis=1)
    better = (~(scores < true_score)).sum(axis=1) - 1
    return np.array([(better < k).mean() for k in TOP])


def misclassification(scores: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """The challenge's score: wrongly classified photos in percent."""
    return float(100 * (1 - top_accuracies(scores, labels)[0]))


def confusion(labels: NDArray[np.integer], predicted: NDArray[np.integer]) -> NDArray[np.int64]:
    """Counts, shape (50, 50): row true class, column predicted class."""
    counts = np.zeros((CLASS_COUNT, CLASS_COUNT), dtype=np.int64)
    np.add.at(counts, (labels, predicted), 1)
    return counts


def confusion_of_dominant(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Counts of the dominant emotion from the (50, 50) ones, shape (7, 8): row shown, column predicted, neutral last.

    Photos of neutral faces are left out.
    """
    return counts_by_dominant(counts)[:EMOTION_COUNT]


def confusion_of_complementary(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Counts of the complementary emotion, as `confusion_of_dominant`."""
    return counts_by_complementary(counts)[:EMOTION_COUNT]


def emotion_accuracy(emotion_confusion: NDArray[np.int64]) -> float:
    """Share of the photos in a (7, 8) confusion whose emotion was read right; 0 where there are none."""
    return float(np.trace(emotion_confusion) / max(1, emotion_confusion.sum()))


def interval_of_mean(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean of independent runs, and its 95% interval by Student's t distribution.

    Args:
        values: one a run, two or more.

    Returns:
        mean, lower and upper edge.
    """
    stats = require("scipy.stats", "train")
    mean = float(np.mean(values))
    error = np.std(values, ddof=1) / np.sqrt(len(values))
    reach = float(stats.t.ppf(0.975, len(values) - 1) * error)
    return mean, mean - reach, mean + reach


def known_interval(interval: tuple[float, float]) -> tuple[float, float] | None:
    """None for one of no numbers, see `interval_by_subject`."""
    return None if np.isnan(interval[0]) else interval


def interval_by_subject(
    correct: NDArray[np.bool_ | np.float64], subjects: Sequence[str], draws: int = 2000
) -> tuple[float, float]:
    """95% interval of an accuracy, by resampling *subjects* with replacement (bootstrap).

    Photos of one subject resemble one another, so an interval over photos would be too narrow.

    Args:
        correct: (n,): whether each photo was classified right; or, for the interval of the difference of two
            accuracies, the difference, -1, 0 or 1.
        subjects: n names.
        draws: resamples.

    Returns:
        lower and upper edge; no numbers where there is one subject, who says nothing about others.
    """
    _, subject = np.unique(np.asarray(subjects), return_inverse=True)
    hits = np.bincount(subject, weights=correct)
    counts = np.bincount(subject)
    if len(counts) < 2:
        return float("nan"), float("nan")
    resampled = np.random.default_rng(0).integers(len(counts), size=(draws, len(counts)))
    accuracies = hits[resampled].sum(axis=1) / counts[resampled].sum(axis=1)
    low, high = np.quantile(accuracies, [0.025, 0.975])
    return float(low), float(high)
