"""Optimiser, schedule, and the running mean of weights."""

from __future__ import annotations

import copy
import math
from typing import Generic, TypeVar

import torch
from torch import nn

from mien.training.recipe import TrainingConfig

SomeNetwork = TypeVar("SomeNetwork", bound=nn.Module)


def build_optimiser(network: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    """Two groups: weights, and biases at twice the rate without decay (published configuration).

    Slopes of PReLU are weights, as in Caffe, which gives all that is no bias the plain rate and decay.
    """
    weights = [p for name, p in network.named_parameters() if not name.endswith("bias")]
    biases = [p for name, p in network.named_parameters() if name.endswith("bias")]
    groups = [
        {"params": weights, "rate": config.learning_rate, "weight_decay": config.weight_decay},
        {"params": biases, "rate": 2 * config.learning_rate, "weight_decay": 0.0},
    ]
    if config.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=config.learning_rate, momentum=config.momentum)
    return torch.optim.AdamW(groups, lr=config.learning_rate)


def schedule(config: TrainingConfig, step: int) -> float:
    """What the learning rate is multiplied with at a step, from 0."""
    warm = min(1.0, (step + 1) / (config.warmup + 1))
    if config.schedule == "step":
        return warm * config.step_factor ** (step // config.step_size)
    done = max(0, step - config.warmup) / max(1, config.iterations - config.warmup)
    return warm * 0.5 * (1 + math.cos(math.pi * done))


def set_rate(optimiser: torch.optim.Optimizer, config: TrainingConfig, step: int) -> float:
    """Give each group its rate at a step; returns that of the weights."""
    factor = schedule(config, step)
    for group in optimiser.param_groups:
        group["lr"] = group["rate"] * factor
    return config.learning_rate * factor


class RunningMean(Generic[SomeNetwork]):
    """An exponential running mean of a network's weights, as a network of its own.

    Args:
        network: whose weights to follow.
        decay: 0..1; early on less is kept, so that the start is forgotten: min(decay, (1 + step) / (10 + step)).
    """

    def __init__(self, network: SomeNetwork, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False)
        self._source = network
        self._decay = decay

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after a step, from 0; counters and the like are copied."""
        kept = min(self._decay, (1 + step) / (10 + step))
        own, new = self.network.state_dict(), self._source.state_dict()
        means = [name for name, tensor in own.items() if tensor.is_floating_point()]
        torch._foreach_lerp_([own[name] for name in means], [new[name] for name in means], 1 - kept)
        for name in own.keys() - set(means):
            own[name].copy_(new[name])
