"""The network that finds the 68 landmarks of an aligned face, and how sure it is of each.

An encoder of inverted residual blocks (Sandler et al., "MobileNetV2", CVPR 2018) down to 4 x 4, a decoder up to
28 x 28 with skips, a map of each point there, and the mean over the map as its place (Sun et al., "Integral human
pose regression", ECCV 2018; Nibali et al., "Numerical coordinate regression", 2018). Places are continuous, and the
network answers alike wherever in the crop a part of the face lies.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from mien.faces.cnn import INPUT_SIZE
from mien.faces.points68 import POINT_COUNT

_MAP_SIZE = INPUT_SIZE // 4
_SURE, _UNSURE = -6.0, 0.0
"""Bounds of the logarithm of a point's spread, in sides of the crop."""


class LandmarkNetwork(nn.Module):
    """Grey crops to landmarks and their spread.

    Args:
        width: channels at 28 x 28; the deeper stages have more.
    """

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        w1, w2, w3, w4 = width, 2 * width, 3 * width, 4 * width
        self.stem = nn.Sequential(
            _convolution(1, 16, 3, stride=2), _Inverted(16, w1, 2, stride=2), _Inverted(w1, w1, 2)
        )
        self.down1 = nn.Sequential(_Inverted(w1, w2, 3, stride=2), _Inverted(w2, w2, 3), _Inverted(w2, w2, 3))
        self.down2 = nn.Sequential(_Inverted(w2, w3, 3, stride=2), _Inverted(w3, w3, 3), _Inverted(w3, w3, 3))
        self.down3 = nn.Sequential(_Inverted(w3, w4, 3, stride=2), _Inverted(w4, w4, 3))
        self.up3 = _Up(w4, w3)
        self.up2 = _Up(w3, w2)
        self.up1 = _Up(w2, w1)
        self.refine = _Inverted(w1, w1, 3)
        self.maps = nn.Conv2d(w1, POINT_COUNT, 1)
        self.spread = nn.Linear(w4, POINT_COUNT)
        line = (torch.arange(_MAP_SIZE) + 0.5) / _MAP_SIZE
        self.register_buffer("line", line, persistent=False)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Find the points.

        Args:
            crops: (n, 1, 112, 112), float32, grey levels 0..255; exposure and contrast do not matter.

        Returns:
            (n, 68, 2): x and y in sides of the crop, 0..1 from its upper left corner; and (n, 68): logarithm of their
            spread (scale of a Laplace distribution) in the same unit.
        """
        mean = crops.mean(dim=(2, 3), keepdim=True)
        centred = crops - mean
        deviation = (centred * centred).mean(dim=(2, 3), keepdim=True).sqrt()
        at28 = self.stem(centred / (deviation + 4))
        at14 = self.down1(at28)
        at7 = self.down2(at14)
        at4 = self.down3(at7)
        decoded = self.up1(self.up2(self.up3(at4, at7), at14), at28)
        maps = self.maps(self.refine(decoded)).flatten(2).softmax(dim=2).unflatten(2, (_MAP_SIZE, _MAP_SIZE))
        x = (maps.sum(dim=2) * self.line).sum(dim=2)
        y = (maps.sum(dim=3) * self.line).sum(dim=2)
        spread = self.spread(at4.mean(dim=(2, 3))).clamp(_SURE, _UNSURE)
        return torch.stack([x, y], dim=2), spread


def _convolution(inputs: int, outputs: int, side: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, side, stride, side // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class _Inverted(nn.Module):
    """Widen, filter each channel, narrow; with a shortcut where the shape stays."""

    def __init__(self, inputs: int, outputs: int, widening: int, stride: int = 1) -> None:
        super().__init__()
        inner = inputs * widening
        self.layers = nn.Sequential(
            _convolution(inputs, inner, 1),
            _convolution(inner, inner, 3, stride, groups=inner),
            nn.Conv2d(inner, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.has_shortcut = stride == 1 and inputs == outputs

    def forward(self, maps: Tensor) -> Tensor:
        changed: Tensor = self.layers(maps)
        return maps + changed if self.has_shortcut else changed


class _Up(nn.Module):
    """Twice the size, added to the encoder's maps of that size."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.narrow = _convolution(inputs, outputs, 1)
        self.mix = _Inverted(outputs, outputs, 2)

    def forward(self, small: Tensor, large: Tensor) -> Tensor:
        mixed: Tensor = self.mix(interpolate(self.narrow(small), size=large.shape[-2:], mode="nearest") + large)
        return mixed
