"""A camera on a page, frame by frame; what is known after each frame is kept in memory, the frame is not."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from mien.server import film_work
from mien.server.answers import CameraAnswer, FrameAnswer
from mien.server.bodies import read_body
from mien.server.problems import Problem, responses
from mien.server.routes.forms import raw_of
from mien.server.state import Camera, State

router = APIRouter(prefix="/v1/cameras", tags=["camera"])
_AHEAD = 3
"""Frames of a camera that may wait; more are refused, so that answers stay young."""


@router.post("", response_model=CameraAnswer, status_code=201, responses=responses())
async def begin_camera(state: State) -> dict[str, Any]:
    """Begin with a camera."""
    return {"camera": state.cameras.add(Camera())}


@router.post(
    "/{camera}/frames",
    response_model=FrameAnswer,
    responses=responses("unknown-camera", "upload-stopped", "too-large", "unknown-type", "damaged"),
    openapi_extra=raw_of("image/jpeg", "image/png", "image/webp"),
)
async def read_frame(
    camera: str,
    request: Request,
    state: State,
    reference: Annotated[str | None, Query(description="With which faces are compared.")] = None,
    person: Annotated[str | None, Query(description="Somebody enrolled with whom they are compared.")] = None,
) -> dict[str, Any]:
    """What the next frame shows; the body is the picture. Frames are read in the order in which they come."""
    known = state.cameras.get(camera)
    given = state.given(reference, person)
    content = await read_body(request)
    if not content:
        raise Problem("empty", "the body has no byte; send a JPEG")
    if known.waiting >= _AHEAD:
        raise Problem("too-many-requests", f"{known.waiting} frames are waiting")
    known.waiting += 1
    try:
        async with known.turn:
            if given is not known.given and given != known.given:
                known.given, known.state = given, None
            number, now = known.number, time.monotonic() - known.began
            known.state, answer = await state.workers.do(
                film_work.read_frame, content, number, now, given, known.state, state.settings.limits.frame_pixels
            )
            known.number += 1
    finally:
        known.waiting -= 1
    read: dict[str, Any] = answer
    return read


@router.delete("/{camera}", status_code=204, responses=responses("unknown-camera"))
async def end_camera(camera: str, state: State) -> Response:
    """Forget a camera."""
    state.cameras.remove(camera)
    return Response(status_code=204)
