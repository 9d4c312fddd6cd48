"""Optimiser, schedule, and the moving average of weights."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from mien.training.recipe import TrainingConfig

Tensors = list[Tensor] | tuple[Tensor, ...]


def build_optimiser(
    network: nn.Module, config: TrainingConfig, device: torch.device | None = None
) -> torch.optim.Optimizer:
    """Two groups: weights, and biases at twice the rate without decay (published configuration).

    Slopes of PReLU are weights: Caffe gives all parameters but biases the plain rate and decay.

    Args:
        network: whose weights to change.
        config: optimiser and rate.
        device: a GPU on which steps will be recorded (`mien.training.captured`); the rates stay there.
    """
    learnt = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    weights = [p for name, p in learnt if not name.endswith("bias")]
    biases = [p for name, p in learnt if name.endswith("bias")]
    groups = [
        {"params": weights, "rate": config.learning_rate, "weight_decay": config.weight_decay},
        {"params": biases, "rate": 2 * config.learning_rate, "weight_decay": 0.0},
    ]
    rate, fused = config.learning_rate, None
    if device is not None and device.type == "cuda":
        fused = True
        for group in groups:
            group["lr"] = torch.tensor(group["rate"], dtype=torch.float32, device=device)
    if config.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=config.momentum, fused=fused)
    return torch.optim.AdamW(groups, lr=rate, fused=fused, capturable=fused is True)


def schedule(config: TrainingConfig, step: int) -> float:
    """The factor of the learning rate at a step, from 0."""
    warm = min(1.0, (step + 1) / (config.warmup + 1))
    if config.schedule == "step":
        return warm * config.step_factor ** (step // config.step_size)
    done = max(0, step - config.warmup) / max(1, config.iterations - config.warmup)
    return warm * 0.5 * (1 + math.cos(math.pi * done))


def set_rate(optimiser: torch.optim.Optimizer, config: TrainingConfig, step: int) -> float:
    """Give each group its rate at a step; returns that of the weights."""
    factor = schedule(config, step)
    for group in optimiser.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(group["rate"] * factor)
        else:
            group["lr"] = group["rate"] * factor
    return config.learning_rate * factor


def average_weights(network: nn.Module, decay: float) -> AveragedModel:
    """An exponential moving average of a network's weights and buffers; call `update_parameters` after each step.

    It begins with the weights as they are. Step n keeps min(decay, n / (9 + n)) of the average, so that the start is
    soon forgotten. Counters and the like are copied.

    Args:
        network: whose weights to average.
        decay: at least 0, under 1.
    """

    def update(averages: Tensors, weights: Tensors, _: Tensor | int) -> None:
        if not averages[0].is_floating_point():
            torch._foreach_copy_(averages, weights)
            return
        count = int(average.n_averaged)  # this one is on the CPU: the step need not wait for the GPU
        torch._foreach_lerp_(averages, weights, 1 - min(decay, count / (9 + count)))

    average = AveragedModel(network, multi_avg_fn=update, use_buffers=True).requires_grad_(False)
    average.update_parameters(network)  # torch copies the first time
    return average
