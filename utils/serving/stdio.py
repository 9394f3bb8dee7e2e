"""Bytes in, bytes out: whole lines from a descriptor, whole lines to another. Knows nothing of commands.

Reading never holds more than one line of the longest allowed length; writing never leaves half a line behind.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator

import msgspec

from utils.core.errors import InvalidJson
from utils.core.replies import Reply

MAX_LINE_BYTES = 1 << 20
BLOCK_BYTES = 1 << 16
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Writer:
    """Sends replies, one line each, from any thread.

    When the reader is gone, `on_broken` is called once, by the thread that found out, and everything later is dropped.
    """

    def __init__(self, fd: int, on_broken: Callable[[], None] = lambda: None) -> None:
        self._fd = fd
        self._on_broken = on_broken
        self._lock = threading.Lock()
        self._open = True

    def send(self, reply: Reply) -> None:
        """Write one line. It has left this process when the call returns."""
        line = encode(reply)
        with self._lock:
            broken = self._open and not self._write(line)
            if broken:
                self._open = False
        if broken:
            self._on_broken()

    def close(self, last: Reply) -> None:
        """Send the last line; nothing follows it."""
        self.send(last)
        with self._lock:
            self._open = False

    def _write(self, line: bytes) -> bool:
        rest = memoryview(line)
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError:
            return False
        return True


def encode(reply: Reply) -> bytes:
    """One line of UTF-8. NaN and infinity become null; a file name that is no text has its bad bytes replaced."""
    try:
        return msgspec.json.encode(reply) + b"\n"
    except UnicodeEncodeError:
        return msgspec.json.encode(_as_text(msgspec.to_builtins(reply))) + b"\n"


def _as_text(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {_as_text(key): _as_text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_text(item) for item in value]
    return value


class LineSplitter:
    """Cuts blocks of bytes into lines. A line that is too long is dropped while it comes in, and reported as an error."""

    def __init__(self, longest: int = MAX_LINE_BYTES) -> None:
        self._longest = longest
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, block: bytes) -> Iterator[bytes | InvalidJson]:
        """The lines that end in this block, without their line ends."""
        *ended, rest = block.split(b"\n")
        for piece in ended:
            self._keep(piece)
            yield self._take()
        self._keep(rest)

    def close(self) -> Iterator[bytes | InvalidJson]:
        """The last line, where the input ended without a line end."""
        if self._size:
            yield self._take()

    def _keep(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._longest:
            self._parts.clear()
        elif piece:
            self._parts.append(piece)

    def _take(self) -> bytes | InvalidJson:
        line, too_long = b"".join(self._parts), self._size > self._longest
        self._parts.clear()
        self._size = 0
        if too_long:
            return InvalidJson(
                f"The line is longer than {self._longest} bytes and was skipped. Send one command per line."
            )
        return line.removesuffix(b"\r")


def read_lines(fd: int, longest: int = MAX_LINE_BYTES) -> Iterator[bytes | InvalidJson]:
    """Every line that is not blank, as soon as it is there, until the input ends.

    `os.read` and not a buffered file: it returns what there is, so that no command waits for the one after it, and a
    thread that is blocked in it holds no lock that the end of the process would wait for.
    """
    splitter = LineSplitter(longest)
    first = True
    for line in _lines(fd, splitter):
        if first and isinstance(line, bytes):
            line = line.removeprefix(BYTE_ORDER_MARK)  # noqa: PLW2901 - some shells begin a pipe with one
        first = False
        if not isinstance(line, bytes) or line.strip():
            yield line


def _lines(fd: int, splitter: LineSplitter) -> Iterator[bytes | InvalidJson]:
    while block := _read(fd):
        yield from splitter.feed(block)
    yield from splitter.close()


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, BLOCK_BYTES)
    except OSError:  # the other end vanished: on some systems that is an error and not an end
        return b""
