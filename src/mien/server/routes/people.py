"""People whom the user asked to keep, in the folder of profiles that `mien people` shows."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from mien.server import work
from mien.server.answers import Enrolled
from mien.server.bodies import read_form
from mien.server.problems import Problem, responses
from mien.server.routes.forms import chosen, form_of
from mien.server.state import State

router = APIRouter(prefix="/v1/people", tags=["people"])


@router.get("", response_model=list[Enrolled], responses=responses())
async def list_people(state: State) -> Any:
    """Who is enrolled."""
    return await state.workers.do(work.list_people)


@router.post(
    "",
    response_model=Enrolled,
    status_code=201,
    responses=responses("malformed", "upload-stopped", "enrolled-already", "too-large", "unknown-type", "no-face"),
    openapi_extra=form_of("name", "neutral", "replace", several=True, required=("name",)),
)
async def enroll(request: Request, state: State) -> Any:
    """Keep what somebody looks like on this machine's disk: means of landmarks and features, no picture."""
    limits = state.settings.limits
    form = await read_form(request, limits, frozenset(("name", "neutral", "replace")))
    name = unicodedata.normalize("NFC", form.texts.get("name", ""))
    if not name:
        raise Problem("invalid", "name: whose photos are these?")
    neutral, replacing = (chosen(form, field, "false") == "true" for field in ("neutral", "replace"))
    contents = [photo.content for photo in form.photos]
    seconds = limits.work_seconds + limits.seconds_per_photo * len(contents)
    return await state.workers.do(
        work.enroll_person, name, contents, neutral, replacing, limits.photo_pixels, seconds=seconds
    )


@router.delete("/{name}", status_code=204, responses=responses("unknown-person"))
async def forget(name: Annotated[str, Path(max_length=256)], state: State) -> Response:
    """Delete a profile."""
    await state.workers.do(work.forget_person, name)
    return Response(status_code=204)
