"""Opening networks in onnxruntime: those that lie beside this file, and those of trained runs."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import onnxruntime


def start_session(content: bytes, threads: int = 1) -> onnxruntime.InferenceSession:
    """A network on the processor, from the bytes of an ONNX file; threads may share it.

    Args:
        content: of the file.
        threads: that one call may use, 0: one for each processor.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


@cache
def open_network(path: Path) -> onnxruntime.InferenceSession:
    """A network of a file, opened once, for one processor."""
    return start_session(path.read_bytes())
