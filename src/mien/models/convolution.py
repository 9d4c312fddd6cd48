"""Convolutions of the paper's visual branch, in forms that a GPU computes faster; weights and results are the same.

cuDNN pads three colours to eight channels, and copies maps to and fro for two groups (docs/experiments.md).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad, pixel_unshuffle


class StridedConv(nn.Conv2d):
    """A convolution without padding over maps whose sides are multiples of its stride."""

    def forward(self, maps: Tensor) -> Tensor:
        """(n, channels, height, width) to maps."""
        return super().forward(maps) if maps.device.type == "cpu" else self.over_blocks(maps)

    def over_blocks(self, maps: Tensor) -> Tensor:
        """The same over blocks of pixels, stride by stride, each a pixel with as many more channels."""
        block = self.stride[0]
        missing = -self.kernel_size[0] % block
        weight = pixel_unshuffle(pad(self.weight, (0, missing, 0, missing)), block)
        return conv2d(pixel_unshuffle(maps, block), weight, self.bias)


class GroupedConv(nn.Conv2d):
    """A convolution in groups."""

    def forward(self, maps: Tensor) -> Tensor:
        """(n, channels, height, width) to maps."""
        return super().forward(maps) if maps.device.type == "cpu" else self.over_all(maps)

    def over_all(self, maps: Tensor) -> Tensor:
        """The same over all channels, with weights of zero from one group to another."""
        weights = self.weight.chunk(self.groups)
        rows = [
            torch.cat([weight if group == own else torch.zeros_like(weight) for group in range(self.groups)], dim=1)
            for own, weight in enumerate(weights)
        ]
        return conv2d(maps, torch.cat(rows), self.bias, self.stride, self.padding)
