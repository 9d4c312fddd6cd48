"""How fast the paper's network trains here: mien's loop with its data loading, against a plain loop.

    python benchmarks/train.py [STEPS]

Both train recipe `paper` (AlexNet branch, batch 32) on the same made-up crops. mien's loop reads them from disk,
memory-mapped, in bfloat16 where the processor computes in it, channels last, with its own LRN and PReLU. The plain
loop is what one writes first: float32, channels first, torch's LRN and PReLU, all data in memory. Rounds of either
take turns, so that other work on the machine slows both; the median counts. The last line is the ratio of photos a
second.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import nn

from mien.datasets.crops import crops_file
from mien.datasets.prepared import SCHEMA, PreparedSet
from mien.files import write_json
from mien.labels import CLASS_COUNT, indices_to_texts
from mien.models.activation import PReLU
from mien.models.losses import LOSSES, Criterion
from mien.models.network import build_network
from mien.models.normalisation import LocalResponseNorm
from mien.training.batches import Batches
from mien.training.loop import Learner
from mien.training.machine import describe_machine, has_bfloat16, start_fabric
from mien.training.optimisation import build_optimiser
from mien.training.recipe import load_recipe

PHOTOS, ROUNDS = 640, 3


def main(steps: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        training = PreparedSet.open(_write_set(Path(folder)))
        ours, plain = _our_steps(training, steps), _plain_steps(training)
        rates: dict[str, list[float]] = {"mien": [], "plain": []}
        list(islice(ours, steps)), next(plain)  # the first step prepares kernels
        waited = spent = 0.0
        for _ in range(ROUNDS):
            start = time.perf_counter()
            waited += sum(islice(ours, steps))
            spent += time.perf_counter() - start
            rates["mien"].append(32 * steps / (time.perf_counter() - start))
            start = time.perf_counter()
            list(islice(plain, steps))
            rates["plain"].append(32 * steps / (time.perf_counter() - start))
        ours.close()
    print(
        f"processor        {torch.backends.cpu.get_cpu_capability()}, {_features()}, "
        f"threads {torch.get_num_threads()}"
    )
    for name, values in rates.items():
        print(f"{name:16} {statistics.median(values):7.1f} photos/s  ({min(values):.1f} to {max(values):.1f})")
    print(f"waiting for data {100 * waited / spent:7.1f} % of a step")
    print(f"ratio {statistics.median(rates['mien']) / statistics.median(rates['plain']):.2f}")


def _our_steps(training: PreparedSet, steps: int) -> Generator[float, None, None]:
    """Steps of mien's loop; each yields the seconds it waited for its batch.

    Its batches begin anew with every `steps`, so that none was made while the other side was timed.
    """
    recipe = load_recipe("paper")
    fabric = start_fabric(recipe.training)
    print("mien:", ", ".join(f"{key} {value}" for key, value in describe_machine(fabric).items()))
    if fabric.device.type != "cpu":
        sys.exit("this compares two loops on processors; hide the GPU (CUDA_VISIBLE_DEVICES=)")
    learner = Learner(fabric, training, recipe)
    batches = Batches(training, training.displacement[None], recipe, fabric.device)
    before = 0.0
    while True:
        with closing(batches.from_step(0)) as upcoming:
            for step, batch in enumerate(islice(upcoming, steps)):
                learner.learn(batch, step)
                yield batches.waited - before
                before = batches.waited


def _plain_steps(training: PreparedSet) -> Iterator[Any]:
    recipe = load_recipe("paper")
    network = build_network(recipe.network)
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, LocalResponseNorm):
                setattr(module, name, nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0))
            elif isinstance(child, PReLU):
                setattr(module, name, nn.PReLU(child.num_parameters))
    network.visual.pixels.forward = lambda rgb: rgb.flip(1).contiguous()  # type: ignore[union-attr]
    optimiser = build_optimiser(network, recipe.training)
    criterion = Criterion(LOSSES["hinge"])
    crops = torch.from_numpy(np.array(training.crops))
    displacement, labels = torch.from_numpy(training.displacement), torch.from_numpy(training.labels)
    while True:
        rows = torch.randint(len(crops), (32,))
        loss = criterion(network.outputs(crops[rows], displacement[rows]), labels[rows])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        yield loss.item()


def _write_set(folder: Path) -> Path:
    """A prepared set of noise: the time of a step does not depend on what is seen."""
    rng = np.random.default_rng(0)
    landmarks = rng.normal(112, 3, (PHOTOS, 136)).astype(np.float32).tolist()
    texts = indices_to_texts(np.arange(PHOTOS) % CLASS_COUNT)
    rows = [
        {"path": f"{i}.jpg", "subject": str(i // 64), "label": text, "split": "train", "status": "ok",
         "landmarks_photo": marks, "landmarks_crop": marks}
        for i, (text, marks) in enumerate(zip(texts, landmarks, strict=True))
    ]  # fmt: skip
    pl.DataFrame(rows, schema=SCHEMA, orient="row").write_parquet(folder / "samples.parquet")
    np.save(folder / crops_file(224), rng.integers(0, 256, (PHOTOS, 224, 224, 3), dtype=np.uint8))
    write_json(folder / "set.json", {"crop_size": 224})
    return folder


def _features() -> str:
    found = {
        "bfloat16": has_bfloat16(),
        "avx512_bf16": torch.cpu._is_avx512_bf16_supported(),
        "amx": torch.cpu._is_amx_tile_supported(),
    }
    return ", ".join(f"{name} {'yes' if there else 'no'}" for name, there in found.items())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("steps", type=int, nargs="?", default=5)
    arguments = parser.parse_args()
    main(arguments.steps)
