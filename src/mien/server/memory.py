"""What a server keeps for a while, in memory: bounded in number, each forgotten some time after its last use."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from mien.server.problems import Problem

Kept = TypeVar("Kept")


class Expiring(Generic[Kept]):
    """Things by a name that nobody can guess.

    Args:
        most: how many; the one that was not used for longest makes room.
        seconds: after its last use it is forgotten.
        unknown: kind of the problem where there is none of a name.
        forget: called with each that is forgotten.
        held: what is in use whether somebody asks for it or not: it neither makes room nor is forgotten meanwhile.
    """

    def __init__(
        self,
        most: int,
        seconds: float,
        unknown: str,
        forget: Callable[[Kept], None] = lambda kept: None,
        held: Callable[[Kept], bool] = lambda kept: False,
    ) -> None:
        self._most, self._seconds, self._unknown, self._forget, self._held = most, seconds, unknown, forget, held
        self._kept: OrderedDict[str, tuple[float, Kept]] = OrderedDict()

    def add(self, kept: Kept) -> str:
        """Keep it; gives its name."""
        self.sweep()
        idle = [name for name, (_, other) in self._kept.items() if not self._held(other)]
        for name in idle[: max(0, len(self._kept) - self._most + 1)]:
            self._drop(name)
        name = secrets.token_urlsafe(16)
        self._kept[name] = (time.monotonic(), kept)
        return name

    def get(self, name: str) -> Kept:
        """What has that name, used now.

        Raises:
            Problem: there is none.
        """
        self.sweep()
        if name not in self._kept:
            raise Problem(self._unknown, "it was never made here, was not used for long, or others made room of it")
        kept = self._kept[name][1]
        self._kept[name] = (time.monotonic(), kept)
        self._kept.move_to_end(name)
        return kept

    def remove(self, name: str) -> None:
        """Forget it.

        Raises:
            Problem: there is none.
        """
        self.get(name)
        self._drop(name)

    def clear(self) -> None:
        """Forget all."""
        while self._kept:
            self._drop(next(iter(self._kept)))

    def sweep(self) -> None:
        """Forget those that were not used for too long."""
        now = time.monotonic()
        for name, (used, kept) in list(self._kept.items()):
            if self._held(kept):
                self._kept[name] = (now, kept)
            elif now - used >= self._seconds:
                self._drop(name)

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[Kept]:
        return iter([kept for _, kept in self._kept.values()])

    def _drop(self, name: str) -> None:
        self._forget(self._kept.pop(name)[1])
