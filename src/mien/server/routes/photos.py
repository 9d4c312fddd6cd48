"""Photos: one, several of one person, an album; and references from neutral ones."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from mien.server import work
from mien.server.answers import AlbumAnswer, PersonAnswer, PhotoAnswer, ReferenceAnswer
from mien.server.bodies import Form, Upload, read_form
from mien.server.problems import Problem, responses
from mien.server.routes.forms import chosen, form_of
from mien.server.state import ServerState, State

router = APIRouter(prefix="/v1", tags=["photos"])
_BAD = ("malformed", "upload-stopped", "too-large", "unknown-type", "no-face")


@router.post(
    "/photos",
    response_model=PhotoAnswer,
    responses=responses(*_BAD, "unknown-reference", "foreign-reference"),
    openapi_extra=form_of("faces", "reference", "person", several=False),
)
async def read_photo(request: Request, state: State) -> dict[str, Any]:
    """What the faces of a photo show."""
    limits = state.settings.limits
    form = await read_form(request, limits, frozenset(("faces", "reference", "person")), most=1)
    faces = chosen(form, "faces", "largest")
    given = state.given(form.texts.get("reference"), form.texts.get("person"))
    photo = form.photos[0]
    read = await state.workers.do(work.read_photo, photo.content, faces, given, limits.photo_pixels)
    return _named(read, photo)


@router.post(
    "/people-photos",
    response_model=PersonAnswer,
    responses=responses(*_BAD),
    openapi_extra=form_of(several=True),
)
async def read_person(request: Request, state: State) -> dict[str, Any]:
    """What photos of one person show, each compared with all of them."""
    form = await read_form(request, state.settings.limits, frozenset())
    reference, read = await _do_all(state, work.read_person, form)
    return {"reference": None if reference is None else _kept(state, reference), "photos": _each(read, form)}


@router.post(
    "/albums",
    response_model=AlbumAnswer,
    responses=responses(*_BAD),
    openapi_extra=form_of("people", several=True),
)
async def read_album(request: Request, state: State) -> dict[str, Any]:
    """Who is in an album of several people; each face is compared with the same person's other photos."""
    form = await read_form(request, state.settings.limits, frozenset(("people",)))
    read = await _do_all(state, work.read_album, form, chosen(form, "people", "false") == "true")
    return {"people": read["people"], "photos": _each(read["photos"], form)}


@router.post(
    "/references",
    response_model=ReferenceAnswer,
    status_code=201,
    responses=responses(*_BAD),
    openapi_extra=form_of(several=True),
)
async def make_reference(request: Request, state: State) -> dict[str, Any]:
    """Keep, in memory and for a while, what somebody looks like when neutral."""
    form = await read_form(request, state.settings.limits, frozenset())
    return _kept(state, await _do_all(state, work.make_reference, form))


@router.delete("/references/{reference}", status_code=204, responses=responses("unknown-reference"))
async def forget_reference(reference: str, state: State) -> Response:
    """Forget a reference."""
    state.references.remove(reference)
    return Response(status_code=204)


async def _do_all(state: ServerState, task: Any, form: Form, *arguments: Any) -> Any:
    limits = state.settings.limits
    contents = [photo.content for photo in form.photos]
    seconds = limits.work_seconds + limits.seconds_per_photo * len(contents)
    return await state.workers.do(task, contents, *arguments, limits.photo_pixels, seconds=seconds)


def _kept(state: ServerState, made: work.MadeReference) -> dict[str, Any]:
    return {
        "reference": state.references.add(made),
        "kind": made.kind,
        "photos": made.photos,
        "seconds": int(state.settings.limits.reference_kept),
        "strangers": list(made.strangers),
        "expressive": [{"photo": place, "phrase": phrase} for place, phrase in made.expressive],
    }


def _named(read: dict[str, Any], photo: Upload) -> dict[str, Any]:
    return read | {"faces": [face | {"photo": photo.name} for face in read["faces"]]}


def _each(read: list[Any], form: Form) -> list[dict[str, Any]]:
    return [
        {"name": photo.name, "answer": None, "problem": one.to_dict()}
        if isinstance(one, Problem)
        else {"name": photo.name, "answer": _named(one, photo), "problem": None}
        for photo, one in zip(form.photos, read, strict=True)
    ]
