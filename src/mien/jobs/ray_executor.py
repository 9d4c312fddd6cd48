"""Work on the machines of a Ray cluster (https://docs.ray.io); needs the extra `ray`.

The machines share the folders that the work names, and have the same mien installed. Nothing is sent to anybody but
them: no usage statistics, no dashboard.
"""

from __future__ import annotations

import logging
import os
import platform
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Generic, TypeVar

from mien.errors import ClusterError, WorkerLostError, require
from mien.jobs.executors import ONE_THREAD, Executor, Pool

Item = TypeVar("Item")
Result = TypeVar("Result")

LOCAL = "local"
ATTEMPTS = 4
"""How often an item is tried before a worker that dies with it is taken for the item's fault."""

_PACKAGES = ("mien", "numpy", "opencv-python-headless", "pillow", "dlib-bin", "onnxruntime", "polars", "anny", "vtk")
"""What the bytes of results depend on."""
_OBJECT_MEMORY = 256 * 2**20
"""Bytes, of a cluster on this machine: items and results are small, and more is put on the disk."""


@dataclass(frozen=True)
class RayExecutor(Executor):
    """Tasks of a Ray cluster, each on one processor with one thread.

    A task whose worker or machine dies is done elsewhere. The cluster is joined, or started, when there is work, and
    left when the work ends; one that this process had joined before is used and stays joined.

    Attributes:
        address: `local` starts a cluster on this machine; anything else joins one: `auto` the one that runs here,
            `HOST:PORT`, or `ray://HOST:PORT`.
        workers: how many tasks run at once; None: as many as the cluster has processors.
    """

    address: str = LOCAL
    workers: int | None = None

    @contextmanager
    def _open(self, work: Callable[[Item], Result], count: int | None) -> Iterator[Pool[Item, Result]]:
        require("ray", "ray")
        import ray

        if ray.is_initialized():
            pool = _RayPool(ray, work, self.workers)
            try:
                yield pool
            finally:
                pool.cancel()
            return
        with _silence(ray):
            self._join(ray)
            try:
                yield _RayPool(ray, work, self.workers)
            finally:
                ray.shutdown()  # ends the tasks too

    def _join(self, ray: Any) -> None:
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "error")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else it announces that it will change
        quiet = {"log_to_driver": False, "logging_level": logging.CRITICAL, "include_dashboard": False}
        if self.address == LOCAL:
            loopback = {"_node_ip_address": "127.0.0.1"}
            ray.init("local", num_cpus=self.workers, object_store_memory=_OBJECT_MEMORY, **loopback, **quiet)
            return
        try:
            _knock(self.address)
            ray.init(self.address, **quiet)
        except (OSError, RuntimeError, ValueError, AssertionError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ClusterError(
                f"--ray {self.address}: no Ray cluster can be joined there ({reason}); start one with: ray start "
                "--head, join it on every machine with: ray start --address HOST:PORT (where it asks for a token, "
                "set RAY_AUTH_MODE=token here), or use: --ray local",
                reason,
                self.address,
            ) from error


@contextmanager
def _silence(ray: Any) -> Iterator[None]:
    """Ray writes on stdout that a machine died, with the end of its log, and no public setting keeps it from that."""
    worker = ray._private.worker
    before = getattr(worker, "_worker_logs_enabled", True)
    worker._worker_logs_enabled = False
    try:
        yield
    finally:
        worker._worker_logs_enabled = before


def _knock(address: str) -> None:
    """Raises `OSError` where nobody answers at `HOST:PORT`; Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


class _RayPool(Generic[Item, Result]):
    def __init__(self, ray: Any, work: Callable[[Item], Result], workers: int | None) -> None:
        self._ray = ray
        self._workers = workers
        # The count of attempts is our own: Ray's has no bound where memory runs out.
        options = {"num_cpus": 1, "max_retries": 0, "scheduling_strategy": "SPREAD"}
        self._task = ray.remote(_run).options(runtime_env={"env_vars": ONE_THREAD}, **options)
        self._work = ray.put((work, _versions()))
        self._running: dict[Any, tuple[int, Item, int]] = {}

    @property
    def width(self) -> int:
        if self._workers is not None:
            return self._workers
        return max(2 * int(self._ray.cluster_resources().get("CPU", 0)), 2)  # machines may join at any time

    def start(self, number: int, item: Item) -> None:
        self._start(number, item, 1)

    def _start(self, number: int, item: Item, attempt: int) -> None:
        self._running[self._task.remote(self._work, item)] = (number, item, attempt)

    def next_result(self) -> tuple[int, Result]:
        errors = self._ray.exceptions
        while True:
            (ready, *_), _ = self._ray.wait(list(self._running), num_returns=1)
            number, item, attempt = self._running.pop(ready)
            try:
                result: Result = self._ray.get(ready)
            except errors.RayTaskError as error:
                raise _cause(error, errors.RayError) from error
            except errors.RayError as error:
                if attempt == ATTEMPTS:
                    raise WorkerLostError(
                        f"a worker died {ATTEMPTS} times at the same task, perhaps for want of memory "
                        f"({type(error).__name__}); run the same command again, and it goes on where it stopped"
                    ) from error
                self._start(number, item, attempt + 1)
            else:
                return number, result

    def cancel(self) -> None:
        """End the tasks that run, for a cluster that stays joined."""
        for task in self._running:
            self._ray.cancel(task, force=True)


def _run(work_and_versions: tuple[Callable[[Item], Result], dict[str, str]], item: Item) -> Result:
    """What a task does, on some machine of the cluster."""
    work, versions = work_and_versions
    here = _versions()
    for name, wanted in versions.items():
        if here.get(name) != wanted:
            raise ClusterError(
                f"the machine {platform.node()} has {name} {here.get(name, 'not')} installed, not {wanted}; install "
                "the same versions on all machines of the cluster",
                f"{name} {here.get(name)}",
            )
    import cv2

    cv2.setNumThreads(1)
    return work(item)


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _cause(error: Any, ray_error: type[Exception]) -> BaseException:
    """What the work raised; where a machine could not even load it, that the machine lacks something."""
    cause: BaseException = error.cause
    if isinstance(cause, ray_error):
        reason = str(cause).splitlines()[0]
        return ClusterError(
            f"a machine of the Ray cluster cannot load the work ({reason}); install the same mien with the same "
            "extras on all machines",
            reason,
        )
    return cause
