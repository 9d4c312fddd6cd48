"""Work that another thread does a little ahead of whoever waits for it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from contextlib import suppress
from typing import Any, TypeVar

Item = TypeVar("Item")
_END = object()


def ahead(items: Iterator[Item], depth: int, name: str) -> Generator[Item, None, None]:
    """Iterate in a thread of its own, at most `depth` items ahead.

    What the iterator raises is raised here. Closing it, or leaving it, ends the thread after the item at hand.

    Args:
        items: iterated in that thread alone.
        depth: items that lie ready.
        name: of the thread.
    """
    ready: queue.Queue[tuple[Any, BaseException | None]] = queue.Queue(depth)
    stopped = threading.Event()

    def put(item: Any, error: BaseException | None = None) -> None:
        while not stopped.is_set():
            with suppress(queue.Full):
                ready.put((item, error), timeout=0.1)
                return

    def iterate() -> None:
        try:
            for item in items:
                put(item)
                if stopped.is_set():
                    return
            put(_END)
        except BaseException as error:  # whoever waits raises it
            put(_END, error)

    thread = threading.Thread(target=iterate, name=name, daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item
    finally:
        stopped.set()
        thread.join()
