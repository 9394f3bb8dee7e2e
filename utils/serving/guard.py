"""Ends a worker that was told to go and cannot: no Python code runs while C code holds the interpreter, on any thread.

So this is a process of its own, forked before there are threads, which imports nothing and holds nothing but the two
descriptors that it reads. It is only for the case that the worker itself does not get to it. Windows has no need for it: what ends a
process there, ends it at once.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterator

from utils.core.parent import POLL_S, exists

PATIENCE_S = 1.9  # within the two seconds that a worker promises, and after its own attempts to end in an orderly way
STEP_S = 0.02
MOST_DESCRIPTORS = 4096
MOST_SIGNALS = 4096

if sys.platform == "win32":

    @contextlib.contextmanager
    def guarded(signals_fd: int, ending: Collection[int], parent_pid: int) -> Iterator[Callable[[], None]]:
        """Nothing: see above."""
        del signals_fd, ending, parent_pid
        yield lambda: None

else:
    import select
    import socket

    @contextlib.contextmanager
    def guarded(signals_fd: int, ending: Collection[int], parent_pid: int) -> Iterator[Callable[[], None]]:
        """Kill this process if it still runs `PATIENCE_S` after it was told to go, while the body runs.

        It was told if one of the signals `ending` waits in the socket `signals_fd`, if the parent has ended, or if the function
        was called that the body gets. A system that allows no more processes gives no guard, and the worker does without.
        """
        worker = os.getpid()
        told_fd, tell_fd = os.pipe()
        try:
            guard = os.fork()
        except OSError:
            guard = None
        if guard == 0:
            try:
                _guard(worker, parent_pid, signals_fd, ending, told_fd)
            finally:
                os._exit(0)
        os.close(told_fd)

        def tell() -> None:
            with contextlib.suppress(OSError):  # the guard is gone
                os.write(tell_fd, b"!")

        try:
            yield tell
        finally:
            if guard is not None:
                with contextlib.suppress(OSError):
                    os.kill(guard, signal.SIGKILL)
                    os.waitpid(guard, 0)
            os.close(tell_fd)

    def _guard(worker: int, parent_pid: int, signals_fd: int, ending: Collection[int], told_fd: int) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):  # they are meant for the worker
            signal.signal(number, signal.SIG_IGN)
        _close_all_but(signals_fd, told_fd)
        poll = select.poll()
        poll.register(signals_fd, select.POLLIN)
        poll.register(told_fd, select.POLLIN)
        with contextlib.suppress(AttributeError, OSError):  # not on macOS, nor for a parent outside of a container
            poll.register(os.pidfd_open(parent_pid), select.POLLIN)  # it also shows the end of one that nobody buries
        while exists(parent_pid):
            seen = {fd for fd, event in poll.poll(POLL_S * 1000) if event & select.POLLIN}
            if os.getppid() != worker:
                return
            if seen - {signals_fd} or (seen and not set(ending).isdisjoint(waiting_signals(signals_fd))):
                break
            if seen:  # a signal of another kind, which the worker has not yet taken
                time.sleep(STEP_S)
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if os.getppid() != worker:
                return
            time.sleep(STEP_S)
        if os.getppid() == worker:
            os.kill(worker, signal.SIGKILL)

    def waiting_signals(fd: int) -> bytes:
        """The numbers of the signals in the socket, where they stay."""
        signals = socket.socket(fileno=fd)
        try:
            return signals.recv(MOST_SIGNALS, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:  # somebody was faster
            return b""
        finally:
            signals.detach()

    def _close_all_but(*kept: int) -> None:
        """The worker's pipes above all: whoever reads from one waits for its end."""
        begin = 0
        for fd in (*sorted(kept), MOST_DESCRIPTORS):
            os.closerange(begin, fd)
            begin = fd + 1
