"""Scores of a prepared set by a trained run, on the way that recognition takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.artifacts import RunMeta
from mien.datasets.prepared import PreparedSet
from mien.errors import DataError
from mien.evaluation.references import mean_references
from mien.inference import ExpressionModel
from mien.inference.model import WEIGHTS

_BATCH = 256


def run_scores(run: Path, prepared: PreparedSet) -> NDArray[np.float32]:
    """Scores of all photos of a set by the run in a folder, (n, 50), by landmarks as it was trained with.

    Each photo is compared with the mean of its subject's photos (Eq. 1 of the paper).

    Raises:
        CheckpointError: no run there, or a damaged one.
        DataError: the set holds no landmarks from crops of the side that the run was trained with, or those of
            another predictor.
    """
    model = ExpressionModel.load(run, threads=0)
    refuse_other_landmarks(model.path, model.meta, prepared)
    prepared = prepared.with_landmarks(model.meta.data.landmark_size)
    features = precompute_features(model, prepared)
    return model.scores(features, prepared.landmarks, mean_references(model, prepared, features))


def refuse_other_landmarks(run: Path, meta: RunMeta, prepared: PreparedSet) -> None:
    """Raise DataError where landmarks were found, or faces aligned, otherwise than the run knows it."""
    whose = "the weights that come with mien" if run == WEIGHTS else run
    if (prepared.landmarker, prepared.alignment) != (meta.landmarker, meta.alignment):
        raise DataError(
            f"{prepared.path}: prepared with --landmarker {prepared.landmarker} --alignment {prepared.alignment}; "
            f"for {whose} prepare it into another folder with --landmarker {meta.landmarker} --alignment "
            f"{meta.alignment}"
        )
    if len({prepared.landmarker_version, meta.landmarker_version} - {""}) > 1:
        raise DataError(
            f"{prepared.path}: landmarks of another version of mien's predictor than those of {whose}; prepare it "
            "again into another folder"
        )


def precompute_features(model: ExpressionModel, prepared: PreparedSet) -> NDArray[np.float32]:
    """The visual feature of every photo, (n, size), which takes nearly all the time; it serves any reference."""
    return np.concatenate([model.encode(crops) for crops in _batches(model, prepared)])


def _batches(model: ExpressionModel, prepared: PreparedSet) -> Iterator[NDArray[np.uint8]]:
    for start in range(0, len(prepared), _BATCH):
        rows = prepared.rows[start : start + _BATCH]
        yield prepared.crops[rows] if model.encoder is not None else np.empty((len(rows), 0, 0, 3), dtype=np.uint8)
