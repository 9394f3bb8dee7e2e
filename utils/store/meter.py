"""The progress of a download, sent at most ten times a second, and once a second while nothing arrives. No I/O.

`percent` is of the whole model, never decreases, and is 100 only once, at the end. The bytes are of the named file.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from msgspec import UNSET

from utils.core.job import Job
from utils.core.replies import Downloading
from utils.store.records import FileRecord

SHORTEST_INTERVAL_S = 0.1
HEARTBEAT_S = 1.0


class Meter:
    """Announces the download of a model's files, one after another."""

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
        self._host: str | None = None
        self._host_is_told = True
        self._started = clock()
        self._last_sent = float("-inf")
        self._first_fraction: float | None = None
        self._highest = 0.0

    def begin(self, index: int) -> None:
        """The file at `index` is next; those before it are complete."""
        self._index = index
        self.update(0, self._files[index].size_bytes)

    def connect(self, host: str | None) -> None:
        """The answer of this server is awaited from now on; of None, no longer."""
        self._host, self._host_is_told = host, host is None

    def update(self, received: int, total: int | None) -> None:
        """The current file now has `received` bytes. Raises `JobCancelled` if the job was cancelled."""
        self._received, self._total = received, total
        self._job.checkpoint()
        self._send_every(SHORTEST_INTERVAL_S)

    def tick(self) -> None:
        """Nothing new has arrived: send a sign of life. Raises `JobCancelled` if the job was cancelled."""
        self._job.checkpoint()
        self._send_every(HEARTBEAT_S if self._host_is_told else SHORTEST_INTERVAL_S)

    def finish(self) -> None:
        """Every file is complete."""
        self._send(100.0, eta=0.0)

    def _send_every(self, interval_s: float) -> None:
        if self._clock() - self._last_sent < interval_s:
            return
        received = min(self._received / self._total, 1.0) if self._total else 0.0
        fraction = sum(self._shares[: self._index]) + self._shares[self._index] * received
        if self._first_fraction is None:
            self._first_fraction, self._started = fraction, self._clock()
        self._highest = max(self._highest, min(round(100 * fraction, 1), 99.9))
        gained = fraction - self._first_fraction  # what was there before this download took no time
        elapsed_s = self._clock() - self._started
        self._send(self._highest, eta=round(elapsed_s * (1 - fraction) / gained, 1) if gained > 0 else None)

    def _send(self, percent: float, *, eta: float | None) -> None:
        self._last_sent = self._clock()
        self._host_is_told = True
        self._job.announce(
            Downloading(
                model=self._model,
                file=self._files[self._index].name,
                percent=percent,
                received_bytes=self._received,
                total_bytes=self._total,
                eta=eta,
                connecting=self._host or UNSET,
            )
        )


def _shares(files: Sequence[FileRecord]) -> list[float]:
    """Each file's share of the whole, by size. A file of unknown size counts as small."""
    known = sum(file.size_bytes or 0 for file in files)
    unknown = max(known // 100, 1)
    sizes = [unknown if file.size_bytes is None else file.size_bytes for file in files]
    return [size / sum(sizes) for size in sizes]
