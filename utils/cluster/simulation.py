"""What a larger cluster would do with the songs of a batch that was measured: a discrete-event model of driver, workers and stores.

A worker fetches the next song while it separates one, and stores the stems before it begins the next. Transfers share the bandwidth of the store, and each
has at most that of its machine. The driver answers one message at a time, and its ledger writes down results in batches, as `driver.py` does.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from utils.cluster.ledger import COMMIT_AFTER_S, COMMIT_AT, MOVES_AT_ONCE


class MeasuredSong(NamedTuple):
    """What a song asks for."""

    separate_s: float
    input_bytes: float
    output_bytes: float
    files: int


@dataclass(frozen=True)
class Machines:
    """What there is."""

    workers: int
    start_s: float = 0.0  # until a worker has its model
    store_bytes_per_s: float = float("inf")  # of all together
    worker_bytes_per_s: float = float("inf")
    request_s: float = 0.0  # until a store answers
    message_s: float = 0.0  # of the driver, for each answer of a worker
    move_s: float = 0.0  # of a file within the store


class Simulated(NamedTuple):
    """What came of it. `limits` are shares of the time in which each part was busy."""

    seconds: float
    worker_share: float  # of the time of all workers that was spent on separating
    limits: dict[str, float]


@dataclass(eq=False)
class _SimulatedTransfer:
    left: float
    then: Callable[[], None]


@dataclass
class _Clock:
    """Events in order, and transfers that share a bandwidth."""

    machines: Machines
    now: float = 0.0
    transferring_s: float = 0.0
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _transfers: list[_SimulatedTransfer] = field(default_factory=list)

    def after(self, seconds: float, then: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._numbers), then))

    def transfer(self, size_bytes: float, then: Callable[[], None]) -> None:
        begin = (lambda: self._transfers.append(_SimulatedTransfer(size_bytes, then))) if size_bytes else then
        self.after(self.machines.request_s, begin)

    def run(self) -> None:
        while self._events or self._transfers:
            rate = self._rate()
            first = min(self._transfers, key=lambda each: each.left, default=None)
            end = self.now + (first.left / rate if rate != float("inf") else 0.0) if first else float("inf")
            at = self._events[0][0] if self._events else float("inf")
            passed = min(end, at) - self.now
            if first:
                self.transferring_s += passed * min(1.0, len(self._transfers) * rate / self.machines.store_bytes_per_s)
            for each in self._transfers:
                each.left -= passed * rate if passed else 0.0
            self.now += passed
            if first and end <= at:
                self._transfers.remove(first)
                first.then()
            else:
                heapq.heappop(self._events)[2]()

    def _rate(self) -> float:
        shared = self.machines.store_bytes_per_s / max(1, len(self._transfers))
        return min(self.machines.worker_bytes_per_s, shared)


class _SimulatedRun:
    """All workers and the driver."""

    def __init__(self, songs: Sequence[MeasuredSong], machines: Machines) -> None:
        self.clock = _Clock(machines)
        self.machines = machines
        self.separating_s = self.driver_s = self.ledger_s = 0.0
        self._songs = deque(songs)
        self._messages: deque[Callable[[], None]] = deque()
        self._answering = False
        self._unwritten: list[MeasuredSong] = []
        self._writing = False
        self._written_s = 0.0
        for _ in range(min(machines.workers, len(songs))):
            self.clock.after(machines.start_s, _SimulatedWorker(self).fetch)

    def next_song(self) -> MeasuredSong | None:
        return self._songs.popleft() if self._songs else None

    def tell_driver(self, then: Callable[[], None]) -> None:
        """A message waits until the driver has answered those before it."""
        self._messages.append(then)
        if not self._answering:
            self._answering = True
            self.clock.after(self.machines.message_s, self._answered)

    def _answered(self) -> None:
        self.driver_s += self.machines.message_s
        self._messages.popleft()()
        self._answering = bool(self._messages)
        if self._answering:
            self.clock.after(self.machines.message_s, self._answered)

    def result(self, song: MeasuredSong) -> None:
        self._unwritten.append(song)
        self._write_if_due()

    def _write_if_due(self) -> None:
        if self._writing or not self._unwritten:
            return
        wait_s = self._written_s + COMMIT_AFTER_S - self.clock.now
        if len(self._unwritten) < COMMIT_AT and wait_s > 1e-9 and self._songs:
            self.clock.after(wait_s, self._write_if_due)
            return
        songs, self._unwritten = self._unwritten, []
        self._writing = True
        # Songs are moved side by side, the files of each one after another.
        moves = -(-len(songs) // MOVES_AT_ONCE) * max(song.files for song in songs)
        seconds = self.machines.request_s + moves * self.machines.move_s
        self.ledger_s += seconds
        self.clock.after(seconds, self._wrote)

    def _wrote(self) -> None:
        self._writing, self._written_s = False, self.clock.now
        self._write_if_due()


class _SimulatedWorker:
    """One worker: what it has fetched, and what it separates."""

    def __init__(self, run: _SimulatedRun) -> None:
        self._run = run
        self._fetched: MeasuredSong | None = None
        self._is_busy = False

    def fetch(self) -> None:
        song = self._run.next_song()
        if song is not None:
            self._run.clock.transfer(song.input_bytes, lambda: self._run.tell_driver(lambda: self._has(song)))

    def _has(self, song: MeasuredSong) -> None:
        self._fetched = song
        self._begin()

    def _begin(self) -> None:
        if self._is_busy or self._fetched is None:
            return
        song, self._fetched, self._is_busy = self._fetched, None, True
        self._run.separating_s += song.separate_s
        self._run.clock.after(
            song.separate_s, lambda: self._run.clock.transfer(song.output_bytes, lambda: self._stored(song))
        )
        self.fetch()

    def _stored(self, song: MeasuredSong) -> None:
        def then() -> None:
            self._is_busy = False
            self._run.result(song)
            self._begin()

        self._run.tell_driver(then)


def simulate(songs: Sequence[MeasuredSong], machines: Machines) -> Simulated:
    """Do all songs on these machines."""
    run = _SimulatedRun(songs, machines)
    run.clock.run()
    seconds = run.clock.now
    if not seconds:
        return Simulated(0.0, 0.0, {})
    busy = {"store": run.clock.transferring_s, "driver": run.driver_s, "ledger": run.ledger_s}
    share = run.separating_s / (machines.workers * seconds)
    return Simulated(seconds, share, {name: each / seconds for name, each in busy.items()})
