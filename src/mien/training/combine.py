"""One run out of several: the mean of small networks reads better than each."""

from __future__ import annotations

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
    USES,
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
from mien.errors import DataError, OutputError
from mien.evaluation.scoring import refuse_other_landmarks
from mien.inference import ExpressionModel
from mien.labels import Commonness
from mien.models.combination import Member, combine_encoders, combine_heads
from mien.training.machine import code_version
from mien.training.train import count, measured, with_neutral_feature


def combine(
    prepared: PreparedSet,
    runs: Sequence[Path],
    shares: Sequence[float | Mapping[Use, float]],
    out: Path,
    common: Mapping[Use, Commonness] | None = None,
) -> RunMeta:
    """Write a run whose probabilities are the weighted geometric mean of several runs', calibrated anew.

    Visual features of all that have a visual branch lie side by side. Population, landmarks and alignment are those
    of the first that reads landmarks; the pictures of others may have been aligned by other landmarks.

    Args:
        prepared: the set whose validation subjects calibrate.
        runs: trained runs.
        shares: of each, above 0; they are divided by their sum. Of a run that takes part for some uses of a reference
            only, its shares by use.
        out: new folder.
        common: how common classes are held to be, by what a reference is made of; equally where nothing is said.

    Raises:
        CheckpointError: a run is missing or damaged.
        DataError: shares that do not fit, a run that is a combination itself, or other landmarks than the set's.
        OutputError: `out` exists, or cannot be written.
    """
    weights = _normalised(shares) if runs and len(shares) == len(runs) else None
    if weights is None:
        raise DataError(f"{len(runs)} runs and {len(shares)} shares; give every run one --share above 0")
    if out.exists():
        raise OutputError(f"{out}: exists; name a new folder")
    metas = [_read_whole(run) for run in runs]
    if any("combination" in meta.recipe for meta in metas):
        raise DataError("one of the runs is a combination already; name the runs that it was made of")
    reading = [number for number, run in enumerate(runs) if _reads_landmarks(run, metas[number])]
    for number in reading:
        refuse_other_landmarks(runs[number], metas[number], prepared)
    if len({metas[number].data.landmark_size for number in reading}) > 1:
        raise DataError("the runs were trained on landmarks from crops of different sizes; combine runs of one size")
    first = reading[0] if reading else 0
    prepared = prepared.with_landmarks(metas[first].data.landmark_size)
    training, validation = prepared.select("train"), prepared.select("validation")
    visual = [number for number, meta in enumerate(metas) if ENCODER_FILE in meta.files]
    combination: dict[str, Any] = {
        "members": [
            {
                "share": _said(share),
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
            Member(
                path / HEAD_FILE,
                share,
                meta.calibration_for("mean", 1).temperature,
                places.get(number),
            )
            for number, (path, share, meta) in enumerate(zip(runs, weights, metas, strict=True))
        ]
        combine_heads(members, run / HEAD_FILE)
        shutil.copyfile(runs[first] / POPULATION_FILE, run / POPULATION_FILE)
        meta = structs.replace(
            metas[first],
            name="combined",
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


def _normalised(shares: Sequence[float | Mapping[Use, float]]) -> list[tuple[float, ...]] | None:
    """The share of each run by use, in the order of `USES`, so that they sum to 1; None where they cannot."""
    by_use = [share if isinstance(share, Mapping) else dict.fromkeys(USES, share) for share in shares]
    table = np.array([[share.get(use, 0.0) for use in USES] for share in by_use])
    possible = np.isfinite(table).all() and (table >= 0).all()
    if not possible or not table.any(axis=1).all() or not table.any(axis=0).all():
        return None
    return [tuple(row) for row in (table / table.sum(axis=0)).tolist()]


def _said(shares: tuple[float, ...]) -> float | dict[str, float]:
    """For meta.json."""
    rounded = [round(share, 4) for share in shares]
    return rounded[0] if len(set(rounded)) == 1 else dict(zip(USES, rounded, strict=True))


def _reads_landmarks(run: Path, meta: RunMeta) -> bool:
    return bool(ExpressionModel.open(run, meta).inputs - {"feature"})
