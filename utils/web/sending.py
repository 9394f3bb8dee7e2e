"""Answers with a file, or with the part of one that is ready."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from utils.web.problems import Problem

BLOCK_BYTES = 1 << 18
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


class FilePart(Response):
    """The bytes `[start, stop)` of a file, read as the client takes them."""

    def __init__(
        self, path: Path, start: int, stop: int, status: int, headers: Mapping[str, str], media_type: str
    ) -> None:
        super().__init__(status_code=status, media_type=media_type, headers=dict(headers))
        self.headers["content-length"] = str(stop - start)
        self._file, self._start, self._stop = path.open("rb"), start, stop  # at once: it may be moved before it is sent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        with self._file as file:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            position = self._stop if scope["method"] == "HEAD" else self._start
            await asyncio.to_thread(file.seek, position)
            while position < self._stop:
                data = await asyncio.to_thread(file.read, min(BLOCK_BYTES, self._stop - position))
                if not data:
                    return  # it is shorter than it was: the client sees that the answer is cut off
                position += len(data)
                await send({"type": "http.response.body", "body": data, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


class Passing(FileResponse):
    """A file that is there only to be sent: in a folder that is gone afterwards, also if the client has left."""

    def __init__(self, path: Path, name: str, media_type: str, tidy: Callable[[], None]) -> None:
        super().__init__(path, filename=name, media_type=media_type)
        self._tidy = tidy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._tidy()


def part_of(
    path: Path, size_bytes: int, asked: str | None, media_type: str, *, total: int | None, tag: str
) -> FilePart:
    """What a `Range` asks for of the first `size_bytes` of a file; all of them without one. `total` is None while it grows.

    Raises `Problem`. Several ranges at once, and units that are not bytes, get the whole, as HTTP has it.
    """
    headers = {"accept-ranges": "bytes"} | ({"etag": tag} if tag else {})
    found = RANGE.fullmatch((asked or "").replace(" ", ""))
    if found is None or found[0] == "bytes=-":
        return FilePart(path, 0, size_bytes, 200, headers, media_type)
    first, last = found[1], found[2]
    if first:
        start = int(first)
        stop = min(int(last) + 1 if last else size_bytes, size_bytes)
    else:
        start, stop = max(size_bytes - int(last), 0), size_bytes
    told = "*" if total is None else str(total)
    if start >= size_bytes or (first and last and int(last) < start):
        raise Problem(
            416,
            "range",
            "This part is not there, or not there yet.",
            more={"bytes_ready": size_bytes},
            headers={"content-range": f"bytes */{told}"},
        )
    headers["content-range"] = f"bytes {start}-{stop - 1}/{told}"
    return FilePart(path, start, stop, 206, headers, media_type)
