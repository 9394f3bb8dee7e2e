"""What a piece of work may report while it runs (progress, events, warnings), and how it learns of cancelling.

Events and progress leave an engine through a `Job` only. What is given no job, such as a layer of a network, finds that of its
thread with `current_job`. No threads and no JSON here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass

import msgspec

from utils.core.replies import Event, Progress, Reply

MIN_INTERVAL_S = 0.1


class JobCancelled(BaseException):
    """Raised by `Job.checkpoint`. Not an `Exception`, so that no library's `except Exception` swallows it.

    `results` holds the replies of the parts of the job that were complete, whose files stay. `message` says why, where it was
    not asked for.
    """

    def __init__(self, results: Sequence[Reply] = (), message: str | None = None) -> None:
        super().__init__()
        self.results = results
        self.message = message


class _TimeIsUp(BaseException):
    """Raised by `Job.checkpoint` after the time that `Job.within` allows. Not an `Exception`, as `JobCancelled` is none."""


@dataclass(frozen=True)
class ItemProgress:
    """How far the current item of a job is, such as one file of many or one job of a batch.

    `position` counts the items as they are processed, `index` as the request lists them; `stage` is the item's own.
    """

    position: int
    percent: float
    index: int
    count: int
    stage: str


class Job:
    """One job as the code that works on it sees it.

    `begin_stages` names the stages of the work and their shares of the whole; `progress` then reports within a stage.
    Percentages never decrease, are sent at most ten times a second, and end with 100 (`finish`).
    """

    def __init__(
        self,
        emit: Callable[[Event], None] | None = None,
        *,
        show_progress: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._emit = emit or (lambda _: None)
        self._clock = clock
        self._show_progress = show_progress
        self._cancelled = threading.Event()
        self._stops: list[Callable[[], None]] = []
        self._deadline = float("inf")
        self._is_settled = False
        self._spans: dict[str, tuple[float, float]] = {}
        self._started = clock()
        self._last_sent = float("-inf")
        self._reached: tuple[float, int, float] = (-1.0, -1, -1.0)  # overall percent, item, percent of the item
        self._lock = threading.Lock()
        self.warnings: list[str] = []
        self.songs: Collection[tuple[int, int]] = ()  # device and inode of all that a job of many songs reads
        self._can_seek = False
        self._position_s: float | None = None

    def seek(self, position_s: float) -> None:
        """Ask the work to go on from this second of the song. Any thread may call this; what was asked last counts."""
        self._position_s = position_s

    def sought(self) -> float | None:
        """Where the work shall go on, once after it was asked to."""
        position_s, self._position_s = self._position_s, None
        return position_s

    @property
    def can_seek(self) -> bool:
        """Whether the work has said that it can go on anywhere."""
        return self._can_seek

    def allow_seeking(self) -> None:
        self._can_seek = True

    def cancel(self) -> None:
        """Ask the work to stop at its next checkpoint. Any thread may call this."""
        self._cancelled.set()
        self._stop()

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def checkpoint(self) -> None:
        """Raise `JobCancelled` if the job was cancelled. Call it between any two steps that take noticeable time."""
        if self._cancelled.is_set() and not self._is_settled:
            raise JobCancelled
        if self._deadline != float("inf") and self._clock() >= self._deadline:
            raise _TimeIsUp

    @contextmanager
    def within(self, seconds: float, error: Exception) -> Iterator[None]:
        """The body may take this long: raises `error` at the next checkpoint after that."""
        self._deadline = self._clock() + seconds
        timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), self._stop)
        timer.daemon = True
        timer.start()
        try:
            yield
        except _TimeIsUp:
            raise error from None
        finally:
            timer.cancel()
            timer.join()
            self._deadline = float("inf")

    @contextmanager
    def stopped_by(self, stop: Callable[[], None]) -> Iterator[None]:
        """While the body runs, which has no checkpoints, `cancel` also calls `stop`, on its own thread, to end it early; and
        so does the end of the time of `within`.

        The body then ends in any way, and this as a checkpoint does.
        """
        self._stops.append(stop)  # before the checkpoint: `cancel` sets the flag before it looks here
        try:
            self.checkpoint()
            yield
        except Exception:
            self.checkpoint()
            raise
        finally:
            self._stops.remove(stop)

    def _stop(self) -> None:
        for stop in list(self._stops):
            stop()

    @property
    def is_settled(self) -> bool:
        return self._is_settled

    def settle(self) -> None:
        """Declare that the results are there, or about to be: from now on the job ends with them, even if it is cancelled."""
        self._is_settled = True

    def step(self, name: str) -> AbstractContextManager[None]:
        """What the main thread does while the context lasts: `load`, `move`, `read`, `separate` or `write`.

        Nothing comes of it here; whoever wants to know where the time of a job goes overrides it.
        """
        del name
        return nullcontext()

    def counted(self, stage: str, done: float, total: float) -> None:
        """How far a stage is, in its own unit, before that becomes a percentage: `separate` counts seconds of audio.

        Nothing comes of it here either; a part of a job tells the whole.
        """

    def announce(self, event: Event) -> None:
        """Send an event."""
        self._emit(event)

    def warn(self, message: str) -> None:
        """Add a warning to the reply, once, however often it is found."""
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

    def progress(self, stage: str, done: float, total: float, item: ItemProgress | None = None) -> None:
        """Report that `done` of `total` (in any unit) of a stage is finished; for one of many items, with its own progress."""
        self.counted(stage, done, total)
        low, high = self._spans.get(stage, (0.0, 1.0))
        part = min(max(done / total, 0.0), 1.0) if total > 0 else 1.0
        self._send(stage, low + (high - low) * part, item)

    def finish(self, stage: str = "done") -> None:
        """Send the last progress line, 100 %, unless it was sent already."""
        self._send(stage, 1.0, last=True)

    def _send(self, stage: str, fraction: float, item: ItemProgress | None = None, *, last: bool = False) -> None:
        if not self._show_progress:
            return
        percent = percent_of(fraction, last=last)
        reached = (percent, item.position, item.percent) if item is not None else (percent, -1, -1.0)
        with self._lock:
            now = self._clock()
            if reached <= self._reached or not (last or now - self._last_sent >= MIN_INTERVAL_S):
                return
            self._last_sent, self._reached = now, reached
            elapsed = now - self._started
            eta = 0.0 if last else round(elapsed * (1 - fraction) / fraction, 1) if fraction > 0 else None
            line = Progress(percent=percent, stage=stage, eta=eta)
            if item is not None:
                line = msgspec.structs.replace(
                    line, index=item.index, count=item.count, part_percent=item.percent, part_stage=item.stage
                )
            self._emit(line)


def percent_of(fraction: float, *, last: bool = False) -> float:
    """The percentage to report; 100 is reserved for the last line."""
    return 100.0 if last else min(round(100.0 * fraction, 1), 99.9)


class PartOfJob(Job):
    """A job inside a job, such as one file of many: it shares cancelling, events and warnings with the outer job.

    Each of the `count` parts has the same share of the outer stage, in the order of their `position`. `index` is the
    part's place in the request, if that differs from its position.
    """

    def __init__(self, outer: Job, stage: str, position: int, count: int, *, index: int | None = None) -> None:
        super().__init__(outer.announce)
        self._outer, self._stage, self._position, self._count = outer, stage, position, count
        self._index = position if index is None else index
        self._cancelled = outer._cancelled  # noqa: SLF001  # one flag: cancelling either cancels both
        self._stops = outer._stops  # noqa: SLF001
        self.warnings = outer.warnings
        self.songs = outer.songs
        outer._is_settled = False  # noqa: SLF001  # that was the part before

    def settle(self) -> None:
        super().settle()
        self._outer.settle()

    def seek(self, position_s: float) -> None:
        self._outer.seek(position_s)

    def sought(self) -> float | None:
        return self._outer.sought()

    def allow_seeking(self) -> None:
        self._outer.allow_seeking()

    def step(self, name: str) -> AbstractContextManager[None]:
        return self._outer.step(name)

    def counted(self, stage: str, done: float, total: float) -> None:
        self._outer.counted(stage, done, total)

    def _send(self, stage: str, fraction: float, item: ItemProgress | None = None, *, last: bool = False) -> None:
        del item  # the outer job reports its own items, not the items of an item
        own = ItemProgress(self._position, percent_of(fraction, last=last), self._index, self._count, stage)
        self._outer.progress(self._stage, self._position + fraction, self._count, own)


class StepJob(Job):
    """A job inside a job that works beside others on the same stages. It reports how far it is to whoever joins them."""

    def __init__(self, outer: Job, report: Callable[[str, float], None]) -> None:
        super().__init__(outer.announce)
        self._outer = outer
        self._report = report
        self.warnings = outer.warnings

    def cancel(self) -> None:
        self._outer.cancel()

    @property
    def cancelled(self) -> bool:
        return self._outer.cancelled

    def checkpoint(self) -> None:
        self._outer.checkpoint()

    @contextmanager
    def stopped_by(self, stop: Callable[[], None]) -> Iterator[None]:
        with self._outer.stopped_by(stop):
            yield

    def step(self, name: str) -> AbstractContextManager[None]:
        return self._outer.step(name)

    def begin_stages(self, **shares: float) -> None:
        """Nothing: the stages are those of the outer job."""

    def progress(self, stage: str, done: float, total: float, item: ItemProgress | None = None) -> None:
        del item
        self._report(stage, min(max(done / total, 0.0), 1.0) if total > 0 else 1.0)


_current: ContextVar[Job] = ContextVar("current_job")
_NOBODYS = Job()


def current_job() -> Job:
    """The job that this thread works on; if there is none, one that nobody cancels."""
    return _current.get(_NOBODYS)


@contextmanager
def working_on(job: Job) -> Iterator[None]:
    """While the body runs, this thread works on `job`."""
    token = _current.set(job)
    try:
        yield
    finally:
        _current.reset(token)
