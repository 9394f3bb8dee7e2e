"""Several workers with one queue: each song goes to the next worker that is free."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from .client import DSU, AsyncDSU
from .errors import RequestError
from .job import Pathname, Stems
from .protocol import Done

if TYPE_CHECKING:
    from .audio import Sound

Result: TypeAlias = Done | Stems


class Pool:
    """A worker for each of `devices`, or `workers` of them; the other options are those of `DSU`."""

    def __init__(self, devices: Sequence[str] | None = None, *, workers: int | None = None, **options: Any) -> None:
        self.workers = [DSU(**each) for each in _options_of_each(devices, workers, options)]
        self._free: queue.SimpleQueue[DSU] = queue.SimpleQueue()
        for worker in self.workers:
            self._free.put(worker)
        self._threads = ThreadPoolExecutor(len(self.workers), thread_name_prefix="dsu-pool")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def submit(self, song: Pathname | Sound, **options: Any) -> Future[Result]:
        """Queue a song; the options are those of `DSU.separate`."""
        return self._threads.submit(self._run, song, options)

    def map(self, songs: Iterable[Pathname | Sound], **options: Any) -> Iterator[Result]:
        """Queue all songs at once, and return their results in order; one that failed raises its error there."""
        futures = [self.submit(song, **options) for song in songs]
        return (future.result() for future in futures)

    def close(self) -> None:
        """End all workers. What they were doing is cancelled, and what waits is dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in self.workers:
            worker.close()
        self._threads.shutdown(wait=True)

    def _run(self, song: Pathname | Sound, options: dict[str, Any]) -> Result:
        worker = self._free.get()
        try:
            result: Result = worker.separate(song, **options)
            return result
        finally:
            self._free.put(worker)


class AsyncPool:
    """The same for asyncio: what it queues are tasks, and cancelling one cancels its song."""

    def __init__(self, devices: Sequence[str] | None = None, *, workers: int | None = None, **options: Any) -> None:
        self.workers = [AsyncDSU(**each) for each in _options_of_each(devices, workers, options)]
        self._free: asyncio.Queue[AsyncDSU] = asyncio.Queue()
        for worker in self.workers:
            self._free.put_nowait(worker)
        self._tasks: set[asyncio.Task[Result]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    def submit(self, song: Pathname | Sound, **options: Any) -> asyncio.Task[Result]:
        """Queue a song; the options are those of `AsyncDSU.separate`."""
        task = asyncio.create_task(self._run(song, options))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def map(self, songs: Iterable[Pathname | Sound], **options: Any) -> AsyncIterator[Result]:
        """Queue all songs at once, and yield their results in order; what is left when the loop ends early is cancelled."""
        tasks = [self.submit(song, **options) for song in songs]
        try:
            for task in tasks:
                yield await task
        finally:
            await _cancelled(tasks)

    async def close(self) -> None:
        """End all workers. What they were doing is cancelled, and what waits is dropped."""
        await _cancelled(self._tasks)
        await asyncio.gather(*(worker.close() for worker in self.workers))

    async def _run(self, song: Pathname | Sound, options: dict[str, Any]) -> Result:
        worker = await self._free.get()
        try:
            result: Result = await worker.separate(song, **options)
            return result
        finally:
            self._free.put_nowait(worker)


def _options_of_each(
    devices: Sequence[str] | None, workers: int | None, options: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The options of each worker of a pool."""
    if devices is not None and workers is not None:
        raise RequestError("Give `devices` or `workers`, not both.", field="workers")
    places = [options.get("device")] * (workers or 1) if devices is None else list(devices)
    if not places:
        raise RequestError("A pool needs at least one worker.", field="devices")
    return [{**options, "device": place} for place in places]


async def _cancelled(tasks: Iterable[asyncio.Task[Result]]) -> None:
    """Cancel tasks, and wait until they are over."""
    every = list(tasks)
    for task in every:
        task.cancel()
    await asyncio.gather(*every, return_exceptions=True)
