"""Opening the networks that lie beside this file, and others like them, in onnxruntime."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import onnxruntime


@cache
def open_network(path: Path) -> onnxruntime.InferenceSession:
    """A network for one processor, once for each file; threads may share it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
