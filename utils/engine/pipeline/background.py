"""Read-ahead and write-behind threads, so that files overlap with computing. Queues are bounded, threads always end."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

_END = object()


class ReadAhead(Generic[T]):
    """An iterator whose items are produced by a thread, at most `depth` ahead. Close it, or use it as a context."""

    def __init__(self, items: Iterator[T], depth: int = 4) -> None:
        self._items = items
        self._queue: queue.Queue[object] = queue.Queue(depth)
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self.busy_s = 0.0
        self._thread = threading.Thread(target=self._run, name="read-ahead", daemon=True)
        self._thread.start()

    def __enter__(self) -> ReadAhead[T]:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[T]:
        while (item := self._queue.get()) is not _END:
            yield item  # type: ignore[misc]  # the queue holds items and the end mark
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Stop producing items and wait for the thread."""
        self._stop.set()
        while self._thread.is_alive():
            with contextlib.suppress(queue.Empty):  # make room, so that a blocked `put` returns
                self._queue.get_nowait()
            self._thread.join(timeout=0.01)

    def _run(self) -> None:
        try:
            started = time.perf_counter()
            for item in self._items:
                self.busy_s += time.perf_counter() - started
                self._queue.put(item)
                if self._stop.is_set():
                    return
                started = time.perf_counter()
        except BaseException as error:  # noqa: BLE001  # passed on to the consumer, whatever it is
            self._error = error
        self._queue.put(_END)


class WriteBehind(Generic[T]):
    """Calls `write` for each item in a thread, in order, with at most `depth` queued. The next `put` raises its errors."""

    def __init__(self, write: Callable[[T], None], depth: int = 4) -> None:
        self._write = write
        self._queue: queue.Queue[object] = queue.Queue(depth)
        self._error: BaseException | None = None
        self._discard = False
        self.busy_s = 0.0
        self._thread = threading.Thread(target=self._run, name="write-behind", daemon=True)
        self._thread.start()

    def __enter__(self) -> WriteBehind[T]:
        return self

    def __exit__(self, kind: object, *unused: object) -> None:
        self._discard = kind is not None
        self._queue.put(_END)
        self._thread.join()
        if kind is None and self._error is not None:
            raise self._error

    def put(self, item: T) -> None:
        """Queue an item; blocks while the queue is full."""
        if self._error is not None:
            raise self._error
        self._queue.put(item)

    def _run(self) -> None:
        while (item := self._queue.get()) is not _END:
            if self._discard or self._error is not None:
                continue  # drain, so that `put` never blocks after the writer gave up
            try:
                started = time.perf_counter()
                self._write(item)  # type: ignore[arg-type]  # the queue holds items and the end mark
                self.busy_s += time.perf_counter() - started
            except BaseException as error:  # noqa: BLE001  # passed on to the producer, whatever it is
                self._error = error
