"""What a piece of work may say while it runs: progress, events, warnings; and where it learns that it was cancelled.

Replies and progress leave an engine through a `Job` only. No threads and no JSON here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from utils.core.replies import Event, Progress

MIN_INTERVAL_S = 0.1


class JobCancelled(BaseException):
    """Raised by `Job.checkpoint`. Not an `Exception`, so that no library's `except Exception` swallows it."""


class Job:
    """One job, seen from inside.

    `begin_stages` names the parts of the work and their shares of the whole; `progress` then reports within a stage.
    Percentages never go back, come at most ten times a second, and end with 100 (`finish`).
    """

    def __init__(
        self,
        emit: Callable[[Event], None] | None = None,
        *,
        show_progress: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._emit = emit or _ignore
        self._clock = clock
        self._show_progress = show_progress
        self._cancelled = threading.Event()
        self._spans: dict[str, tuple[float, float]] = {}
        self._started = clock()
        self._last_sent = float("-inf")
        self._last_percent = -1.0
        self._lock = threading.Lock()
        self.warnings: list[str] = []

    def cancel(self) -> None:
        """Ask the work to stop at its next checkpoint. Any thread may call this."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def checkpoint(self) -> None:
        """Raise `JobCancelled` if the job was cancelled. Call it between any two steps worth interrupting."""
        if self._cancelled.is_set():
            raise JobCancelled

    def announce(self, event: Event) -> None:
        """Send an event as it is."""
        self._emit(event)

    def warn(self, message: str) -> None:
        """Say once something the user should know; it appears in the reply's `warnings`."""
        if message not in self.warnings:
            self.warnings.append(message)

    def begin_stages(self, **shares: float) -> None:
        """Divide 0..100 % between named stages, in order: `begin_stages(scan=2, separate=93, write=5)`."""
        total = sum(shares.values())
        self._spans.clear()
        start = 0.0
        for stage, share in shares.items():
            self._spans[stage] = (start, start + share / total)
            start += share / total
        self._started = self._clock()

    def progress(self, stage: str, done: float, total: float) -> None:
        """`done` of `total` (any unit) of a stage is finished."""
        low, high = self._spans.get(stage, (0.0, 1.0))
        part = min(max(done / total, 0.0), 1.0) if total > 0 else 1.0
        self._send(stage, low + (high - low) * part)

    def finish(self, stage: str = "done") -> None:
        """Send the last progress line, 100 %, if it was not sent yet."""
        self._send(stage, 1.0, last=True)

    def _send(self, stage: str, fraction: float, *, last: bool = False) -> None:
        if not self._show_progress:
            return
        percent = 100.0 if last else min(round(100.0 * fraction, 1), 99.9)
        with self._lock:
            now = self._clock()
            if percent <= self._last_percent or not (last or now - self._last_sent >= MIN_INTERVAL_S):
                return
            self._last_sent, self._last_percent = now, percent
            elapsed = now - self._started
            eta = 0.0 if last else elapsed * (1 - fraction) / fraction if fraction > 0 else None
            self._emit(Progress(percent=percent, stage=stage, eta=None if eta is None else round(eta, 1)))


class PartOfJob(Job):
    """A job inside a job (one file of many): shares cancellation, events and warnings, reports within a span.

    The whole's progress is that of the outer job; `0..1` of the part maps to `low..high` of the outer stage.
    """

    def __init__(self, outer: Job, stage: str, low: float, high: float) -> None:
        super().__init__(outer.announce)
        self._outer, self._stage, self._low, self._high = outer, stage, low, high
        self._cancelled = outer._cancelled  # noqa: SLF001  # one flag: cancelling either cancels both
        self.warnings = outer.warnings

    def _send(self, stage: str, fraction: float, *, last: bool = False) -> None:
        del stage, last  # the outer job names its own stage, and its end is not this part's
        self._outer.progress(self._stage, self._low + (self._high - self._low) * fraction, 1.0)


def _ignore(event: Event) -> None:
    """Nobody listens to this job."""
