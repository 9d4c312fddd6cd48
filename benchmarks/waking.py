"""When the visual branch of the paper's network leaves chance: what it tells apart, layer by layer, as it is trained.

    python benchmarks/waking.py PREPARED OUT.json --iterations 30000 --every 500 \
        --variant published --variant "half: network.dropout=0.5"

Networks are the CNN alone of recipe `paper`, changed as a variant says; they are trained side by side. A line each
time: validation loss and top-1; how far activations of different photos lie apart, as a share of their size (the
standard deviation over photos by the root of the mean square, each the mean over units); root mean square of each
layer's gradient over that of its weights. `centred` and `he` among a variant's settings change what no recipe does:
pixels minus 127.5 by 64, and weights filled by He et al. (ICCV 2015).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mien.datasets.prepared import PreparedSet
from mien.training.batches import Batches, crops_on_device
from mien.training.loop import Learner, validate
from mien.training.machine import describe_machine, start_fabric
from mien.training.recipe import load_recipe


class Variant:
    """A network that is trained, and what is seen of it."""

    def __init__(self, text: str, prepared: PreparedSet, iterations: int) -> None:
        self.name, _, rest = text.partition(":")
        settings = rest.split()
        own = [setting for setting in settings if setting in ("centred", "he")]
        recipe = load_recipe(
            "paper",
            ["network.geometric=false", f"training.iterations={iterations}", *(s for s in settings if s not in own)],
        )
        self.fabric = start_fabric(recipe.training)
        training = prepared.select("train")
        self.validation = prepared.select("validation")
        self.learner = Learner(self.fabric, training, recipe)
        network = self.learner.evaluated
        if "centred" in own:
            network.visual.pixels = _Centred()
        if "he" in own:
            for module in network.modules():
                if isinstance(module, nn.Conv2d | nn.Linear):
                    nn.init.kaiming_normal_(module.weight, a=0.25)
                    nn.init.zeros_(module.bias)
        self.batches = Batches(training, training.displacement[None], recipe, self.fabric.device)
        self.crops = crops_on_device(self.validation, self.fabric.device)
        self.stream = None
        self.lines: list[dict[str, Any]] = []

    def step(self, number: int) -> None:
        self.learner.learn(self.batches.batch(number), number)

    def look(self, done: int) -> None:
        learner = self.learner
        with self.fabric.autocast(), torch.compiler.set_stance("force_eager"):
            metrics = validate(learner.evaluated, self.validation, learner.plain_criterion, self.crops)
        line = {"step": done, **{k: metrics[k] for k in ("loss", "top1", "top5")}, **self._inside(done)}
        self.lines.append(line)
        print(self.name, json.dumps(line), flush=True)

    def _inside(self, number: int) -> dict[str, Any]:
        network, seen = self.learner.evaluated, {}

        def hook(name: str) -> Any:
            def keep(module: nn.Module, inputs: Any, output: Tensor) -> None:
                flat = output.detach().float().flatten(1)
                spread, size = flat.std(dim=0).mean(), flat.square().mean().sqrt()
                seen[name] = (float(spread), float(size))

            return keep

        batch = self.batches.batch(number + 1)
        layers = [*network.visual.layers, *network.head.hidden, *network.head.output_layers.values()]
        kinds = [layer for layer in layers if isinstance(layer, nn.Conv2d | nn.Linear)]
        names = ["conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8"][-len(kinds) :]
        hooks = [layer.register_forward_hook(hook(name)) for name, layer in zip(names, kinds, strict=True)]
        network.eval()
        with self.fabric.autocast(), torch.compiler.set_stance("force_eager"):
            outputs = network.outputs(batch.crops, batch.displacement)
            loss = self.learner.plain_criterion(outputs, batch.labels)
        gradients = torch.autograd.grad(loss, [layer.weight for layer in kinds])
        network.train()
        for each in hooks:
            each.remove()
        ratios = {
            name: float(g.float().square().mean().sqrt() / layer.weight.detach().square().mean().sqrt())
            for name, g, layer in zip(names, gradients, kinds, strict=True)
        }
        return {
            "apart": {name: round(spread / max(size, 1e-12), 5) for name, (spread, size) in seen.items()},
            "size": {name: round(size, 5) for name, (_, size) in seen.items()},
            "gradient": {name: float(f"{ratio:.3g}") for name, ratio in ratios.items()},
        }


class _Centred(nn.Module):
    def forward(self, rgb: Tensor) -> Tensor:
        return (rgb.flip(1).contiguous(memory_format=torch.channels_last) - 127.5) / 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prepared", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--iterations", type=int, default=30_000)
    parser.add_argument("--every", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so long")
    parser.add_argument("--variant", action="append", required=True)
    options = parser.parse_args()
    prepared = PreparedSet.open(options.prepared)
    variants = [Variant(text, prepared, options.iterations) for text in options.variant]
    began = time.perf_counter()
    for done in range(options.iterations + 1):
        for variant in variants:
            with torch.cuda.stream(variant.stream):
                if done % options.every == 0:
                    variant.look(done)
                if done < options.iterations:
                    variant.step(done)
        if done % options.every == 0:
            print(f"{done} iterations of {len(variants)} in {time.perf_counter() - began:.1f} s", file=sys.stderr)
            if time.perf_counter() - began > options.seconds:
                break
    machine = describe_machine(variants[0].fabric)
    options.out.write_text(json.dumps({"machine": machine, "variants": {v.name: v.lines for v in variants}}))


if __name__ == "__main__":
    main()
