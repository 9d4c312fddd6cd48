"""Scores of a prepared set by a network as torch has it, while it is being trained.

A finished run is scored by `mien.evaluation.scoring`, through onnxruntime; both agree to rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from mien.datasets.prepared import PreparedSet
from mien.models.network import AnyNetwork, Network, TwoNetworks


@torch.no_grad()
def network_outputs(
    network: AnyNetwork, prepared: PreparedSet, crops: Tensor | None = None, batch_size: int = 128
) -> dict[str, Tensor]:
    """Outputs by a network in evaluation mode, on the CPU; the network is left in the mode it was in.

    Args:
        network: where its weights are, it is computed.
        prepared: n photos.
        crops: theirs, where they are there already, see `mien.training.batches.crops_on_device`.
        batch_size: photos at once.

    Returns:
        name -> (n, size), float32, see `mien.models.network`.
    """
    if isinstance(network, TwoNetworks):
        dominant, complementary = (
            network_outputs(one, prepared, crops, batch_size) for one in (network.dominant, network.complementary)
        )
        return dominant | complementary
    device = next(network.parameters()).device
    features = None if network.visual is None else visual_features(network, prepared, crops, batch_size)
    displacement = torch.from_numpy(prepared.displacement).to(device)
    with _evaluating(network):
        outputs = network.classify(features, displacement, torch.from_numpy(prepared.subject_numbers).to(device))
    return {name: output.cpu() for name, output in outputs.items()}


@torch.no_grad()
def visual_features(
    network: Network, prepared: PreparedSet, crops: Tensor | None = None, batch_size: int = 128
) -> Tensor:
    """The visual feature of every photo in evaluation mode, (n, 256); arguments as for `network_outputs`.

    The network must have a visual branch.
    """
    device = next(network.parameters()).device

    def batch(rows: slice) -> Tensor:
        return torch.from_numpy(prepared.crops[prepared.rows[rows]]).to(device) if crops is None else crops[rows]

    with _evaluating(network):
        starts = range(0, len(prepared), batch_size)
        features = [network.encode(batch(slice(start, start + batch_size))) for start in starts]
    return torch.cat([feature for feature in features if feature is not None])


@contextmanager
def _evaluating(network: AnyNetwork) -> Iterator[None]:
    """Evaluation mode meanwhile."""
    was_training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(was_training)
