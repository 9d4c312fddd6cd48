"""The training loop of a network, by iterations, with validation on subjects never trained on.

All chance of a step (which photos, dropout, augmentation) follows from the seed and the step's number, so a
run that was killed goes on exactly as if it had not been.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning_fabric
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from mien.datasets.prepared import PreparedSet
from mien.displacement import Population, ReferenceKind
from mien.errors import CheckpointError, MienError
from mien.evaluation.metrics import top_accuracies
from mien.evaluation.references import displacement_against
from mien.evaluation.scoring import network_scores
from mien.files import replacing
from mien.models.checkpoint import METRICS_FILE, save_network
from mien.models.losses import LOSSES
from mien.models.network import Network, build_network
from mien.training.augmentation import augment
from mien.training.recipe import Recipe, TrainingConfig

RESUME_FILE = "resume.safetensors"


class DivergedError(MienError):
    """The loss became infinite or no number."""


@dataclass
class Progress:
    """What the loop tells after a step.

    Attributes:
        step: steps done, of `steps`.
        loss: of the last batch.
        validation: the newest validation, or None before the first.
    """

    step: int
    steps: int
    loss: float
    validation: dict[str, float] | None


def train_network(
    training: PreparedSet,
    validation: PreparedSet,
    population: Population,
    run: Path,
    recipe: Recipe,
    report: Callable[[Progress], None],
) -> dict[str, Any]:
    """Train, keep the weights of the best validation loss in `run`, and go on where a killed run stopped.

    Args:
        training, validation: labelled photos of disjoint subjects.
        population: learnt from the training subjects.
        run: folder of the run.
        report: called after every step.

    Returns:
        step, loss and accuracy of the best validation.

    Raises:
        DivergedError: the loss is no number any more; names the step.
    """
    config = recipe.training
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it tells its precision every time
    fabric = lightning_fabric.Fabric(devices=1, precision=_precision(config.precision))
    torch.manual_seed(config.seed)
    network = build_network(recipe.network)
    if network.geometric is not None and recipe.network.scale_displacement:
        network.geometric.set_scale(torch.from_numpy(training.displacement))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = _optimiser(network, config)
    model, optimiser = fabric.setup(network, optimiser)
    loss_of = LOSSES[config.loss]

    start, best = _resume(run, network, optimiser)
    newest: dict[str, float] | None = None
    labels = torch.from_numpy(training.labels)
    displacement = torch.from_numpy(_displacements(training, population, config.references))
    for step in range(start, config.iterations):
        chance = torch.Generator().manual_seed(_step_seed(config.seed, step))
        torch.manual_seed(_step_seed(config.seed, step) + 1)  # dropout
        batch = _batch_indices(len(training), config.batch_size, config.seed, step)
        crops = torch.from_numpy(training.crops[training.rows[batch]]).to(fabric.device)
        choice = torch.randint(len(displacement), (len(batch),), generator=chance)
        moved = displacement[choice, batch].to(fabric.device)
        if config.augment:
            crops, moved = augment(crops, moved, chance)

        for group in optimiser.param_groups:
            group["lr"] = group["rate"] * _schedule(config, step)
        loss = loss_of(model(crops, moved), labels[batch].to(fabric.device))
        if not math.isfinite(loss.item()):
            raise DivergedError(
                f"{run}: the loss is {loss.item()} at step {step + 1}; lower training.learning_rate "
                f"(now {config.learning_rate}) or scale the displacement"
            )
        optimiser.zero_grad()
        fabric.backward(loss)
        optimiser.step()

        if (step + 1) % config.validate_every == 0 or step + 1 == config.iterations:
            newest = validate(model, validation, loss_of)
            if best is None or newest["loss"] < best["loss"]:
                best = {"step": step + 1, **newest}
                save_network(run, network.state_dict())
            _log(run, {"step": step + 1, "training_loss": loss.item(), **newest})
            _save_resume(run, network, optimiser, step + 1, best)
        report(Progress(step + 1, config.iterations, loss.item(), newest))
    assert best is not None
    (run / RESUME_FILE).unlink(missing_ok=True)
    return best


def validate(
    model: nn.Module, prepared: PreparedSet, loss_of: Callable[[Tensor, Tensor], Tensor]
) -> dict[str, float]:
    """Loss and top-1..5 accuracy over a set."""
    scores = network_scores(model, prepared)
    accuracies = top_accuracies(scores, prepared.labels)
    loss = loss_of(torch.from_numpy(scores), torch.from_numpy(prepared.labels)).item()
    return {"loss": loss, **{f"top{k}": float(share) for k, share in enumerate(accuracies, start=1)}}


def _displacements(training: PreparedSet, population: Population, references: str) -> NDArray[np.float32]:
    """The training displacement against each kind of reference that takes part, (kinds, n, 136)."""
    kinds: tuple[ReferenceKind, ...] = ("mean", "neutral", "estimated") if references == "mixed" else ("mean",)
    return np.stack([displacement_against(kind, training, population) for kind in kinds])


def _precision(wanted: str) -> str:
    has_bfloat16 = torch.cuda.is_available() or getattr(torch.cpu, "_is_avx512_bf16_supported", bool)()
    return "bf16-mixed" if wanted == "bfloat16" or (wanted == "auto" and has_bfloat16) else "32-true"


def _optimiser(network: Network, config: TrainingConfig) -> torch.optim.Optimizer:
    """Two groups: weights, and biases at twice the rate without decay (published configuration)."""
    weights = [p for name, p in network.named_parameters() if not name.endswith("bias")]
    biases = [p for name, p in network.named_parameters() if name.endswith("bias")]
    groups = [
        {"params": weights, "rate": config.learning_rate, "weight_decay": config.weight_decay},
        {"params": biases, "rate": 2 * config.learning_rate, "weight_decay": 0.0},
    ]
    if config.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=config.learning_rate, momentum=config.momentum)
    return torch.optim.AdamW(groups, lr=config.learning_rate)


def _schedule(config: TrainingConfig, step: int) -> float:
    """What the learning rate is multiplied with at a step."""
    if config.schedule == "step":
        return config.step_factor ** (step // config.step_size)
    return 0.5 * (1 + math.cos(math.pi * step / config.iterations))


def _batch_indices(count: int, batch_size: int, seed: int, step: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The photos of a step: all in random order, then all in another; batches run on over the seam."""
    places = np.arange(step * batch_size, (step + 1) * batch_size)
    rounds, within = np.divmod(places, count)
    orders = {int(r): np.random.default_rng([seed, int(r)]).permutation(count) for r in np.unique(rounds)}
    return np.array([orders[int(r)][w] for r, w in zip(rounds, within, strict=True)], dtype=np.int64)


def _step_seed(seed: int, step: int) -> int:
    return int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint32)[0])


def _log(run: Path, line: dict[str, float]) -> None:
    """Append to metrics.jsonl; lines that a resumed run says again are replaced."""
    path = run / METRICS_FILE
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    kept = [text for text in lines if json.loads(text)["step"] < line["step"]]
    with replacing(path) as temporary:
        temporary.write_text("\n".join([*kept, json.dumps(line)]) + "\n", encoding="utf-8")


def _save_resume(
    run: Path, network: Network, optimiser: torch.optim.Optimizer, step: int, best: dict[str, float]
) -> None:
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{name}": torch.as_tensor(value) for name, value in state.items()}
    with replacing(run / RESUME_FILE) as temporary:
        progress = {"progress": json.dumps({"step": step, "best": best})}
        temporary.write_bytes(save({n: t.contiguous() for n, t in tensors.items()}, metadata=progress))


def _resume(run: Path, network: Network, optimiser: torch.optim.Optimizer) -> tuple[int, dict[str, float] | None]:
    """Put network and optimiser where the run stopped; the next step and the best validation so far."""
    path = run / RESUME_FILE
    if not path.is_file():
        return 0, None
    try:
        with safe_open(path, "pt") as file:
            progress = json.loads(file.metadata()["progress"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, not a dict
    except Exception as error:
        raise CheckpointError(f"{path}: damaged ({error}); remove it to train from the start") from error
    network.load_state_dict({n[len("network.") :]: t for n, t in tensors.items() if n.startswith("network.")})
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimiser."):
            _, index, key = name.split(".")
            state.setdefault(int(index), {})[key] = tensor
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    return progress["step"], progress["best"]
