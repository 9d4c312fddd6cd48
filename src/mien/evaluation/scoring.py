"""Scores of a prepared set, by any trained run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mien.datasets.prepared import PreparedSet
from mien.models.checkpoint import load_linear, load_meta, load_network
from mien.models.network import AnyNetwork, NetworkConfig, TwoNetworks, join_scores


def run_scores(run: Path, prepared: PreparedSet) -> NDArray[np.float32]:
    """Scores of all photos of a set by the run in a folder, (n, 50).

    Raises:
        CheckpointError: no run there, or a damaged one.
    """
    recipe = load_meta(run)["recipe"]
    if recipe["method"] == "network":
        return network_scores(load_network(run, NetworkConfig(**recipe["network"])), prepared)
    return load_linear(run).scores(linear_features(prepared, recipe["features"]))


def network_scores(network: AnyNetwork, prepared: PreparedSet, subjects_known: bool = True) -> NDArray[np.float32]:
    """Scores by a network in evaluation mode, (n, 50); arguments as for `network_outputs`."""
    return join_scores(network_outputs(network, prepared, subjects_known)).numpy()


@torch.no_grad()
def network_outputs(
    network: AnyNetwork, prepared: PreparedSet, subjects_known: bool = True, batch_size: int = 128
) -> dict[str, Tensor]:
    """Outputs by a network in evaluation mode, on the CPU; the network is left in the mode it was in.

    Args:
        network: any.
        prepared: the photos.
        subjects_known: whether photos of a subject are compared with one another by a network with relative visual
            features; else each is read by itself.
        batch_size: photos that are looked at together.

    Returns:
        name -> (n, size), float32, see `mien.models.network`.
    """
    if isinstance(network, TwoNetworks):
        parts = (network_outputs(one, prepared, subjects_known) for one in (network.dominant, network.complementary))
        return next(parts) | next(parts)
    device = next(network.parameters()).device
    was_training = network.training
    network.eval()
    features = []
    for i in range(0, len(prepared), batch_size):
        crops = torch.from_numpy(prepared.crops[prepared.rows[i : i + batch_size]])
        if (feature := network.look(crops.to(device))) is not None:
            features.append(feature)
    displacement = torch.from_numpy(prepared.displacement).to(device)
    subjects = torch.from_numpy(number_subjects(prepared.subjects)).to(device) if subjects_known else None
    outputs = network.judge(torch.cat(features) if features else None, displacement, subjects)
    network.train(was_training)
    return {name: output.cpu() for name, output in outputs.items()}


def number_subjects(names: Sequence[str]) -> NDArray[np.int64]:
    """n names to numbers from 0, the same for the same name."""
    return np.unique(np.asarray(names), return_inverse=True)[1].astype(np.int64)


def linear_features(prepared: PreparedSet, features: str) -> NDArray[np.float32]:
    """What a linear model sees, (n, 136): `displacement` or `landmarks`."""
    if features == "displacement":
        return prepared.displacement
    return prepared.landmarks.reshape(len(prepared), -1)
