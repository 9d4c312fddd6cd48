"""One run out of several: the mean of small networks reads better than each."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import structs

from mien.artifacts import (
    ENCODER_FILE,
    HEAD_FILE,
    POPULATION_FILE,
    RunMeta,
    Use,
    hash_files,
    load_meta,
    new_run,
    save_meta,
)
from mien.datasets.prepared import PreparedSet
from mien.errors import DataError, OutputError
from mien.evaluation.scoring import refuse_other_landmarks
from mien.labels import Commonness
from mien.models.combination import Member, combine_encoders, combine_heads
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
    common_by_use: Mapping[Use, Mapping[str, float]] | None = None,
) -> RunMeta:
    """Write a run whose probabilities are the weighted geometric mean of several runs', calibrated anew.

    Visual features of all that have a visual branch lie side by side. Population, landmarks and alignment are those
    of the first; visual branches may have been trained with another alignment.

    Args:
        prepared: the set whose validation subjects calibrate.
        runs: trained runs.
        shares: of each, above 0; they are divided by their sum.
        out: new folder.
        common: how common classes are held to be.
        common_by_use: what differs from that, by what a reference is made of: `happiness` -> factor and the like.

    Raises:
        CheckpointError: a run is missing or damaged.
        DataError: shares that do not fit, a run that is such a combination itself, or other landmarks than the
            set's.
        OutputError: `out` exists.
    """
    if len(shares) != len(runs) or min(shares, default=0) <= 0:
        raise DataError(f"{len(runs)} runs and {len(shares)} shares; give every run one --share above 0")
    if out.exists():
        raise OutputError(f"{out}: exists; name a new folder")
    metas = [load_meta(run) for run in runs]
    visual = [number for number, meta in enumerate(metas) if ENCODER_FILE in meta.files]
    if any(meta.common or meta.recipe.get("combination", {}).get("relative_features") for meta in metas):
        raise DataError("one of the runs is a combination already; name the runs that it was made of")
    if len({meta.landmarker for meta in metas}) > 1:
        raise DataError("the runs were trained on landmarks of different predictors; combine runs of one")
    refuse_other_landmarks(runs[0], metas[0], prepared)
    validation = prepared.select("validation")
    combination: dict[str, Any] = {
        "members": [
            {"share": round(share / sum(shares), 4), "recipe": meta.recipe, "data": meta.data.name}
            for share, meta in zip(shares, metas, strict=True)
        ],
        "common": common.to_dict(),
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
                share / sum(shares),
                meta.calibration_for("mean", 1).temperature,
                places.get(number),
            )
            for number, (path, share, meta) in enumerate(zip(runs, shares, metas, strict=True))
        ]
        combine_heads(members, common.log_prior(), run / HEAD_FILE)
        shutil.copyfile(runs[0] / POPULATION_FILE, run / POPULATION_FILE)
        recipe = {"combination": combination}
        held = common.to_dict()
        beside = {
            use: {what: factor / held.get(what, 1.0) for what, factor in factors.items()}
            for use, factors in (common_by_use or {}).items()
        }
        meta = structs.replace(
            metas[0], name="combined", recipe=recipe, best={}, files=hash_files(run), calibration=(), common=beside
        )
        meta = measured(meta, run, validation)
        save_meta(run, meta)
    return meta
