"""Losses over scores, and the criterion that judges all outputs of a network with one of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from mien.labels import CLASS_COUNT, indices_to_emotions

Loss = Callable[[Tensor, Tensor], Tensor]
"""(n, classes) scores and (n, classes) shares of the truth, rows summing to 1, to the mean loss, a scalar."""


def hinge(scores: Tensor, truth: Tensor) -> Tensor:
    """L2 hinge, one against all: sum over classes of max(0, 1 - t s)^2, t = +1 for the true class, else -1.

    The mean over the batch is taken. Caffe's HingeLoss with norm L2; scores of zero cost 50. Where the truth is
    shared among classes, each class counts as true and as false in these shares.
    """
    as_true = (1 - scores).clamp_min(0).square()
    as_false = (1 + scores).clamp_min(0).square()
    return torch.lerp(as_false, as_true, truth).sum(dim=1).mean()


def cross_entropy(scores: Tensor, truth: Tensor) -> Tensor:
    """Softmax cross-entropy in nats, mean over the batch."""
    return -(truth * scores.log_softmax(dim=1)).sum(dim=1).mean()


LOSSES: dict[str, Loss] = {"hinge": hinge, "cross-entropy": cross_entropy}


class Criterion:
    """The loss of a network's outputs, see `mien.models.network`.

    Args:
        loss: judges each output.
        factor_weight: of the losses over `dominant` and `complementary` beside one over `scores`; alone they weigh 1.
        smoothing: share of the truth spread evenly over all classes, 0..1.
        related: share of the truth spread over the classes that people take for the true one: the same two
            emotions the other way round counts double, one of them in its place counts once.
    """

    def __init__(self, loss: Loss, factor_weight: float = 1.0, smoothing: float = 0.0, related: float = 0.0) -> None:
        self.loss = loss
        self.factor_weight = factor_weight
        joint = _soft_truth(smoothing, related)
        complementary, dominant = (np.eye(8)[number] for number in indices_to_emotions(range(CLASS_COUNT)))
        self._truth = {
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
        total = outputs[next(iter(outputs))].new_zeros(())
        for name, output in outputs.items():
            weight = self.factor_weight if "scores" in outputs and name != "scores" else 1.0
            total = total + weight * self.loss(output, self.truth(name, labels))
        return total

    def truth(self, name: str, labels: Tensor) -> Tensor:
        """Shares of the truth for an output, (n, 50) or (n, 8), rows summing to 1; `labels` (n,) class indices."""
        if self._truth[name].device != labels.device:
            self._truth[name] = self._truth[name].to(labels.device)
        return self._truth[name][labels]


def _soft_truth(smoothing: float, related: float) -> np.ndarray:
    """(50, 50): row true class, column share of the truth."""
    complementary, dominant = indices_to_emotions(range(CLASS_COUNT))
    swapped = (complementary[:, None] == dominant) & (dominant[:, None] == complementary)
    near = 1.0 * ((complementary[:, None] == complementary) | (dominant[:, None] == dominant)) + 2.0 * swapped
    np.fill_diagonal(near, 0)
    near[0, 0] = 1  # nothing is related to neutral
    near /= near.sum(axis=1, keepdims=True)
    own = np.eye(CLASS_COUNT)
    return (1 - smoothing - related) * own + smoothing / CLASS_COUNT + related * near
