"""The photos of a training step, which follow from the seed and the step's number and nothing else."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mien.datasets.prepared import PreparedSet
from mien.jobs.ahead import ahead
from mien.training.augmentation import sample_augmentation
from mien.training.recipe import Recipe

AHEAD = 3
"""Batches that are made before a step asks for them."""
_OF_OTHERS = 2
"""Kinds of reference that other photos of the subject make. For visual features either is the subject's mean."""
_AT_ONCE = 512
"""Photos that go to a GPU together."""


@dataclass(frozen=True)
class Batch:
    """What a step trains on.

    Attributes:
        crops: (n, 224, 224, 3), uint8, RGB; (n, 0, 0, 3) where there is no visual branch.
        displacement: (n, 136), float32, crop pixels.
        labels: (n,) class indices.
        subjects: (n,) numbers under n of the groups of photos of one subject that come together; -1 where there is
            no reference but the photo itself.
    """

    crops: Tensor
    displacement: Tensor
    labels: Tensor
    subjects: Tensor


class Batches:
    """Makes the batches of one process.

    On a GPU the crops go there once, as uint8, if they fit, and are changed there. Else they stay on disk,
    memory-mapped, and a thread makes batches ahead of the step that takes them.

    Args:
        training: labelled photos.
        displacements: (kinds, n, 136): against each kind of reference that takes part, the subject's mean first. For
            each photo, or for the photos of a subject that come together, one kind is chosen at random. The first
            two, `mean` and `neutral`, are made from other photos.
        recipe: batch size, augmentation and seed.
        device: where batches are wanted.
        rank, processes: which part of each batch is wanted.

    Attributes:
        waited: seconds that steps have waited for their batch.
    """

    def __init__(
        self,
        training: PreparedSet,
        displacements: NDArray[np.float32],
        recipe: Recipe,
        device: torch.device,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        self._training, self._recipe, self._device = training, recipe, device
        share = recipe.training.batch_size // processes
        self._part = slice(rank * share, (rank + 1) * share)
        self._pictured = recipe.network.visual != "none"
        self._crops = crops_on_device(training, device) if self._pictured else None
        self._on_device = self._crops is not None
        here = device if self._on_device else torch.device("cpu")
        self._displacements = torch.from_numpy(displacements).to(here)
        self._landmarks = torch.from_numpy(training.landmarks.reshape(len(training), -1)).to(here)
        self._labels = torch.from_numpy(training.labels).to(here)
        self._numbers, config = training.subject_numbers, recipe.training
        self._groups = lru_cache(maxsize=2)(
            partial(group_photos, self._numbers, config.samples_per_subject, config.seed)
        )
        self._here = here
        self.waited = 0.0

    def batch(self, step: int) -> Batch:
        """The batch of a step, this process's part of it."""
        config = self._recipe.training
        rng = torch.Generator().manual_seed(step_seed(config.seed, step))
        groups = config.batch_size // config.samples_per_subject
        kinds = torch.randint(len(self._displacements), (groups,), generator=rng)
        kinds = self._send(kinds.repeat_interleave(config.samples_per_subject)[self._part])
        params = sample_augmentation(self._recipe.augmentation, config.batch_size, rng)
        params = params.select(self._part, self._here)
        indices = self._indices(step)[self._part]
        rows = self._send(torch.from_numpy(indices))
        displacement = params.apply_to_displacement(
            self._displacements[kinds, rows], self._landmarks[rows], self._training.crop_size
        )
        groups_here = self._send(torch.arange(len(indices)) // config.samples_per_subject)
        subjects = torch.where(kinds < _OF_OTHERS, groups_here, -1)
        if not self._pictured:
            crops = torch.empty(len(indices), 0, 0, 3, dtype=torch.uint8)
        elif self._crops is None:
            crops = params.apply_to_crops(torch.from_numpy(self._training.crops[self._training.rows[indices]]))
        else:
            crops = params.apply_to_crops(self._crops[rows])
        tensors = (crops, displacement, self._labels[rows], subjects)
        if not self._on_device and self._device.type == "cuda":
            tensors = tuple(tensor.pin_memory() for tensor in tensors)  # type: ignore[assignment]
        return Batch(*(tensor.to(self._device, non_blocking=True) for tensor in tensors))

    def _send(self, tensor: Tensor) -> Tensor:
        """To where the set lies; a GPU is not waited for."""
        return tensor.to(self._here, non_blocking=True)

    def _indices(self, step: int) -> NDArray[np.int64]:
        config = self._recipe.training
        if config.samples_per_subject == 1:
            return batch_indices(len(self._training), config.batch_size, config.seed, step)
        count, size = len(self._groups(0)), config.batch_size // config.samples_per_subject
        taken = _epochs_and_items(count, size, config.seed, step)
        return np.concatenate([self._groups(epoch)[item] for epoch, item in taken])

    def from_step(self, start: int) -> Generator[Batch, None, None]:
        """The batches of all steps from `start` to the end of the recipe."""
        steps = range(start, self._recipe.training.iterations)
        yield from map(self.batch, steps) if self._on_device else self._prefetched(steps)

    def _prefetched(self, steps: range) -> Iterator[Batch]:
        def make() -> Iterator[Batch]:
            torch.set_num_threads(1)  # this thread's; more would wait, spinning, where the step computes
            yield from map(self.batch, steps)

        with closing(ahead(make(), AHEAD, "batches")) as ready:
            for _ in steps:
                asked = time.perf_counter()
                batch = next(ready)
                self.waited += time.perf_counter() - asked
                yield batch


def batch_indices(count: int, batch_size: int, seed: int, step: int) -> NDArray[np.int64]:
    """The photos of a step. An epoch takes all in random order; a batch may run over from one epoch to the next."""
    return np.array([item for _, item in _epochs_and_items(count, batch_size, seed, step)], dtype=np.int64)


def group_photos(numbers: NDArray[np.int64], size: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """All photos in groups of one subject each, other groups in every epoch.

    A group that lacks photos repeats some of its subject.

    Args:
        numbers: (n,): number of the subject of each photo.
        size: photos in a group.
        seed, epoch: what the grouping follows from.

    Returns:
        (groups, size): indices of photos.
    """
    order = np.random.default_rng([seed, epoch, 1]).permutation(len(numbers))
    groups = []
    for number in np.unique(numbers):
        own = order[numbers[order] == number]
        count = -(-len(own) // size)
        groups.append(np.resize(own, count * size).reshape(count, size))
    return np.concatenate(groups)


def _epochs_and_items(count: int, size: int, seed: int, step: int) -> list[tuple[int, int]]:
    """What a step takes of `count` items, `size` at a time: the epoch, and the item."""
    epochs, places = np.divmod(np.arange(step * size, (step + 1) * size), count)
    return [(int(e), int(_order(count, seed, int(e))[place])) for e, place in zip(epochs, places, strict=True)]


@lru_cache(maxsize=4)
def _order(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """All items in the random order of one epoch; kept, for every step of the epoch asks."""
    order = np.random.default_rng([seed, epoch]).permutation(count)
    order.setflags(write=False)
    return order


def step_seed(seed: int, step: int) -> int:
    """The seed of all that is random in a step."""
    return int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint32)[0])


def crops_on_device(prepared: PreparedSet, device: torch.device) -> Tensor | None:
    """The crops of a set, (n, size, size, 3), uint8, on a GPU; None on a processor, or where they do not fit.

    They fit if they take no more than half of the device's free memory.
    """
    if device.type != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(device)
    if 2 * len(prepared) * prepared.crop_size**2 * 3 > free:
        return None
    crops = torch.empty((len(prepared), *prepared.crops.shape[1:]), dtype=torch.uint8, device=device)
    for start in range(0, len(prepared), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        crops[part] = torch.from_numpy(prepared.crops[prepared.rows[part]]).to(device)
    return crops
