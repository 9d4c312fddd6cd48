"""The first layers of the network that tells who it is, as a visual branch.

They were trained on three million photos of people and know edges as real skin and real light make them, which
renderings teach badly (docs/experiments.md). They stay as they are; what stands where in the face is left to a linear
layer behind them. Nothing that tells one person from another is known as early as here.

Source: King, "High Quality Face Recognition with Deep Metric Learning", 2017 (CC0), see `mien.faces.identity`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mien.errors import require
from mien.faces.alignment import CROP_SIZE
from mien.faces.identity import IDENTITY_NETWORK
from mien.models.dropout import BatchDropout

_SIDE = 150
"""Of the pictures that the network was trained on, in pixels."""
_MEAN, _SCALE = (122.782, 117.001, 104.298), 256.0
_CHANNELS, _BLOCKS = 32, 2
_DROPOUT = 0.5
_POOLED = 8
"""Places in a row, and in a column."""


def identity_layers(feature_count: int) -> nn.Sequential:
    """Crops, (n, 3, 224, 224) float RGB 0..255, to (n, feature_count); all but the first layers learns."""
    inputs = _CHANNELS * _POOLED**2
    return nn.Sequential(
        FirstLayers(),  # (n, 32, 35, 35)
        nn.AvgPool2d(5, stride=4),  # 8
        nn.Flatten(),
        nn.BatchNorm1d(inputs),
        BatchDropout(_DROPOUT, inputs),
        nn.Linear(inputs, feature_count),
    )


class FirstLayers(nn.Module):
    """A convolution and two residual blocks, with the weights of `mien.faces.identity`, which are never changed.

    Raises:
        MissingExtraError: the package onnx is not installed.
    """

    mean: Tensor
    shares: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("shares", _shares(CROP_SIZE, _SIDE), persistent=False)
        self.first = nn.Conv2d(3, _CHANNELS, 7, stride=2)
        self.blocks = nn.Sequential(*(_Residual() for _ in range(_BLOCKS)))
        layers = [layer for layer in self.modules() if isinstance(layer, nn.Conv2d)]
        for layer, (weights, biases) in zip(layers, _convolutions(), strict=False):
            assert layer.bias is not None
            layer.weight.data.copy_(torch.from_numpy(weights))
            layer.bias.data.copy_(torch.from_numpy(biases))
        self.requires_grad_(False)

    def forward(self, rgb: Tensor) -> Tensor:
        """(n, 3, 224, 224), 0..255, to (n, 32, 35, 35)."""
        small = self.shares @ rgb.contiguous() @ self.shares.T
        maps = self.first((small - self.mean) / _SCALE).relu()
        blocked: Tensor = self.blocks(nn.functional.max_pool2d(maps, 3, stride=2))
        return blocked


class _Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = (nn.Conv2d(_CHANNELS, _CHANNELS, 3, padding=1) for _ in range(2))

    def forward(self, maps: Tensor) -> Tensor:
        """(n, 32, height, width) to the same shape."""
        changed: Tensor = self.other(self.one(maps).relu())
        return (changed + maps).relu()


def _shares(size: int, smaller: int) -> Tensor:
    """How much each row of a smaller picture, (smaller, size), has of each row of a picture: the mean over its area.

    Real photos are sharper than renderings, so nothing may be skipped between two pixels.
    """
    edges = torch.arange(smaller + 1, dtype=torch.float64) * size / smaller
    pixels = torch.arange(size, dtype=torch.float64)
    covered = torch.minimum(edges[1:, None], pixels + 1) - torch.maximum(edges[:-1, None], pixels)
    return (covered.clamp_min(0) * smaller / size).to(torch.get_default_dtype())


def _convolutions() -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Weights and biases of all convolutions of the network, in their order, float32."""
    onnx = require("onnx", "train")
    graph = onnx.load(IDENTITY_NETWORK).graph
    arrays = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    arrays |= {node.output[0]: arrays[node.input[0]] for node in graph.node if node.input[0] in arrays}  # casts
    for node in graph.node:
        if node.op_type == "Conv":
            weights, biases = (arrays[name] for name in node.input[1:])
            yield weights.astype(np.float32), biases.astype(np.float32)
