"""Splits: subjects are divided, never photos, so that no face is on both sides.

A split that leaks a subject measures how well faces are remembered, not how well expressions are read.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from mien.errors import DataError


def split_by_subject(table: pl.DataFrame, validation: float, test: float, seed: int) -> pl.DataFrame:
    """Assign every subject, whole, to train, validation or test, by lot.

    Subjects that already have a split in the table keep it. Subjects without a label get none: there is nothing
    to train or judge on.

    Args:
        table: with columns `subject`, `label` and `split`.
        validation, test: shares of the undecided subjects, 0..1; each gets at least one subject if above 0.
        seed: of the lot.

    Returns:
        the table with `split` filled for every subject that has a label.

    Raises:
        DataError: fewer subjects than parts, or shares that leave nothing to train on.
    """
    has_label = pl.col("label").is_not_null().any().over("subject")
    undecided = table.filter(pl.col("split").is_null() & has_label)["subject"].unique().sort().to_list()
    if not undecided:
        return table
    counts = [max(1, round(share * len(undecided))) if share > 0 else 0 for share in (validation, test)]
    if sum(counts) >= len(undecided):
        raise DataError(
            f"{len(undecided)} subjects cannot be split with {validation:.0%} for validation and {test:.0%} for "
            "test and some left to train on; lower the shares (--validation, --test) or add subjects"
        )
    order = np.random.default_rng(seed).permutation(len(undecided))
    parts = ["validation"] * counts[0] + ["test"] * counts[1]
    parts += ["train"] * (len(undecided) - len(parts))
    by_subject = {undecided[i]: part for i, part in zip(order, parts, strict=True)}
    return table.with_columns(pl.col("split").fill_null(pl.col("subject").replace_strict(by_subject, default=None)))


def refuse_leak(table: pl.DataFrame, where: Path) -> None:
    """Raise if a subject stands on more than one side of the split.

    Raises:
        DataError: names the first such subject.
    """
    sides = table.drop_nulls("split").group_by("subject").agg(pl.col("split").unique()).sort("subject")
    leaking = sides.filter(pl.col("split").list.len() > 1)
    if not leaking.is_empty():
        name, parts = leaking.row(0)
        raise DataError(
            f"{where}: subject {name} is in {' and '.join(sorted(parts))}; every subject belongs to one part only"
        )
