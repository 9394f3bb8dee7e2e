"""What shuts a worker down from outside: a signal, the death of its parent, or the loss of its reader.

Each is noticed by a thread within a quarter of a second, whatever the main thread is doing; where C code holds the
interpreter, so that no thread gets to run, `guard` ends the process. This module knows nothing of jobs.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple

from utils.core.bootstrap import reader_is_gone
from utils.core.parent import POLL_S, wait_for_end
from utils.serving.guard import guarded

# A signal gives the exit status 128 + its number. This one is for a worker that nobody uses any more.
ABANDONED_STATUS = 1
# A new process may have more luck.
LOST_STATUS = 3


class StopReason(NamedTuple):
    """Why the worker shuts down, and its exit status."""

    detail: str
    status: int


PARENT_DIED = StopReason("parent_died", ABANDONED_STATUS)
OUTPUT_CLOSED = StopReason("output_closed", ABANDONED_STATUS)
DEVICE_LOST = StopReason("device_lost", LOST_STATUS)
Stop = Callable[[StopReason], None]


def from_signal(number: int) -> StopReason:
    return StopReason(signal.Signals(number).name, 128 + number)


def handled_signals() -> list[signal.Signals]:
    """SIGTERM and SIGINT; SIGBREAK on Windows; SIGHUP unless it was ignored at the start, as by nohup."""
    found = [signal.SIGTERM, signal.SIGINT]
    if sys.platform == "win32":
        found.append(signal.SIGBREAK)
    elif signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        found.append(signal.SIGHUP)
    return found


@contextlib.contextmanager
def watching(stop: Stop, parent_pid: int, output_fd: int) -> Iterator[None]:
    """While the body runs, call `stop` with each reason to shut down, from another thread. Main thread only.

    Once there was a reason, the process ends in time even if C code keeps the threads of Python from running.
    """
    read_end, write_end = _pair()
    with guarded(read_end, handled_signals(), parent_pid) as tell:

        def tell_and_stop(reason: StopReason) -> None:
            tell()
            stop(reason)

        with (
            _watching_signals(stop, tell, read_end, write_end),
            _watching_peers(tell_and_stop, parent_pid, output_fd),
        ):
            yield


# Signals ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _watching_signals(stop: Stop, tell: Callable[[], None], read_end: int, write_end: int) -> Iterator[None]:
    """Python runs signal handlers on the main thread between two steps of Python code, which may be a minute apart
    while a network computes. The C handler writes a byte immediately, for each signal that has a handler, also one of a
    library. This closes both ends.
    """
    if sys.platform != "win32":
        os.set_blocking(write_end, False)
    handled = handled_signals()

    def read() -> None:
        while numbers := _look(read_end):
            for number in numbers:
                if number in handled:
                    tell()
                    stop(from_signal(number))
            _take(read_end, len(numbers))

    thread = threading.Thread(target=read, name="dsu-signals", daemon=True)
    thread.start()
    old_fd = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    # The handlers do nothing, but a signal without a Python handler is not written.
    before = {number: signal.signal(number, lambda *_: None) for number in handled}
    try:
        yield
    finally:
        signal.set_wakeup_fd(old_fd)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(write_end)
        thread.join()
        os.close(read_end)


# The processes at the other ends ----------------------------------------------------------------------------------


@contextlib.contextmanager
def _watching_peers(stop: Stop, parent_pid: int, output_fd: int) -> Iterator[None]:
    """Watch the parent and the reader of our output."""
    over = threading.Event()
    args = (stop, parent_pid, output_fd, over)
    thread = threading.Thread(target=_watch_peers, args=args, name="dsu-peers", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


if sys.platform == "win32":

    def _pair() -> tuple[int, int]:
        """The ends for reading and for writing."""
        return os.pipe()

    def _look(fd: int) -> bytes:
        """Wait for signals; empty at the end. Nothing can be seen here without taking it."""
        return os.read(fd, 64)

    def _take(fd: int, count: int) -> None:
        """Nothing: see above."""
        del fd, count

    def _watch_peers(stop: Stop, parent_pid: int, output_fd: int, over: threading.Event) -> None:
        """Wait for the end of the parent. If it may not be watched, the end of the input still shows its death.

        The loss of the reader cannot be seen here; the next write fails.
        """
        del output_fd
        if wait_for_end(parent_pid, over):
            stop(PARENT_DIED)

else:
    import socket

    from utils.serving.guard import waiting_signals

    def _pair() -> tuple[int, int]:
        """The ends for reading and for writing: sockets, in which the guard can look at what waits without taking it."""
        read_end, write_end = socket.socketpair()
        return read_end.detach(), write_end.detach()

    def _look(fd: int) -> bytes:
        """Wait for signals; empty at the end. They stay there until this thread has told of them: if it took them and then never
        got to run, nobody would know.
        """
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        poll.poll()
        return waiting_signals(fd)

    def _take(fd: int, count: int) -> None:
        os.read(fd, count)

    def _watch_peers(stop: Stop, parent_pid: int, output_fd: int, over: threading.Event) -> None:
        """Nothing notifies a process of its parent's death, so poll: an orphan has another parent."""
        while not over.wait(POLL_S):
            if os.getppid() != parent_pid:
                stop(PARENT_DIED)
                return
            if reader_is_gone(output_fd):
                stop(OUTPUT_CLOSED)
                return
