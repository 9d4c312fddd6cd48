"""Scores of a prepared set, by any trained run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mien.datasets.prepared import PreparedSet
from mien.models.checkpoint import load_linear, load_meta, load_network
from mien.models.network import AnyNetwork, NetworkConfig, join_scores


def run_scores(run: Path, prepared: PreparedSet) -> NDArray[np.float32]:
    """Scores of all photos of a set by the run in a folder, (n, 50).

    Raises:
        CheckpointError: no run there, or a damaged one.
    """
    recipe = load_meta(run)["recipe"]
    if recipe["method"] == "network":
        return network_scores(load_network(run, NetworkConfig(**recipe["network"])), prepared)
    return load_linear(run).scores(linear_features(prepared, recipe["features"]))


def network_scores(network: AnyNetwork, prepared: PreparedSet) -> NDArray[np.float32]:
    """Scores by a network in evaluation mode, (n, 50)."""
    return join_scores(network_outputs(network, prepared)).numpy()


@torch.no_grad()
def network_outputs(network: AnyNetwork, prepared: PreparedSet, batch_size: int = 128) -> dict[str, Tensor]:
    """Outputs by a network in evaluation mode, on the CPU; the network is left in the mode it was in.

    Returns:
        name -> (n, size), float32, see `mien.models.network`.
    """
    device = next(network.parameters()).device
    was_training = network.training
    network.eval()
    displacement = torch.from_numpy(prepared.displacement)
    parts = []
    for i in range(0, len(prepared), batch_size):
        crops = torch.from_numpy(prepared.crops[prepared.rows[i : i + batch_size]])
        outputs = network.outputs(crops.to(device), displacement[i : i + batch_size].to(device))
        parts.append({name: output.cpu() for name, output in outputs.items()})
    network.train(was_training)
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def linear_features(prepared: PreparedSet, features: str) -> NDArray[np.float32]:
    """What a linear model sees, (n, 136): `displacement` or `landmarks`."""
    if features == "displacement":
        return prepared.displacement
    return prepared.landmarks.reshape(len(prepared), -1)
