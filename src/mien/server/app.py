"""The application: routes, middleware, and workers that start and end with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

import mien
from mien.server.bodies import Bodies
from mien.server.guard import Guard
from mien.server.metrics import Measured
from mien.server.page import page_files, page_router
from mien.server.problems import Problem, ProblemAnswer, add_handlers
from mien.server.routes import cameras, films, people, photos, service
from mien.server.settings import ServerSettings
from mien.server.state import ServerState

_SAMPLE = "samples/asha-happily-surprised.jpg"


def create_app(settings: ServerSettings | None = None) -> FastAPI:
    """The application, to be run by an ASGI server; its workers start with it.

    Args:
        settings: how it is run; None: as `mien serve` without options.
    """
    state = ServerState(settings or ServerSettings())
    held = page_files()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            state.folders.open()
            state.about = await state.workers.start(held[_SAMPLE].content)
            yield
        except Problem as problem:
            state.problem = problem
            raise
        except OSError as error:
            state.problem = Problem("unusable", f"{error.filename}: {error.strerror}; name another folder in TMPDIR")
            raise
        finally:
            state.stop()

    app = FastAPI(
        title="mien",
        version=mien.__version__,
        description="Reads what faces display, relative to the same face when neutral. No photo is kept.",
        lifespan=lifespan,
        docs_url=None,  # it would load scripts from elsewhere
        redoc_url=None,
    )
    app.state.server = state
    for router in (photos.router, people.router, films.router, cameras.router, service.router, page_router(held)):
        app.include_router(router)
    add_handlers(app)
    app.add_middleware(Bodies, limits=state.settings.limits)
    app.add_middleware(Guard, settings=state.settings, sessions=state.sessions)
    app.add_middleware(Measured, metrics=state.metrics)
    described = _describe(app)
    app.openapi = lambda: described  # type: ignore[method-assign]
    return app


def _describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, which says of every problem what it is."""
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    schemas = document["components"]["schemas"]
    schemas["ProblemAnswer"] = ProblemAnswer.model_json_schema()
    for path in document["paths"].values():
        for operation in path.values():
            answer = operation["responses"].get("422", {})
            if "application/json" in answer.get("content", {}):
                answer["content"] = operation["responses"]["403"]["content"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    return document
