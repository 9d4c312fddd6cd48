"""The visual branch: an aligned crop to 256 features.

Every branch takes crops as they lie in a prepared set, (n, size, size, 3) uint8 RGB 0..255, and normalises
them itself, so that no caller can do it differently.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from mien.models.activation import PReLU
from mien.models.convolution import GroupedConv, StridedConv
from mien.models.identity_layers import identity_layers
from mien.models.normalisation import LocalResponseNorm

FEATURE_COUNT = 256


class VisualBranch(nn.Module):
    """Crops to features: pixels, then layers.

    Args:
        pixels: turns (n, 3, size, size) float RGB 0..255 into what the layers expect.
        layers: end in (n, 256).
        crop_size: side of the crops in pixels.
    """

    def __init__(self, pixels: nn.Module, layers: nn.Module, crop_size: int) -> None:
        super().__init__()
        self.pixels = pixels
        self.layers = layers
        self.crop_size = crop_size

    def forward(self, crops: Tensor) -> Tensor:
        """(n, size, size, 3) uint8 RGB to (n, 256)."""
        channels_first = crops.permute(0, 3, 1, 2).to(torch.get_default_dtype())
        features: Tensor = self.layers(self.pixels(channels_first))
        return features


def alexnet() -> VisualBranch:
    """The paper's branch: AlexNet without its last layers, PReLU for ReLU, 256 features (section III).

    Raw BGR 0..255 without a mean, as in the published configuration.
    """
    layers = nn.Sequential(
        StridedConv(3, 96, 11, stride=4),  # 224 -> 54
        PReLU(96),
        nn.MaxPool2d(3, 2, ceil_mode=True),  # 27; Caffe rounds pooling up
        LocalResponseNorm(),
        GroupedConv(96, 256, 5, padding=2, groups=2),
        PReLU(256),
        nn.MaxPool2d(3, 2, ceil_mode=True),  # 13
        LocalResponseNorm(),
        nn.Conv2d(256, 384, 3, padding=1),
        PReLU(384),
        GroupedConv(384, 384, 3, padding=1, groups=2),
        PReLU(384),
        GroupedConv(384, 256, 3, padding=1, groups=2),
        PReLU(256),
        nn.MaxPool2d(3, 2, ceil_mode=True),  # 6
        nn.Flatten(),
        nn.Linear(256 * 6 * 6, FEATURE_COUNT),
    )
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            fill_as_published(layer, std=0.01)
        elif isinstance(layer, nn.Linear):
            fill_as_published(layer, std=0.005)
    return VisualBranch(_RawBGR(), layers, crop_size=224)


def compact() -> VisualBranch:
    """A branch for processors without a GPU: half the resolution, batch norm, a twentieth of the arithmetic."""

    def stage(inputs: int, outputs: int) -> list[nn.Module]:
        return [
            nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, groups=outputs // 8, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        ]

    layers = nn.Sequential(
        *stage(3, 24),  # 112 -> 56
        *stage(24, 48),  # 28
        *stage(48, 96),  # 14
        *stage(96, 160),  # 7
        nn.Conv2d(160, 64, 1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64 * 7 * 7, FEATURE_COUNT, bias=False),
        nn.BatchNorm1d(FEATURE_COUNT),  # without it the branch alone does not learn
    )
    return VisualBranch(_HalvedAndCentred(), layers, crop_size=224)


def identity_branch() -> VisualBranch:
    """A linear layer behind the first layers of the network that tells who it is, see `identity_layers`."""
    return VisualBranch(nn.Identity(), identity_layers(FEATURE_COUNT), crop_size=224)


VISUAL_BRANCHES: dict[str, Callable[[], VisualBranch]] = {
    "alexnet": alexnet,
    "compact": compact,
    "identity": identity_branch,
}


def fill_as_published(layer: nn.Conv2d | nn.Linear, std: float) -> None:
    """Weights from N(0, std), biases 0.1 (published configuration)."""
    nn.init.normal_(layer.weight, std=std)
    if layer.bias is not None:
        nn.init.constant_(layer.bias, 0.1)


class _RawBGR(nn.Module):
    def forward(self, rgb: Tensor) -> Tensor:
        return rgb.flip(1)


class _HalvedAndCentred(nn.Module):
    def forward(self, rgb: Tensor) -> Tensor:
        return (nn.functional.avg_pool2d(rgb, 2) - 127.5) / 64.0
