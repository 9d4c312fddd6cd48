"""Evaluating trained runs on a part of a prepared set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.artifacts import RunMeta, load_meta, read_log
from mien.datasets.prepared import PreparedSet
from mien.evaluation.metrics import (
    confusion,
    confusion_of_complementary,
    confusion_of_dominant,
    emotion_accuracy,
    interval_by_subject,
    known_interval,
    misclassification,
    top_accuracies,
)
from mien.evaluation.scoring import refuse_other_landmarks, run_scores


@dataclass(frozen=True, eq=False)
class Result:
    """How one run did.

    Attributes:
        name: of the run, for people.
        scores: (n, 50).
        accuracies: top-1..5, shape (5,).
        interval: 95% interval of top-1, over subjects.
        misclassification: in percent.
        confusion: (50, 50) counts, row true class.
        meta: what is known about the run.
        own_set: whether the photos are of the set that the run was trained on, so that its split holds.
        log: the lines of its metrics.jsonl; empty for linear models.
    """

    name: str
    scores: NDArray[np.float32]
    accuracies: NDArray[np.float64]
    interval: tuple[float, float]
    misclassification: float
    confusion: NDArray[np.int64]
    meta: RunMeta
    own_set: bool
    log: list[dict[str, float]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the figures without scores and log."""
        interval = known_interval(self.interval)
        return {
            "name": self.name,
            "top": [round(float(share), 4) for share in self.accuracies],
            "top1_interval": interval and [round(edge, 4) for edge in interval],
            "misclassification": round(self.misclassification, 4),
            "dominant": round(emotion_accuracy(confusion_of_dominant(self.confusion)), 4),
            "complementary": round(emotion_accuracy(confusion_of_complementary(self.confusion)), 4),
        }


def evaluate(runs: Mapping[str, Path], part: PreparedSet) -> list[Result]:
    """Evaluate runs on the photos of a part.

    Args:
        runs: name -> folder.
        part: labelled photos, see `PreparedSet.select`.

    Raises:
        CheckpointError: a folder holds no whole run.
        DataError: the set holds other landmarks than a run was trained with.
    """
    metas = {name: load_meta(run) for name, run in runs.items()}
    for name, run in runs.items():
        refuse_other_landmarks(run, metas[name], part)
    return [_evaluate_run(name, run, metas[name], part) for name, run in runs.items()]


def _evaluate_run(name: str, run: Path, meta: RunMeta, part: PreparedSet) -> Result:
    scores = run_scores(run, part)
    predicted = scores.argmax(axis=1)
    return Result(
        name=name,
        scores=scores,
        accuracies=top_accuracies(scores, part.labels),
        interval=interval_by_subject(predicted == part.labels, part.subjects),
        misclassification=misclassification(scores, part.labels),
        confusion=confusion(part.labels, predicted),
        meta=meta,
        own_set=meta.trained_on == {part.with_landmarks(meta.data.landmark_size).fingerprint},
        log=read_log(run),
    )
