"""A web server on this machine whose faults are chosen by the test."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from utils.core.job import Job
from utils.store.download import Patience
from utils.store.records import FileRecord

QUICK = Patience(attempts=3, first_pause_s=0.001, longest_pause_s=0.002, timeout_s=5)


@dataclass
class Page:
    """What is served under one path, and what goes wrong with it; faults of a list are used up one per request."""

    content: bytes = b""
    ranges: bool = True
    etag: str | None = None
    statuses: list[int] = field(default_factory=list)
    end_after: list[int] = field(default_factory=list)  # close the connection after so many bytes
    hold_after: int | None = None  # send no more than this before `go_on` is set
    location: str | None = None
    chunked: bool = False
    lie_about_start: bool = False
    refuse_ranges: bool = False  # a request for the rest is answered with 416
    length: str | None = None  # what the server says instead of the length
    go_on: threading.Event = field(default_factory=threading.Event)


class Site:
    """Pages by path, and the requests that came."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.site = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/{path}"

    def ranges(self) -> list[str | None]:
        """The `Range` of each request."""
        return [headers.get("range") for _, headers in self.requests]

    def close(self) -> None:
        for page in self.pages.values():
            page.go_on.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    """Answers as the site of its server says."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        site = self.server.site
        path = self.path.lstrip("/")
        site.requests.append((path, {key.lower(): value for key, value in self.headers.items()}))
        self.close_connection = True
        page = site.pages.get(path)
        status = 404 if page is None else (page.statuses.pop(0) if page.statuses else 200)
        if page is None or status >= 300:
            self._answer(status, {"Location": page.location} if page and page.location else {}, 0)
            return
        self._serve(page)

    def _serve(self, page: Page) -> None:
        asked = self.headers.get("Range")
        current = self.headers.get("If-Range") in (None, page.etag)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and page.ranges and current else 0
        if start and (page.refuse_ranges or start >= len(page.content)):
            self._answer(416, {"Content-Range": f"bytes */{len(page.content)}"}, 0)
            return
        headers = {"ETag": page.etag} if page.etag else {}
        if start:
            start -= 3 if page.lie_about_start else 0
            headers["Content-Range"] = f"bytes {start}-{len(page.content) - 1}/{len(page.content)}"
        body = page.content[start:]
        self._answer(206 if start else 200, headers, None if page.chunked else page.length or len(body))
        self._send(page, body[: page.end_after.pop(0)] if page.end_after else body)

    def _answer(self, status: int, headers: dict[str, str], length: int | str | None) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        if length is None:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _send(self, page: Page, body: bytes) -> None:
        first = body if page.hold_after is None else body[: page.hold_after]
        try:
            self._write(page, first)
            if len(first) < len(body):
                page.go_on.wait()
                self._write(page, body[len(first) :])
            if page.chunked:
                self.wfile.write(b"0\r\n\r\n")
        except OSError:
            pass  # the other side went away, as some tests do

    def _write(self, page: Page, body: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(body), body) if page.chunked else body)
        self.wfile.flush()

    def log_message(self, *args) -> None:
        pass


def record(name: str, content: bytes, *urls: str, sized: bool = True, hashed: bool = True) -> FileRecord:
    """The true record of a file."""
    return FileRecord(
        name=name,
        urls=urls,
        size_bytes=len(content) if sized else None,
        sha256=hashlib.sha256(content).hexdigest() if hashed else None,
    )


class Listener(Job):
    """A job that keeps what it announced, and can do something at each line."""

    def __init__(self, on_event=None) -> None:
        super().__init__(self._hear)
        self.events = []
        self._on_event = on_event

    def _hear(self, event) -> None:
        self.events.append(event)
        if self._on_event is not None:
            self._on_event(event)
