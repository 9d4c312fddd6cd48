"""Where work is done: in this process, in several of this machine, or (`mien.jobs.ray_executor`) on many machines."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor
from concurrent.futures import wait as wait_for_futures
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import wait as wait_for_connections
from typing import Generic, Protocol, TypeVar

from mien.errors import WorkerLostError

Item = TypeVar("Item")
Item_contra = TypeVar("Item_contra", contravariant=True)
Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)

ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "LP_NUM_THREADS"), "1")
"""What BLAS, OpenMP and Mesa's software renderer read when a process loads them. Threads of several processes that
spin while they wait for one another halve the rate of all."""


def processor_count() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Pool(Protocol[Item_contra, Result_co]):
    """One piece of work under way: takes items, gives results as they come."""

    @property
    def width(self) -> int:
        """How many items to have under way at once, so that no worker waits."""

    def start(self, number: int, item: Item_contra) -> None:
        """Take an item; `number` comes back with its result."""

    def next_result(self) -> tuple[int, Result_co]:
        """Wait for any result. What the work raised is raised here."""


class Executor(ABC):
    """Does the same work on many items. Work and items can be pickled; both maps are lazy and stop when closed."""

    @abstractmethod
    def _open(self, work: Callable[[Item], Result], count: int | None) -> AbstractContextManager[Pool[Item, Result]]:
        """Workers for `count` items (None: unknown), for as long as the context is open."""

    def unordered(self, work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """Yield the results as they come.

        Raises:
            WorkerLostError: a worker was killed.
        """
        if not items:
            return
        with self._open(work, len(items)) as pool:
            waiting = enumerate(items)
            running = 0
            for done in range(len(items)):
                for number, item in islice(waiting, max(max(pool.width, 1) - running, 0)):
                    pool.start(number, item)
                    running += 1
                assert running, f"nothing runs after {done} of {len(items)} results"
                _, result = pool.next_result()
                running -= 1
                yield result

    def ordered(
        self, work: Callable[[Item], Result], items: Iterable[Item], ahead: int | None = None
    ) -> Iterator[Result]:
        """Yield the results in the order of the items.

        Args:
            work: done on every item.
            items: may be endless; an item is taken only when a worker is to have it.
            ahead: at most so many items are taken whose results were not yet yielded; None: as many as keep all
                workers busy.

        Raises:
            WorkerLostError: a worker was killed.
        """
        with self._open(work, len(items) if isinstance(items, Sequence) else None) as pool:
            waiting = enumerate(items)
            results: dict[int, Result] = {}
            started = yielded = 0
            while True:
                limit = max(pool.width if ahead is None else ahead, 1)
                for number, item in islice(waiting, max(limit - (started - yielded), 0)):
                    pool.start(number, item)
                    started += 1
                if started == yielded:
                    return
                while yielded not in results:
                    number, result = pool.next_result()
                    results[number] = result
                yield results.pop(yielded)
                yielded += 1


@dataclass(frozen=True)
class LocalProcesses(Executor):
    """Processes of this machine. With one worker, or one item, all is done in this process.

    Others are started anew rather than forked, for neither OpenGL nor polars survives a fork; each keeps to one
    thread. They end with this process, however it ends.

    Attributes:
        workers: how many.
    """

    workers: int = 1

    @contextmanager
    def _open(self, work: Callable[[Item], Result], count: int | None) -> Iterator[Pool[Item, Result]]:
        workers = self.workers if count is None else min(self.workers, count)
        if workers <= 1:
            yield _InProcess(work)
            return
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, context, initializer=_start_worker) as processes:
            try:
                yield _Processes(work, processes, workers)
            except BrokenProcessPool as error:
                raise WorkerLostError(
                    "a worker process was killed, perhaps for want of memory; run the same command again, with fewer "
                    "--workers, and it goes on where it stopped"
                ) from error
            finally:
                processes.shutdown(cancel_futures=True)


THIS_PROCESS = LocalProcesses(1)


class _InProcess(Generic[Item, Result]):
    width = 1

    def __init__(self, work: Callable[[Item], Result]) -> None:
        self._work = work
        self._items: deque[tuple[int, Item]] = deque()

    def start(self, number: int, item: Item) -> None:
        self._items.append((number, item))

    def next_result(self) -> tuple[int, Result]:
        number, item = self._items.popleft()
        return number, self._work(item)


class _Processes(Generic[Item, Result]):
    def __init__(self, work: Callable[[Item], Result], processes: ProcessPoolExecutor, workers: int) -> None:
        self._work = work
        self._processes = processes
        self._running: dict[Future[Result], int] = {}
        self.width = 2 * workers  # the next item lies ready when a worker is done

    def start(self, number: int, item: Item) -> None:
        with _environment(ONE_THREAD):  # for the process that this may start
            self._running[self._processes.submit(self._work, item)] = number

    def next_result(self) -> tuple[int, Result]:
        done, _ = wait_for_futures(self._running, return_when=FIRST_COMPLETED)
        future = min(done, key=self._running.__getitem__)
        return self._running.pop(future), future.result()


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it and stops the pool
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import cv2

    cv2.setNumThreads(1)


def _end_with_parent() -> None:
    """A parent that was killed cannot stop its workers, and they would go on writing beside the next run."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for_connections([parent.sentinel])
        os._exit(1)
