"""Reasons to go: a signal, a parent that died, a reader that is gone. Each is noticed by a thread, within a quarter
of a second, whatever the main thread is doing; nothing here knows what a job is.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

POLL_S = 0.25
# What `exit` statuses mean: 128 + signal for a signal, 1 where there is nobody left to tell.
ABANDONED_STATUS = 1


class StopReason(NamedTuple):
    """Why the worker has to go, and the exit status that says so."""

    detail: str
    status: int


PARENT_DIED = StopReason("parent_died", ABANDONED_STATUS)
OUTPUT_CLOSED = StopReason("output_closed", ABANDONED_STATUS)
Stop = Callable[[StopReason], None]


def from_signal(number: int) -> StopReason:
    return StopReason(signal.Signals(number).name, 128 + number)


def handled_signals() -> list[signal.Signals]:
    """SIGTERM and SIGINT; SIGBREAK on Windows; SIGHUP unless whoever started us said to ignore it, as nohup does."""
    found = [signal.SIGTERM, signal.SIGINT]
    if sys.platform == "win32":
        found.append(signal.SIGBREAK)
    elif signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        found.append(signal.SIGHUP)
    return found


@contextlib.contextmanager
def watching(stop: Stop, parent_pid: int, output_fd: int) -> Iterator[None]:
    """While the body runs, `stop` is called, from another thread, with each reason to go. Main thread only."""
    with _watching_signals(stop), _watching_peers(stop, parent_pid, output_fd):
        yield


# Signals ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _watching_signals(stop: Stop) -> Iterator[None]:
    """Python runs signal handlers on the main thread, between two steps of Python code, which may be a minute away
    while a network computes. The byte that the C handler writes to a pipe is there at once.
    """
    read_end, write_end = os.pipe()
    if sys.platform != "win32":
        os.set_blocking(write_end, False)
    thread = threading.Thread(target=_read_signals, args=(read_end, stop), name="dsu-signals", daemon=True)
    thread.start()
    old_fd = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    before = {number: signal.signal(number, _leave_it_to_the_pipe) for number in handled_signals()}
    try:
        yield
    finally:
        signal.set_wakeup_fd(old_fd)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(write_end)
        thread.join()
        os.close(read_end)


def _leave_it_to_the_pipe(number: int, frame: Any) -> None:
    """Does nothing: it is there because a signal without a Python handler is not written to the pipe."""


def _read_signals(fd: int, stop: Stop) -> None:
    handled = set(handled_signals())
    while numbers := os.read(fd, 64):
        for number in numbers:
            if number in handled:
                stop(from_signal(number))


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

    def _watch_peers(stop: Stop, parent_pid: int, output_fd: int, over: threading.Event) -> None:
        """Wait on the parent itself; a handle stays that of the same process, also after its number is used again.

        That the reader of a pipe is gone cannot be seen here; the next write tells.
        """
        import ctypes

        del output_fd
        synchronize, signaled = 0x00100000, 0
        kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel32.OpenProcess.restype = ctypes.c_void_p
        parent = ctypes.c_void_p(kernel32.OpenProcess(synchronize, False, parent_pid))
        if not parent:
            return  # not ours to look at; the end of the input still tells
        try:
            while not over.is_set():
                if kernel32.WaitForSingleObject(parent, int(POLL_S * 1000)) == signaled:
                    stop(PARENT_DIED)
                    return
        finally:
            kernel32.CloseHandle(parent)

else:

    def _watch_peers(stop: Stop, parent_pid: int, output_fd: int, over: threading.Event) -> None:
        """Nothing wakes a process whose parent dies, so this looks now and then: an orphan has another parent."""
        while not over.wait(POLL_S):
            if os.getppid() != parent_pid:
                stop(PARENT_DIED)
                return
            if reader_is_gone(output_fd):
                stop(OUTPUT_CLOSED)
                return

    def reader_is_gone(fd: int) -> bool:
        """Has the other end of this pipe, socket or terminal been closed? Never true for files."""
        poll = select.poll()
        poll.register(fd, 0)
        return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
