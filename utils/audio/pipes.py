"""The other end of a second pipe: an inherited descriptor, a FIFO or a socket by its path, or a named pipe of Windows.

Nothing here waits for longer than a tenth of a second without calling `checkpoint`, so that a job whose reader or writer
stalls can be cancelled.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import time
from collections.abc import Callable
from typing import Literal, Protocol

from utils.core.errors import InvalidRequest

STEP_S = 0.1
GRACE_STEPS = 3  # in which a reader may take the rest of a message, if the job is cancelled in the middle of it
Checkpoint = Callable[[], None]
Mode = Literal["read", "write"]


class PipeGone(Exception):
    """Nobody is at the other end. The message says how that came."""


class Pipe(Protocol):
    """One direction of a pipe."""

    def write(self, data: memoryview) -> None:
        """Write everything. Raises `PipeGone`, and what `checkpoint` raises."""

    def read(self, size: int) -> bytes:
        """At most so many bytes, as soon as there are any; none at the end. Raises what `checkpoint` raises."""

    def close(self) -> None:
        """Let go of it. Closes what was opened here, and a pipe that cannot be used any more."""


def open_pipe(end: int | str, mode: Mode, *, field: str, wait_s: float, checkpoint: Checkpoint) -> Pipe:
    """Open a pipe, and wait so long for somebody at the other end. Raises `PipeGone` or `InvalidRequest`."""
    if isinstance(end, int):
        return _inherited(end, field, checkpoint)
    deadline = time.monotonic() + wait_s
    while True:
        checkpoint()
        found = _try_open(end, mode, field, checkpoint)
        if found is not None:
            return found
        if time.monotonic() >= deadline:
            raise PipeGone(f"nobody opened the other end of '{end}' within {wait_s:g} s")
        time.sleep(min(STEP_S, 0.02))


if sys.platform == "win32":
    import _winapi

    _BUSY = 231
    _NOT_FOUND = 2
    _PENDING = 997
    _MORE_DATA = 234

    class WindowsPipe:
        """A named pipe, with overlapped operations, since others cannot be given up."""

        def __init__(self, handle: int, checkpoint: Checkpoint) -> None:
            self._handle = handle
            self._checkpoint = checkpoint

        def write(self, data: memoryview) -> None:
            rest = data.cast("B")
            while rest:
                try:
                    operation, error = _winapi.WriteFile(self._handle, bytes(rest[: 1 << 20]), overlapped=True)
                    rest = rest[self._wait(operation, error) :]
                except OSError as gone:
                    raise PipeGone("its reader closed it") from gone

        def read(self, size: int) -> bytes:
            try:
                operation, error = _winapi.ReadFile(self._handle, size, overlapped=True)
                count = self._wait(operation, error)
            except OSError:
                return b""
            return bytes(operation.getbuffer()[:count])

        def _wait(self, operation: _winapi.Overlapped, error: int) -> int:
            try:
                while error == _PENDING:
                    waited = _winapi.WaitForSingleObject(operation.event, round(1000 * STEP_S))
                    if waited == _winapi.WAIT_OBJECT_0:
                        break
                    self._checkpoint()
            except BaseException:
                operation.cancel()
                raise
            return operation.GetOverlappedResult(True)[0]

        def close(self) -> None:
            _winapi.CloseHandle(self._handle)

    def _inherited(end: int, field: str, checkpoint: Checkpoint) -> Pipe:
        del end, checkpoint
        raise InvalidRequest(
            "Windows passes no descriptors to other programs. Name a pipe instead: `\\\\.\\pipe\\NAME`.", field=field
        )

    def _try_open(end: str, mode: Mode, field: str, checkpoint: Checkpoint) -> Pipe | None:
        if not end.startswith("\\\\.\\pipe\\"):
            raise InvalidRequest(f"`{field}` must be the name of a pipe: `\\\\.\\pipe\\NAME`.", field=field)
        access = _winapi.GENERIC_READ if mode == "read" else _winapi.GENERIC_WRITE
        try:
            handle = _winapi.CreateFile(
                end, access, 0, _winapi.NULL, _winapi.OPEN_EXISTING, _winapi.FILE_FLAG_OVERLAPPED, _winapi.NULL
            )
        except OSError as error:
            if error.winerror in (_BUSY, _NOT_FOUND):
                return None
            raise InvalidRequest(f"The pipe '{end}' cannot be opened ({error.strerror}).", field=field) from error
        return WindowsPipe(handle, checkpoint)

else:
    import select
    import socket

    _NOBODY = (errno.ENXIO, errno.ENOENT, errno.ECONNREFUSED, errno.EAGAIN)

    class PosixPipe:
        """A descriptor that never blocks."""

        def __init__(self, fd: int, checkpoint: Checkpoint, *, is_ours: bool) -> None:
            self._fd = fd
            self._checkpoint = checkpoint
            self._is_ours = is_ours
            self._is_broken = False
            os.set_blocking(fd, False)

        def write(self, data: memoryview) -> None:
            if self._is_broken:
                raise PipeGone("a message through it was interrupted")
            rest = data.cast("B")
            self._is_broken = True  # until all of it has gone
            stop: BaseException | None = None
            patience = GRACE_STEPS
            while rest and patience:
                if self._is_ready(select.POLLOUT):
                    rest = self._written(rest)
                elif stop is None:
                    try:
                        self._checkpoint()
                    except BaseException as error:  # noqa: BLE001  # raised below
                        stop = error
                else:
                    patience -= 1
            self._is_broken = len(rest) > 0
            if stop is not None:
                raise stop

        def _written(self, data: memoryview) -> memoryview:
            """Write what there is room for. Returns the rest."""
            try:
                return data[os.write(self._fd, data) :]
            except BlockingIOError:
                return data
            except OSError as error:
                raise PipeGone("its reader closed it") from error

        def read(self, size: int) -> bytes:
            while True:
                while not self._is_ready(select.POLLIN):
                    self._checkpoint()
                try:
                    return os.read(self._fd, size)
                except BlockingIOError:
                    continue
                except OSError:
                    return b""

        def _is_ready(self, event: int) -> bool:
            poll = select.poll()
            poll.register(self._fd, event)
            return bool(poll.poll(1000 * STEP_S))

        def close(self) -> None:
            if self._is_ours or self._is_broken:
                os.close(self._fd)
            else:
                os.set_blocking(self._fd, True)

    def _inherited(end: int, field: str, checkpoint: Checkpoint) -> Pipe:
        """A descriptor that the parent passed. Our own are not inheritable, and nobody may write into those."""
        try:
            kind = os.fstat(end).st_mode
            is_passed = end > 2 and os.get_inheritable(end)
        except OSError:
            is_passed = False
        if not is_passed:
            raise InvalidRequest(
                f"The worker was started without a pipe under the number {end}, or has closed it.",
                hint="Pass the descriptor when you start the worker, or name a FIFO or a socket by its path.",
                field=field,
            )
        if not (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind)):
            raise InvalidRequest(f"The descriptor {end} is no pipe and no socket.", field=field)
        return PosixPipe(end, checkpoint, is_ours=False)

    def _try_open(end: str, mode: Mode, field: str, checkpoint: Checkpoint) -> Pipe | None:
        """Open a FIFO, or connect to a socket; None as long as nobody is there."""
        path = os.path.expanduser(end)  # noqa: PTH111 - as it was named
        try:
            kind = os.stat(path).st_mode  # noqa: PTH116 - as above
            if stat.S_ISSOCK(kind):
                return PosixPipe(_connected(path), checkpoint, is_ours=True)
            if stat.S_ISFIFO(kind):
                flag = os.O_RDONLY if mode == "read" else os.O_WRONLY
                return PosixPipe(os.open(path, flag | os.O_NONBLOCK), checkpoint, is_ours=True)
        except OSError as error:
            if error.errno in _NOBODY:
                return None
            raise InvalidRequest(f"The pipe '{end}' cannot be opened ({error.strerror}).", field=field) from error
        except ValueError as error:  # it has a zero character, or half a one
            raise InvalidRequest("The name of the pipe is no path.", field=field) from error
        raise InvalidRequest(
            f"'{end}' is no pipe. Make a FIFO there (`mkfifo`), or listen on a Unix socket.", field=field
        )

    def _connected(path: str) -> int:
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as connection:
            connection.connect(path)
            return connection.detach()
