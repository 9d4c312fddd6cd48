"""From a film or a camera to upright frames with their times, by PyAV (FFmpeg).

Times come from the stream, so frames of variable rate lie where they were taken; a frame without a time, or with one
that goes back, follows the frame before at the usual distance. Frames of more than 1,920 pixels are made smaller as
they are converted; `scale` says by how much. Nothing but files is opened: a playlist that names an address on the net
is refused by FFmpeg itself.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mien.errors import FilmError, require
from mien.images import RGBImage
from mien.jobs.ahead import ahead

LONGEST = 1920
"""Longer side of a frame in pixels, above which it is made smaller."""
_USUAL_RATE = 25.0
"""Frames a second of a stream that does not say."""
_AHEAD = 4
"""Frames that are decoded before they are asked for."""
_DAMAGED = 50
"""Packets in a row that cannot be decoded, at which the rest is given up."""
_LEAST_SHARE = 0.95
"""Share of the length that a file claims, under which it has been cut off."""


@dataclass(frozen=True, eq=False)
class Frame:
    """A picture of a film.

    Attributes:
        number: from 0, of those that could be decoded.
        time: in seconds from the first frame.
        image: shape (height, width, 3), uint8, RGB, upright.
        scale: pixels of the film along a side for one of `image`.
    """

    number: int
    time: float
    image: RGBImage
    scale: float = 1.0


class Film:
    """A film or a camera; open it with `Film.open`, and read its frames once.

    Attributes:
        name: of the file, or of the camera.
        duration: in seconds, as the file claims; None: unknown.
        rate: frames a second, on average.
        is_live: it is a camera.
        problem: what was wrong with it, where it could not be read to its end; known when the frames have been read.
    """

    def __init__(self, name: str, container: Any, is_live: bool) -> None:
        self.name, self.is_live = name, is_live
        self._container = container
        self._stream = container.streams.video[0]
        self._stream.thread_type = "AUTO"
        self.rate = float(self._stream.average_rate or self._stream.guessed_rate or _USUAL_RATE)
        self.duration = _duration(container, self._stream)
        self.problem: FilmError | None = None
        self._spent = self._closing = False
        self._coming: Generator[Frame, None, None] | None = None

    @classmethod
    def open(cls, source: str | os.PathLike[str] | int) -> Film:
        """Open a film by its path, or a camera by its number or device (0, `0`, `/dev/video0`).

        Raises:
            FilmError: no such file or camera, no film, or one without a picture.
            MissingExtraError: the extra `video` is not installed.
        """
        av = require("av", "video")
        name = str(source) if isinstance(source, int) else os.fspath(source)
        camera = _camera(name)
        if camera is None:
            _refuse_what_is_no_file(name)
        try:
            if camera is not None:
                device, form = camera
                container = av.open(device, format=form)
            else:
                # whole, for FFmpeg takes what stands before a colon for a protocol
                container = av.open(
                    os.path.abspath(name), options={"protocol_whitelist": "file"}, metadata_errors="ignore"
                )
        except (av.FFmpegError, OSError, ValueError) as error:
            raise FilmError(_why_not_opened(error, camera is not None), name) from error
        if not container.streams.video:
            what = "sound only" if container.streams.audio else "no picture in it"
            container.close()
            raise FilmError(f"{what}; name a film", name)
        return cls(name, container, camera is not None)

    def frames(self, start: int = 0) -> Iterator[Frame]:
        """The frames in order, decoded a little ahead by another thread.

        Args:
            start: number of the first that is wanted; those before are decoded but not converted.

        Raises:
            FilmError: not one frame can be decoded; or they were asked for before, or the film is closed.
        """
        if self._spent:
            raise FilmError("its frames are read once; open it anew", self.name)
        self._spent = True
        frames = self._decode(start)
        if self.is_live:  # a camera's come when they come
            yield from frames
            return
        self._coming = ahead(frames, _AHEAD, "decode")
        try:
            yield from self._coming
        finally:
            if self._closing:
                self._container.close()

    def close(self) -> None:
        """Close the file or camera; where another thread asks for a frame at this moment, as soon as it has it."""
        self._spent = self._closing = True
        if self._coming is not None:
            try:
                self._coming.close()  # FFmpeg must not lose what a thread still decodes
            except ValueError:  # it is being asked; it ends after the frame at hand
                return
        self._container.close()

    def __enter__(self) -> Film:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _decode(self, start: int) -> Iterator[Frame]:
        number, last, first = 0, -1.0 / self.rate, None
        for picture in self._pictures():
            time = None if picture.time is None else float(picture.time)
            first = time if first is None else first
            moved = None if time is None or first is None else time - first
            last = moved if moved is not None and moved > last else last + 1 / self.rate
            if self._closing:
                return
            if number >= start:
                yield _to_frame(number, last, picture)
            number += 1
        if not number:
            raise self.problem or FilmError("no frame can be decoded; name a whole film", self.name)
        if self.problem is None and self.duration is not None and last < _LEAST_SHARE * self.duration - 1:
            self.problem = FilmError(
                f"cut off after {last:.1f} of {self.duration:.1f} s; what comes before has been read", self.name
            )

    def _pictures(self) -> Iterator[Any]:
        """What FFmpeg decodes; damaged packets are passed over, until there are too many."""
        av = require("av", "video")
        damaged, packets = 0, self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
                pictures = packet.decode()
            except (StopIteration, av.EOFError):
                break
            except (av.FFmpegError, OSError) as error:
                damaged += 1
                if self.is_live:
                    self.problem = FilmError("the camera is gone; what came before has been read", self.name)
                    return
                if damaged >= _DAMAGED or not isinstance(error, av.InvalidDataError):
                    self.problem = FilmError("damaged from here on; what comes before has been read", self.name)
                    return
                continue
            damaged = 0
            yield from pictures
        if self.is_live:
            self.problem = FilmError("the camera is gone; what came before has been read", self.name)


def _to_frame(number: int, time: float, picture: Any) -> Frame:
    scale = max(1.0, max(picture.width, picture.height) / LONGEST)
    if scale > 1:
        sides = (max(1, round(picture.width / scale)), max(1, round(picture.height / scale)))
        image = picture.to_ndarray(format="rgb24", width=sides[0], height=sides[1])
        scale = picture.width / sides[0]
    else:
        image = picture.to_ndarray(format="rgb24")
    turns = round(picture.rotation / 90) % 4  # counter-clockwise
    # A copy: FFmpeg's rows may be padded, which dlib does not survive, and its memory is the frame's.
    return Frame(number, time, np.array(np.rot90(image, turns), order="C"), scale)


def _duration(container: Any, stream: Any) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    said = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", ""))  # Matroska
    if said is not None:
        return 3600 * int(said[1]) + 60 * int(said[2]) + float(said[3])
    return float(container.duration) / 1e6 if container.duration else None


def is_camera(name: str) -> bool:
    """Whether a name is that of a camera: `0`, `/dev/video0`, `video=NAME`."""
    return _camera(name) is not None


def _camera(name: str) -> tuple[str, str] | None:
    """Device and FFmpeg's input format, where `name` is a camera."""
    if name.isascii() and name.isdigit():
        match platform.system():
            case "Darwin":
                return name, "avfoundation"
            case "Windows":
                raise FilmError("cameras have names on Windows; write video=NAME OF THE CAMERA", name)
        return f"/dev/video{name}", "v4l2"
    if name.startswith("/dev/video"):
        return name, "v4l2"
    return (name, "dshow") if name.startswith("video=") else None


def _refuse_what_is_no_file(name: str) -> None:
    if "://" in name:
        raise FilmError("an address on the net, and mien reads files only; save the film first", name)
    if os.path.isdir(name):
        raise FilmError("a folder; name a film in it", name)
    if not os.path.exists(name):
        raise FilmError("no such file", name)
    if not os.path.isfile(name):
        raise FilmError("no file; name a film, or a camera by its number", name)
    if os.path.getsize(name) == 0:
        raise FilmError("empty; copy it again", name)


def _why_not_opened(error: Exception, is_camera: bool) -> str:
    import errno

    code = getattr(error, "errno", None)
    if is_camera:
        busy = code == errno.EBUSY
        return "in use by another program; close that" if busy else "no such camera; plug it in, or name another one"
    if code in (errno.EACCES, errno.EPERM):
        return "may not be read; change its permissions"
    return "no film that can be read: of another kind, cut off before its index, or damaged; name a whole one"
