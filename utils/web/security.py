"""Who may use the server: whoever has its token, by an address of ours, from a page of ours.

A page from elsewhere in the same browser can send requests here too. It is kept out three times: its requests carry no token,
since the cookie is `SameSite=Strict`; whatever it asks to change is refused by its `Origin`; and a name of its own that leads
here (DNS rebinding) is no name of this server.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import time
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, quote

import msgspec
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from utils.web.problems import Problem

OPEN_PATHS = ("/v1/health",)
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
HEADERS = {
    "content-security-policy": "default-src 'self'; media-src 'self' blob:; worker-src 'self' blob:; img-src 'self' data: blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
DRAIN_S, DRAINED_BYTES = 1.0, 1 << 20
SLOWEST_BYTES_PER_S = 1024  # on the average, of a body that takes long
ALLOWED_METHODS = "GET, HEAD, POST, DELETE"
ALLOWED_HEADERS = "authorization, content-type, idempotency-key, last-event-id, range"


class Guard:
    """Stands before everything else."""

    def __init__(
        self, app: ASGIApp, *, token: str, port: int, names: Iterable[str], origins: Iterable[str], patience_s: float
    ) -> None:
        self._app = app
        self._token = token
        # Not the token itself: whoever sees the cookie cannot use it as a program would.
        self._session = hmac.new(token.encode(), b"dsu studio", hashlib.sha256).hexdigest()
        self.cookie = f"dsu-{port}"  # cookies do not tell ports apart, and there may be another server
        self._hosts = frozenset(host for name in (*LOOPBACK_NAMES, *names) for host in (name, f"{name}:{port}"))
        self._origins = frozenset(origins)
        self._patience_s = patience_s
        self.refused = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin", "").lower()
        body = Body(receive, self._patience_s)
        guarded = self._guarded(send, origin, body)
        try:
            cookie = self._check(scope, headers, origin)
        except Problem as problem:
            self.refused += 1
            await answer(guarded, problem.status, {"error": problem.error}, problem.headers)
            return
        if cookie is not None:  # the token leaves the address
            await answer(
                guarded, 303, {}, {"location": _here(scope["path"]), "set-cookie": cookie, "cache-control": "no-store"}
            )
        elif scope["method"] == "OPTIONS":
            await answer(guarded, 204, None, {"allow": ALLOWED_METHODS})
        else:
            with contextlib.suppress(TimeoutError):  # its connection is closed, since there is no end of the answer
                await self._app(scope, body, guarded)

    def _check(self, scope: Scope, headers: Headers, origin: str) -> str | None:
        """The cookie that a visitor with a token in the address gets, if any. Raises `Problem`."""
        self._require_own_name(headers)
        method, by_bearer = scope["method"], self._has_bearer(headers)
        if method == "OPTIONS" and origin in self._origins:
            return None  # a browser asks whether it may ask
        self._require_own_page(headers, origin, is_visit=method == "GET", by_bearer=by_bearer)
        if scope["path"] in OPEN_PATHS and method in SAFE_METHODS:
            return None
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", []) if method == "GET" else []
        if given and not scope["path"].startswith("/v1/"):
            if not self._is_token(given[0]):
                raise self._unauthorized()
            return f"{self.cookie}={self._session}; Path=/; HttpOnly; SameSite=Strict"
        if by_bearer:
            return None
        if not self._has_cookie(headers):
            raise self._unauthorized()
        if method not in SAFE_METHODS and not origin and headers.get("sec-fetch-site") != "same-origin":
            raise Problem(403, "forbidden", "A change needs an `Origin`, or `Authorization: Bearer TOKEN`.")
        return None

    def _require_own_name(self, headers: Headers) -> None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            raise Problem(
                421, "forbidden", "This is no name of this server.", hint="`--allow-name NAME` adds one, as of a proxy."
            )

    def _require_own_page(self, headers: Headers, origin: str, *, is_visit: bool, by_bearer: bool) -> None:
        """Refuse what a page from elsewhere asks, but for an allowed one; a link that is followed is a visit."""
        host = headers["host"].lower()
        if origin:
            is_own = origin in (f"http://{host}", f"https://{host}") or origin in self._origins
        else:
            is_elsewhere = headers.get("sec-fetch-site", "none") in ("cross-site", "same-site")
            is_own = not is_elsewhere or by_bearer or (is_visit and headers.get("sec-fetch-mode") == "navigate")
        if not is_own:
            raise Problem(
                403, "forbidden", "Pages from elsewhere may not use this server.", hint="`--allow-origin URL` lets one."
            )

    def _has_bearer(self, headers: Headers) -> bool:
        kind, _, token = headers.get("authorization", "").partition(" ")
        return kind.lower() == "bearer" and self._is_token(token.strip())

    def _is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode(), self._token.encode())

    def _has_cookie(self, headers: Headers) -> bool:
        try:
            morsel = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            return False
        return morsel is not None and hmac.compare_digest(morsel.value.encode(), self._session.encode())

    @staticmethod
    def _unauthorized() -> Problem:
        return Problem(
            401,
            "unauthorized",
            "This server needs its token.",
            hint="Open the address that `dsu studio` shows, or send `Authorization: Bearer TOKEN`.",
            headers={"www-authenticate": "Bearer"},
        )

    def _guarded(self, send: Send, origin: str, body: Body) -> Send:
        """Adds the headers that keep browsers in bounds, and does not wait forever for a client that reads nothing."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                if message["status"] >= 400:
                    await body.drain()
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
                if origin in self._origins:
                    headers["access-control-allow-origin"] = origin
                    headers["access-control-allow-methods"] = ALLOWED_METHODS
                    headers["access-control-allow-headers"] = ALLOWED_HEADERS
                    headers["cross-origin-resource-policy"] = "cross-origin"
                headers.add_vary_header("Origin")
            async with asyncio.timeout(self._patience_s * 3):
                await send(message)

        return sending


class Body:
    """The body of a request, as the app receives it: a client that does not send the next part of it in time is given up."""

    def __init__(self, receive: Receive, patience_s: float) -> None:
        self._receive = receive
        self._patience_s = patience_s
        self._begun_s = time.monotonic()
        self._size_bytes = 0
        self._is_over = False

    async def __call__(self) -> Message:
        if self._is_over:  # waits for the client to leave
            return await self._receive()
        try:
            async with asyncio.timeout(self._patience_s):
                message = await self._receive()
        except TimeoutError as late:
            raise _too_slow() from late
        self._size_bytes += len(message.get("body", b""))
        if self._size_bytes < SLOWEST_BYTES_PER_S * (time.monotonic() - self._begun_s - 3 * self._patience_s):
            raise _too_slow()
        self._is_over = message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message

    async def drain(self) -> None:
        """Take a little of what is left: who still sends when the connection is closed does not get to see the error."""
        with contextlib.suppress(TimeoutError, Problem):
            async with asyncio.timeout(min(DRAIN_S, self._patience_s)):
                end_bytes = self._size_bytes + DRAINED_BYTES
                while not self._is_over and self._size_bytes < end_bytes:
                    await self()


def _too_slow() -> Problem:
    return Problem(408, "too_slow", "The body did not come in time. Send it again.", headers={"connection": "close"})


def _here(path: str) -> str:
    """A path of this server as an address: two slashes at its start would lead to another one."""
    return "/" + quote(path.lstrip("/\\"))


async def answer(send: Send, status: int, content: object, headers: dict[str, str]) -> None:
    body = b"" if content is None else msgspec.json.encode(content)
    told = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
    told += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": told})
    await send({"type": "http.response.body", "body": body})
