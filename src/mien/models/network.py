"""The network of the paper: a visual and a geometric branch, joined, and a head for the 50 classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from mien.displacement import DISPLACEMENT_SIZE
from mien.labels import CLASS_COUNT
from mien.models.geometric import GeometricBranch
from mien.models.visual import FEATURE_COUNT, VISUAL_BRANCHES, fill_as_published


@dataclass(frozen=True)
class NetworkConfig:
    """What a network is made of.

    Attributes:
        visual: `alexnet` (the paper's), `compact`, or `none` for the geometric branch alone.
        geometric: whether the displacement takes part; False is the single visual branch.
        head: `fc7` (published configuration: hidden layer, PReLU, dropout) or `direct` (the paper's text).
        dropout: share of hidden features that are dropped in training (`fc7` only).
        head_fill: how the head's weights start: `published` (narrow normal, biases 0.1) or `torch` (its default).
        scale_displacement: give all coordinates equal spread; the paper feeds raw pixels.
    """

    visual: Literal["alexnet", "compact", "none"] = "alexnet"
    geometric: bool = True
    head: Literal["fc7", "direct"] = "fc7"
    dropout: float = 0.8
    head_fill: Literal["published", "torch"] = "published"
    scale_displacement: bool = False


class Network(nn.Module):
    """Crops and displacement to scores of the 50 classes.

    Args:
        visual: the visual branch, or None.
        geometric: the geometric branch, or None.
        head: takes the features of both, side by side.
    """

    def __init__(self, visual: nn.Module | None, geometric: GeometricBranch | None, head: nn.Module) -> None:
        super().__init__()
        self.visual = visual
        self.geometric = geometric
        self.head = head

    def forward(self, crops: Tensor, displacement: Tensor) -> Tensor:
        """Score the classes.

        Args:
            crops: (n, 224, 224, 3), uint8, RGB, 0..255.
            displacement: (n, 136), float32, crop pixels.

        Returns:
            (n, 50), float32: the higher the likelier; scale depends on the loss.
        """
        features = []
        if self.visual is not None:
            features.append(self.visual(crops))
        if self.geometric is not None:
            features.append(self.geometric(displacement))
        scores: Tensor = self.head(torch.cat(features, dim=1))
        return scores.float()


def build_network(config: NetworkConfig) -> Network:
    """A network with fresh weights, drawn from torch's global generator.

    Raises:
        ValueError: neither branch is wanted.
    """
    visual = None if config.visual == "none" else VISUAL_BRANCHES[config.visual]()
    geometric = GeometricBranch() if config.geometric else None
    if visual is None and geometric is None:
        raise ValueError("a network needs at least one branch")
    features = (FEATURE_COUNT if visual else 0) + (DISPLACEMENT_SIZE if geometric else 0)
    head = fc7_head(features, config.dropout) if config.head == "fc7" else direct_head(features)
    if config.head_fill == "published":
        _fill_head(head)
    return Network(visual, geometric, head)


def fc7_head(features: int, dropout: float) -> nn.Sequential:
    """The published head: features -> 256, PReLU, dropout, 256 -> 50."""
    return nn.Sequential(nn.Linear(features, 256), nn.PReLU(256), nn.Dropout(dropout), nn.Linear(256, CLASS_COUNT))


def direct_head(features: int) -> nn.Sequential:
    """The head of the paper's text: one layer, features -> 50."""
    return nn.Sequential(nn.Linear(features, CLASS_COUNT))


def _fill_head(head: nn.Sequential) -> None:
    """Hidden layers from N(0, 0.005), the last from N(0, 0.01), as published."""
    *hidden, last = [layer for layer in head if isinstance(layer, nn.Linear)]
    for layer in hidden:
        fill_as_published(layer, std=0.005)
    fill_as_published(last, std=0.01)
