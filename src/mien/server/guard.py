"""Who may ask: the name by which the server is called, the site that asks, the token, and how often.

A page of another site that the user has open could ask a server on the same machine. It is refused by its `Origin`
and `Sec-Fetch-Site`; where it made its own name lead here (DNS rebinding), by that name.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections import OrderedDict
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mien.server.problems import Problem
from mien.server.settings import ServerSettings

COOKIE = "mien"
_SESSIONS, _CLIENTS = 100, 10_000
_OPEN = ("/v1/health", "/v1/session", "/openapi.json")
"""Paths under /v1 and beside it that need no token; the page itself needs none, for it holds nothing."""
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}


class Sessions:
    """Who signed in: the token, a code that is good once, and the cookies that came of them.

    Args:
        token: None: nobody needs to sign in.
    """

    def __init__(self, token: str | None) -> None:
        self._token = token
        self.code = secrets.token_urlsafe(18)
        """Good once, in the address that is printed at the start."""
        self._cookies: OrderedDict[str, None] = OrderedDict()

    @property
    def needed(self) -> bool:
        """Whether anybody needs to sign in."""
        return self._token is not None

    def sign_in(self, given: str) -> str | None:
        """A new cookie for the token or the code; None where it is neither."""
        if self._token is None:
            return None
        if self.code and _same(given, self.code):
            self.code = ""
        elif not _same(given, self._token):
            return None
        cookie = secrets.token_urlsafe(24)
        self._cookies[cookie] = None
        while len(self._cookies) > _SESSIONS:
            self._cookies.popitem(last=False)
        return cookie

    def knows(self, headers: Headers) -> bool:
        """Whether a request comes from somebody who has the token."""
        if self._token is None:
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _same(given.strip(), self._token):
            return True
        return cookie_parser(headers.get("cookie", "")).get(COOKIE) in self._cookies  # others' cookies may be odd


class Rates:
    """Token buckets, one for each client.

    Args:
        rate: requests a second.
        burst: at once.
    """

    def __init__(self, rate: float, burst: int) -> None:
        self._rate, self._burst = rate, burst
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> bool:
        """Whether a client may send one more request."""
        now = time.monotonic()
        left, before = self._buckets.pop(client, (float(self._burst), now))
        left = min(float(self._burst), left + (now - before) * self._rate)
        allowed = left >= 1
        self._buckets[client] = (left - 1 if allowed else left, now)
        while len(self._buckets) > _CLIENTS:
            self._buckets.popitem(last=False)
        return allowed


class Guard:
    """Middleware around everything: refuses who may not ask, and adds the headers that browsers heed.

    Args:
        app: what is behind.
        settings: of the server.
        sessions: who signed in.
    """

    def __init__(self, app: ASGIApp, settings: ServerSettings, sessions: Sessions) -> None:
        self._app, self._settings, self._sessions = app, settings, sessions
        self._rates = Rates(settings.limits.rate, settings.limits.burst)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            self._refuse(scope)
        except Problem as problem:
            await problem.response()(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)

    def _refuse(self, scope: Scope) -> None:
        headers, path = Headers(scope=scope), scope["path"]
        host = headers.get("host", "")
        if not self._settings.allows_host(_without_port(host)):
            raise Problem("wrong-host", "the request calls this server by a name that is not its own")
        self._refuse_other_sites(scope, headers, host)
        client: Any = scope.get("client") or ("",)
        guesses = path == "/" and bool(scope["query_string"])
        if (guesses or path.startswith("/v1")) and not self._rates.take(str(client[0])):
            raise Problem("too-many-requests", f"over {self._settings.limits.rate:g} requests a second")
        if path.startswith("/v1") and path not in _OPEN and not self._sessions.knows(headers):
            raise Problem("not-signed-in", "there was no token, or another one")

    @staticmethod
    def _refuse_other_sites(scope: Scope, headers: Headers, host: str) -> None:
        opens_page = scope["method"] == "GET" and scope["path"] == "/"
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if site not in (None, "same-origin", "none") and not opens_page:
            raise Problem("other-site", "the browser says that another site asks")
        if origin not in (None, f"http://{host}", f"https://{host}"):  # a proxy before this server may speak TLS
            raise Problem("other-site", "the browser says that another site asks")


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
