"""What went wrong with a request, as RFC 9457 has it: one table of kinds, each with its status and remedy."""

from __future__ import annotations

from typing import Any, NamedTuple

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from mien.errors import (
    FaceError,
    FilmError,
    ForeignReferenceError,
    MienError,
    MissingExtraError,
    ProfileError,
    SeveralFacesError,
    UnreadableError,
)

MEDIA_TYPE = "application/problem+json"


class Kind(NamedTuple):
    """A kind of problem."""

    status: int
    title: str
    remedy: str


KINDS: dict[str, Kind] = {
    "invalid": Kind(422, "The request is not as it should be", "Correct what is named; see /openapi.json."),
    "malformed": Kind(400, "The request cannot be understood", "Send a whole form, as /openapi.json describes it."),
    "not-signed-in": Kind(401, "A token is needed", "Send 'Authorization: Bearer TOKEN', or sign in on the page."),
    "other-site": Kind(403, "Another site may not ask", "Call from the page itself, or from a program."),
    "not-found": Kind(404, "There is nothing here", "See /openapi.json for what there is."),
    "unknown-person": Kind(404, "Nobody of that name is enrolled", "List who is enrolled: GET /v1/people."),
    "unknown-reference": Kind(
        404, "The reference is not known, or was forgotten", "Make it again: POST /v1/references."
    ),
    "unknown-camera": Kind(404, "The camera is not known, or was forgotten", "Begin again: POST /v1/cameras."),
    "unknown-film": Kind(404, "The film is not known, or was forgotten", "Send it again: POST /v1/films."),
    "method": Kind(405, "This cannot be done here", "See /openapi.json for what can."),
    "upload-stopped": Kind(408, "The upload stopped", "Send it again."),
    "not-read-yet": Kind(409, "The film has not been read yet", "Wait until its events say done."),
    "enrolled-already": Kind(
        409, "Somebody of that name is enrolled already", "Set replace, or choose another name."
    ),
    "foreign-reference": Kind(409, "The reference was made with other weights", "Make it again from its photos."),
    "too-large": Kind(413, "That is too large", "Send a smaller picture or film, or fewer photos."),
    "unknown-type": Kind(415, "That is no photo that can be read", "Send a JPEG, PNG or WebP."),
    "wrong-host": Kind(
        421, "This is not the name of this server", "Call it by its address, or add --allow-host NAME."
    ),
    "damaged": Kind(422, "The photo is damaged", "Copy it again from its source."),
    "empty": Kind(422, "There is nothing in it", "Send a photo."),
    "too-small": Kind(422, "The photo is too small", "Send a larger one."),
    "no-face": Kind(422, "No face can be read", "Send an upright photo of a face seen from the front."),
    "several-faces": Kind(422, "There are several faces", "Set faces to largest or all."),
    "bad-film": Kind(422, "The film cannot be read", "Send a whole film, say an MP4."),
    "bad-name": Kind(422, "That can be no name", "Use up to 64 letters and digits, with spaces or hyphens between."),
    "unusable": Kind(422, "That cannot be used", "Read what is wrong with it, and send something else."),
    "too-many-requests": Kind(429, "Too many requests", "Wait a moment."),
    "too-many-films": Kind(429, "Too many films at once", "Wait until one is done, or delete one."),
    "defect": Kind(500, "This is a defect of mien", "Start mien with --debug to see where."),
    "not-installed": Kind(501, "A part of mien is not installed", "Install what is named."),
    "disk-full": Kind(507, "There is no room for it", "Make room in the server's folder for temporary files."),
    "worker-lost": Kind(503, "The worker that read it died", "Send it again; if that repeats, a smaller one."),
    "took-too-long": Kind(503, "It took too long", "Send a smaller picture or fewer photos."),
    "busy": Kind(503, "The server is busy", "Try again in a few seconds."),
}
_OF_FAULT = {
    "unknown type": "unknown-type",
    "not a photo": "unknown-type",
    "needs heic": "unknown-type",
    "empty": "empty",
    "too small": "too-small",
    "too large": "too-large",
    "no memory": "too-large",
}
_OF_ERROR: tuple[tuple[type[MienError], str], ...] = (
    (SeveralFacesError, "several-faces"),
    (FaceError, "no-face"),
    (ProfileError, "bad-name"),
    (FilmError, "bad-film"),
    (ForeignReferenceError, "foreign-reference"),
    (MissingExtraError, "not-installed"),
)
_OF_STATUS = {400: "malformed", 404: "not-found", 405: "method", 413: "too-large"}
_RETRY_SECONDS = 2


class Problem(Exception):
    """Raised anywhere in the server; becomes the answer. It can be pickled.

    Attributes:
        kind: one of `KINDS`.
        detail: what was seen, in a sentence; never a part of a photo.
    """

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(kind, detail)
        self.kind = kind
        self.detail = detail

    def to_dict(self) -> dict[str, Any]:
        """The members of RFC 9457, and `remedy`."""
        status, title, remedy = KINDS[self.kind]
        return {
            "type": f"urn:mien:problem:{self.kind}",
            "title": title,
            "status": status,
            "detail": self.detail,
            "remedy": remedy,
        }

    def response(self) -> JSONResponse:
        """The answer."""
        status = KINDS[self.kind].status
        headers = {"Retry-After": str(_RETRY_SECONDS)} if status in (429, 503) else {}
        if status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return JSONResponse(self.to_dict(), status, headers=headers, media_type=MEDIA_TYPE)


class ProblemAnswer(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = Field(description="Its kind.", examples=["urn:mien:problem:no-face"])
    title: str
    status: int
    detail: str = Field(description="What was seen.")
    remedy: str = Field(description="What to do.")


def problem_of(error: MienError) -> Problem:
    """The problem that an error of the library is."""
    if isinstance(error, UnreadableError):
        return Problem(_OF_FAULT.get(error.fault, "damaged"), error.reason)
    kind = next((kind for type_, kind in _OF_ERROR if isinstance(error, type_)), "unusable")
    return Problem(kind, getattr(error, "reason", str(error)))


def responses(*kinds: str) -> dict[int | str, dict[str, Any]]:
    """For OpenAPI: the problems that a route may answer with, and those that any may."""
    documented: dict[int | str, dict[str, Any]] = {}
    anywhere = ("not-signed-in", "other-site", "wrong-host", "too-many-requests", "defect", "busy")
    for kind in (*kinds, *anywhere):
        status, title, _ = KINDS[kind]
        known = documented.get(status)
        documented[status] = {
            "description": title if known is None else f"{known['description']}; or: {title}",
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemAnswer"}}},
        }
    return documented


def add_handlers(app: FastAPI) -> None:
    """Answer every error with a problem."""

    async def of_problem(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Problem)
        return error.response()

    async def of_values(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return Problem("invalid", f"{where}: {first['msg']}").response()

    async def of_status(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        answer = Problem(_OF_STATUS.get(error.status_code, "malformed"), str(error.detail)).response()
        answer.headers.update(error.headers or {})
        if error.status_code == 405:  # Starlette names the methods of one route, where a path has several
            answer.headers["Allow"] = ", ".join(sorted(_methods(app, request)))
        return answer

    async def of_defect(_: Request, error: Exception) -> JSONResponse:
        return Problem("defect", type(error).__name__).response()

    app.add_exception_handler(Problem, of_problem)
    app.add_exception_handler(RequestValidationError, of_values)
    app.add_exception_handler(HTTPException, of_status)
    app.add_exception_handler(Exception, of_defect)


def _methods(app: FastAPI, request: Request) -> set[str]:
    """What can be done at the path of a request, by the OpenAPI document."""
    matching = (path for path in app.openapi()["paths"] if _matches(path, request.url.path))
    return {method.upper() for path in matching for method in app.openapi()["paths"][path]} or {"GET"}


def _matches(template: str, path: str) -> bool:
    parts, given = template.split("/"), path.split("/")
    return len(parts) == len(given) and all(
        part.startswith("{") or part == one for part, one in zip(parts, given, strict=True)
    )
