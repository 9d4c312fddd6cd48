"""Where a training runs: device, number format, one process or several."""

from __future__ import annotations

import logging
import os
import platform
import subprocess
import warnings
from pathlib import Path

import lightning_fabric
import torch

from mien.errors import RecipeError
from mien.training.recipe import TrainingConfig


def start_fabric(config: TrainingConfig) -> lightning_fabric.Fabric:
    """Fabric on this machine, and, where `torchrun` started several processes, joined with the others.

    Raises:
        RecipeError: the batch, in groups of photos of one subject, cannot be divided evenly among the processes.
    """
    processes, here = (int(os.environ.get(name, "1")) for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"))
    unit = processes * config.samples_per_subject
    if config.batch_size % unit:
        raise RecipeError(
            f"training.batch_size = {config.batch_size}: must be a multiple of {unit}, the number of processes "
            f"({processes}) times training.samples_per_subject ({config.samples_per_subject})",
            key="training.batch_size",
            value=config.batch_size,
        )
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it tells its precision every time
    fabric = lightning_fabric.Fabric(
        devices=here,
        num_nodes=processes // here,
        strategy="ddp" if processes > 1 else "auto",
        precision=_precision(config.precision),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # process groups warn about their own defaults
        fabric.launch()
    return fabric


def has_bfloat16() -> bool:
    """Whether a GPU, or this processor, computes in bfloat16; else torch would do so, but a hundred times slower."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


Machine = dict[str, str | int]
"""Device, processor, number format and number of processes, for people."""


def describe_machine(fabric: lightning_fabric.Fabric) -> Machine:
    """Device, number format and processes, for meta.json."""
    on_gpu = fabric.device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(fabric.device) if on_gpu else fabric.device.type,
        "processor": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
        "precision": str(fabric._precision.precision),
        "processes": fabric.world_size,
    }


def code_version() -> str | None:
    """The commit of a checkout of mien, with `-dirty` where files differ from it; None for an installed one."""
    root = Path(__file__).parents[3]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def _precision(wanted: str) -> str:
    return "bf16-mixed" if wanted == "bfloat16" or (wanted == "auto" and has_bfloat16()) else "32-true"
