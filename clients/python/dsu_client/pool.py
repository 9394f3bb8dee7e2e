"""Several workers with one queue: each song goes to the next worker that is free."""

from __future__ import annotations

import queue
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self

from .client import DSU
from .errors import RequestError
from .job import Pathname, Stems
from .protocol import Done

if TYPE_CHECKING:
    from .audio import Sound


class Pool:
    """A worker for each of `devices`, or `workers` of them; the other options are those of `DSU`."""

    def __init__(self, devices: Sequence[str] | None = None, *, workers: int | None = None, **options: Any) -> None:
        if devices is not None and workers is not None:
            raise RequestError("Give `devices` or `workers`, not both.", field="workers")
        places: Sequence[str | None] = [options.pop("device", None)] * (workers or 1) if devices is None else devices
        if not places:
            raise RequestError("A pool needs at least one worker.", field="devices")
        self.workers = [DSU(**{**options, "device": place}) for place in places]
        self._free: queue.SimpleQueue[DSU] = queue.SimpleQueue()
        for worker in self.workers:
            self._free.put(worker)
        self._threads = ThreadPoolExecutor(len(places), thread_name_prefix="dsu-pool")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def submit(self, song: Pathname | Sound, **options: Any) -> Future[Done | Stems]:
        """Queue a song; the options are those of `DSU.separate`."""
        return self._threads.submit(self._run, song, options)

    def map(self, songs: Iterable[Pathname | Sound], **options: Any) -> Iterator[Done | Stems]:
        """Queue all songs at once, and return their results in order; one that failed raises its error there."""
        futures = [self.submit(song, **options) for song in songs]
        return (future.result() for future in futures)

    def close(self) -> None:
        """End all workers. What they were doing is cancelled, and what waits is dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in self.workers:
            worker.close()
        self._threads.shutdown(wait=True)

    def _run(self, song: Pathname | Sound, options: dict[str, Any]) -> Done | Stems:
        worker = self._free.get()
        try:
            result: Done | Stems = worker.separate(song, **options)
            return result
        finally:
            self._free.put(worker)
