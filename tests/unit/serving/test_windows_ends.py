"""How a worker on Windows learns that it has to go, where nothing can be forked and no pipe waited for."""

import os
import signal
import sys
import threading
from functools import partial

import pytest
from fake_windows import as_on_windows

from utils.core import parent
from utils.serving import guard, lifecycle

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="this is the real one")
RUNNING, SIGNALED = 258, 0


class Kernel:
    """A process that ends after some waits, or that nobody may watch."""

    def __init__(self, *waits, handle=7):
        self.waits = iter(waits)
        self.closed = []
        self.OpenProcess = partial(lambda *_: handle)
        self.WaitForSingleObject = lambda process, milliseconds: next(self.waits)
        self.CloseHandle = lambda process: self.closed.append(process.value)


def test_the_end_of_the_parent_is_waited_for(monkeypatch):
    """With a handle of it, which is closed then: its number may be that of another process by now."""
    kernel = Kernel(RUNNING, RUNNING, SIGNALED)
    assert as_on_windows(monkeypatch, parent, kernel).wait_for_end(1, threading.Event())
    assert kernel.closed == [7]


def test_a_parent_that_may_not_be_watched_has_not_ended(monkeypatch):
    """The end of the input still shows its death."""
    kernel = Kernel(handle=None)
    assert not as_on_windows(monkeypatch, parent, kernel).wait_for_end(1, threading.Event())
    assert kernel.closed == []


def test_nobody_waits_for_the_parent_of_a_worker_that_is_over(monkeypatch):
    """The handle is closed all the same."""
    over = threading.Event()
    over.set()
    kernel = Kernel()
    assert not as_on_windows(monkeypatch, parent, kernel).wait_for_end(1, over)
    assert kernel.closed == [7]


def test_nothing_is_forked(monkeypatch):
    """What ends a process on Windows ends it at once, so nobody has to do it in its place."""
    monkeypatch.delattr(os, "fork")
    with as_on_windows(monkeypatch, guard, None).guarded(0, (), 0) as tell:
        tell()


def test_signals_of_windows_shut_a_worker_down(monkeypatch):
    """SIGBREAK is one of them, and all reach it through a pipe that is read without waiting for it."""
    with monkeypatch.context() as patch:
        for name in ("poll", "POLLIN"):
            patch.delattr("select." + name)  # Windows has none
        windows = as_on_windows(monkeypatch, lifecycle, Kernel(handle=None))
        patch.setattr(sys, "platform", "win32")
        patch.setattr(windows, "guarded", as_on_windows(monkeypatch, guard, None).guarded)
        patch.setattr(windows, "wait_for_end", lambda pid, over: over.wait(60) and False)
        real, set_blocking = signal.set_wakeup_fd, os.set_blocking

        def wakeup_fd(fd, **options):
            if fd >= 0:
                set_blocking(fd, False)  # only this system wants that
            return real(fd, **options)

        patch.setattr(signal, "set_wakeup_fd", wakeup_fd)
        patch.setattr(os, "set_blocking", None)
        assert signal.SIGBREAK in windows.handled_signals()
        told, reasons = threading.Event(), []

        def stop(reason):
            reasons.append(reason)
            told.set()

        with windows.watching(stop, os.getppid(), 1):
            signal.raise_signal(signal.SIGBREAK)
            assert told.wait(60)
    assert [reason.status for reason in reasons] == [128 + signal.SIGBREAK]
