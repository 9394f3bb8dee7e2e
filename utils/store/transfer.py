"""One HTTP request, read in a thread of its own, so that the reader can stop waiting at any time.

Only HTTPS, or plain HTTP on this machine. A redirect never leads from HTTPS to HTTP, nor nearer to this machine than the
first address is. The thread never touches a file.
"""

from __future__ import annotations

import contextlib
import http.client
import importlib
import ipaddress
import os
import queue
import re
import socket
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from http import HTTPStatus
from types import TracebackType
from typing import IO, Any, Self

BLOCK_BYTES = 256 << 10
BLOCKS_AHEAD = 16
WAIT_STEP_S = 0.1
SYSTEM_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
TRANSIENT_STATUS = {408, 425, 429}
_SIZE = r"[0-9]{1,18}"
_CONTENT_LENGTH = re.compile(_SIZE)
_CONTENT_RANGE = re.compile(rf"bytes (?P<start>{_SIZE})-{_SIZE}/(?P<total>{_SIZE}|\*)")


class TransferFailed(Exception):  # named like the errors that it becomes
    """A request failed. If the failure is `transient`, the same request may succeed later."""

    def __init__(self, message: str, *, transient: bool, status: int | None = None) -> None:
        super().__init__(message)
        self.transient = transient
        self.status = status


@dataclass(frozen=True)
class Head:
    """The server's answer before the bytes: where they begin, the size of the whole file, and its version."""

    offset: int
    total_bytes: int | None
    etag: str | None


class Transfer:
    """A GET of the bytes from `offset` on. If the file is no longer the version `etag`, the server sends all of it."""

    def __init__(self, url: str, *, offset: int = 0, etag: str | None = None, timeout_s: float = 30.0) -> None:
        require_secure(url)
        headers = {"User-Agent": "dsu", "Accept-Encoding": "identity"}
        if offset > 0:
            headers["Range"] = f"bytes={offset}-"
            # A weak tag does not promise equal bytes, and must not be used for a range.
            if etag is not None and not etag.startswith("W/"):
                headers["If-Range"] = etag
        self._request = urllib.request.Request(url, headers=headers)  # noqa: S310  # checked above
        self._timeout_s = timeout_s
        self._items: queue.Queue[Head | bytes | Exception] = queue.Queue(BLOCKS_AHEAD)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="download", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop reading. The thread is not joined: it may be blocked until its timeout, which does no harm."""
        self._stopped.set()

    def head(self, idle: Callable[[], None]) -> Head:
        """Wait for the server's answer. While nothing arrives, `idle` is called; it may raise to give up.

        The time that a socket may take does not count names that are not found, nor several addresses of one name.
        """
        end = time.monotonic() + self._timeout_s

        def wait() -> None:
            idle()
            if time.monotonic() > end:
                raise _silent(self._timeout_s)

        item = self._next(wait)
        if not isinstance(item, Head):
            raise TransferFailed("the server sent no answer", transient=True)
        return item

    def blocks(self, idle: Callable[[], None]) -> Iterator[bytes]:
        """The bytes, until the connection ends. The caller checks whether they are complete."""
        while isinstance(item := self._next(idle), bytes) and item:
            yield item

    def _next(self, idle: Callable[[], None]) -> Head | bytes:
        while True:
            try:
                item = self._items.get(timeout=WAIT_STEP_S)
            except queue.Empty:
                idle()
                continue
            if isinstance(item, Exception):
                raise item
            return item

    def _run(self) -> None:
        try:
            with _open(self._request, self._timeout_s) as response:
                self._put(_head(response))
                while not self._stopped.is_set() and (block := response.read1(BLOCK_BYTES)):
                    self._put(block)
            self._put(b"")
        except Exception as error:  # noqa: BLE001  # whatever ends this thread, its reader must learn it
            failure = _described(error, self._timeout_s)
            if failure is not None:
                failure.__cause__ = error
            self._put(failure or error)

    def _put(self, item: Head | bytes | Exception) -> None:
        while not self._stopped.is_set():
            with contextlib.suppress(queue.Full):
                self._items.put(item, timeout=WAIT_STEP_S)
                return


def require_secure(url: str) -> None:
    """Raise `TransferFailed` for anything but HTTPS, or HTTP on this machine."""
    parts = _parts(url)
    if parts.scheme == "https" or (parts.scheme == "http" and _nearness(parts.hostname) is Nearness.THIS_MACHINE):
        return
    raise TransferFailed(f"`{url}` is not an https address", transient=False)


def _parts(url: str) -> urllib.parse.SplitResult:
    try:
        return urllib.parse.urlsplit(url)
    except ValueError as error:
        raise TransferFailed(f"`{url}` is not an address ({error})", transient=False) from error


def _silent(timeout_s: float) -> TransferFailed:
    return TransferFailed(f"the server did not answer in {timeout_s:g} s", transient=True)


def _described(error: Exception, timeout_s: float) -> TransferFailed | None:
    """What went wrong on the network, in words; None for other errors."""
    cause = error.reason if isinstance(error, urllib.error.URLError) and error.reason else error
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        transient = error.code in TRANSIENT_STATUS or error.code >= HTTPStatus.INTERNAL_SERVER_ERROR
        return TransferFailed(f"the server answered {error.code} {error.msg}", transient=transient, status=error.code)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return TransferFailed(
            f"its certificate is not trusted ({cause.verify_message}); if a proxy adds its own, set SSL_CERT_FILE to it",
            transient=False,
        )
    if isinstance(cause, TimeoutError):
        return _silent(timeout_s)
    if isinstance(error, OSError | http.client.HTTPException):
        return TransferFailed(f"the connection failed ({str(cause) or type(cause).__name__})", transient=True)
    return None


def _head(response: Any) -> Head:
    etag = response.headers.get("ETag")
    if response.status == HTTPStatus.PARTIAL_CONTENT:
        found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if found is None:
            raise TransferFailed("the server sent a range without saying which one", transient=False)
        return Head(int(found["start"]), None if found["total"] == "*" else int(found["total"]), etag)
    length = response.headers.get("Content-Length")
    if length is not None and _CONTENT_LENGTH.fullmatch(length) is None:
        raise TransferFailed("the server sent a length that is no number of bytes", transient=False)
    return Head(0, None if length is None else int(length), etag)


class _SecureRedirects(urllib.request.HTTPRedirectHandler):
    """Follows only redirects to addresses that could have been requested directly, and that are no nearer than the first."""

    def __init__(self, first: str) -> None:
        self._first = _nearness(_parts(first).hostname)

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        require_secure(newurl)
        parts = _parts(newurl)
        if (req.type == "https" and parts.scheme != "https") or _nearness(parts.hostname) > self._first:
            raise TransferFailed(f"the server redirects to `{newurl}`, which it must not", transient=False)
        return super().redirect_request(req, fp, code, msg, headers, newurl)

    def http_error_302(self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any) -> Any:
        try:
            return super().http_error_302(req, fp, code, msg, headers)
        except (TransferFailed, ValueError):  # nobody else closes the answer
            fp.close()
            raise

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _open(request: urllib.request.Request, timeout_s: float) -> Any:
    handlers: list[urllib.request.BaseHandler] = [_SecureRedirects(request.full_url)]
    if _nearness(_parts(request.full_url).hostname) is Nearness.THIS_MACHINE:
        handlers.append(urllib.request.ProxyHandler({}))
    if request.type == "https":
        handlers.append(urllib.request.HTTPSHandler(context=_tls_context()))
    try:
        return urllib.request.build_opener(*handlers).open(request, timeout=timeout_s)
    except ValueError as error:
        message = f"the address, or the one to which the server redirects, is malformed ({error})"
        raise TransferFailed(message, transient=False) from error


def _tls_context() -> ssl.SSLContext:
    """The certificates of the system, or of SSL_CERT_FILE and SSL_CERT_DIR; and those of REQUESTS_CA_BUNDLE."""
    context = ssl.create_default_context()
    bundle = os.environ.get("REQUESTS_CA_BUNDLE")
    if bundle:
        kind = "capath" if os.path.isdir(bundle) else "cafile"  # noqa: PTH112  # as the ssl module takes it
        try:
            context.load_verify_locations(**{kind: bundle})
        except OSError as error:
            message = f"REQUESTS_CA_BUNDLE is `{bundle}`, which holds no certificates"
            raise TransferFailed(message, transient=False) from error
    elif not context.cert_store_stats()["x509_ca"]:
        # A program frozen on one system may look for certificates where another system has none.
        with contextlib.suppress(ImportError):
            context.load_verify_locations(importlib.import_module("certifi").where())
        for path in SYSTEM_BUNDLES:
            with contextlib.suppress(OSError):
                context.load_verify_locations(path)
                break
    return context


class Nearness(IntEnum):
    """Where a server is, as far as its address says it. A name says nothing, whatever it stands for."""

    INTERNET = 0
    THIS_NETWORK = 1
    THIS_MACHINE = 2


def _nearness(host: str | None) -> Nearness:
    name = (host or "").rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return Nearness.THIS_MACHINE
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        try:  # the other spellings that systems accept, such as 127.1
            address = ipaddress.ip_address(socket.inet_aton(name))
        except (OSError, ValueError):  # a name
            return Nearness.INTERNET
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_loopback or address.is_unspecified:
        return Nearness.THIS_MACHINE
    return Nearness.INTERNET if address.is_global else Nearness.THIS_NETWORK
