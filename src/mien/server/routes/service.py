"""The service itself: health, metrics, signing in."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

import mien
from mien.server.answers import Health, SignIn
from mien.server.guard import COOKIE
from mien.server.problems import Problem, responses
from mien.server.state import State

router = APIRouter(prefix="/v1", tags=["service"])


@router.get("/health", response_model=Health, responses=responses())
async def health(request: Request, state: State) -> dict[str, Any]:
    """Whether the server works, and what it reads with. Needs no token."""
    signed_in = state.sessions.knows(request.headers)
    return {"status": "ok", "version": mien.__version__, "signed_in": signed_in, "about": state.about}


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        **responses(),
        200: {"description": "For Prometheus.", "content": {"text/plain": {"schema": {"type": "string"}}}},
    },
)
async def metrics(state: State) -> Response:
    """Counts and times."""
    state.metrics.waiting.set(state.workers.waiting)
    return Response(state.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


@router.post("/session", status_code=204, responses=responses("malformed", "too-large", "invalid", "not-signed-in"))
async def sign_in(given: SignIn, state: State) -> Response:
    """Get a cookie for the token, as the page does."""
    cookie = state.sessions.sign_in(given.token)
    if cookie is None and state.sessions.needed:
        raise Problem("not-signed-in", "that is another token")
    response = Response(status_code=204)
    if cookie is not None:
        response.set_cookie(COOKIE, cookie, httponly=True, samesite="strict", path="/")
    return response
