"""What a server may be told, and what it allows."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass, field
from pathlib import Path

from mien.errors import MienError
from mien.jobs.executors import processor_count

_SHORTEST_TOKEN = 12
_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Limits:
    """What one request, one client and all of them together may ask for.

    Attributes:
        photo_bytes, photo_pixels: of one photo.
        photos: in one request.
        request_bytes: of a request with photos.
        pending_bytes: of all requests under way, those with films left out.
        film_bytes, film_frames: of one film.
        films: under way or kept at once; a film that is done is kept for `film_kept` seconds.
        frame_bytes, frame_pixels: of one frame of a camera.
        cameras: at once; each is forgotten `camera_kept` seconds after its last frame.
        references: kept in memory at once, each for `reference_kept` seconds after its last use.
        waiting: pieces of work that wait or are under way.
        upload_pause: seconds without a byte after which an upload is given up.
        work_seconds: for one photo, `seconds_per_photo` more for each of several; `film_seconds` for a film.
        worker_memory: bytes of data that a worker may have.
        rate, burst: requests a second of one client, and how many of them at once.
    """

    photo_bytes: int = 25 * _MEGABYTE
    photo_pixels: int = 50 * _MEGABYTE
    photos: int = 40
    request_bytes: int = 100 * _MEGABYTE
    pending_bytes: int = 400 * _MEGABYTE
    film_bytes: int = 1_000 * _MEGABYTE
    film_frames: int = 9_000
    films: int = 4
    film_kept: float = 1_800
    frame_bytes: int = 2 * _MEGABYTE
    frame_pixels: int = 2_100_000
    cameras: int = 8
    camera_kept: float = 60
    references: int = 200
    reference_kept: float = 7_200
    waiting: int = 64
    upload_pause: float = 20
    work_seconds: float = 20
    seconds_per_photo: float = 1.5
    film_seconds: float = 3_600
    worker_memory: int = 2_500 * _MEGABYTE
    rate: float = 100
    burst: int = 200


@dataclass(frozen=True)
class ServerSettings:
    """How a server is run.

    Attributes:
        run: folder of a trained run; None: the weights that come with mien.
        host: address or name that it listens at.
        port: 0: a free one.
        token: that programs and people have to give; None: none, which only a loopback address allows.
        workers: processes that read photos.
        allowed_hosts: further names by which browsers may call it.
        limits: what it allows.

    Raises:
        MienError: an address that others can reach without a token, or a short token.
    """

    run: Path | None = None
    host: str = "127.0.0.1"
    port: int = 0
    token: str | None = None
    workers: int = field(default_factory=processor_count)
    allowed_hosts: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if self.token is None and not self.is_local:
            raise MienError(
                f"{self.host}: others can reach this address; add --token SECRET, which they then need, or leave "
                "--host away"
            )
        if self.token is not None and len(self.token) < _SHORTEST_TOKEN:
            raise MienError(f"the token has {len(self.token)} characters; choose one of {_SHORTEST_TOKEN} or more")

    @property
    def is_local(self) -> bool:
        """Whether only programs of this machine can reach it."""
        return self.host == "localhost" or _is_loopback(self.host)

    def allows_host(self, name: str) -> bool:
        """Whether a browser may call the server by this name, without a port; see `Guard`.

        A page of another site can make its own name lead here, but no address, nor the name of this machine.
        """
        name = name.strip("[]").lower().removesuffix(".")
        if not self.is_local and name == socket.gethostname().lower():
            return True
        if name in ("localhost", self.host.lower(), *(other.lower() for other in self.allowed_hosts)):
            return True
        return _is_loopback(name) if self.is_local else _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(name: str) -> bool:
    return _is_address(name) and ipaddress.ip_address(name).is_loopback
