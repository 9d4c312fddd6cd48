"""What the layers of the paper's network tell apart, and how much each is pulled: of an untrained one, and of runs.

    python benchmarks/layers.py PREPARED [RUN ...]

For each layer of the visual branch and the head: the size of its output (root mean square), how far outputs for
different photos lie apart as a share of that (standard deviation over photos, mean over units), and the gradient of
the loss as a share of the weights (root mean squares). Of 256 validation photos, in evaluation mode, in float32.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mien.artifacts import load_meta
from mien.datasets import PreparedSet
from mien.models.config import NetworkConfig
from mien.models.losses import LOSSES, Criterion
from mien.models.network import Network, build_network, load_network

PHOTOS = 256


def main(path: Path, runs: list[Path]) -> None:
    part = PreparedSet.open(path).select("validation")
    chosen = np.random.default_rng(0).choice(len(part), min(PHOTOS, len(part)), replace=False)
    crops = torch.from_numpy(part.crops[part.rows[chosen]])
    displacement, labels = torch.from_numpy(part.displacement[chosen]), torch.from_numpy(part.labels[chosen])
    torch.manual_seed(0)
    networks: dict[str, tuple[Any, str]] = {"untrained": (build_network(NetworkConfig(geometric=False)), "hinge")}
    for run in runs:
        recipe = load_meta(run).recipe
        networks[run.name] = load_network(run, NetworkConfig(**recipe["network"])), recipe["training"]["loss"]
    for name, (network, loss) in networks.items():
        print(name)
        _look(network.eval(), LOSSES[loss], crops, displacement, labels)


def _look(network: Network, loss: Any, crops: Tensor, displacement: Tensor, labels: Tensor) -> None:
    seen: list[tuple[str, nn.Module, Tensor]] = []

    def keep(name: str) -> Any:
        return lambda module, _, output: seen.append((name, module, output.detach().flatten(1)))

    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(keep(name))
    Criterion(loss)(network.outputs(crops, displacement), labels).backward()  # type: ignore[no-untyped-call]
    for name, module, output in seen:
        weight = module.weight
        assert isinstance(weight, Tensor)
        assert weight.grad is not None
        size, apart = output.square().mean().sqrt(), output.std(dim=0).mean()
        pulled = weight.grad.square().mean().sqrt() / weight.detach().square().mean().sqrt()
        print(f"  {name:28} size {size:9.4f}  apart {apart / size:8.5f}  gradient {pulled:9.2e}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prepared", type=Path)
    parser.add_argument("run", type=Path, nargs="*")
    arguments = parser.parse_args()
    main(arguments.prepared, arguments.run)
