"""Splits: subjects are divided, never photos, so that no face is on both sides.

A split that leaks a subject measures how well faces are remembered, not how well expressions are read.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from mien.errors import DataError

SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
"""What data sets call a part, in lower case -> mien's name of it."""


def parse_split(text: str) -> str | None:
    """The part of a split that a word names: `train`, `validation` or `test`; None for another word."""
    return SPLIT_WORDS.get(text.strip().lower())


def split_by_subject(table: pl.DataFrame, validation: float, test: float, seed: int) -> pl.DataFrame:
    """Assign every subject, whole, to train, validation or test, at random.

    Subjects of whom an entry has a split in the table get it for the others too. Subjects without a label get none:
    there is nothing to train or test on.

    Args:
        table: with columns `subject`, `label` and `split`.
        validation, test: shares of the undecided subjects, 0..1; each gets at least one subject if above 0.
        seed: of the random order.

    Returns:
        the table with `split` filled for every subject that has a label.

    Raises:
        DataError: fewer subjects than parts, or shares that leave nothing to train on.
    """
    own = pl.col("split").drop_nulls().first().over("subject")
    table = table.with_columns(split=pl.col("split").fill_null(own))
    has_label = pl.col("label").is_not_null().any().over("subject")
    undecided = table.filter(pl.col("split").is_null() & has_label)["subject"].unique().sort().to_list()
    if not undecided:
        return table
    counts = [max(1, round(share * len(undecided))) if share > 0 else 0 for share in (validation, test)]
    if sum(counts) >= len(undecided):
        raise DataError(
            f"{len(undecided)} subjects cannot be split with {validation:.0%} for validation and {test:.0%} for "
            "test and some left to train on; lower the shares (--validation, --test) or add subjects",
            column="split",
        )
    order = np.random.default_rng(seed).permutation(len(undecided))
    parts = ["validation"] * counts[0] + ["test"] * counts[1]
    parts += ["train"] * (len(undecided) - len(parts))
    by_subject = {undecided[i]: part for i, part in zip(order, parts, strict=True)}
    return table.with_columns(pl.col("split").fill_null(pl.col("subject").replace_strict(by_subject, default=None)))


CHALLENGE = {"train": (3, 73), "validation": (74, 102), "test": (104, 128)}
"""First and last subject of each part of the iCV-MEFED challenge: 64, 28 and 23 subjects of 15,969, 7,000 and 5,751
photos."""
PAPER = {"train": (3, 93), "validation": (94, 102), "test": (104, 128)}
"""The paper's final split: the challenge's training and validation photos sorted by subject; the first 20,719 train,
the last 2,250 validate. Those are all photos of the last nine subjects, so that it is a split by subject, and the
same rule serves a set that is not whole."""
RANGES = {"challenge": CHALLENGE, "paper": PAPER}


def split_by_number(table: pl.DataFrame, ranges: Mapping[str, tuple[int, int]]) -> pl.DataFrame:
    """Assign subjects to parts by their numbers; what the table said before is replaced.

    Args:
        table: with columns `subject` and `split`.
        ranges: part -> first and last subject, as in `CHALLENGE` and `PAPER`.

    Returns:
        the table with `split`; null for subjects outside all ranges.

    Raises:
        DataError: a subject has no number, or none is in the training part.
    """
    number = pl.col("subject").cast(pl.Int64, strict=False)
    nameless = table.filter(number.is_null())
    if not nameless.is_empty():
        raise DataError(
            f"subject {nameless['subject'][0]!r} has no number, and this split goes by the subject numbers of "
            "iCV-MEFED; use --split random",
            column="subject",
        )
    part = pl.coalesce(
        pl.when(number.is_between(first, last)).then(pl.lit(name)) for name, (first, last) in ranges.items()
    )
    table = table.with_columns(split=part)
    if "train" not in table["split"]:
        first, last = ranges["train"]
        message = f"no subject is among the training subjects {first:03d}-{last:03d}; use --split random"
        raise DataError(message, column="split")
    return table
