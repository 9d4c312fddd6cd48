"""Dropout by the place of a photo in the batch of all processes."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class BatchDropout(nn.Module):
    """Dropout whose chance is drawn for the whole batch, of which each process takes its rows.

    So that several processes, seeded alike, drop what one would.

    Args:
        share: of the features that are dropped in training, at least 0 and under 1; the others grow by
            1 / (1 - share).
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, features: Tensor) -> Tensor:
        """(n, features) to the same shape."""
        if not self.training or self.share == 0:
            return features
        rank, processes = 0, 1
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            rank, processes = torch.distributed.get_rank(), torch.distributed.get_world_size()
        count = len(features)
        chance = torch.rand(processes * count, features.shape[1], device=features.device)
        kept = chance[rank * count : (rank + 1) * count] >= self.share
        return features * kept / (1 - self.share)
