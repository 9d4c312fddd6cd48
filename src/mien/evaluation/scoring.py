"""Scores of a prepared set, by any trained run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mien.artifacts import load_meta
from mien.datasets.prepared import PreparedSet
from mien.models.linear import load_linear
from mien.models.network import AnyNetwork, Network, NetworkConfig, TwoNetworks, join_scores, load_network

Judge = Callable[[PreparedSet, bool], dict[str, Tensor]]
"""See `look_once`."""


def run_scores(run: Path, prepared: PreparedSet) -> NDArray[np.float32]:
    """Scores of all photos of a set by the run in a folder, (n, 50), by landmarks as it was trained with.

    Raises:
        CheckpointError: no run there, or a damaged one.
        DataError: the set holds no landmarks from crops of the side that the run was trained with.
    """
    meta = load_meta(run)
    recipe = meta["recipe"]
    prepared = prepared.with_landmarks(meta["data"].get("landmark_size"))
    if recipe["method"] == "network":
        return network_scores(load_network(run, NetworkConfig(**recipe["network"])), prepared)
    return load_linear(run).scores(linear_features(prepared, recipe["features"]))


def network_scores(network: AnyNetwork, prepared: PreparedSet) -> NDArray[np.float32]:
    """Scores by a network in evaluation mode, (n, 50), photos of a subject compared with one another."""
    return join_scores(network_outputs(network, prepared)).numpy()


def network_outputs(network: AnyNetwork, prepared: PreparedSet) -> dict[str, Tensor]:
    """Outputs by a network in evaluation mode, on the CPU; the network is left in the mode it was in.

    Returns:
        name -> (n, size), float32, see `mien.models.network`.
    """
    return look_once(network, prepared)(prepared, True)


@torch.no_grad()
def look_once(network: AnyNetwork, prepared: PreparedSet, batch_size: int = 128) -> Judge:
    """Compute the visual features of all photos, which takes nearly all the time, to judge them as often as wanted.

    Returns:
        a function of the same photos, perhaps with other displacements, and of whether a network with relative visual
        features may compare photos of a subject with one another; it gives what `network_outputs` does.
    """
    if isinstance(network, TwoNetworks):
        judges = [look_once(one, prepared, batch_size) for one in (network.dominant, network.complementary)]
        return lambda photos, known: judges[0](photos, known) | judges[1](photos, known)
    device = next(network.parameters()).device
    features = None if network.visual is None else visual_features(network, prepared, batch_size)
    subjects = torch.from_numpy(prepared.subject_numbers).to(device)

    @torch.no_grad()
    def judge(photos: PreparedSet, subjects_known: bool) -> dict[str, Tensor]:
        displacement = torch.from_numpy(photos.displacement).to(device)
        with _evaluating(network):
            outputs = network.judge(features, displacement, subjects if subjects_known else None)
        return {name: output.cpu() for name, output in outputs.items()}

    return judge


@torch.no_grad()
def visual_features(network: Network, prepared: PreparedSet, batch_size: int = 128) -> Tensor:
    """The visual feature of every photo in evaluation mode, (n, 256); the network must have a visual branch."""
    assert network.visual is not None
    device = next(network.parameters()).device
    crops = (prepared.crops[prepared.rows[i : i + batch_size]] for i in range(0, len(prepared), batch_size))
    with _evaluating(network):
        return torch.cat([network.visual(torch.from_numpy(batch).to(device)) for batch in crops])


@contextmanager
def _evaluating(network: AnyNetwork) -> Iterator[None]:
    """Evaluation mode meanwhile."""
    was_training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(was_training)


def linear_features(prepared: PreparedSet, features: str) -> NDArray[np.float32]:
    """What a linear model sees, (n, 136): `displacement` or `landmarks`."""
    if features == "displacement":
        return prepared.displacement
    return prepared.landmarks.reshape(len(prepared), -1)
