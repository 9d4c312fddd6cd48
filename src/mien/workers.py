"""Work shared among processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from mien.errors import MienError

Item = TypeVar("Item")
Result = TypeVar("Result")


def run_in_processes(work: Callable[[Item], Result], items: Sequence[Item], workers: int) -> Iterator[Result]:
    """Do `work` on every item; yield the results as they come, not in order.

    With one worker, or one item, all is done in this process. Others are started anew rather than forked, for
    neither OpenGL nor polars survives a fork; each keeps to one thread.

    Raises:
        MienError: a worker was killed, most often for want of memory.
    """
    workers = min(workers, len(items))
    if workers <= 1:
        yield from map(work, items)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_start_worker) as pool:
        try:
            for future in as_completed([pool.submit(work, item) for item in items]):
                yield future.result()
        except BrokenProcessPool as error:
            raise MienError(
                "a worker process was killed, perhaps for want of memory; run the same command again, with fewer "
                "--workers, and it goes on where it stopped"
            ) from error
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it and stops the pool
    os.environ["LP_NUM_THREADS"] = "1"  # Mesa's software renderer
    import cv2

    cv2.setNumThreads(1)
