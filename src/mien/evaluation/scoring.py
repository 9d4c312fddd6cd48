"""Scores of a prepared set, by any trained run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mien.datasets.prepared import PreparedSet
from mien.models.checkpoint import load_linear, load_meta, load_network
from mien.models.network import NetworkConfig


def run_scores(run: Path, prepared: PreparedSet) -> NDArray[np.float32]:
    """Scores of all photos of a set by the run in a folder, (n, 50).

    Raises:
        CheckpointError: no run there, or a damaged one.
    """
    recipe = load_meta(run)["recipe"]
    if recipe["method"] == "network":
        return network_scores(load_network(run, NetworkConfig(**recipe["network"])), prepared)
    return load_linear(run).scores(linear_features(prepared, recipe["features"]))


@torch.no_grad()
def network_scores(model: nn.Module, prepared: PreparedSet, batch_size: int = 128) -> NDArray[np.float32]:
    """Scores by a network in evaluation mode, (n, 50); the network is left in the mode it was in."""
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    displacement = torch.from_numpy(prepared.displacement)
    scores = [
        model(
            torch.from_numpy(prepared.crops[prepared.rows[i : i + batch_size]]).to(device),
            displacement[i : i + batch_size].to(device),
        ).cpu()
        for i in range(0, len(prepared), batch_size)
    ]
    model.train(was_training)
    return torch.cat(scores).numpy()


def linear_features(prepared: PreparedSet, features: str) -> NDArray[np.float32]:
    """What a linear model sees, (n, 136): `displacement` or `landmarks`."""
    if features == "displacement":
        return prepared.displacement
    return prepared.landmarks.reshape(len(prepared), -1)
