"""Random changes of training photos that leave the expression as it is.

`sample_augmentation` draws the parameters for a whole batch on the CPU. `AugmentationParams` apply on any device and
to any part of the batch, so that several processes change what one would.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from mien.faces.points68 import MIRROR, POINT_COUNT
from mien.training.recipe import AugmentationConfig

_MIRROR = torch.from_numpy(MIRROR)


@dataclass(frozen=True)
class AugmentationParams:
    """What happens to each photo of a batch; all shapes begin with n. None: it happens to no photo.

    Attributes:
        mirrored: (n,) bool.
        similarity: (n, 2, 3): crop pixels about the middle of the crop, to where they go.
        strength: (n, 1): what the displacement is multiplied by, before all else.
        noise: (n, 136), crop pixels.
        shift: (n, 2), rows and columns, whole pixels.
        color: (n, 2, 3): gain and bias of each colour.
        erased: (n, 4): top, left, bottom, right in shares of the crop; empty for most.
    """

    mirrored: Tensor | None = None
    similarity: Tensor | None = None
    noise: Tensor | None = None
    shift: Tensor | None = None
    color: Tensor | None = None
    erased: Tensor | None = None
    strength: Tensor | None = None

    def select(self, rows: slice, device: torch.device) -> AugmentationParams:
        """The parameters of some photos of the batch, on a device."""
        tensors = {f.name: getattr(self, f.name) for f in fields(self)}
        return AugmentationParams(
            **{name: None if t is None else t[rows].to(device, non_blocking=True) for name, t in tensors.items()}
        )

    def apply_to_displacement(self, displacement: Tensor, landmarks: Tensor, size: int) -> Tensor:
        """Changed displacement: a landmark that goes from p to q moves its displacement by q - p.

        Args:
            displacement: (n, 136), crop pixels.
            landmarks: (n, 136), crop pixels.
            size: of the crops.
        """
        if self.strength is not None:
            displacement = displacement * self.strength
        if self.mirrored is not None:
            rows = self.mirrored[:, None]
            landmarks = torch.where(rows, mirror_landmarks(landmarks, size), landmarks)
            displacement = torch.where(rows, mirror_displacement(displacement), displacement)
        if self.similarity is not None:
            displacement = displacement + _move(landmarks, self.similarity, size) - landmarks
        return displacement if self.noise is None else displacement + self.noise

    def apply_to_crops(self, crops: Tensor) -> Tensor:
        """Changed crops; (n, size, size, 3), uint8, RGB, to the same."""
        if self.mirrored is not None:
            crops = _mirror(crops, self.mirrored)
        if self.similarity is not None:
            crops = _warp(crops, self.similarity)
        if self.shift is not None:
            crops = _shift(crops, self.shift)
        if self.color is not None:
            crops = _recolor(crops, self.color)
        return crops if self.erased is None else _erase(crops, self.erased)


def sample_augmentation(config: AugmentationConfig, count: int, rng: torch.Generator) -> AugmentationParams:
    """Random parameters for `count` photos, on the CPU; `rng` is a generator of the CPU."""

    def spread(*shape: int) -> Tensor:
        return torch.randn(count, *shape, generator=rng).clamp(-2, 2)

    mirrored = torch.rand(count, generator=rng) < 0.5 if config.mirror else None
    similarity = None
    if config.rotation or config.scale or config.move:
        angle = torch.deg2rad(config.rotation * spread())
        size = 1 + config.scale * spread()
        cos, sin = size * angle.cos(), size * angle.sin()
        rotation = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)
        similarity = torch.cat([rotation, config.move * spread(2, 1)], dim=2)
    noise = config.landmark_noise * spread(2 * POINT_COUNT) if config.landmark_noise else None
    shift = torch.randint(-config.shift, config.shift + 1, (count, 2), generator=rng) if config.shift else None
    color = None
    if config.color_jitter:
        contrast = 1 + 0.25 * config.color_jitter * spread(1)
        tint = 1 + 0.06 * config.color_jitter * spread(3)
        brightness = 16 * config.color_jitter * spread(1)
        color = torch.stack([contrast * tint, (brightness + 127.5 * (1 - contrast)).expand(-1, 3)], dim=1)
    erased = None
    if config.erase:
        place, extent = torch.rand(2, count, 2, generator=rng)
        extent = (0.1 + 0.25 * extent) * (torch.rand(count, 1, generator=rng) < config.erase)
        erased = torch.cat([place * (1 - extent), place * (1 - extent) + extent], dim=1)
    strength = None
    if config.weakest < 1:
        strength = config.weakest + (1 - config.weakest) * torch.rand(count, 1, generator=rng)
    return AugmentationParams(mirrored, similarity, noise, shift, color, erased, strength)


def mirror_displacement(displacement: Tensor) -> Tensor:
    """The displacement of the mirrored face, (n, 136): points change places, x changes sign."""
    points = displacement.reshape(-1, POINT_COUNT, 2)[:, _MIRROR.to(displacement.device)]
    return (points * points.new_tensor([-1.0, 1.0])).reshape(displacement.shape)


def mirror_landmarks(landmarks: Tensor, size: int) -> Tensor:
    """The landmarks of the mirrored crop, (n, 136): points change places, x becomes size - 1 - x."""
    mirrored = mirror_displacement(landmarks).reshape(-1, POINT_COUNT, 2)
    return (mirrored + mirrored.new_tensor([size - 1.0, 0.0])).reshape(landmarks.shape)


def _move(landmarks: Tensor, similarity: Tensor, size: int) -> Tensor:
    middle = (size - 1) / 2
    points = landmarks.reshape(-1, POINT_COUNT, 2) - middle
    moved = points @ similarity[:, :, :2].transpose(1, 2) + similarity[:, None, :, 2] + middle
    return moved.reshape(landmarks.shape)


def _warp(crops: Tensor, similarity: Tensor) -> Tensor:
    """Bilinear; what comes in repeats the edge."""
    size = crops.shape[1]
    back = torch.linalg.inv(similarity[:, :, :2])
    offset = -back @ (similarity[:, :, 2:] * 2 / size)
    maps = crops.permute(0, 3, 1, 2).float()
    grid = affine_grid(torch.cat([back, offset], dim=2), list(maps.shape), align_corners=False)
    warped = grid_sample(maps, grid, padding_mode="border", align_corners=False)
    return warped.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def _mirror(crops: Tensor, mirrored: Tensor) -> Tensor:
    if crops.device.type != "cpu":
        return torch.where(mirrored[:, None, None, None], crops.flip(2), crops)
    changed = crops.numpy().copy()
    for i in mirrored.nonzero().flatten().tolist():
        cv2.flip(crops[i].numpy(), 1, dst=changed[i])
    return torch.from_numpy(changed)


def _shift(crops: Tensor, shift: Tensor) -> Tensor:
    """Shift each crop by whole pixels; what comes in repeats the edge."""
    count, height, width, _ = crops.shape
    if crops.device.type == "cpu":
        shifted = np.empty(crops.shape, dtype=np.uint8)
        for crop, (down, right), out in zip(crops.numpy(), shift.tolist(), shifted, strict=True):
            kept = crop[max(0, down) : height + min(0, down), max(0, right) : width + min(0, right)]
            edges = (max(0, -down), max(0, down), max(0, -right), max(0, right))
            cv2.copyMakeBorder(kept, *edges, cv2.BORDER_REPLICATE, dst=out)
        return torch.from_numpy(shifted)
    rows = (torch.arange(height, device=crops.device) + shift[:, :1]).clamp(0, height - 1)
    columns = (torch.arange(width, device=crops.device) + shift[:, 1:]).clamp(0, width - 1)
    photos = torch.arange(count, device=crops.device)
    return crops[photos[:, None, None], rows[:, :, None], columns[:, None, :]]


def _recolor(crops: Tensor, color: Tensor) -> Tensor:
    """Each colour times its gain plus its bias; a processor looks that up in a table of the 256 values."""
    gain, bias = color[:, None, None, 0], color[:, None, None, 1]
    if crops.device.type != "cpu":
        return (crops * gain + bias).clamp_(0, 255).to(torch.uint8)
    values = torch.arange(256).view(1, 256, 1, 1)
    tables = (values * gain + bias).clamp_(0, 255).to(torch.uint8).numpy()
    recolored = np.empty(crops.shape, dtype=np.uint8)
    for crop, table, out in zip(crops.numpy(), tables, recolored, strict=True):
        cv2.LUT(crop, table, dst=out)
    return torch.from_numpy(recolored)


def _erase(crops: Tensor, erased: Tensor) -> Tensor:
    """Fill the rectangles with grey."""
    size = crops.shape[1]
    place = (torch.arange(size, device=crops.device) + 0.5) / size
    rows = (place >= erased[:, :1]) & (place < erased[:, 2:3])
    columns = (place >= erased[:, 1:2]) & (place < erased[:, 3:])
    inside = rows[:, :, None] & columns[:, None, :]
    return crops.masked_fill(inside[..., None], 127)
