"""Losses over scores, and the criterion that applies one of them to all outputs of a network."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from mien.labels import CLASS_COUNT, indices_to_emotions

Loss = Callable[[Tensor, Tensor], Tensor]
"""(n, classes) scores and (n, classes) soft targets, rows summing to 1, to the loss of each, (n,)."""


def hinge(scores: Tensor, targets: Tensor) -> Tensor:
    """L2 hinge, one against all: sum over classes of max(0, 1 - t s)^2, t = +1 for the true class, else -1.

    Caffe's HingeLoss with norm L2; scores of zero cost 50. With a soft target p a class costs p times the loss of a
    true class plus 1 - p times that of a false one.
    """
    as_true = (1 - scores).clamp_min(0).square()
    as_false = (1 + scores).clamp_min(0).square()
    return torch.lerp(as_false, as_true, targets).sum(dim=1)


def cross_entropy(scores: Tensor, targets: Tensor) -> Tensor:
    """Softmax cross-entropy in nats."""
    return -(targets * scores.log_softmax(dim=1)).sum(dim=1)


LOSSES: dict[str, Loss] = {"hinge": hinge, "cross-entropy": cross_entropy}


class Criterion:
    """The loss of a network's outputs, see `mien.models.network`.

    Args:
        loss: of each output.
        auxiliary_weight: of the losses over `dominant` and `complementary` beside one over `scores`; alone they
            weigh 1.
        smoothing: share of each target spread evenly over all classes, 0..1.
        related: share of each target spread over the classes that people confuse with the true one: the same two
            emotions the other way round count double, one of them in its place counts once.
        neutral_weight: of the photos of neutral faces in the mean over photos; all others weigh 1.
        over_processes: from a number of this process to the mean of those of all processes that share a batch, so
            that the mean of their losses is the loss of the whole batch.
    """

    def __init__(
        self,
        loss: Loss,
        auxiliary_weight: float = 1.0,
        smoothing: float = 0.0,
        related: float = 0.0,
        neutral_weight: float = 1.0,
        over_processes: Callable[[Tensor], Tensor] = lambda number: number,
    ) -> None:
        self.loss = loss
        self.auxiliary_weight = auxiliary_weight
        self.neutral_weight = neutral_weight
        self.over_processes = over_processes
        joint = _soft_targets(smoothing, related)
        complementary, dominant = (np.eye(8)[number] for number in indices_to_emotions(range(CLASS_COUNT)))
        self._targets = {
            name: torch.from_numpy(np.ascontiguousarray(table, dtype=np.float32))
            for name, table in {
                "scores": joint,
                "dominant": joint @ dominant,
                "complementary": joint @ complementary,
            }.items()
        }

    def __call__(self, outputs: dict[str, Tensor], labels: Tensor) -> Tensor:
        """The summed loss, a scalar.

        Args:
            outputs: of a network.
            labels: (n,) class indices.
        """
        weights = torch.where(labels == 0, self.neutral_weight, 1.0)
        whole = self.over_processes(weights.sum())
        total = outputs[next(iter(outputs))].new_zeros(())
        for name, output in outputs.items():
            weight = self.auxiliary_weight if "scores" in outputs and name != "scores" else 1.0
            losses = self.loss(output, self.targets(name, labels))
            total = total + weight * (weights * losses).sum() / whole
        return total

    def targets(self, name: str, labels: Tensor) -> Tensor:
        """Soft targets of an output, (n, 50) or (n, 8), rows summing to 1, for `labels`, (n,) class indices."""
        if self._targets[name].device != labels.device:
            self._targets[name] = self._targets[name].to(labels.device)
        return self._targets[name][labels]


def _soft_targets(smoothing: float, related: float) -> np.ndarray:
    """(50, 50): the row of a true class holds its soft target."""
    complementary, dominant = indices_to_emotions(range(CLASS_COUNT))
    swapped = (complementary[:, None] == dominant) & (dominant[:, None] == complementary)
    near = 1.0 * ((complementary[:, None] == complementary) | (dominant[:, None] == dominant)) + 2.0 * swapped
    np.fill_diagonal(near, 0)
    near[0, 0] = 1  # nothing is related to neutral
    near /= near.sum(axis=1, keepdims=True)
    own = np.eye(CLASS_COUNT)
    return (1 - smoothing - related) * own + smoothing / CLASS_COUNT + related * near
