"""The lines of metrics.jsonl for TensorBoard, for those who have it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mien.errors import require
from mien.training.loop import Progress


def write_tensorboard(folder: Path) -> Callable[[Progress], None]:
    """A function to call after each step; it writes every new validation to event files in `folder`.

    Raises:
        MissingExtraError: the package tensorboard is not installed.
    """
    require("tensorboard", "tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(folder)

    def write(progress: Progress) -> None:
        if progress.line is None or progress.line["step"] != progress.step:
            return
        for name, value in progress.line.items():
            if name != "step":
                writer.add_scalar(name, value, progress.step)
        writer.flush()

    return write
