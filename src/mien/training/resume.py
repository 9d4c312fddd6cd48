"""What a killed training needs to go on, and the log that it goes on with."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from mien.artifacts import METRICS_FILE, read_log
from mien.errors import CheckpointError
from mien.files import replacing
from mien.training.machine import Machine

RESUME_FILE = "resume.safetensors"


def save_progress(
    run: Path, modules: dict[str, nn.Module], optimiser: torch.optim.Optimizer, step: int, best: dict[str, float]
) -> None:
    """Write where a training stands, whole or not at all.

    Args:
        run: folder of the run.
        modules: name -> network, or average of its weights.
        optimiser: with its state.
        step: steps done.
        best: the best validation so far.
    """
    tensors = {
        f"{name}/{key}": tensor for name, module in modules.items() for key, tensor in module.state_dict().items()
    }
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser/{index}/{name}": torch.as_tensor(value) for name, value in state.items()}
    with replacing(run / RESUME_FILE) as temporary:
        progress = {"progress": json.dumps({"step": step, "best": best})}
        temporary.write_bytes(save({n: t.contiguous() for n, t in tensors.items()}, metadata=progress))


def load_progress(
    run: Path, modules: dict[str, nn.Module], optimiser: torch.optim.Optimizer
) -> tuple[int, dict[str, float] | None]:
    """Put modules and optimiser in the state in which the run stopped.

    Returns:
        steps done, and the best validation so far; 0 and None where nothing was saved.

    Raises:
        CheckpointError: what was saved is damaged.
    """
    path = run / RESUME_FILE
    if not os.path.isfile(path):
        return 0, None
    try:
        with safe_open(path, "pt") as file:
            progress: dict[str, Any] = json.loads(file.metadata()["progress"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, not a dict
        for name, module in modules.items():
            module.load_state_dict(_under(name, tensors))
    except Exception as error:
        raise CheckpointError(f"{path}: damaged ({error}); remove it to train from the start") from error
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _under("optimiser", tensors).items():
        index, key = name.split("/")
        state.setdefault(int(index), {})[key] = tensor
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    return progress["step"], progress["best"]


@dataclass(frozen=True)
class Trained:
    """A network whose steps are all done.

    Attributes:
        best: step, loss and accuracies of the best validation, whose weights the run holds.
        machine: where it was trained, see `mien.training.machine`; the last of them.
    """

    best: dict[str, float]
    machine: Machine


def save_trained(run: Path, steps: int, trained: Trained) -> None:
    """Write that all steps are done, instead of where a training stands."""
    with replacing(run / RESUME_FILE) as temporary:
        progress = {"progress": json.dumps({"step": steps, "best": trained.best, "machine": trained.machine})}
        temporary.write_bytes(save({}, metadata=progress))


def load_trained(run: Path, steps: int) -> Trained | None:
    """What was written after the last of the steps; None where they are not all done, or nothing can be read."""
    try:
        with safe_open(run / RESUME_FILE, "pt") as file:
            progress: dict[str, Any] = json.loads(file.metadata()["progress"])
    except Exception:  # `load_progress` says what is wrong
        return None
    if progress["step"] != steps or "machine" not in progress:  # mien wrote none before
        return None
    return Trained(progress["best"], progress["machine"])


def log_line(run: Path, line: dict[str, float]) -> None:
    """Append to metrics.jsonl; lines that a resumed run writes again are replaced."""
    kept = [json.dumps(one) for one in read_log(run) if one["step"] < line["step"]]
    with replacing(run / METRICS_FILE) as temporary:
        temporary.write_text("\n".join([*kept, json.dumps(line)]) + "\n", encoding="utf-8")


def last_line(run: Path) -> dict[str, float]:
    """The last line of metrics.jsonl; nothing where there is none."""
    lines = read_log(run)
    return lines[-1] if lines else {}


def _under(name: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key[len(name) + 1 :]: tensor for key, tensor in tensors.items() if key.startswith(f"{name}/")}
