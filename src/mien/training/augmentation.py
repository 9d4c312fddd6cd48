"""Random changes of training crops that leave the expression what it is."""

from __future__ import annotations

import torch
from torch import Tensor

from mien.faces.points68 import MIRROR, POINT_COUNT

MAX_SHIFT = 6
"""Pixels, each way."""

_MIRROR = torch.from_numpy(MIRROR)


def augment(crops: Tensor, displacement: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Mirror, shift and relight.

    Args:
        crops: (n, size, size, 3), uint8, RGB.
        displacement: (n, 136), crop pixels.
        generator: of the chance, on the CPU.

    Returns:
        new tensors of the same shapes and dtypes.
    """
    count = len(crops)
    mirrored = torch.rand(count, generator=generator) < 0.5
    crops = torch.where(mirrored.to(crops.device)[:, None, None, None], crops.flip(2), crops)
    displacement = torch.where(
        mirrored.to(displacement.device)[:, None], mirror_displacement(displacement), displacement
    )
    return _relight(_shift(crops, generator), generator), displacement


def mirror_displacement(displacement: Tensor) -> Tensor:
    """The displacement of the mirrored face, (n, 136): points change places, x changes sign."""
    points = displacement.reshape(-1, POINT_COUNT, 2)[:, _MIRROR.to(displacement.device)]
    return (points * points.new_tensor([-1.0, 1.0])).reshape(displacement.shape)


def _shift(crops: Tensor, generator: torch.Generator) -> Tensor:
    """Shift each crop by whole pixels; what comes in repeats the edge."""
    count, height, width, _ = crops.shape
    offsets = torch.randint(-MAX_SHIFT, MAX_SHIFT + 1, (2, count, 1), generator=generator)
    rows = (torch.arange(height) + offsets[0]).clamp(0, height - 1).to(crops.device)
    columns = (torch.arange(width) + offsets[1]).clamp(0, width - 1).to(crops.device)
    photos = torch.arange(count, device=crops.device)
    return crops[photos[:, None, None], rows[:, :, None], columns[:, None, :]]


def _relight(crops: Tensor, generator: torch.Generator) -> Tensor:
    """Change contrast, brightness and white balance of each crop a little."""
    count = len(crops)
    contrast = 1 + 0.25 * torch.randn(count, 1, generator=generator).clamp(-2, 2)
    tint = 1 + 0.06 * torch.randn(count, 3, generator=generator).clamp(-2, 2)
    light = 16 * torch.randn(count, 1, generator=generator).clamp(-2, 2)
    gain = (contrast * tint).to(crops.device)[:, None, None]
    bias = (light + 127.5 * (1 - contrast)).to(crops.device)[:, None, None]
    return (crops * gain + bias).clamp_(0, 255).to(torch.uint8)
