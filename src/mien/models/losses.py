"""Losses over the scores of the 50 classes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy as _cross_entropy

Loss = Callable[[Tensor, Tensor], Tensor]
"""(n, 50) scores and (n,) class indices to the mean loss, a scalar."""


def hinge(scores: Tensor, labels: Tensor) -> Tensor:
    """L2 hinge, one against all: sum over classes of max(0, 1 - t s)^2, t = +1 for the true class, else -1.

    The mean over the batch is taken. Caffe's HingeLoss with norm L2; scores of zero cost 50.
    """
    sign = torch.full_like(scores, -1.0).scatter_(1, labels[:, None], 1.0)
    return (1 - sign * scores).clamp_min(0).square().sum(dim=1).mean()


def cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """Softmax cross-entropy in nats, mean over the batch."""
    return _cross_entropy(scores, labels)


LOSSES: dict[str, Loss] = {"hinge": hinge, "cross-entropy": cross_entropy}
