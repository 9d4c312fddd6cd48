"""One run out of several: the mean of small networks reads better than each."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import structs

from mien.artifacts import (
    ENCODER_FILE,
    HEAD_FILE,
    POPULATION_FILE,
    RunMeta,
    TrainingData,
    Use,
    hash_files,
    load_meta,
    new_run,
    read_checked,
    save_meta,
)
from mien.datasets.prepared import PreparedSet
from mien.errors import DataError, OutputError, require
from mien.evaluation.scoring import refuse_other_landmarks
from mien.labels import Commonness
from mien.models.combination import Member, combine_encoders, combine_heads
from mien.training.machine import code_version
from mien.training.train import count, measured, with_neutral_feature


def combine(
    prepared: PreparedSet,
    runs: Sequence[Path],
    shares: Sequence[float],
    out: Path,
    common: Mapping[Use, Commonness] | None = None,
) -> RunMeta:
    """Write a run whose probabilities are the weighted geometric mean of several runs', calibrated anew.

    Visual features of all that have a visual branch lie side by side. Landmarks and alignment are those of the set,
    the population that of the first run that reads landmarks; the pictures of runs that read none may have been
    aligned by other landmarks.

    Args:
        prepared: the set whose validation subjects calibrate.
        runs: trained runs.
        shares: of each, above 0; they are divided by their sum.
        out: new folder.
        common: how common classes are held to be, by what a reference is made of; equally where nothing is said.

    Raises:
        CheckpointError: a run is missing or damaged.
        DataError: shares that do not fit, a run that is a combination itself, another alignment than the set's, or
            other landmarks in a run that reads them.
        MissingExtraError: the package onnx is not installed.
        OutputError: `out` exists, or cannot be written.
    """
    given = np.array(shares)
    if not runs or len(given) != len(runs) or not np.isfinite(given).all() or (given <= 0).any():
        raise DataError(f"{len(runs)} runs and {len(shares)} shares; give every run one --share above 0")
    weights: list[float] = (given / given.sum()).tolist()
    if os.path.exists(out):
        raise OutputError(f"{out}: exists; name a new folder")
    metas = [_read_whole(run) for run in runs]
    if any("combination" in meta.recipe for meta in metas):
        raise DataError("one of the runs is a combination already; name the runs that it was made of")
    reading = [number for number, run in enumerate(runs) if _reads_landmarks(run)]
    for number in reading:
        refuse_other_landmarks(runs[number], metas[number], prepared)
    for path, meta in zip(runs, metas, strict=True):
        if meta.alignment != prepared.alignment:
            raise DataError(
                f"{path}: trained on --alignment {meta.alignment}, {prepared.path} is --alignment "
                f"{prepared.alignment}; combine runs of one alignment"
            )
    if len({metas[number].data.landmark_size for number in reading}) > 1:
        raise DataError("the runs were trained on landmarks from crops of different sizes; combine runs of one size")
    first = reading[0] if reading else 0
    prepared = prepared.with_landmarks(metas[first].data.landmark_size)
    training, validation = prepared.select("train"), prepared.select("validation")
    visual = [number for number, meta in enumerate(metas) if ENCODER_FILE in meta.files]
    combination: dict[str, Any] = {
        "members": [
            {
                "share": round(share, 4),
                "recipe": meta.recipe,
                "data": meta.data.name,
                "fingerprint": meta.data.fingerprint,
                "points": meta.data.points,
                "landmarker": meta.landmarker,
                "code": meta.code,
            }
            for share, meta in zip(weights, metas, strict=True)
        ],
    }
    with new_run(out) as run:
        places: dict[int, tuple[int, int]] = {}
        if visual:
            found = combine_encoders([runs[number] / ENCODER_FILE for number in visual], run / ENCODER_FILE)
            places = dict(zip(visual, found, strict=True))
        relative = [place for number, place in places.items() if metas[number].relative_visual]
        if relative:
            combination["relative_features"] = relative
        members = [
            Member(path / HEAD_FILE, share, meta.calibration_for("mean", 1).temperature, places.get(number))
            for number, (path, share, meta) in enumerate(zip(runs, weights, metas, strict=True))
        ]
        combine_heads(members, run / HEAD_FILE)
        shutil.copyfile(runs[first] / POPULATION_FILE, run / POPULATION_FILE)
        meta = structs.replace(
            metas[first],
            name="combined",
            landmarker=prepared.landmarker,
            landmarker_version=prepared.landmarker_version,
            recipe={"combination": combination},
            data=TrainingData(
                prepared.path.name,
                prepared.fingerprint,
                count(training),
                count(validation),
                prepared.landmark_size,
            ),
            best={},
            calibration=(),
            files=hash_files(run),
            common={use: held.to_dict() for use, held in (common or {}).items()},
            machine={},
            code=code_version(),
            versions={"mien": version("mien")},
        )
        meta = measured(with_neutral_feature(meta, run, training), run, validation)
        save_meta(run, meta)
    return meta


def _read_whole(run: Path) -> RunMeta:
    """What is known about a run whose files are as they were written.

    Raises:
        CheckpointError: they are not.
    """
    meta = load_meta(run)
    for name in meta.files:
        read_checked(run, name, meta)
    return meta


def _reads_landmarks(run: Path) -> bool:
    graph = require("onnx", "train").load(run / HEAD_FILE).graph
    return {node.name for node in graph.input} != {"feature"}
