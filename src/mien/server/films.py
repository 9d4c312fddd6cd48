"""Films under way: each lies in a folder of its own until it has been read, and its answer in memory for a while."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from mien.jobs.claims import LOCK_FILE
from mien.server.problems import Problem
from mien.server.work import Given
from mien.server.workers import Workers

_PREFIX = "mien-films-"
_LOOK = 0.2
"""Seconds between two looks at how far a film is."""
_BEAT = 75
"""Looks after which something is sent even if nothing is new, so that a connection that is gone is noticed."""


class FilmFolders:
    """Where films lie until they have been read: a folder of this server alone, which only this user may read."""

    def __init__(self) -> None:
        self._root: Path | None = None
        self._lock: FileLock | None = None

    def open(self) -> None:
        """Make it, and remove those of servers that were killed."""
        for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
            _remove_if_left(folder)
        self._root = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._lock = FileLock(self._root / LOCK_FILE)
        self._lock.acquire(blocking=False)

    def new(self) -> Path:
        """A new folder for one film."""
        assert self._root is not None
        return Path(tempfile.mkdtemp(dir=self._root))

    def close(self) -> None:
        """Remove it with all that is in it."""
        if self._root is not None and self._lock is not None:
            self._lock.release()
            shutil.rmtree(self._root, ignore_errors=True)
        self._root = self._lock = None


def _remove_if_left(folder: Path) -> None:
    """Nobody holds the lock of a folder whose server ended; one without a lock is just being made."""
    if folder.is_symlink() or not os.path.isfile(folder / LOCK_FILE):  # false, too, where it is another user's
        return
    with suppress(Timeout, OSError):
        with FileLock(folder / LOCK_FILE).acquire(blocking=False):
            pass
        shutil.rmtree(folder, ignore_errors=True)


class FilmJob:
    """A film that was sent.

    Args:
        workers: who reads it.
        folder: of the film, with the film in it as `film`; removed as soon as it has been read.
        given: reference or name of somebody who may be in it.
        most_frames: that are read.
    """

    def __init__(self, workers: Workers, folder: Path, given: Given, most_frames: int) -> None:
        self._workers, self._folder = workers, folder
        self._number = workers.next_film()
        self._frames = (0, 0)
        self.answer: bytes | None = None
        """JSON of a `FilmAnswer`, when it is done."""
        self.problem: Problem | None = None
        """Why it failed."""
        self._task = asyncio.create_task(self._read(given, most_frames))

    @property
    def under_way(self) -> bool:
        """Whether it waits or is read."""
        return not self._task.done()

    def state(self, name: str) -> dict[str, Any]:
        """See `FilmState`."""
        now = self._workers.film_progress(self._number)
        self._frames = now if any(now) else self._frames  # another film may be under way by now
        done, total = self._frames
        status = "reading" if done or total else "waiting"
        if not self.under_way:
            status = "failed" if self.answer is None else "done"
        problem = None if self.problem is None else self.problem.to_dict()
        return {"film": name, "status": status, "done": done, "total": total, "problem": problem}

    async def events(self, name: str) -> AsyncIterator[str]:
        """Server-sent events, `progress` whenever it went on, and `done` or `failed` at the end."""
        told, quiet = None, 0
        while True:
            state = self.state(name)
            if state["status"] in ("done", "failed"):
                yield _event(state["status"], state)
                return
            quiet += 1
            if state != told:
                yield _event("progress", state)
                told, quiet = state, 0
            elif quiet >= _BEAT:
                yield ": still there\n\n"
                quiet = 0
            await asyncio.wait([self._task], timeout=_LOOK)

    def stop(self) -> None:
        """Give it up, and remove it."""
        self._task.cancel()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _read(self, given: Given, most_frames: int) -> None:
        work = self._folder / "work"
        try:
            work.mkdir()
            path, folder = str(self._folder / "film"), str(work)
            frames, self.answer = await self._workers.read_film(self._number, path, folder, given, most_frames)
            self._frames = (frames, frames)
        except Problem as problem:
            self.problem = problem
        except asyncio.CancelledError:
            self.problem = Problem("took-too-long", "it was given up")
        except Exception as error:  # whoever waits for the film is told
            self.problem = Problem("defect", type(error).__name__)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)


def _event(name: str, data: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"
