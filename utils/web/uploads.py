"""Songs on their way in: they go to the disk as they come, and are known by their content when they are whole."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from utils.web.child import SongReader
from utils.web.database import Database
from utils.web.folders import Folders
from utils.web.options import WebLimits
from utils.web.problems import Problem
from utils.web.shapes import Upload

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

# What it finds in a form is the client's to know, and not for stderr.
logging.getLogger("python_multipart").addHandler(logging.NullHandler())

BLOCK_BYTES = 1 << 20
LONGEST_NAME = 200
MOST_PARTS = 8
LONGEST_REQUEST_BYTES = 1 << 20


class Uploads:
    """Takes songs, as many at once and as large as the limits say."""

    def __init__(self, limits: WebLimits, folders: Folders, database: Database, reader: SongReader) -> None:
        self._limits = limits
        self._folders = folders
        self._database = database
        self._reader = reader
        self.coming: set[Path] = set()
        self.coming_bytes = 0
        self.received = 0
        self.received_bytes = 0

    @property
    def kept_bytes(self) -> int:
        return sum(path.stat().st_size for path in self._folders.uploads.iterdir())

    def require_room(self, size_bytes: int, kept_bytes: int) -> None:
        """Raise `Problem` if there is no room for an upload of this size, as far as that is known."""
        if size_bytes > self._limits.upload_bytes:
            raise too_large(self._limits)
        if len(self.coming) >= self._limits.uploads_at_once:
            raise Problem(
                429, "busy", "Too many songs are being sent at once. Try again soon.", headers={"Retry-After": "5"}
            )
        room = self._limits.disk_bytes - kept_bytes - self.kept_bytes - self.coming_bytes
        if size_bytes > room or self._folders.free_bytes() < self._limits.free_bytes + size_bytes:
            raise full()

    async def take(self, chunks: AsyncIterator[bytes], name: str) -> Upload:
        """A song in the body of a request. Raises `Problem`."""
        incoming = Incoming(self, self._limits, self._folders)
        try:
            async for chunk in chunks:
                incoming.feed(chunk)
                if incoming.is_due:
                    await incoming.write()
            await incoming.write()
            return await self._accept(incoming, name)
        finally:
            incoming.close()

    async def take_form(self, chunks: AsyncIterator[bytes], content_type: str) -> tuple[Upload, bytes]:
        """The song and the request in a form: the fields `file` and `request`. Raises `Problem`."""
        _, options = parse_options_header(content_type)
        boundary = options.get(b"boundary", b"")
        if not boundary:
            raise Problem(400, "invalid_request", "The form has no boundary.")
        incoming = Incoming(self, self._limits, self._folders)
        form = Form(incoming, LONGEST_REQUEST_BYTES)
        try:
            parser = MultipartParser(boundary, form.callbacks(), max_size=self._limits.upload_bytes + (1 << 20))
            async for chunk in chunks:
                for start in range(0, len(chunk), BLOCK_BYTES):
                    with _readable_form():
                        parser.write(chunk[start : start + BLOCK_BYTES])
                    if incoming.is_due:
                        await incoming.write()
            with _readable_form():
                parser.finalize()
            await incoming.write()
            if not form.is_whole:
                raise Problem(400, "invalid_request", "The form ends too early. Send it again.")
            if form.name is None:
                raise Problem(422, "invalid_request", "The form has no song in `file`.", field="file")
            return await self._accept(incoming, form.name), bytes(form.request)
        finally:
            incoming.close()

    async def _accept(self, incoming: Incoming, name: str) -> Upload:
        """The song as an upload, once a child has seen that it is one."""
        if incoming.size_bytes == 0:
            raise Problem(422, "input_empty", "The song is empty (0 bytes). Send a file with audio in it.")
        name = plain_name(name)
        digest = incoming.finish()
        known = self._database.upload(digest)
        target = self._folders.uploads / digest
        if known is not None and target.is_file():
            upload = msgspec.structs.replace(known, name=name)
        else:
            facts = await self._reader.ask("probe", path=str(incoming.path))
            if facts["duration_s"] is not None and facts["duration_s"] > self._limits.song_s:
                raise Problem(
                    413,
                    "too_large",
                    f"The song is longer than the {self._limits.song_s / 60:g} minutes that this server allows.",
                )
            upload = Upload(
                id=digest, name=name, size_bytes=incoming.size_bytes, sha256=digest, duration_s=facts["duration_s"]
            )
            incoming.path.replace(target)
        self._database.add_upload(upload)
        self.received += 1
        self.received_bytes += upload.size_bytes
        return upload


def too_large(limits: WebLimits) -> Problem:
    return Problem(
        413, "too_large", f"The song is larger than the {limits.upload_bytes >> 20} MB that this server allows."
    )


def full() -> Problem:
    return Problem(507, "disk_full", "The server has no room for the song. Remove jobs, or try again later.")


class Incoming:
    """One song that is being received."""

    def __init__(self, uploads: Uploads, limits: WebLimits, folders: Folders) -> None:
        self.path = folders.new_incoming()
        self.size_bytes = 0
        self._uploads = uploads
        self._limits = limits
        self._folders = folders
        self._waiting = bytearray()
        self._digest = hashlib.sha256()
        self._file: BinaryIO = self.path.open("xb")
        uploads.coming.add(self.path)

    @property
    def is_due(self) -> bool:
        return len(self._waiting) >= BLOCK_BYTES

    def feed(self, chunk: bytes) -> None:
        """Take some bytes. Raises `Problem` if they are too many."""
        self.size_bytes += len(chunk)
        self._uploads.coming_bytes += len(chunk)
        if self.size_bytes > self._limits.upload_bytes:
            raise too_large(self._limits)
        self._waiting += chunk

    async def write(self) -> None:
        """Write what was taken, beside the event loop. Raises `Problem` if there is no room."""
        if not self._waiting:
            return
        if self._folders.free_bytes() < self._limits.free_bytes + len(self._waiting):
            raise full()
        data, self._waiting = self._waiting, bytearray()
        try:
            await asyncio.to_thread(self._write, data)
        except OSError as error:
            raise full() from error

    def _write(self, data: bytearray) -> None:
        self._digest.update(data)
        self._file.write(data)

    def finish(self) -> str:
        """The SHA-256 of all that came; the file is whole afterwards."""
        self._file.close()
        return self._digest.hexdigest()

    def close(self) -> None:
        """Nothing stays of what was not accepted."""
        with contextlib.suppress(OSError, ValueError):
            self._file.close()
        self.path.unlink(missing_ok=True)
        self._uploads.coming.discard(self.path)
        self._uploads.coming_bytes -= self.size_bytes


class Form:
    """The parts of a form, as they come."""

    def __init__(self, incoming: Incoming, longest_request: int) -> None:
        self.name: str | None = None
        self.request = bytearray()
        self.is_whole = False
        self._incoming = incoming
        self._longest_request = longest_request
        self._parts = 0
        self._header = bytearray()
        self._value = bytearray()
        self._field = ""

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._grow(self._header, data[start:end]),
            "on_header_value": lambda data, start, end: self._grow(self._value, data[start:end]),
            "on_header_end": self._end_header,
            "on_part_data": self._data,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._parts += 1
        self._field = ""
        if self._parts > MOST_PARTS:
            raise Problem(400, "invalid_request", f"The form has more than {MOST_PARTS} fields.")

    @staticmethod
    def _grow(kept: bytearray, data: bytes) -> None:
        kept += data
        if len(kept) > 4096:
            raise Problem(400, "invalid_request", "A header of the form is too long.")

    def _end_header(self) -> None:
        if bytes(self._header).lower() == b"content-disposition":
            _, options = parse_options_header(bytes(self._value))
            self._field = options.get(b"name", b"").decode("utf-8", "replace")
            if self._field == "file":
                if self.name is not None:
                    raise Problem(400, "invalid_request", "The form has several songs. Send one.", field="file")
                self.name = options.get(b"filename", b"song").decode("utf-8", "replace")
        self._header.clear()
        self._value.clear()

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._field == "file":
            self._incoming.feed(data[start:end])
        elif self._field == "request":
            self.request += data[start:end]
            if len(self.request) > self._longest_request:
                raise Problem(413, "too_large", "The request in the form is too long.", field="request")

    def _end(self) -> None:
        self.is_whole = True


@contextlib.contextmanager
def _readable_form() -> Iterator[None]:
    try:
        yield
    except FormParserError as error:
        raise Problem(400, "invalid_request", f"The form cannot be read: {error}.") from error


def plain_name(text: str) -> str:
    """The last part of a name that a client sent, without what could not be shown. It is never a path of ours."""
    last = text.replace("\\", "/").rpartition("/")[2]
    shown = "".join(letter for letter in last if letter.isprintable() and letter not in '<>:"|?*')
    return shown.encode("utf-8", "ignore")[:LONGEST_NAME].decode("utf-8", "ignore").strip(" .") or "song"
