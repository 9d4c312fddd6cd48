"""One run out of several: the mean of small networks reads better than each."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from msgspec import structs

from mien.artifacts import (
    ENCODER_FILE,
    HEAD_FILE,
    POPULATION_FILE,
    RunMeta,
    hash_files,
    load_meta,
    new_run,
    save_meta,
)
from mien.datasets.prepared import PreparedSet
from mien.errors import DataError, OutputError
from mien.evaluation.scoring import refuse_other_landmarks
from mien.models.combination import Commonness, Member, combine_heads
from mien.training.train import measured

EVEN = Commonness()
"""All classes as common as in a synthetic set."""


def combine(
    prepared: PreparedSet,
    runs: Sequence[Path],
    shares: Sequence[float],
    out: Path,
    *,
    common: Commonness = EVEN,
) -> RunMeta:
    """Write a run whose probabilities are the weighted geometric mean of several runs', calibrated anew.

    At most one of them may have a visual branch. Population, landmarks and alignment are those of the first; the
    visual one may have been trained with another alignment.

    Args:
        prepared: the set whose validation subjects calibrate.
        runs: trained runs.
        shares: of each, above 0; they are divided by their sum.
        out: new folder.
        common: how common classes are held to be.

    Raises:
        CheckpointError: a run is missing or damaged.
        DataError: shares that do not fit, several visual branches, or other landmarks than the set's.
        OutputError: `out` exists.
    """
    if len(shares) != len(runs) or min(shares, default=0) <= 0:
        raise DataError(f"{len(runs)} runs and {len(shares)} shares; give every run one --share above 0")
    if out.exists():
        raise OutputError(f"{out}: exists; name a new folder")
    metas = [load_meta(run) for run in runs]
    visual = [run for run, meta in zip(runs, metas, strict=True) if ENCODER_FILE in meta.files]
    if len(visual) > 1 or any(meta.relative_visual for meta in metas):
        raise DataError("at most one of the runs may have a visual branch, and not a relative one")
    if len({meta.landmarker for meta in metas}) > 1:
        raise DataError("the runs were trained on landmarks of different predictors; combine runs of one")
    refuse_other_landmarks(runs[0], metas[0], prepared)
    validation = prepared.select("validation")
    members = [
        Member(run / HEAD_FILE, share / sum(shares), meta.calibration_for("mean", 1).temperature)
        for run, share, meta in zip(runs, shares, metas, strict=True)
    ]
    combination = {
        "members": [
            {"share": round(member.share, 4), "recipe": meta.recipe, "data": meta.data.name}
            for member, meta in zip(members, metas, strict=True)
        ],
        "common": common.to_dict(),
    }
    with new_run(out) as run:
        combine_heads(members, common.log_prior(), run / HEAD_FILE)
        shutil.copyfile(runs[0] / POPULATION_FILE, run / POPULATION_FILE)
        if visual:
            shutil.copyfile(visual[0] / ENCODER_FILE, run / ENCODER_FILE)
        recipe = {"combination": combination}
        meta = structs.replace(
            metas[0], name="combined", recipe=recipe, best={}, files=hash_files(run), calibration=()
        )
        meta = measured(meta, run, validation)
        save_meta(run, meta)
    return meta
