"""Films: sent, read in the background with progress, answered, forgotten."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from mien.server.answers import FilmAnswer, FilmState
from mien.server.bodies import FILMS, stream_of
from mien.server.films import FilmJob
from mien.server.problems import Problem, responses
from mien.server.routes.forms import raw_of
from mien.server.state import ServerState, State

router = APIRouter(prefix=FILMS, tags=["films"])


@router.post(
    "",
    response_model=FilmState,
    status_code=202,
    responses=responses(
        "malformed", "upload-stopped", "too-large", "unknown-reference", "empty", "too-many-films", "disk-full"
    ),
    openapi_extra=raw_of("video/mp4", "application/octet-stream"),
)
async def send_film(
    request: Request,
    response: Response,
    state: State,
    reference: Annotated[str | None, Query(description="Of somebody who may be in it.")] = None,
    person: Annotated[str | None, Query(description="Somebody enrolled who may be in it.")] = None,
) -> dict[str, Any]:
    """Send a film, the whole body; it is deleted as soon as it has been read."""
    _refuse_too_many(state)
    given = state.given(reference, person)
    folder = None
    state.films_coming += 1
    try:
        folder = state.folders.new()
        size = await _write(request, folder / "film")
        if not size:
            raise Problem("empty", "the body has no byte; curl: --data-binary @film.mp4")
        job = FilmJob(state.workers, folder, given, state.settings.limits.film_frames)
    except BaseException as error:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise Problem("disk-full", f"the film cannot be kept ({error.strerror})") from error
        raise
    finally:
        state.films_coming -= 1
    name = state.films.add(job)
    response.headers["Location"] = f"{FILMS}/{name}"
    return job.state(name)


@router.get("/{film}", response_model=FilmState, responses=responses("unknown-film"))
async def film_state(film: str, state: State) -> dict[str, Any]:
    """How far a film is."""
    return state.films.get(film).state(film)


@router.get(
    "/{film}/events",
    response_class=StreamingResponse,
    responses={
        **responses("unknown-film"),
        200: {
            "description": "`progress` whenever it went on, then `done` or `failed`; data: a `FilmState`.",
            "content": {"text/event-stream": {}},
        },
    },
)
async def film_events(film: str, state: State) -> StreamingResponse:
    """How a film goes on, as server-sent events."""
    job = state.films.get(film)
    return StreamingResponse(job.events(film), media_type="text/event-stream")


@router.get(
    "/{film}/answer", response_model=FilmAnswer, responses=responses("unknown-film", "not-read-yet", "bad-film")
)
async def film_answer(film: str, state: State) -> Response:
    """What a film shows, when it is done."""
    job = state.films.get(film)
    if job.problem is not None:
        raise job.problem
    if job.answer is None:
        raise Problem("not-read-yet", "it waits, or is being read")
    return Response(job.answer, media_type="application/json")


@router.delete("/{film}", status_code=204, responses=responses("unknown-film"))
async def forget_film(film: str, state: State) -> Response:
    """Give a film up, or forget what it shows."""
    state.films.remove(film)
    return Response(status_code=204)


async def _write(request: Request, path: Path) -> int:
    """Write what comes; returns how many bytes came."""
    size = 0
    with path.open("wb") as file:
        async for chunk in stream_of(request):
            size += len(chunk)
            await asyncio.to_thread(file.write, chunk)
    return size


def _refuse_too_many(state: ServerState) -> None:
    """Films that are done make room; those under way, or on their way here, do not."""
    state.films.sweep()
    busy = state.films_coming + sum(job.under_way for job in state.films)
    if busy >= state.settings.limits.films:
        raise Problem("too-many-films", f"{busy} are under way")
