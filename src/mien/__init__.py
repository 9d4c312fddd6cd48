"""mien reads compound facial expressions from photos, relative to the same face at rest.

    >>> import mien
    >>> mien.Recognizer.load().recognize("photo.jpg").phrase  # doctest: +SKIP
    'surprisedly happy'

It reads what a face displays, not what a person feels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mien.errors import MienError
from mien.labels import CLASSES, NEUTRAL, CompoundEmotion, Emotion

if TYPE_CHECKING:
    from mien.inference import Recognition, Recognizer

__all__ = ["CLASSES", "NEUTRAL", "CompoundEmotion", "Emotion", "MienError", "Recognition", "Recognizer"]


def __getattr__(name: str) -> Any:
    """`Recognizer` and `Recognition` load OpenCV and onnxruntime, so only when they are asked for."""
    if name in ("Recognition", "Recognizer"):
        from mien import inference

        return getattr(inference, name)
    raise AttributeError(f"module 'mien' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
