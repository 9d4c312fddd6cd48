"""What is in a prepared set, counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from mien.datasets.leaks import Leak, find_leaks
from mien.datasets.prepared import OK, PreparedSet, read_samples


@dataclass(frozen=True)
class Inspection:
    """What is in a prepared set.

    Attributes:
        photos: entries in all.
        statuses, splits, labels: name -> number of photos; of the usable ones, but for statuses.
        subjects: subject -> number of usable photos.
        class_balance, subject_balance: entropy of the counts as a share of its maximum, 1 where all are equal; None
            where there is nothing to count.
        reasons: reason -> number of entries that have it.
        leaks: see `mien.datasets.leaks`.
    """

    photos: int
    statuses: dict[str, int]
    splits: dict[str, int]
    labels: dict[str, int]
    subjects: dict[str, int]
    class_balance: float | None
    subject_balance: float | None
    reasons: dict[str, int]
    leaks: list[Leak]


def inspect(prepared: PreparedSet) -> Inspection:
    """Count what a prepared set holds."""
    _, samples = read_samples(prepared.path)
    usable = samples.filter(pl.col("status") == OK)
    labels, subjects = _counts(usable["label"].drop_nulls()), _counts(usable["subject"])
    return Inspection(
        photos=samples.height,
        statuses=_counts(samples["status"]),
        splits=_counts(usable["split"].fill_null("no part")),
        labels=labels,
        subjects=subjects,
        class_balance=_balance(labels),
        subject_balance=_balance(subjects),
        reasons=_counts(samples["reason"].drop_nulls()),
        leaks=find_leaks(samples),
    )


def _counts(values: pl.Series) -> dict[str, int]:
    """Value -> how often, the most frequent first."""
    counted = values.value_counts().sort(["count", values.name], descending=[True, False])
    return dict(counted.iter_rows())


def _balance(counts: dict[str, int]) -> float | None:
    if len(counts) < 2:
        return None
    shares = np.array(list(counts.values())) / sum(counts.values())
    return float(-(shares * np.log(shares)).sum() / np.log(len(counts)))
