"""Training the predictor of landmarks: from synthetic faces with true points, and real ones with points by hand."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mien.errors import require
from mien.faces.points68 import INNER, MIRROR, POINT_COUNT, eye_distance
from mien.jobs.ahead import ahead
from mien.jobs.claims import claim_folder, working_in
from mien.models.export import export_landmarks
from mien.models.landmark_network import LandmarkNetwork
from mien.training.landmarks.patches import Patches, find_marked, make_patches
from mien.training.landmarks.recipe import LandmarkRecipe
from mien.training.landmarks.sampling import Motion, View, draw_view, plain_view
from mien.training.optimisation import average_weights, build_optimiser, set_rate
from mien.training.resume import RESUME_FILE, last_line, load_progress, log_line, save_progress

LANDMARKS_FILE = "landmarks.onnx"
_VALIDATED = 0.04
"""Share of the synthetic subjects that validate."""
_MOVED = 0.8
"""Share of the views of real photos, all of neutral faces, in which an expression moves them. Without those the
network takes every real face for a neutral one (docs/experiments.md)."""
_OTHERS_SHAPE = 0.5
"""Most of the way to somebody else's neutral face by which such a face is bent besides: real people are few."""
_AHEAD = 3


def train_landmarks(
    synthetic: Sequence[Path],
    by_hand: Sequence[Path],
    run: Path,
    recipe: LandmarkRecipe,
    report: Callable[[int, int, dict[str, float]], None] = lambda step, steps, line: None,
) -> dict[str, float]:
    """Train, and write `landmarks.onnx` into `run`; a killed run goes on where it stopped, a finished one is left.

    Args:
        synthetic, by_hand: what to train on, see `make_patches`.
        run: new folder, or that of the same training begun earlier.
        recipe: how to train.
        report: called after every step with (steps done, steps, newest validation).

    Returns:
        the last validation: mean errors in percent of the distance of the outer corners of the eyes.

    Raises:
        CheckpointError: what a killed run left is damaged.
        DataError: a source holds no marked photos.
        MissingExtraError: the extra `train` is not installed.
        OutputError: `run` holds something else.
    """
    require("onnxscript", "train")
    sources = [str(path.absolute()) for path in (*synthetic, *by_hand)]
    plan = {"kind": "landmarks", "recipe": recipe.as_dict(), "sources": sources}
    if not os.path.exists(run):
        find_marked(synthetic, by_hand)  # a mistyped source is told before anything is written
    claim_folder(run, "plan.json", plan, "train into another folder, or remove this one")
    if os.path.isfile(run / LANDMARKS_FILE):
        return last_line(run)
    with working_in(run):
        patches = make_patches(synthetic, by_hand, run)
        learner = _Learner(patches, recipe)
        line = learner.learn(run, report)
        export_landmarks(learner.average, run / LANDMARKS_FILE)
        for name in (RESUME_FILE, "patches.npy", "patches.npz"):
            (run / name).unlink(missing_ok=True)
    return line


class _Learner:
    """The network, its average, and the offsets by which points placed by hand differ from those of the mesh."""

    def __init__(self, patches: Patches, recipe: LandmarkRecipe) -> None:
        config = recipe.training
        torch.manual_seed(config.seed)
        self._patches, self._recipe = patches, recipe
        self._network = LandmarkNetwork().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._offsets = nn.Parameter(torch.zeros(POINT_COUNT, 2))
        learnt = nn.ModuleDict({"network": self._network})
        learnt.register_parameter("offsets", self._offsets)
        self._optimiser = build_optimiser(learnt, config)
        averaged = average_weights(self._network, config.ema_decay)
        self.average = averaged.module
        self._averaged = averaged
        self._modules: dict[str, nn.Module] = {"learnt": learnt, "average": averaged}
        self._parts = _split(patches, recipe)
        self._neutral = {str(s): int(row) for row, s in enumerate(patches.subjects) if patches.neutral[row]}

    def learn(self, run: Path, report: Callable[[int, int, dict[str, float]], None]) -> dict[str, float]:
        config = self._recipe.training
        start, best = load_progress(run, self._modules, self._optimiser)
        line: dict[str, float] = best or {}
        losses: list[float] = []
        cv2.setNumThreads(1)
        with closing(ahead(map(self._batch, range(start, config.iterations)), _AHEAD, "views")) as batches:
            for done, batch in enumerate(batches, start=start + 1):
                set_rate(self._optimiser, config, done - 1)
                losses.append(self._step(batch))
                if done % config.validate_every == 0 or done == config.iterations:
                    line = {"step": done, "loss": float(np.mean(losses)), **self.validate()}
                    losses.clear()
                    log_line(run, line)
                    save_progress(run, self._modules, self._optimiser, done, line)
                report(done, config.iterations, line)
        return line

    def _step(self, batch: _Batch) -> float:
        self._network.train()
        points, spread = self._network(batch.crops)
        shifted = self._offsets[batch.order] @ batch.linear.transpose(1, 2)
        distance = (
            (points + batch.by_hand[:, None, None] * shifted - batch.points).square().sum(dim=2) + 1e-8
        ).sqrt()
        loss = ((distance * (-spread).exp() + 2 * spread) * batch.known).sum() / batch.known.sum()
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self._network.parameters(), 5.0)
        self._optimiser.step()
        self._averaged.update_parameters(self._network)
        return loss.item()

    def validate(self) -> dict[str, float]:
        """Errors on people who are not trained on."""
        lines = {}
        for name in ("synthetic", "by_hand"):
            rows = self._parts[f"validate {name}"]
            if len(rows):
                lines[name] = mean_error(self.average, self._patches, rows)
        return lines

    def _batch(self, step: int) -> _Batch:
        config = self._recipe.training
        rng = np.random.default_rng([config.seed, step])
        synthetic, by_hand = self._parts["train synthetic"], self._parts["train by_hand"]
        count = round(self._recipe.by_hand * config.batch_size) if len(by_hand) else 0
        rows = np.concatenate([rng.choice(synthetic, config.batch_size - count), rng.choice(by_hand, count)])
        views = [self._draw_view(int(row), rng) for row in rows]
        points = np.stack([view.points for view in views])
        known = np.logical_and.reduce(np.isfinite(points), axis=2)
        orders = np.stack([MIRROR if view.mirrored else np.arange(POINT_COUNT) for view in views])
        return _Batch(
            crops=torch.from_numpy(np.stack([view.crop for view in views])[:, None].astype(np.float32)),
            points=torch.from_numpy(np.where(known[..., None], points, 0)),
            known=torch.from_numpy(known),
            by_hand=torch.from_numpy(self._patches.by_hand[rows.astype(int)].astype(np.float32)),
            linear=torch.from_numpy(np.stack([view.linear for view in views])),
            order=torch.from_numpy(orders),
        )

    def _draw_view(self, row: int, rng: np.random.Generator) -> View:
        """A face as a view; neutral ones with points by hand mostly move as a synthetic face does."""
        motion = None
        if self._patches.by_hand[row] and rng.random() < _MOVED:
            other = int(rng.choice(self._parts["train synthetic"]))
            neutral = self._neutral[self._patches.subjects[other]]
            places, own = self._patches.points[neutral], self._patches.points[row]
            steps = rng.uniform(0.2, 1.3) * (self._patches.points[other] - places)
            steps += rng.uniform(0, _OTHERS_SHAPE) * np.nan_to_num(places - own)
            motion = Motion(places, steps.astype(np.float32))
        return draw_view(self._patches.images[row], self._patches.points[row], rng, motion)


@dataclass(frozen=True, eq=False)
class _Batch:
    """Views; see `View`.

    crops (n, 1, 112, 112), float32; points (n, 68, 2), 0 where not known; known (n, 68); by_hand (n,), 0 or 1;
    linear (n, 2, 2); order (n, 68): which offset belongs to which point.
    """

    crops: Tensor
    points: Tensor
    known: Tensor
    by_hand: Tensor
    linear: Tensor
    order: Tensor


def _split(patches: Patches, recipe: LandmarkRecipe) -> dict[str, NDArray[np.intp]]:
    """Rows to train on and to validate on, subjects apart."""
    people = np.unique(patches.subjects[~patches.by_hand])
    validating = np.isin(patches.subjects, people[: round(_VALIDATED * len(people))])
    folds = np.zeros(len(patches), dtype=bool)
    if recipe.folds:
        marked = np.unique(patches.subjects[patches.by_hand])
        folds = np.isin(patches.subjects, marked[recipe.held_out :: recipe.folds])
    real = patches.by_hand
    return {
        "train synthetic": np.flatnonzero(~real & ~validating),
        "validate synthetic": np.flatnonzero(~real & validating),
        "train by_hand": np.flatnonzero(real & ~folds),
        "validate by_hand": np.flatnonzero(real & folds),
    }


def mean_error(network: nn.Module, patches: Patches, rows: NDArray[np.intp]) -> float:
    """Distance to the true points, each point's mean offset taken out, over the inner 51.

    Returns:
        percent of the distance of the outer corners of the eyes.
    """
    network.eval()
    views = [plain_view(patches.images[row], patches.points[row]) for row in rows]
    true = np.stack([view.points for view in views])
    found = []
    with torch.inference_mode():
        for start in range(0, len(rows), 64):
            crops = np.stack([view.crop for view in views[start : start + 64]])[:, None].astype(np.float32)
            found.append(network(torch.from_numpy(crops))[0].numpy())
    errors = (np.concatenate(found) - true)[:, INNER] / eye_distance(true)[:, None, None]
    errors -= errors.mean(axis=0)
    return float(100 * np.linalg.norm(errors, axis=2).mean())
