"""The page: its files, read into memory once, so that no path of a request reaches the disk."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import NamedTuple

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from mien.server.guard import COOKIE
from mien.server.problems import Problem
from mien.server.state import State

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".jpg": "image/jpeg",
    ".webmanifest": "application/manifest+json",
}
_INDEX = "index.html"


class PageFile(NamedTuple):
    """A file of the page."""

    content: bytes
    media_type: str
    tag: str


def page_files() -> dict[str, PageFile]:
    """Path below `static` -> the file."""
    found: dict[str, PageFile] = {}

    def walk(folder: Traversable, prefix: str) -> None:
        for entry in folder.iterdir():
            if entry.is_dir():
                walk(entry, f"{prefix}{entry.name}/")
                continue
            media_type = _TYPES.get(entry.name[entry.name.rfind(".") :])
            if media_type is not None:
                content = entry.read_bytes()
                tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
                found[f"{prefix}{entry.name}"] = PageFile(content, media_type, tag)

    walk(files("mien.server") / "static", "")
    return found


def page_router(held: dict[str, PageFile]) -> APIRouter:
    """Routes that answer with the files of the page."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def page(request: Request, state: State, token: str | None = None) -> Response:
        if token is None:
            return _answer(held[_INDEX], request)
        response = RedirectResponse("/", 303)
        cookie = state.sessions.sign_in(token)
        if cookie is not None:
            response.set_cookie(COOKIE, cookie, httponly=True, samesite="strict", path="/")
        return response

    @router.get("/static/{name:path}")
    async def file(name: str, request: Request) -> Response:
        if name not in held:
            raise Problem("not-found", "the page has no such file")
        return _answer(held[name], request)

    return router


def _answer(file: PageFile, request: Request) -> Response:
    headers = {"ETag": file.tag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == file.tag:
        return Response(status_code=304, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)
