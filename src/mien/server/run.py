"""Running the application: the socket, the address that is told, and an end that leaves nothing behind."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from contextlib import closing, suppress

import uvicorn

from mien.artifacts import load_meta
from mien.errors import MienError
from mien.server.app import create_app
from mien.server.settings import ServerSettings
from mien.server.state import ServerState

_END_SECONDS = 5
"""For requests under way, after which they are given up."""
_CONNECTIONS = 512


def serve(settings: ServerSettings, tell: Callable[[str], None], debug: bool = False) -> None:
    """Serve until the process is told to end.

    Args:
        settings: how.
        tell: called with the address of the page as soon as it can be opened.
        debug: show the traceback of a defect on stderr.

    Raises:
        MienError: the address cannot be listened at, or the weights cannot be loaded.
    """
    if settings.run is not None:
        load_meta(settings.run)  # what is no run is refused before anything starts
    for name in ("uvicorn", "asyncio", "python_multipart"):
        logging.getLogger(name).setLevel(logging.ERROR if debug else logging.CRITICAL)
    with closing(_listen(settings)) as listening:
        app = create_app(settings)
        state: ServerState = app.state.server
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_CONNECTIONS,
            timeout_graceful_shutdown=_END_SECONDS,
        )
        server = _Server(config, state, lambda: tell(_address(settings, listening, state)))
        with suppress(KeyboardInterrupt, SystemExit):  # uvicorn has ended by then, or could not start
            server.run(sockets=[listening])
        if state.problem is not None:
            raise MienError(state.problem.detail)
        if not server.started:
            raise MienError("the server could not be started; --debug says why")


class _Server(uvicorn.Server):
    """Tells when it has started, and ends films under way before it waits for the others."""

    def __init__(self, config: uvicorn.Config, state: ServerState, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._state, self._tell = state, started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and not self.should_exit:
            self._tell()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._state.films.clear()
        await super().shutdown(sockets)


def _listen(settings: ServerSettings) -> socket.socket:
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((settings.host, settings.port), family=family, backlog=256)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise MienError(
            f"{settings.host}, port {settings.port}: cannot be listened at ({reason}); choose another --port, or none"
        ) from error


def _address(settings: ServerSettings, listening: socket.socket, state: ServerState) -> str:
    port = listening.getsockname()[1]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    host = socket.gethostname() if settings.host in ("0.0.0.0", "::") else host
    code = f"?token={state.sessions.code}" if state.sessions.needed else ""
    return f"http://{host}:{port}/{code}"
