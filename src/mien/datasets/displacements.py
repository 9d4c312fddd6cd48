"""Displacement of a whole prepared set, against a reference of one's choice, as a table that needs no mien."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.datasets.prepared import PreparedSet
from mien.displacement import DISPLACEMENT_SIZE, Reference, displacement
from mien.errors import DataError
from mien.files import replacing, write_parquet
from mien.labels import NEUTRAL, CompoundEmotion

ReferencePhotos = Literal["all", "split", "neutral"]


def displacement_table(prepared: PreparedSet, photos: ReferencePhotos = "all") -> pl.DataFrame:
    """Eq. 2 of the paper for every usable photo of a set.

    Args:
        prepared: the set; its `landmark_size` says which landmarks are meant.
        photos: of a subject, whose mean landmarks are the reference (Eq. 1): `all` of them, the unlabelled ones too
            (transductive, as in the paper); those in the same part of the `split` as the photo; or those labelled
            `neutral`, without which a subject's displacement is null.

    Returns:
        a row a photo: path, subject, label, split, reference_photos (how many made its reference) and displacement
        (136 float32, pixels of the stored crop, order x1 y1 ... x68 y68).
    """
    table = prepared.table.select("path", "subject", "label", "split")
    landmarks = prepared.landmarks
    moved = np.full((len(prepared), DISPLACEMENT_SIZE), np.nan, dtype=np.float32)
    counts = np.zeros(len(prepared), dtype=np.int64)
    neutral = (table["label"] == str(NEUTRAL)).fill_null(False).to_numpy()
    own = ["subject", "split"] if photos == "split" else ["subject"]
    groups = table.with_row_index("at").group_by(own, maintain_order=True).agg("at")["at"].to_list()
    for group in groups:
        rows = np.array(group)
        chosen = rows[neutral[rows]] if photos == "neutral" else rows
        if len(chosen):
            moved[rows] = displacement(landmarks[rows], Reference.from_mean(landmarks[chosen]))
            counts[rows] = len(chosen)
    column = pl.Series("displacement", moved, dtype=pl.Array(pl.Float32(), DISPLACEMENT_SIZE))
    return table.with_columns(reference_photos=pl.Series(counts), displacement=column).with_columns(
        displacement=pl.when(pl.col("reference_photos") > 0).then("displacement")
    )


def write_displacement(table: pl.DataFrame, path: Path) -> None:
    """Write a table of `displacement_table` as NumPy's `.npz` or as Parquet, whole or not at all.

    In an `.npz` the columns are arrays: path, subject, label, split (text, empty where unknown), class_index (int64,
    0..49, -1 where unknown), reference_photos (int64), displacement (n, 136, float32, NaN where there is none).

    Raises:
        DataError: another kind of file.
        OutputError: it cannot be written.
    """
    if path.suffix.lower() not in (".npz", ".parquet"):
        raise DataError(f"{path}: name a file that ends in .npz or .parquet")
    if path.suffix.lower() == ".parquet":
        write_parquet(path, table)
        return
    with replacing(path) as temporary:
        labels = table["label"].to_list()
        nothing = [float("nan")] * DISPLACEMENT_SIZE
        moved = [nothing if row is None else row for row in table["displacement"].to_list()]
        with temporary.open("wb") as file:
            np.savez(
                file,
                path=_texts(table["path"]),
                subject=_texts(table["subject"]),
                label=_texts(table["label"]),
                split=_texts(table["split"]),
                class_index=np.array(
                    [-1 if text is None else CompoundEmotion.parse(text).index for text in labels], dtype=np.int64
                ),
                reference_photos=table["reference_photos"].to_numpy(),
                displacement=np.array(moved, dtype=np.float32).reshape(-1, DISPLACEMENT_SIZE),
            )


def _texts(column: pl.Series) -> NDArray[np.str_]:
    return np.array(column.fill_null("").to_list(), dtype=np.str_)
