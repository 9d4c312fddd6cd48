"""The training loop of a network, by iterations, with validation on subjects that it is never trained on.

All that is random in a step (which photos, dropout, augmentation) follows from the seed and the number of the step.
So a run that was killed goes on exactly as if it had not been, and several processes do what one would.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import cast

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
from mien.models.dropout import BatchDropout
from mien.models.losses import LOSSES, Criterion
from mien.models.network import AnyNetwork, build_network, join_scores, save_network
from mien.models.normalisation import share_batch_norm
from mien.models.visual import VisualBranch
from mien.training.batches import Batch, Batches, crops_on_device, step_seed
from mien.training.captured import CapturedStep
from mien.training.machine import Machine, describe_machine
from mien.training.optimisation import average_weights, build_optimiser, set_rate
from mien.training.recipe import Recipe, TrainingConfig
from mien.training.references import displacement_against
from mien.training.resume import Trained, load_progress, load_trained, log_line, save_progress, save_trained
from mien.training.scoring import network_outputs

CHECK_EVERY = 50
"""On a GPU, steps between two readings of the loss; each waits until the GPU has done all its work."""
_FAR = 100.0
"""Crop pixels from the reference: a landmark beyond is no landmark of a face."""


@dataclass
class Progress:
    """What the loop reports.

    Attributes:
        step: steps done, of `steps`.
        loss: of the last batch.
        line: what was written to metrics.jsonl last, or None before the first validation.
    """

    step: int
    steps: int
    loss: float
    line: dict[str, float] | None


def train_network(
    fabric: lightning_fabric.Fabric,
    training: PreparedSet,
    validation: PreparedSet,
    population: Population,
    run: Path,
    recipe: Recipe,
    report: Callable[[Progress], None],
) -> Trained:
    """Train, keep the weights of the best validation loss in `run`, and go on where a killed run stopped.

    What a killed run needs to go on stays in `run`; `mien.training.train` removes it when the run is complete.

    Args:
        fabric: where to train.
        training, validation: labelled photos of disjoint subjects.
        population: learnt from the training subjects.
        run: folder of the run; written by the first process.
        report: called after every step, on a GPU after every 50.

    Returns:
        the best validation, and the machine that did the last step.

    Raises:
        DivergedError: the loss is no number any more; holds the step and the likely cause.
    """
    config, machine = recipe.training, describe_machine(fabric)
    if (trained := load_trained(run, config.iterations)) is not None:
        return trained
    learner = Learner(fabric, training, recipe)
    start, best = load_progress(run, learner.modules, learner.optimiser)
    displacements = _displacements(training, population, config.references)
    batches = Batches(training, displacements, recipe, fabric.device, fabric.global_rank, fabric.world_size)
    validation_crops = None if recipe.network.visual == "none" else crops_on_device(validation, fabric.device)
    check_every = CHECK_EVERY if fabric.device.type == "cuda" else 1
    losses: list[Tensor] = []  # since the last validation; they stay on the device, so that no step waits for them
    keeper = _Keeper(run, learner, machine)
    line = None
    with closing(batches.from_step(start)) as upcoming:
        for done, batch in enumerate(upcoming, start=start + 1):
            losses.append(learner.learn(batch, step=done - 1))
            validates = done % config.validate_every == 0 or done == config.iterations
            if not validates and done % check_every != 0:
                continue
            loss = _finite_losses(losses[-check_every:], done, batches, config, run)[-1]
            if validates:
                training_loss = fabric.all_reduce(torch.stack(losses).mean(), reduce_op="mean")
                losses.clear()
                if fabric.is_global_zero:
                    with fabric.autocast(), _uncompiled(config.compile):
                        metrics = validate(learner.evaluated, validation, learner.plain_criterion, validation_crops)
                    _refuse_divergence(metrics["loss"], done, config, run)
                    line = {"step": done, "training_loss": float(training_loss), "rate": learner.rate, **metrics}
                    if best is None or metrics["loss"] < best["loss"]:
                        best = {"step": done, **metrics}
                        keeper.remember()
                    log_line(run, line)
                    keeper.save(done, best, last=done == config.iterations)
            report(Progress(done, config.iterations, loss, line))
    best = fabric.broadcast(best)
    assert best is not None
    return Trained(best, machine)


class _Keeper:
    """Writes where a training stands into its run, as often as costs a tenth of its time at most.

    Args:
        run: folder of the run.
        learner: what is trained.
        machine: where.
    """

    def __init__(self, run: Path, learner: Learner, machine: Machine) -> None:
        self._run, self._learner, self._machine = run, learner, machine
        self._best: dict[str, Tensor] | None = None
        self._due = 0.0

    def remember(self) -> None:
        """The weights as they are now are the best so far."""
        self._best = {name: tensor.clone() for name, tensor in self._learner.evaluated.state_dict().items()}

    def save(self, done: int, best: dict[str, float], last: bool) -> None:
        """Write, if it is time, the best weights and what it takes to go on after `done` steps.

        After the last step it is time, and all that it takes is what `train_network` returns.
        """
        began = time.monotonic()
        if began < self._due and not last:
            return
        if self._best is not None:
            save_network(self._run, self._best)
            self._best = None
        if last:
            save_trained(self._run, done, Trained(best, self._machine))
        else:
            save_progress(self._run, self._learner.modules, self._learner.optimiser, done, best)
        ended = time.monotonic()
        self._due = ended + 10 * (ended - began)


class Learner:
    """A network, and what changes it in training.

    Args:
        fabric: where to train.
        training: the training photos; their displacement sets the scale of the geometric branch.
        recipe: what to build, and how to train it.

    Attributes:
        evaluated: what is validated and saved: the network, or the moving average of its weights.
        modules: name -> what is saved beside the optimiser, to resume from.
        optimiser: of the network.
        plain_criterion: the loss without soft targets, for validation.
        rate: learning rate of the last step.
    """

    def __init__(self, fabric: lightning_fabric.Fabric, training: PreparedSet, recipe: Recipe) -> None:
        config = recipe.training
        torch.manual_seed(config.seed)
        network = build_network(recipe.network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if recipe.network.scale_displacement:
            network.set_scale(torch.from_numpy(training.displacement))
        if fabric.world_size > 1:
            share_batch_norm(network, fabric.device)
        self._model, self.optimiser = fabric.setup(_Outputs(network), build_optimiser(network, config, fabric.device))
        self._fabric, self._config, self._network = fabric, config, network
        self._average = average_weights(network, config.ema_decay) if config.ema_decay else None
        if config.compile:
            for module in network.modules():
                if isinstance(module, VisualBranch):
                    module.compile()
        self.evaluated = network if self._average is None else cast(AnyNetwork, self._average.module)
        self.modules: dict[str, nn.Module] = {"network": network}
        if self._average is not None:
            self.modules["average"] = self._average
        loss = LOSSES[config.loss]
        self._criterion = Criterion(
            loss,
            config.auxiliary_weight,
            config.smoothing,
            config.related,
            config.neutral_weight,
            lambda number: cast(Tensor, fabric.all_reduce(number, reduce_op="mean")),
        )
        self.plain_criterion = Criterion(loss, config.auxiliary_weight)
        self.rate = 0.0
        recorded = fabric.device.type == "cuda" and fabric.world_size == 1
        self._step = CapturedStep(self._change_weights) if recorded else self._change_weights
        self._drawn_ahead = [m for m in network.modules() if isinstance(m, BatchDropout)] if recorded else []

    def learn(self, batch: Batch, step: int) -> Tensor:
        """Do a step, counted from 0; returns the loss of the batch, a scalar on the device."""
        self.rate = set_rate(self.optimiser, self._config, step)
        torch.manual_seed(step_seed(self._config.seed, step) + 1)  # for dropout
        for dropout in self._drawn_ahead:
            dropout.draw(len(batch.labels), batch.labels.device)
        loss = self._step(batch)
        if self._average is not None:
            self._average.update_parameters(self._network)
        return loss

    def _change_weights(self, batch: Batch) -> Tensor:
        loss = self._criterion(self._model(batch.crops, batch.displacement, batch.subjects), batch.labels)
        self.optimiser.zero_grad()
        self._fabric.backward(loss)
        self.optimiser.step()
        detached: Tensor = loss.detach()
        return detached


def validate(
    network: AnyNetwork, prepared: PreparedSet, criterion: Criterion, crops: Tensor | None = None
) -> dict[str, float]:
    """Loss and top-1..5 accuracy over a set; arguments as for `network_outputs`."""
    outputs = network_outputs(network, prepared, crops)
    accuracies = top_accuracies(join_scores(outputs).numpy(), prepared.labels)
    loss = criterion(outputs, torch.from_numpy(prepared.labels)).item()
    return {"loss": loss, **{f"top{k}": float(share) for k, share in enumerate(accuracies, start=1)}}


def _uncompiled(compiled: bool) -> AbstractContextManager[object]:
    """Validation knows other shapes than training, and is not worth the time to compile them."""
    return torch.compiler.set_stance("force_eager") if compiled else nullcontext()


class _Outputs(nn.Module):
    """`outputs` of a network as `forward`, which alone is known to what wraps a network."""

    def __init__(self, network: AnyNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor, displacement: Tensor, subjects: Tensor) -> dict[str, Tensor]:
        return self.network.outputs(crops, displacement, subjects)


def _displacements(training: PreparedSet, population: Population, references: str) -> NDArray[np.float32]:
    """The training displacement against each kind of reference that takes part, (kinds, n, 136)."""
    kinds: tuple[ReferenceKind, ...] = ("mean", "neutral", "estimated") if references == "mixed" else ("mean",)
    return np.stack([displacement_against(kind, training, population) for kind in kinds])


def _finite_losses(
    losses: list[Tensor], done: int, batches: Batches, config: TrainingConfig, run: Path
) -> list[float]:
    """The losses of the last steps of `done`, as numbers.

    Raises:
        DivergedError: one of them is none.
    """
    values: list[float] = torch.stack(losses).tolist()
    for step, value in enumerate(values, start=done - len(values)):
        if not np.isfinite(value):
            raise _diverged(run, step + 1, value, batches.batch(step), config)
    return values


def _diverged(run: Path, step: int, loss: float, batch: Batch, config: TrainingConfig) -> DivergedError:
    """The error for a step's loss, with the likely cause: landmarks of its batch, else steps that are too long."""
    farthest = batch.displacement.abs().max().item()
    slower = _lower_rate(config)
    if not np.isfinite(farthest):
        remedy = "a landmark of its photos is no number; prepare the set again"
        return DivergedError(run, step, loss, "training", "broken landmarks", remedy)
    if farthest > _FAR:
        remedy = (
            f"landmarks of its photos lie up to {farthest:.0f} pixels from the reference, which is no face; look "
            f"at samples.parquet for wrong faces, or set network.scale_displacement=true, or {slower}"
        )
        return DivergedError(run, step, loss, "training", "far landmarks", remedy)
    remedy = f"the steps are probably too long: {slower}, or set training.warmup"
    return DivergedError(run, step, loss, "training", "long steps", remedy)


def _refuse_divergence(validation_loss: float, step: int, config: TrainingConfig, run: Path) -> None:
    if not np.isfinite(validation_loss):
        raise DivergedError(run, step, validation_loss, "validation", "long steps", _lower_rate(config))


def _lower_rate(config: TrainingConfig) -> str:
    return f"lower training.learning_rate (now {config.learning_rate})"
