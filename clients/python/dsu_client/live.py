"""Stems that come while their job runs: through a second pipe, at the pace of whoever takes them."""

from __future__ import annotations

import contextlib
import json
import queue
import secrets
import shutil
import socket
import sys
import tempfile
import threading
from array import array
from collections.abc import Mapping
from multiprocessing.connection import Connection as Pipe
from multiprocessing.connection import Listener
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from .audio import NamedSamples, find_numpy
from .connection import Item

if TYPE_CHECKING:
    from .audio import Samples

BLOCK_BYTES = 1 << 16
DEPTH = 4  # messages that wait to be taken; then the worker waits, too


class LiveSegment(NamedSamples):
    """A finished stretch: the samples of each stem by its name, from the sample `start` of the song on."""

    def __init__(self, samples: Mapping[str, Samples], *, start: int, frames: int, sample_rate: int) -> None:
        super().__init__(samples, sample_rate)
        self.start = start
        self.frames = frames

    def __repr__(self) -> str:
        return f"<LiveSegment {', '.join(self)} from {self.start / self.sample_rate:.2f} s, {self.frames} samples>"


class Receiver:
    """Listens where the worker writes. The block ends it, whatever the worker does."""

    def __init__(self) -> None:
        self._segments: queue.Queue[LiveSegment | None] = queue.Queue(DEPTH)
        self._closed = threading.Event()
        self._last: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._listener = _Listener() if sys.platform == "win32" else _UnixListener()
        self.address = self._listener.address
        self._thread = threading.Thread(target=self._receive, name="dsu-live", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Take nothing more."""
        self._closed.set()
        self._listener.close()
        self._thread.join()

    def ended(self, last: Item) -> None:
        """The worker has said the last line of the job, so nobody will come any more."""
        self._last.put(last)
        self._listener.close()

    def take(self, timeout_s: float) -> LiveSegment | None:
        """The next one; None at the end. Raises `queue.Empty` where none came in time."""
        return self._segments.get(timeout=timeout_s)

    def last(self, timeout_s: float) -> Item:
        """The last line. Raises `queue.Empty` where it did not come in time."""
        return self._last.get(timeout=timeout_s)

    def _receive(self) -> None:
        with contextlib.suppress(OSError, EOFError), contextlib.closing(self._listener.accept()) as stream:
            begun: dict[str, Any] = {}
            while line := stream.line():
                header = json.loads(line)
                data = stream.take(header["bytes"])
                if header["kind"] == "begin":
                    begun = header
                elif header["kind"] == "frames" and not self._give(_segment(begun, header, data)):
                    return
        self._give(None)

    def _give(self, segment: LiveSegment | None) -> bool:
        """Hand it over, unless nobody wants more."""
        while not self._closed.is_set():
            with contextlib.suppress(queue.Full):
                self._segments.put(segment, timeout=0.1)
                return True
        return False


def _segment(begun: Mapping[str, Any], header: Mapping[str, Any], data: bytes) -> LiveSegment:
    stems, channels, frames = begun["stems"], begun["channels"], header["frames"]
    numpy = find_numpy()
    if numpy is not None:
        planar = numpy.frombuffer(data, "<f4").astype("f4").reshape(len(stems), channels, frames)
        samples = dict(zip(stems, planar, strict=True))
    else:
        flat = array("f", data)
        if sys.byteorder == "big":
            flat.byteswap()
        rows = [flat[start : start + frames] for start in range(0, len(flat), frames)]
        samples = {name: rows[index * channels : (index + 1) * channels] for index, name in enumerate(stems)}
    return LiveSegment(samples, start=header["start"], frames=frames, sample_rate=begun["sample_rate"])


# Listening ----------------------------------------------------------------------------------------------------------


class _Connected(Protocol):
    """The worker, once it has come."""

    def more(self) -> bytes:
        """What is there, at least one byte; none at the end."""

    def close(self) -> None: ...


class _Stream:
    """Lines and bytes, as they come."""

    def __init__(self, connected: _Connected) -> None:
        self._connected = connected
        self._rest = b""

    def line(self) -> bytes:
        """The next line; empty at the end."""
        while b"\n" not in self._rest:
            more = self._connected.more()
            if not more:
                return b""
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def take(self, size: int) -> bytes:
        parts, have = [self._rest], len(self._rest)
        while have < size:
            more = self._connected.more()
            if not more:
                raise EOFError
            parts.append(more)
            have += len(more)
        whole = b"".join(parts)
        self._rest = whole[size:]
        return whole[:size]

    def close(self) -> None:
        self._connected.close()


class _Listener:
    """A named pipe of Windows. Its connections keep the borders of what was written, which do not matter here."""

    def __init__(self) -> None:
        self.address = rf"\\.\pipe\dsu-client-{secrets.token_hex(16)}"
        self._listener = Listener(self.address, "AF_PIPE")

    def accept(self) -> _Stream:
        return _Stream(_Messages(self._listener.accept()))

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.close()


class _Messages:
    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe

    def more(self) -> bytes:
        try:
            return self._pipe.recv_bytes()
        except EOFError:
            return b""

    def close(self) -> None:
        self._pipe.close()


class _UnixListener:
    """A socket in a folder that only this user may enter."""

    def __init__(self) -> None:
        self._folder = tempfile.mkdtemp(prefix="dsu-")
        self.address = str(Path(self._folder) / "live")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._accepted: socket.socket | None = None
        self._over = threading.Event()
        self._socket.bind(self.address)
        self._socket.listen(1)
        self._socket.settimeout(0.1)

    def accept(self) -> _Stream:
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    connected = self._socket.accept()[0]
                    connected.settimeout(0.1)
                    return _Stream(_Received(connected, self._over))
                if self._over.is_set():
                    raise EOFError
        finally:
            self._socket.close()
            shutil.rmtree(self._folder, ignore_errors=True)

    def close(self) -> None:
        self._over.set()


class _Received:
    """A socket whose other end may stall; it is given up when the job has ended and nothing comes any more."""

    def __init__(self, connected: Any, over: threading.Event) -> None:
        self._socket = connected
        self._over = over

    def more(self) -> bytes:
        while True:
            with contextlib.suppress(TimeoutError):
                return bytes(self._socket.recv(BLOCK_BYTES))
            if self._over.is_set():
                return b""

    def close(self) -> None:
        self._socket.close()
