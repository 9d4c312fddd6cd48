"""What comes in: bodies of bounded size, that go on coming, and forms of photos that are never written to a disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mien.server.problems import Problem
from mien.server.settings import Limits

FILMS = "/v1/films"
_FRAMES = "/frames"
_SESSION = "/v1/session"
_LONGEST_TEXT = 4_096
_TEXTS = 8
_FILES = 10_000
"""More are no form that is looked into."""


class Bodies:
    """Middleware that bounds bodies, each and all together, and gives up those that stop coming.

    Args:
        app: what is behind.
        limits: of the server.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app, self._limits = app, limits
        self._pending = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http" or scope["method"] not in ("POST", "PUT", "PATCH", "DELETE"):
            await self._app(scope, receive, send)
            return
        in_memory = scope["path"] != FILMS
        most, counted, ended, begun = self._most(scope["path"]), 0, False, False
        refused: Problem | None = None
        replaced = False

        async def bounded() -> Message:
            nonlocal counted, ended
            if ended:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), self._limits.upload_pause)
            except TimeoutError as error:
                raise Problem("upload-stopped", f"no byte came for {self._limits.upload_pause:g} s") from error
            size = len(message.get("body", b""))
            ended = message["type"] != "http.request" or not message.get("more_body", False)
            if in_memory:
                counted += size
                self._pending += size
                if self._pending > self._limits.pending_bytes:
                    raise Problem("busy", "too many photos are on their way at once")
            return message

        counting = _counting(bounded, most)

        async def remembering() -> Message:
            nonlocal refused
            try:
                return await counting()
            except Problem as problem:
                refused = problem
                raise

        async def noting(message: Message) -> None:
            nonlocal begun, replaced
            if refused is not None and not begun:  # what reads JSON calls any trouble with a body malformed
                begun = replaced = True
                await refused.response()(scope, receive, send)
            begun = True
            if not replaced:
                await send(message)

        try:
            _refuse_length(Headers(scope=scope), most)
            await self._app(scope, remembering, noting)
        except Problem as problem:
            if begun:
                raise
            await problem.response()(scope, receive, send)
        finally:
            self._pending -= counted

    def _most(self, path: str) -> int:
        if path == FILMS:
            return self._limits.film_bytes
        if path == _SESSION:  # which anybody may ask for
            return _LONGEST_TEXT
        return self._limits.frame_bytes if path.endswith(_FRAMES) else self._limits.request_bytes


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def _refuse_length(headers: Headers, most: int) -> None:
    said = headers.get("content-length", "0")
    if said.isdigit() and int(said) > most:
        raise Problem("too-large", f"{_size(int(said))}; {_size(most)} are taken at most")


def _counting(receive: Receive, most: int) -> Receive:
    total = 0

    async def counted() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > most:
            raise Problem("too-large", f"over {_size(most)}")
        return message

    return counted


@dataclass(frozen=True)
class Upload:
    """A photo as it came.

    Attributes:
        name: what the sender calls it; only ever given back.
        content: its bytes.
    """

    name: str
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class Form:
    """A form of photos and texts.

    Attributes:
        photos: the files of field `photo`, in order.
        texts: name of a field -> its text.
    """

    photos: tuple[Upload, ...]
    texts: dict[str, str]


class _InMemory(MultiPartParser):
    spool_max_size = 1 << 40  # never to a file; `Bodies` bounds them

    def on_part_end(self) -> None:
        if self._current_part.file is None:
            self._current_part.data.decode(self._charset)  # what is no text is refused, not taken for Latin 1
        super().on_part_end()


async def read_form(request: Request, limits: Limits, texts: frozenset[str], most: int | None = None) -> Form:
    """The form of a request.

    Args:
        request: whose body was not read yet.
        limits: of the server.
        texts: names that fields may have, beside `photo`.
        most: photos; None: as many as the server allows.

    Raises:
        Problem: no form, fields of other names, no photo, too many, or one that is too large.
    """
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise Problem("unknown-type", "the body is no multipart/form-data; curl: -F photo=@photo.jpg")
    most = limits.photos if most is None else most
    try:
        parser = _InMemory(
            request.headers, stream_of(request), max_files=_FILES, max_fields=_TEXTS, max_part_size=_LONGEST_TEXT
        )
        parts = (await parser.parse()).multi_items()
    except (MultiPartException, FormParserError, KeyError, ValueError, UnicodeDecodeError) as error:
        raise Problem("malformed", f"the form is not whole: {getattr(error, 'message', 'damaged')}") from error
    photos, values = [], {}
    for name, part in parts:
        if name not in {"photo", *texts} or isinstance(part, str) is (name == "photo"):
            raise Problem("invalid", "the form has a field of another name; see /openapi.json")
        if isinstance(part, UploadFile):
            if (part.size or 0) > limits.photo_bytes:
                raise Problem("too-large", f"a photo has over {limits.photo_bytes / 1e6:.0f} MB")
            photos.append(Upload(part.filename or "photo", await part.read()))
        else:
            values[name] = part
    if not photos:
        raise Problem("invalid", "there is no photo; curl: -F photo=@photo.jpg")
    if len(photos) > most:
        raise Problem("too-large", f"over {most} photos in one request")
    return Form(tuple(photos), values)


async def read_body(request: Request) -> bytes:
    """The whole body; `Bodies` bounds it."""
    return b"".join([chunk async for chunk in stream_of(request)])


async def stream_of(request: Request) -> AsyncGenerator[bytes, None]:
    """The body as it comes; a client that goes away is a `Problem`."""
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect as error:
        raise Problem("upload-stopped", "the client went away") from error
