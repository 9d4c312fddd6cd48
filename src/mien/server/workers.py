"""Worker processes: each task has a time and a memory of its own, and a worker that dies is replaced."""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from ctypes import c_longlong
from multiprocessing.sharedctypes import RawArray
from threading import Thread
from typing import Any

from pebble import ProcessExpired, ProcessPool

from mien.server import film_work, work
from mien.server.problems import Problem
from mien.server.settings import ServerSettings

_QUEUE_SECONDS = 60
"""For which a task may wait for a worker."""
_START_SECONDS = 120
_ATTEMPTS = 2
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
        given = [settings.run, memory]
        self._photos = _Pool(lambda: ProcessPool(settings.workers, _TASKS, work.begin, given, context))
        self._films = _Pool(lambda: ProcessPool(1, _TASKS, film_work.begin, [*given, self._progress], context))

    @property
    def waiting(self) -> int:
        """Tasks that wait or are under way."""
        return self._waiting

    async def start(self, sample: bytes) -> dict[str, Any]:
        """Start all workers; each reads a photo. Gives what `describe_model` does.

        Raises:
            Problem: the weights cannot be loaded.
        """
        starting = [
            self._result(self._photos, work.describe_model, [sample], _START_SECONDS, _START_SECONDS)
            for _ in range(self._count)
        ]
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
            return await self._result(self._photos, task, arguments, allowed, allowed)
        finally:
            self._waiting -= 1

    async def read_film(self, number: int, *arguments: Any) -> Any:
        """Let the worker for films do one; see `film_work.read_film`.

        Raises:
            Problem: as `do`.
        """
        allowed = self._limits.film_seconds
        path, folder, *others = arguments
        given = (path, folder, number, *others)
        return await self._result(self._films, film_work.read_film, given, allowed, allowed * self._limits.films)

    def next_film(self) -> int:
        """A number for a film."""
        return next(self._numbers)

    def film_progress(self, number: int) -> tuple[int, int]:
        """Frames done, and in all as the film claims, of a film; 0, 0 while it waits."""
        under_way, done, total = self._progress
        return (done, total) if under_way == number else (0, 0)

    def stop(self) -> None:
        """End all workers at once, whatever they do."""
        self._photos.end()
        self._films.end()

    @staticmethod
    async def _result(
        pool: _Pool, task: Callable[..., Any], arguments: Sequence[Any], seconds: float, with_others: float
    ) -> Any:
        for attempt in range(_ATTEMPTS):
            future = pool.schedule(task, arguments, seconds)
            try:
                result = await asyncio.wait_for(asyncio.wrap_future(future), with_others + _QUEUE_SECONDS)
            except BrokenProcessPool as error:  # it was not begun
                if attempt == _ATTEMPTS - 1:
                    raise Problem("worker-lost", "the workers died before it was begun") from error
                continue
            except ProcessExpired as error:
                raise Problem("worker-lost", "the worker died of it, perhaps for want of memory") from error
            except TimeoutError as error:
                raise Problem("took-too-long", f"not done after {seconds:.0f} s") from error
            except asyncio.CancelledError:
                future.cancel()
                raise
            if isinstance(result, Problem):
                raise result
            return result
        raise AssertionError


class _Pool:
    """Processes that are made anew where the pool breaks, as it does when a worker dies while it waits.

    Args:
        make: makes the pool.
    """

    def __init__(self, make: Callable[[], ProcessPool]) -> None:
        self._make = make
        self._pool = make()
        self._ended = False

    def schedule(self, task: Callable[..., Any], arguments: Sequence[Any], seconds: float) -> Future[Any]:
        """Let a worker do a task.

        Raises:
            Problem: the server is stopping.
        """
        for _ in range(_ATTEMPTS):
            try:
                return self._pool.schedule(work.attempt, args=[task, *arguments], timeout=seconds)
            except RuntimeError:
                if self._ended:
                    break
                Thread(target=_end, args=[self._pool], daemon=True).start()
                self._pool = self._make()
        raise Problem("busy", "the server is stopping")

    def end(self) -> None:
        """End all processes, whatever they do."""
        self._ended = True
        _end(self._pool)


def _end(pool: ProcessPool) -> None:
    pool.stop()
    pool.join()
