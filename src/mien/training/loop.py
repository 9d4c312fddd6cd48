"""The training loop of a network, by iterations, with validation on subjects never trained on.

All chance of a step (which photos, dropout, augmentation) follows from the seed and the step's number, so a
run that was killed goes on exactly as if it had not been, and several processes do what one would.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import lightning_fabric
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mien.artifacts import ReferenceKind
from mien.datasets.prepared import PreparedSet
from mien.displacement import Population
from mien.errors import DivergedError
from mien.evaluation.metrics import top_accuracies
from mien.models.losses import LOSSES, Criterion
from mien.models.network import AnyNetwork, build_network, join_scores, save_network
from mien.training.batches import Batch, Batches, step_seed
from mien.training.optimisation import RunningMean, build_optimiser, set_rate
from mien.training.recipe import Recipe, TrainingConfig
from mien.training.references import displacement_against
from mien.training.resume import load_progress, log_line, save_progress
from mien.training.scoring import network_outputs

LOOK_EVERY = 50
"""On a GPU, steps between looks at the loss; each look waits for all that the GPU has to do."""
_FAR = 100.0


@dataclass
class Progress:
    """What the loop tells.

    Attributes:
        step: steps done, of `steps`.
        loss: of the last batch.
        line: what was written to metrics.jsonl last, or None before the first validation.
    """

    step: int
    steps: int
    loss: float
    line: dict[str, float] | None


def train_network(  # noqa: PLR0915, a loop to be read in one sitting
    fabric: lightning_fabric.Fabric,
    training: PreparedSet,
    validation: PreparedSet,
    population: Population,
    run: Path,
    recipe: Recipe,
    report: Callable[[Progress], None],
) -> dict[str, float]:
    """Train, keep the weights of the best validation loss in `run`, and go on where a killed run stopped.

    What a killed run goes on with stays in `run`; `mien.training.train` removes it when the run is whole.

    Args:
        fabric: where to train.
        training, validation: labelled photos of disjoint subjects.
        population: learnt from the training subjects.
        run: folder of the run; written by the first process.
        report: called after every step, on a GPU after every 50.

    Returns:
        step, loss and accuracies of the best validation.

    Raises:
        DivergedError: the loss is no number any more; names the step and the likely cause.
    """
    config = recipe.training
    torch.manual_seed(config.seed)
    network = build_network(recipe.network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if recipe.network.scale_displacement:
        network.set_scale(torch.from_numpy(training.displacement))
    outputs = Outputs(network)
    model, optimiser = fabric.setup(
        torch.compile(outputs) if config.compile else outputs, build_optimiser(network, config)
    )
    mean = RunningMean(network, config.average) if config.average else None
    judged: AnyNetwork = mean.network if mean else network
    criterion = Criterion(LOSSES[config.loss], config.factor_weight, config.smoothing, config.related)
    sharp = Criterion(LOSSES[config.loss], config.factor_weight)
    kept: dict[str, nn.Module] = {"network": network} | ({"mean": judged} if mean else {})
    start, best = load_progress(run, kept, optimiser)

    displacements = _displacements(training, population, config.references)
    batches = Batches(training, displacements, recipe, fabric.device, fabric.global_rank, fabric.world_size)
    look_every = LOOK_EVERY if fabric.device.type == "cuda" else 1
    losses = torch.zeros(config.validate_every, device=fabric.device)  # since the last validation
    since, line = start, None
    with closing(batches.from_step(start)) as coming:
        for step, batch in enumerate(coming, start=start):
            rate = set_rate(optimiser, config, step)
            torch.manual_seed(step_seed(config.seed, step) + 1)  # dropout
            loss = criterion(model(batch.crops, batch.displacement, batch.subjects), batch.labels)
            optimiser.zero_grad()
            fabric.backward(loss)
            optimiser.step()
            if mean:
                mean.update(step)

            losses[step - since] = loss.detach()
            done = step + 1
            validates = done % config.validate_every == 0 or done == config.iterations
            if validates or done % look_every == 0:
                _refuse_divergence(losses[: done - since], since, batches, config, run)
            if validates:
                average = fabric.all_reduce(losses[: done - since].mean(), reduce_op="mean")
                if fabric.is_global_zero:
                    with fabric.autocast():
                        seen = validate(judged, validation, sharp)
                    if not np.isfinite(seen["loss"]):
                        lower = f"lower training.learning_rate (now {config.learning_rate})"
                        raise DivergedError(f"{run}: the validation loss is {seen['loss']} at step {done}; {lower}")
                    line = {"step": done, "training_loss": float(average), "rate": rate, **seen}
                    if best is None or seen["loss"] < best["loss"]:
                        best = {"step": done, **seen}
                        save_network(run, judged.state_dict())
                    log_line(run, line)
                    save_progress(run, kept, optimiser, done, best)
                since = done
            if validates or done % look_every == 0:
                report(Progress(done, config.iterations, loss.item(), line))
    best = fabric.broadcast(best)
    assert best is not None
    return best


def validate(network: AnyNetwork, prepared: PreparedSet, criterion: Criterion) -> dict[str, float]:
    """Loss and top-1..5 accuracy over a set."""
    outputs = network_outputs(network, prepared)
    accuracies = top_accuracies(join_scores(outputs).numpy(), prepared.labels)
    loss = criterion(outputs, torch.from_numpy(prepared.labels)).item()
    return {"loss": loss, **{f"top{k}": float(share) for k, share in enumerate(accuracies, start=1)}}


class Outputs(nn.Module):
    """Makes `outputs` the way through a network, for what wraps a network knows `forward` only."""

    def __init__(self, network: AnyNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor, displacement: Tensor, subjects: Tensor) -> dict[str, Tensor]:
        return self.network.outputs(crops, displacement, subjects)


def _displacements(training: PreparedSet, population: Population, references: str) -> NDArray[np.float32]:
    """The training displacement against each kind of reference that takes part, (kinds, n, 136)."""
    kinds: tuple[ReferenceKind, ...] = ("mean", "neutral", "estimated") if references == "mixed" else ("mean",)
    return np.stack([displacement_against(kind, training, population) for kind in kinds])


def _refuse_divergence(losses: Tensor, since: int, batches: Batches, config: TrainingConfig, run: Path) -> None:
    values = losses.tolist()
    for place, value in enumerate(values):
        if not np.isfinite(value):
            cause = _likely_cause(batches.batch(since + place), config)
            raise DivergedError(f"{run}: the loss is {value} at step {since + place + 1}; {cause}")


def _likely_cause(batch: Batch, config: TrainingConfig) -> str:
    farthest = batch.displacement.abs().max().item()
    if not np.isfinite(farthest):
        return "a landmark of its photos is no number; prepare the set again"
    lower = f"lower training.learning_rate (now {config.learning_rate})"
    if farthest > _FAR:
        return (
            f"landmarks of its photos lie up to {farthest:.0f} pixels from the reference, which is no face; look "
            f"at samples.parquet for faces that were found amiss, or set network.scale_displacement=true, or {lower}"
        )
    return f"the steps are probably too long: {lower}, or set training.warmup"
