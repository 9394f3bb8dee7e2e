"""What a piece of work may say while it runs: progress, events, warnings; and where it learns that it was cancelled.

Replies and progress leave an engine through a `Job` only. No threads and no JSON here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from utils.core.replies import Event, Progress, Reply

MIN_INTERVAL_S = 0.1


class JobCancelled(BaseException):
    """Raised by `Job.checkpoint`. Not an `Exception`, so that no library's `except Exception` swallows it.

    `results` are those of the parts of the job that were finished before, whose files stay.
    """

    def __init__(self, results: Sequence[Reply] = ()) -> None:
        super().__init__()
        self.results = results


@dataclass(frozen=True)
class Place:
    """Where a job of many items is: at the one that is `position`-th in the order of work, and how far in it.

    `index` is the item's number as it was asked for, `stage` what is done to it.
    """

    position: int
    percent: float
    index: int
    count: int
    stage: str


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
        self._reached: tuple[float, int, float] = (-1.0, -1, -1.0)  # of the whole, the item, and within the item
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

    def step(self, name: str) -> AbstractContextManager[None]:
        """What the main thread does while the context lasts: `load`, `move`, `read`, `separate` or `write`.

        Nothing comes of it here; whoever wants to know where the time of a job goes overrides it.
        """
        del name
        return nullcontext()

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

    def progress(self, stage: str, done: float, total: float, place: Place | None = None) -> None:
        """`done` of `total` (any unit) of a stage is finished. `place` tells more where that is one of many items."""
        low, high = self._spans.get(stage, (0.0, 1.0))
        part = min(max(done / total, 0.0), 1.0) if total > 0 else 1.0
        self._send(stage, low + (high - low) * part, place)

    def finish(self, stage: str = "done") -> None:
        """Send the last progress line, 100 %, if it was not sent yet."""
        self._send(stage, 1.0, last=True)

    def _send(self, stage: str, fraction: float, place: Place | None = None, *, last: bool = False) -> None:
        if not self._show_progress:
            return
        percent = percent_of(fraction, last=last)
        reached = (percent, place.position, place.percent) if place is not None else (percent, -1, -1.0)
        with self._lock:
            now = self._clock()
            if reached <= self._reached or not (last or now - self._last_sent >= MIN_INTERVAL_S):
                return
            self._last_sent, self._reached = now, reached
            elapsed = now - self._started
            eta = 0.0 if last else elapsed * (1 - fraction) / fraction if fraction > 0 else None
            self._emit(_line(percent, stage, None if eta is None else round(eta, 1), place))


def percent_of(fraction: float, *, last: bool = False) -> float:
    """What is told of a fraction: 100 is kept for the end."""
    return 100.0 if last else min(round(100.0 * fraction, 1), 99.9)


def _line(percent: float, stage: str, eta: float | None, place: Place | None) -> Progress:
    if place is None:
        return Progress(percent=percent, stage=stage, eta=eta)
    return Progress(
        percent=percent,
        stage=stage,
        eta=eta,
        index=place.index,
        count=place.count,
        part_percent=place.percent,
        part_stage=place.stage,
    )


class PartOfJob(Job):
    """A job inside a job (one file of many): shares cancellation, events and warnings, reports within its share.

    Each of the `count` parts has the same share of the outer stage, in the order of their `position`. `index` is the
    part's number as it was asked for, where that is another one.
    """

    def __init__(self, outer: Job, stage: str, position: int, count: int, *, index: int | None = None) -> None:
        super().__init__(outer.announce)
        self._outer, self._stage, self._position, self._count = outer, stage, position, count
        self._index = position if index is None else index
        self._cancelled = outer._cancelled  # noqa: SLF001  # one flag: cancelling either cancels both
        self.warnings = outer.warnings

    def step(self, name: str) -> AbstractContextManager[None]:
        return self._outer.step(name)

    def _send(self, stage: str, fraction: float, place: Place | None = None, *, last: bool = False) -> None:
        del place  # of parts of this part nobody outside is told
        own = Place(self._position, percent_of(fraction, last=last), self._index, self._count, stage)
        self._outer.progress(self._stage, self._position + fraction, self._count, own)


def _ignore(event: Event) -> None:
    """Nobody listens to this job."""
