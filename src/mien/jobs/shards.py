"""One resumable job: shards that are done anywhere, in any order, and collected by the process that runs the job.

`work` does a shard and writes what came of it into files of the shard's own, each whole or not at all; the last of
them, the marker, says that the shard is done. What has to go into a file that all shards share goes first into the
shard's uncollected file, from where `collect` copies it. Only the process that runs the job collects, so a shared
file has one writer, however many processes and machines work.

Killed at any moment, the same call does what is missing and ends with the same bytes: no marker, and the shard is
done again; a marker and an uncollected file, and the shard is collected again.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from mien.errors import OutputError
from mien.files import saying_where
from mien.jobs.executors import Executor

Progress = Callable[[int, int], None]
"""Called with (done, total)."""


class Shard(Protocol):
    """A part of a job; can be pickled. Its paths are absolute, for other machines have other working folders."""

    @property
    def size(self) -> int:
        """What it adds to the progress."""

    @property
    def marker(self) -> Path:
        """There when the shard is done; its folder is made before the job starts."""

    @property
    def uncollected(self) -> Path | None:
        """There from before the marker until the shard is collected; None where nothing is to be collected."""


S = TypeVar("S", bound=Shard)


def run_shards(
    shards: Sequence[S],
    work: Callable[[S], None],
    executor: Executor,
    collect: Callable[[S], None] | None = None,
    progress: Progress | None = None,
) -> None:
    """Do the shards that are missing, and collect those that are not collected.

    Args:
        shards: all of the job.
        work: does one; a function that can be pickled. Doing a shard twice, even at once, gives the same files.
        executor: where.
        collect: copies a shard's uncollected file into its place, down to the disk; doing it twice changes nothing.
        progress: called at the start and whenever a shard is done and collected.

    Raises:
        OutputError: a file cannot be written, or a machine does not see the folder.
        WorkerLostError: a worker was killed.
    """
    # Listed rather than asked for one by one: a network disk remembers for a while that a file was not there.
    existing = {path for folder in {shard.marker.parent for shard in shards} for path in folder.iterdir()}
    done = [shard for shard in shards if shard.marker in existing]
    missing = [(number, shard) for number, shard in enumerate(shards) if shard.marker not in existing]
    count, total = sum(shard.size for shard in done), sum(shard.size for shard in shards)
    progress = progress or (lambda done, total: None)
    progress(count, total)
    for shard in done:
        if shard.uncollected in existing:
            _collect(shard, collect)
    for number in executor.unordered(partial(_work_on, work), missing):
        _collect(shards[number], collect)
        count += shards[number].size
        progress(count, total)


def _work_on(work: Callable[[S], None], numbered: tuple[int, S]) -> int:
    number, shard = numbered
    folder = shard.marker.parent
    if not folder.is_dir():
        raise OutputError(
            f"{folder}: not there on the machine {platform.node()}; put it on a disk that all machines share, under "
            "the same path",
            path=folder,
        )
    work(shard)
    return number


def _collect(shard: S, collect: Callable[[S], None] | None) -> None:
    if collect is None or shard.uncollected is None:
        return
    collect(shard)
    with saying_where(shard.uncollected), suppress(FileNotFoundError):
        os.unlink(shard.uncollected)
