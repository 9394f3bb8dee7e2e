"""Reading ahead and writing behind, each in a thread, so that both overlap with computing. Bounded queues, no leaks."""

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
    """An iterator whose items are made by a thread, at most `depth` ahead. Close it, or use it as a context."""

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
        """Stop making items and wait for the thread."""
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
        except BaseException as error:  # noqa: BLE001  # handed to the reader, whatever it is
            self._error = error
        self._queue.put(_END)


class WriteBehind(Generic[T]):
    """Passes items to `write` in a thread, in order, at most `depth` waiting. Errors come back on the next `put`."""

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
        """Hand over an item; waits while the queue is full."""
        if self._error is not None:
            raise self._error
        self._queue.put(item)

    def _run(self) -> None:
        while (item := self._queue.get()) is not _END:
            if self._discard or self._error is not None:
                continue  # drain, so that `put` never blocks on a writer that gave up
            try:
                started = time.perf_counter()
                self._write(item)  # type: ignore[arg-type]  # the queue holds items and the end mark
                self.busy_s += time.perf_counter() - started
            except BaseException as error:  # noqa: BLE001  # handed to the producer, whatever it is
                self._error = error
