"""Several trainings on one GPU, a step of each in turn.

A step of these networks leaves most of a large GPU idle: its kernels are small, and wait for one another. Those of
different networks do not, so each gets a stream of its own. A processor has nothing to gain, and trains one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

import torch

from mien.artifacts import RunMeta
from mien.errors import DivergedError
from mien.training.loop import Progress

Key = TypeVar("Key")
Training = Generator[Progress | None, None, RunMeta]
"""Of `mien.training.train.train_stepwise`."""


def side_by_side(
    trainings: Mapping[Key, Training], report: Callable[[Key, Progress | None], None]
) -> dict[Key, RunMeta | DivergedError]:
    """Do all trainings.

    Args:
        trainings: by key; they write into different runs.
        report: called with None as a training starts, and then with what it reports.

    Returns:
        for each key what is known about its run, or why its loss is no number any more.
    """
    on_gpu = torch.cuda.is_available()
    groups = [list(trainings)] if on_gpu else [[key] for key in trainings]
    results: dict[Key, RunMeta | DivergedError] = {}
    for group in groups:
        streams = {key: torch.cuda.Stream() if on_gpu else None for key in group}  # type: ignore[no-untyped-call]
        for key in group:
            report(key, None)
        while streams:
            for key, stream in list(streams.items()):
                try:
                    with _on(stream):
                        progress = next(trainings[key])
                except StopIteration as end:
                    results[key] = end.value
                except DivergedError as error:
                    results[key] = error
                else:
                    if progress is not None:
                        report(key, progress)
                    continue
                del streams[key]
    return results


def _on(stream: torch.cuda.Stream | None) -> AbstractContextManager[object]:
    return nullcontext() if stream is None else torch.cuda.stream(stream)
