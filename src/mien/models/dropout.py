"""Dropout that is the same for one process and for several."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class BatchDropout(nn.Module):
    """Dropout drawn at random for the batch of all processes, of which each process takes its rows.

    Several processes with the same seed drop what one process would.

    Args:
        probability: that a feature is dropped in training, at least 0 and under 1; the others are multiplied by
            1 / (1 - probability).
        features: how many there are.
    """

    def __init__(self, probability: float, features: int) -> None:
        super().__init__()
        self.probability, self.features = probability, features
        self._drawn: Tensor | None = None

    def draw(self, count: int, device: torch.device) -> None:
        """Draw for the next call rather than within it, for a step that is recorded; its only process calls this.

        What is drawn lies in the same place each time, and serves every call until the next draw.
        """
        if self._drawn is None:
            self._drawn = torch.empty(count, self.features, device=device)
        self._drawn.uniform_()

    def forward(self, features: Tensor) -> Tensor:
        """(n, features) to the same shape."""
        if not self.training or self.probability == 0:
            return features
        drawn = self._draw_now(features) if self._drawn is None else self._drawn
        return features * (drawn >= self.probability) / (1 - self.probability)

    @staticmethod
    def _draw_now(features: Tensor) -> Tensor:
        rank, processes = 0, 1
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            rank, processes = torch.distributed.get_rank(), torch.distributed.get_world_size()
        count = len(features)
        drawn = torch.rand(processes * count, features.shape[1], device=features.device)
        return drawn[rank * count : (rank + 1) * count]
