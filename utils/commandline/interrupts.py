"""Ctrl-C on the command line: the first cancels the job, the second exits at once. Neither leaves half-written files.

A program that a signal ended ends by that signal, as its parent expects: a status below 0 is the signal's number, for
`utils.core.bootstrap.end` to send once all is cleaned up.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from utils.core import bootstrap, cleanup
from utils.core.job import Job

NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
SIGNALS = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]


def leave_now(number: int) -> None:
    """Remove half-written files and end the process by the signal."""
    cleanup.run_all()
    bootstrap.end_by(number)


class Interrupts:
    """Remembers the first signal and cancels the job; a second one does not wait for the job's next checkpoint."""

    def __init__(self, job: Job, show: Callable[[str], None], leave: Callable[[int], None] = leave_now) -> None:
        self._job = job
        self._show = show
        self._leave = leave
        self.number: int | None = None

    @property
    def status(self) -> int:
        """The status of a program that a signal ended."""
        return -(self.number if self.number is not None else signal.SIGINT)

    def handle(self, number: int, frame: FrameType | None = None) -> None:
        del frame
        if self.number is None:
            self.number = number
            self._job.cancel()
            _in_a_thread(lambda: self._show("Stopping. Press Ctrl-C again to stop at once."))
        else:
            signal.signal(self.number, signal.SIG_DFL)  # only this thread, the main one, may do so
            _in_a_thread(lambda: self._leave(-self.status))


def _in_a_thread(action: Callable[[], None]) -> None:
    """The interrupted code may hold a lock that the action needs; only another thread can wait for it."""
    threading.Thread(target=action, daemon=True).start()


@contextlib.contextmanager
def cancelled_by_signals(job: Job, show: Callable[[str], None]) -> Iterator[Interrupts]:
    """While the body runs, Ctrl-C, a request to terminate and the end of the terminal cancel the job.

    Signals that were ignored at the start still are: nohup and shells do so for work that is to go on.
    """
    interrupts = Interrupts(job, show)
    handled = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, interrupts.handle) for number in handled}
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
