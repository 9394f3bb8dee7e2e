"""How far a download is, said at most ten times a second, and once a second while nothing comes. No I/O.

`percent` is that of the whole model, never goes back, and is 100 once, at the end; the bytes are those of the file named.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from utils.core.job import Job
from utils.core.replies import Downloading
from utils.store.records import FileRecord

SHORTEST_INTERVAL_S = 0.1
HEARTBEAT_S = 1.0


class Meter:
    """Announces the download of a model's files, one after the other."""

    def __init__(
        self, files: Sequence[FileRecord], *, model: str, job: Job, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._files = files
        self._model = model
        self._job = job
        self._clock = clock
        self._shares = _shares(files)
        self._index = 0
        self._received = 0
        self._total: int | None = None
        self._started = clock()
        self._last_sent = float("-inf")
        self._first_fraction: float | None = None
        self._highest = 0.0

    def begin(self, index: int) -> None:
        """The file at `index` is next; those before it are whole."""
        self._index = index
        self.update(0, self._files[index].size_bytes)

    def update(self, received: int, total: int | None) -> None:
        """So many bytes of the current file are there. Raises `JobCancelled` where the job was cancelled."""
        self._received, self._total = received, total
        self._job.checkpoint()
        self._send_every(SHORTEST_INTERVAL_S)

    def tick(self) -> None:
        """Nothing new: say that we are alive. Raises `JobCancelled` where the job was cancelled."""
        self._job.checkpoint()
        self._send_every(HEARTBEAT_S)

    def finish(self) -> None:
        """Every file is whole."""
        self._send(100.0, eta=0.0)

    def _send_every(self, interval_s: float) -> None:
        if self._clock() - self._last_sent < interval_s:
            return
        fraction = self._fraction()
        if self._first_fraction is None:
            self._first_fraction, self._started = fraction, self._clock()
        self._highest = max(self._highest, min(round(100 * fraction, 1), 99.9))
        self._send(self._highest, eta=self._eta(fraction))

    def _send(self, percent: float, *, eta: float | None) -> None:
        self._last_sent = self._clock()
        self._job.announce(
            Downloading(
                model=self._model,
                file=self._files[self._index].name,
                percent=percent,
                received_bytes=self._received,
                total_bytes=self._total,
                eta=eta,
            )
        )

    def _fraction(self) -> float:
        part = min(self._received / self._total, 1.0) if self._total else 0.0
        return sum(self._shares[: self._index]) + self._shares[self._index] * part

    def _eta(self, fraction: float) -> float | None:
        """From the speed of this run; what was there before it took no time."""
        gained = fraction - (self._first_fraction or 0.0)
        if gained <= 0:
            return None
        return round((self._clock() - self._started) * (1 - fraction) / gained, 1)


def _shares(files: Sequence[FileRecord]) -> list[float]:
    """Each file's share of the whole, by size. One of unknown size beside others of known size is a small one."""
    known = sum(file.size_bytes or 0 for file in files)
    unknown = max(known // 100, 1)
    sizes = [unknown if file.size_bytes is None else file.size_bytes for file in files]
    return [size / sum(sizes) for size in sizes]
