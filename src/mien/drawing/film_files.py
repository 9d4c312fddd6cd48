"""Writing a film with what was read drawn into it, and films that mien makes, by PyAV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

from mien.errors import OutputError, require
from mien.files import replacing
from mien.images import RGBImage

ENDINGS = {".mp4": "mp4", ".mkv": "matroska", ".mov": "mov"}
_TICKS = 90_000
"""Of time in a second."""
_THREADS = 2
"""Of the encoder, whose bytes depend on how many there are; as many on every machine."""


class FilmWriter:
    """Takes frames with their times; made by `writing_film`."""

    def __init__(self, container: Any, stream: Any) -> None:
        self._container, self._stream = container, stream
        self._av = require("av", "video")
        self._last = -1

    def add(self, image: RGBImage, time: float) -> None:
        """Write a frame of the film's size at a time, in seconds, later than the one before."""
        frame = self._av.VideoFrame.from_ndarray(image, format="rgb24")
        self._last = max(self._last + 1, round(time * _TICKS))
        frame.pts, frame.time_base = self._last, Fraction(1, _TICKS)
        self._container.mux(self._stream.encode(frame))


@contextmanager
def writing_film(path: Path, size: tuple[int, int], rate: float, quality: int = 20) -> Iterator[FilmWriter]:
    """Write a film, whole or not at all.

    Args:
        path: .mp4, .mkv or .mov.
        size: width and height in pixels; an odd one loses its last row or column.
        rate: frames a second, about.
        quality: 0 (without loss) to 51, as of H.264.

    Raises:
        OutputError: it cannot be written.
        MissingExtraError: the extra `video` is not installed.
    """
    av = require("av", "video")
    form = ENDINGS.get(path.suffix.lower())
    if form is None:
        raise OutputError(f"{path}: name a file that ends in {', '.join(ENDINGS)}")
    with replacing(path) as temporary, av.open(str(temporary), "w", format=form) as container:
        codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
        stream = container.add_stream(codec, rate=Fraction(rate).limit_denominator(1001))
        stream.width, stream.height = size[0] // 2 * 2, size[1] // 2 * 2
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = _THREADS
        stream.codec_context.time_base = Fraction(1, _TICKS)
        if codec == "libx264":
            stream.options = {"crf": str(quality), "preset": "veryfast"}
        yield FilmWriter(container, stream)
        container.mux(stream.encode())


def write_film(path: Path, frames: Iterable[tuple[RGBImage, float]], rate: float, quality: int = 20) -> None:
    """Write frames with their times; see `writing_film`.

    Raises:
        OutputError: it cannot be written, or there are no frames.
    """
    coming = iter(frames)
    first = next(coming, None)
    if first is None:
        raise OutputError(f"{path}: a film needs at least one frame")
    height, width = first[0].shape[:2]
    with writing_film(path, (width, height), rate, quality) as film:
        for image, time in chain([first], coming):
            film.add(image[: height // 2 * 2, : width // 2 * 2], time)
