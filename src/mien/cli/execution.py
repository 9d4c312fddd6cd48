"""The options that say where long work is done: `--workers` and `--ray`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mien.jobs.executors import Executor

Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Processes.", show_default="all processors of the machine, with --ray of the cluster"),
]
Ray = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS|local",
        help="Work on the machines of a Ray cluster, which share the folders; local starts one on this machine.",
    ),
]


def make_executor(workers: int | None, ray: str | None) -> Executor:
    """Where the work is done."""
    if ray is not None:
        from mien.errors import require
        from mien.jobs.ray_executor import RayExecutor

        require("ray", "ray")  # asked for, so missed even where nothing is left to do
        return RayExecutor(ray, workers)
    from mien.jobs.executors import LocalProcesses, processor_count

    return LocalProcesses(workers or processor_count())
