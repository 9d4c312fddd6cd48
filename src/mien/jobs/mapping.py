"""`map` in order and lazily: by threads of this process, or some items at a time by an executor."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import TypeVar

from mien.jobs.executors import Executor, processor_count

_IN_A_TASK = 8
"""Items that a task of an executor does."""
_AHEAD = 2
"""Items for each thread that are done before they are asked for."""
Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_order(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int | None = None,
    executor: Executor | None = None,
) -> Iterator[Result]:
    """Yield the results in the order of the items, of which no more than a few are taken ahead.

    Args:
        work: done on every item; with an executor, it and the items can be pickled.
        items: may be endless.
        workers: threads of this process; None: one for each processor.
        executor: takes the place of the threads. Its tasks run in the folder of this process, so that paths mean
            the same.
    """
    if executor is None:
        return _map_by_threads(work, items, workers or processor_count())
    return _map_by_tasks(work, items, executor)


def _map_by_tasks(work: Callable[[Item], Result], items: Iterable[Item], executor: Executor) -> Iterator[Result]:
    coming = iter(items)
    tasks = iter(lambda: list(islice(coming, _IN_A_TASK)), [])
    for results in executor.ordered(partial(_do_some, work, os.getpid(), os.getcwd()), tasks):
        yield from results


def _do_some(work: Callable[[Item], Result], parent: int, folder: str, items: list[Item]) -> list[Result]:
    """A task of an executor."""
    if os.getpid() != parent:
        os.chdir(folder)  # paths, and so names, stay as they were given
    return [work(item) for item in items]


def _map_by_threads(work: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    if workers <= 1:
        yield from map(work, items)
        return
    coming = iter(items)
    with ThreadPoolExecutor(workers) as pool:
        begun: deque[Future[Result]] = deque(pool.submit(work, item) for item in islice(coming, _AHEAD * workers))
        try:
            while begun:
                result = begun.popleft().result()
                begun.extend(pool.submit(work, item) for item in islice(coming, 1))
                yield result
        finally:
            for future in begun:
                future.cancel()
