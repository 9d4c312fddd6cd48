"""The geometric branch: displacement to features. It has no weights, at most a fixed scale."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mien.displacement import DISPLACEMENT_SIZE


class GeometricBranch(nn.Module):
    """Displacement, (n, 136) crop pixels, divided by a scale for each coordinate.

    The scale is 1 until it is set: the paper feeds raw pixels.
    """

    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(DISPLACEMENT_SIZE))

    def forward(self, displacement: Tensor) -> Tensor:
        """(n, 136) to (n, 136)."""
        return displacement / self.scale

    @torch.no_grad()
    def set_scale(self, displacement: Tensor) -> None:
        """Let every coordinate of these training displacements, (n, 136), have a standard deviation of 1."""
        self.scale.copy_(displacement.std(dim=0).clamp_min(1e-3))
