"""Bytes in, bytes out: whole lines from one file descriptor, whole lines to another. Knows nothing of commands.

Reading never holds more than one line of the greatest allowed length; writing never leaves half a line behind.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator

import msgspec

from utils.core.errors import InvalidJson
from utils.core.replies import Reply

LONGEST_LINE_BYTES = 1 << 20  # where nobody says otherwise
BLOCK_BYTES = 1 << 16
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# A line from the client, or the error for one that was too long.
InputLine = bytes | InvalidJson


class Writer:
    """Sends replies, one line each, from any thread.

    Once the reader is gone, `on_broken` is called by the thread that noticed, and everything later is dropped.
    """

    def __init__(self, fd: int, on_broken: Callable[[], None] = lambda: None) -> None:
        self._fd = fd
        self._on_broken = on_broken
        self._lock = threading.Lock()
        self._open = True

    def send(self, reply: Reply) -> None:
        """Write one line. It has left this process when the call returns."""
        self.send_line(encode(reply))

    def send_line(self, line: bytes) -> None:
        """The same for a line that is there already, with its line feed."""
        rest = memoryview(line)
        with self._lock:
            if not self._open:
                return
            try:
                while rest:
                    rest = rest[os.write(self._fd, rest) :]
            except OSError:
                self._open = False
            broken = not self._open
        if broken:
            self._on_broken()

    def close(self, last: Reply) -> None:
        """Send the last line; nothing follows it."""
        self.send(last)
        with self._lock:
            self._open = False


def encode(reply: Reply) -> bytes:
    """One line of UTF-8. NaN and infinity become null; undecodable bytes of a file name are replaced."""
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
    """Cuts blocks of bytes into lines. A line that is too long is dropped as it comes in, and reported as an error."""

    def __init__(self, longest: int = LONGEST_LINE_BYTES) -> None:
        self._longest = longest
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, block: bytes) -> Iterator[InputLine]:
        """The lines that end in this block, without their line endings."""
        *ended, rest = block.split(b"\n")
        for piece in ended:
            self._keep(piece)
            yield self._take()
        self._keep(rest)

    def close(self) -> Iterator[InputLine]:
        """The last line, if the input ended without a line feed."""
        if self._size:
            yield self._take()

    def _keep(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._longest:
            self._parts.clear()
        elif piece:
            self._parts.append(piece)

    def _take(self) -> InputLine:
        line, too_long = b"".join(self._parts), self._size > self._longest
        self._parts.clear()
        self._size = 0
        if too_long:
            return InvalidJson(
                f"The line is longer than {self._longest} bytes and was skipped. Send one command per line.",
                hint="`max_line_bytes` sets the limit.",
            )
        return line.removesuffix(b"\r")


def read_lines(fd: int, longest: int = LONGEST_LINE_BYTES) -> Iterator[list[InputLine]]:
    """The lines that arrive together, without blank ones, as soon as they are there, until the input ends.

    This uses `os.read` rather than a buffered file: it returns what there is, so that no command waits for the next
    one, and a thread blocked in it holds no lock that the end of the process would wait for.
    """
    splitter = LineSplitter(longest)
    first, ended = True, False
    while not ended:
        try:
            block = os.read(fd, BLOCK_BYTES)
        except OSError:  # the other end vanished, which some systems report as an error
            block = b""
        ended = not block
        lines = list(splitter.close() if ended else splitter.feed(block))
        if lines and first:  # some shells begin a pipe with a byte order mark
            first = False
            lines[0] = lines[0].removeprefix(BYTE_ORDER_MARK) if isinstance(lines[0], bytes) else lines[0]
        yield [line for line in lines if not isinstance(line, bytes) or line.strip()]
