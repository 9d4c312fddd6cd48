"""Worker processes: each task has a time and a memory of its own, and a worker that dies is replaced."""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from ctypes import c_longlong
from multiprocessing.sharedctypes import RawArray
from typing import Any

from pebble import ProcessExpired, ProcessPool

from mien.server import film_work, work
from mien.server.problems import Problem
from mien.server.settings import ServerSettings

_QUEUE_SECONDS = 60
"""For which a task may wait for a worker."""
_TASKS = 5_000
"""After which a worker is replaced, so that what its libraries may leak stays small."""


class Workers:
    """The worker processes of a server: some for photos, one for films, which starts with the first film.

    Args:
        settings: of the server.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._limits = settings.limits
        self._count = settings.workers
        self._progress = RawArray(c_longlong, 3)
        self._numbers = itertools.count(1)
        self._waiting = 0
        context = multiprocessing.get_context("spawn")
        memory = settings.limits.worker_memory
        self._photos = ProcessPool(settings.workers, _TASKS, work.begin, [settings.run, memory], context)
        arguments = [settings.run, memory, self._progress]
        self._films = ProcessPool(1, _TASKS, film_work.begin, arguments, context)

    @property
    def waiting(self) -> int:
        """Tasks that wait or are under way."""
        return self._waiting

    async def start(self, sample: bytes) -> dict[str, Any]:
        """Start all workers; each reads a photo. Gives what `describe_model` does.

        Raises:
            Problem: the weights cannot be loaded.
        """
        starting = [self.do(work.describe_model, sample, seconds=120) for _ in range(self._count)]
        about: dict[str, Any] = (await asyncio.gather(*starting))[0]
        return about

    async def do(self, task: Callable[..., Any], *arguments: Any, seconds: float | None = None) -> Any:
        """Let a worker do a task of `mien.server.work`.

        Args:
            task: a function of a module, with its arguments.
            seconds: that it may take, in the worker; None: as for one photo.

        Raises:
            Problem: what the task said; or it took too long, its worker died, or too many are waiting.
        """
        if self._waiting >= self._limits.waiting:
            raise Problem("busy", f"{self._waiting} pieces of work are waiting")
        allowed = seconds or self._limits.work_seconds
        self._waiting += 1
        try:
            return await self._result(self._schedule(self._photos, task, arguments, allowed), allowed)
        finally:
            self._waiting -= 1

    async def read_film(self, number: int, *arguments: Any) -> Any:
        """Let the worker for films do one; see `film_work.read_film`.

        Raises:
            Problem: as `do`.
        """
        allowed = self._limits.film_seconds
        path, folder, *others = arguments
        future = self._schedule(self._films, film_work.read_film, (path, folder, number, *others), allowed)
        return await self._result(future, allowed * self._limits.films)

    def next_film(self) -> int:
        """A number for a film."""
        return next(self._numbers)

    def film_progress(self, number: int) -> tuple[int, int]:
        """Frames done, and in all as the film claims, of a film; 0, 0 while it waits."""
        under_way, done, total = self._progress
        return (done, total) if under_way == number else (0, 0)

    def stop(self) -> None:
        """End all workers at once, whatever they do."""
        for pool in (self._photos, self._films):
            pool.stop()
        for pool in (self._photos, self._films):
            pool.join()

    @staticmethod
    def _schedule(
        pool: ProcessPool, task: Callable[..., Any], arguments: Sequence[Any], seconds: float
    ) -> Future[Any]:
        try:
            return pool.schedule(work.attempt, args=[task, *arguments], timeout=seconds)
        except RuntimeError as error:
            raise Problem("busy", "the server is stopping") from error

    @staticmethod
    async def _result(future: Future[Any], allowed: float) -> Any:
        try:
            result = await asyncio.wait_for(asyncio.wrap_future(future), allowed + _QUEUE_SECONDS)
        except ProcessExpired as error:
            raise Problem("worker-lost", "the worker died of it, perhaps for want of memory") from error
        except TimeoutError as error:
            raise Problem("took-too-long", f"not done after {allowed:.0f} s") from error
        except asyncio.CancelledError:
            future.cancel()
            raise
        if isinstance(result, Problem):
            raise result
        return result
