"""mien reads compound facial expressions from photos, relative to the same person's neutral face.

    >>> import mien
    >>> mien.Recognizer.load().recognize("photo.jpg").phrase  # doctest: +SKIP
    'surprisedly happy'

It reads what a face displays, not what a person feels.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from mien.errors import MienError
from mien.labels import CLASSES, NEUTRAL, CompoundEmotion, Emotion

if TYPE_CHECKING:
    from mien.displacement import Reference
    from mien.faces import Face, Faces
    from mien.inference import Recognition, Recognitions, Recognizer, SubjectProfile

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
"""Else onnxruntime, from 1.32 on, begins a session of telemetry when it is imported; no photo leaves the machine, and
nothing else does."""
_LAZY = {
    "Face": "mien.faces",
    "Faces": "mien.faces",
    "Recognition": "mien.inference",
    "Recognitions": "mien.inference",
    "Recognizer": "mien.inference",
    "Reference": "mien.displacement",
    "SubjectProfile": "mien.inference",
}
"""Name -> where it lies. These load OpenCV and onnxruntime, so only when they are asked for."""

__all__ = [
    "CLASSES",
    "NEUTRAL",
    "CompoundEmotion",
    "Emotion",
    "Face",
    "Faces",
    "MienError",
    "Recognition",
    "Recognitions",
    "Recognizer",
    "Reference",
    "SubjectProfile",
    "__version__",
    "video",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("mien")
    if name == "video":  # needs the extra of that name
        from importlib import import_module

        return import_module("mien.video")
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'mien' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
