"""The lines of metrics.jsonl for TensorBoard, for those who have it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

from mien.errors import require
from mien.training.loop import Progress


def write_tensorboard(folder: Path) -> Callable[..., None]:
    """A function to call after each step; it writes every new validation to event files in `folder`.

    The folder is made with the first validation, so that a refused training leaves none. The function takes the name
    of a run as well, where there are several: each gets a folder within.

    Raises:
        MissingExtraError: the package tensorboard is not installed.
    """
    require("tensorboard", "tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    writer_of = cache(SummaryWriter)

    def write(progress: Progress, run: str = "") -> None:
        if progress.line is None or progress.line["step"] != progress.step:
            return
        writer = writer_of(folder / run)
        for name, value in progress.line.items():
            if name != "step":
                writer.add_scalar(name, value, progress.step)
        writer.flush()

    return write
