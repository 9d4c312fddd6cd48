"""A training step that a GPU is given all at once.

A step of the paper's network is some 300 small kernels, and a processor needs twice as long to start them, one by
one, as the GPU to run them. Recorded once as a CUDA graph, they are started together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import torch
from torch import Tensor

from mien.training.batches import Batch

_BEFORE = 3
"""Steps that run as they are, so that all that is made once is there when the next one is recorded."""


class CapturedStep:
    """A step that is recorded after a few calls and replayed from then on; what it computes stays the same.

    Args:
        step: takes a batch, changes weights, and returns the loss, a scalar; the processor must not have to wait
            for anything in it.
    """

    def __init__(self, step: Callable[[Batch], Tensor]) -> None:
        self._step = step
        self._done = 0
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, batch: Batch) -> Tensor:
        """Do a step; every batch must have the shapes of the first. Returns the loss, on the GPU."""
        if self._done < _BEFORE:
            self._done += 1
            return self._aside(batch)
        if self._graph is None:
            self._record(batch)
        assert self._graph is not None
        for name, tensor in _tensors(batch).items():
            getattr(self._batch, name).copy_(tensor, non_blocking=True)
        self._graph.replay()
        return self._loss.clone()

    def _aside(self, batch: Batch) -> Tensor:
        """A step as it is, on a stream of its own, as CUDA wants it of all that is recorded later."""
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            loss = self._step(batch)
        torch.cuda.current_stream().wait_stream(stream)
        return loss

    def _record(self, batch: Batch) -> None:
        self._batch = Batch(**{name: tensor.clone() for name, tensor in _tensors(batch).items()})
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
            self._loss = self._step(self._batch)


def _tensors(batch: Batch) -> dict[str, Tensor]:
    return {field.name: getattr(batch, field.name) for field in fields(batch)}
