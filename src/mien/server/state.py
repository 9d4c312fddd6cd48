"""All that a server knows while it runs; one object that every route is given."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request

from mien.server.films import FilmFolders, FilmJob
from mien.server.guard import Sessions
from mien.server.memory import Expiring
from mien.server.metrics import Metrics
from mien.server.problems import Problem
from mien.server.settings import ServerSettings
from mien.server.work import Given, MadeReference
from mien.server.workers import Workers


@dataclass
class Camera:
    """A camera on a page.

    Attributes:
        given: name of an enrolled person or reference with which faces are compared.
        turn: held by the frame that is read.
        began: when.
        number: of the next frame.
        waiting: frames that wait for their turn, or have it.
        state: after the last frame; only workers understand it.
    """

    given: Given = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    began: float = field(default_factory=time.monotonic)
    number: int = 0
    waiting: int = 0
    state: bytes | None = None


class ServerState:
    """What a server knows.

    Args:
        settings: how it is run.
    """

    def __init__(self, settings: ServerSettings) -> None:
        limits = settings.limits
        self.settings = settings
        self.workers = Workers(settings)
        self.sessions = Sessions(settings.token)
        self.metrics = Metrics()
        self.about: dict[str, Any] = {}
        """See `About`; known when the workers have started."""
        self.problem: Problem | None = None
        """Why they did not."""
        self.references: Expiring[MadeReference] = Expiring(
            limits.references, limits.reference_kept, "unknown-reference"
        )
        self.cameras: Expiring[Camera] = Expiring(limits.cameras, limits.camera_kept, "unknown-camera")
        self.folders = FilmFolders()
        self.films_coming = 0
        """Films whose upload is under way."""
        self.films: Expiring[FilmJob] = Expiring(
            limits.films, limits.film_kept, "unknown-film", FilmJob.stop, lambda job: job.under_way
        )

    def given(self, reference: str | None, person: str | None) -> Given:
        """What a request wants faces to be compared with; an enrolled person is looked up by the worker.

        Raises:
            Problem: both, or a reference that is not known.
        """
        if reference and person:
            raise Problem("invalid", "reference and person exclude each other")
        return self.references.get(reference) if reference else person or None

    def stop(self) -> None:
        """End all work at once."""
        self.films.clear()
        self.workers.stop()
        self.folders.close()


def _state_of(request: Request) -> ServerState:
    state: ServerState = request.app.state.server
    return state


State = Annotated[ServerState, Depends(_state_of)]
"""Of the server, for routes."""
