"""What a network is made of. It is read and checked without torch."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec


class NetworkConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a network is made of; the defaults are the published configuration.

    Attributes:
        visual: `alexnet` (the paper's), `compact`, `identity` (a linear layer behind the first layers of the network
            that tells who it is, which stay as they are), or `none` for the geometric branch alone.
        geometric: whether the displacement takes part; False is the single visual branch.
        head: `fc7` (published configuration: hidden layer, PReLU, dropout) or `direct` (the paper's text).
        outputs: `joint`: the 50 classes, as published. `two-heads`: one trunk, an output layer for the dominant and
            one for the complementary emotion. `two-networks`: a whole network for either. `joint-and-factors`: the 50
            classes, and in training the two emotions beside them.
        dropout: share of hidden features that are dropped in training (`fc7` only).
        head_init: how the head's weights start: `published` (narrow normal, biases 0.1) or `torch` (its default).
        scale_displacement: give all coordinates equal spread; the paper feeds raw pixels.
        relative_visual: give the head each photo's visual feature minus its subject's mean feature, where other
            photos of the subject are at hand, as the displacement is relative to the subject's mean landmarks.
    """

    visual: Literal["alexnet", "compact", "identity", "none"] = "alexnet"
    geometric: bool = True
    head: Literal["fc7", "direct"] = "fc7"
    outputs: Literal["joint", "two-heads", "two-networks", "joint-and-factors"] = "joint"
    dropout: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.8
    head_init: Literal["published", "torch"] = "published"
    scale_displacement: bool = False
    relative_visual: bool = False
