"""Random changes of training photos that leave the expression what it is.

`draw_changes` draws for a whole batch on the CPU; `Changes` apply on any device and to any part of the
batch, so that several processes change what one would.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from mien.faces.points68 import MIRROR, POINT_COUNT

_MIRROR = torch.from_numpy(MIRROR)


@dataclass(frozen=True)
class AugmentationConfig:
    """What is changed, and how much; the defaults change nothing, as in the paper.

    Spreads are standard deviations, cut off at twice their size.

    Attributes:
        mirror: every other photo, its landmarks too.
        rotation: spread in degrees; picture and landmarks turn together, as if the face were aligned a little amiss.
        scale: spread as a share of the size; picture and landmarks together.
        move: spread in pixels, each way; picture and landmarks together.
        landmark_noise: spread in pixels, each landmark for itself.
        shift: up to so many whole pixels each way; the picture alone.
        relight: contrast, brightness and white balance; 1 changes them a lot.
        erase: share of photos in which a rectangle is grey.
    """

    mirror: bool = False
    rotation: float = 0.0
    scale: float = 0.0
    move: float = 0.0
    landmark_noise: float = 0.0
    shift: int = 0
    relight: float = 0.0
    erase: float = 0.0


@dataclass(frozen=True)
class Changes:
    """What happens to each photo of a batch; all shapes begin with n. None: it happens to none.

    Attributes:
        mirrored: (n,) bool.
        similarity: (n, 2, 3): crop pixels about the middle of the crop, to where they go.
        noise: (n, 136), crop pixels.
        shift: (n, 2), rows and columns, whole pixels.
        light: (n, 2, 3): gain and bias of each colour.
        erased: (n, 4): top, left, bottom, right in shares of the crop; empty for most.
    """

    mirrored: Tensor | None = None
    similarity: Tensor | None = None
    noise: Tensor | None = None
    shift: Tensor | None = None
    light: Tensor | None = None
    erased: Tensor | None = None

    def part(self, rows: slice, device: torch.device) -> Changes:
        """Those of some photos, on a device."""
        tensors = {f.name: getattr(self, f.name) for f in fields(self)}
        return Changes(**{name: None if t is None else t[rows].to(device) for name, t in tensors.items()})

    def of_displacement(self, displacement: Tensor, landmarks: Tensor, size: int) -> Tensor:
        """Changed displacement: a landmark that goes from p to q moves its displacement by q - p.

        Args:
            displacement: (n, 136), crop pixels.
            landmarks: (n, 136), crop pixels.
            size: of the crops.
        """
        if self.mirrored is not None:
            rows = self.mirrored[:, None]
            landmarks = torch.where(rows, mirror_landmarks(landmarks, size), landmarks)
            displacement = torch.where(rows, mirror_displacement(displacement), displacement)
        if self.similarity is not None:
            displacement = displacement + _move(landmarks, self.similarity, size) - landmarks
        return displacement if self.noise is None else displacement + self.noise

    def of_crops(self, crops: Tensor) -> Tensor:
        """Changed crops; (n, size, size, 3), uint8, RGB, to the same."""
        if self.mirrored is not None:
            crops = _mirror(crops, self.mirrored)
        if self.similarity is not None:
            crops = _warp(crops, self.similarity)
        if self.shift is not None:
            crops = _shift(crops, self.shift)
        if self.light is not None:
            crops = _relight(crops, self.light)
        return crops if self.erased is None else _erase(crops, self.erased)


def draw_changes(config: AugmentationConfig, count: int, chance: torch.Generator) -> Changes:
    """Changes of `count` photos, on the CPU; `chance` is a generator of the CPU."""

    def spread(*shape: int) -> Tensor:
        return torch.randn(count, *shape, generator=chance).clamp(-2, 2)

    mirrored = torch.rand(count, generator=chance) < 0.5 if config.mirror else None
    similarity = None
    if config.rotation or config.scale or config.move:
        angle = torch.deg2rad(config.rotation * spread())
        size = 1 + config.scale * spread()
        cos, sin = size * angle.cos(), size * angle.sin()
        turn = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)
        similarity = torch.cat([turn, config.move * spread(2, 1)], dim=2)
    noise = config.landmark_noise * spread(2 * POINT_COUNT) if config.landmark_noise else None
    shift = torch.randint(-config.shift, config.shift + 1, (count, 2), generator=chance) if config.shift else None
    light = None
    if config.relight:
        contrast = 1 + 0.25 * config.relight * spread(1)
        tint = 1 + 0.06 * config.relight * spread(3)
        brightness = 16 * config.relight * spread(1)
        light = torch.stack([contrast * tint, (brightness + 127.5 * (1 - contrast)).expand(-1, 3)], dim=1)
    erased = None
    if config.erase:
        place, extent = torch.rand(2, count, 2, generator=chance)
        extent = (0.1 + 0.25 * extent) * (torch.rand(count, 1, generator=chance) < config.erase)
        erased = torch.cat([place * (1 - extent), place * (1 - extent) + extent], dim=1)
    return Changes(mirrored, similarity, noise, shift, light, erased)


def mirror_displacement(displacement: Tensor) -> Tensor:
    """The displacement of the mirrored face, (n, 136): points change places, x changes sign."""
    points = displacement.reshape(-1, POINT_COUNT, 2)[:, _MIRROR.to(displacement.device)]
    return (points * points.new_tensor([-1.0, 1.0])).reshape(displacement.shape)


def mirror_landmarks(landmarks: Tensor, size: int) -> Tensor:
    """The landmarks of the mirrored crop, (n, 136): points change places, x becomes size - 1 - x."""
    turned = mirror_displacement(landmarks).reshape(-1, POINT_COUNT, 2)
    return (turned + turned.new_tensor([size - 1.0, 0.0])).reshape(landmarks.shape)


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


def _relight(crops: Tensor, light: Tensor) -> Tensor:
    """Each colour times its gain plus its bias; a processor looks that up in a table of the 256 values."""
    gain, bias = light[:, None, None, 0], light[:, None, None, 1]
    if crops.device.type != "cpu":
        return (crops * gain + bias).clamp_(0, 255).to(torch.uint8)
    values = torch.arange(256).view(1, 256, 1, 1)
    tables = (values * gain + bias).clamp_(0, 255).to(torch.uint8).numpy()
    lit = np.empty(crops.shape, dtype=np.uint8)
    for crop, table, out in zip(crops.numpy(), tables, lit, strict=True):
        cv2.LUT(crop, table, dst=out)
    return torch.from_numpy(lit)


def _erase(crops: Tensor, erased: Tensor) -> Tensor:
    """Fill the rectangles with grey."""
    size = crops.shape[1]
    place = (torch.arange(size, device=crops.device) + 0.5) / size
    rows = (place >= erased[:, :1]) & (place < erased[:, 2:3])
    columns = (place >= erased[:, 1:2]) & (place < erased[:, 3:])
    inside = rows[:, :, None] & columns[:, None, :]
    return crops.masked_fill(inside[..., None], 127)
