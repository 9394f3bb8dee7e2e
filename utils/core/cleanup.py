"""What must be undone if the process has to go at once: half-written files, locks.

Work registers how to undo itself while it is under way. `run_all` is called by the watcher thread when a job does not
reach its next checkpoint in time.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator

_lock = threading.Lock()
_pending: dict[int, Callable[[], None]] = {}
_keys = itertools.count()


@contextlib.contextmanager
def undone_on_exit(undo: Callable[[], None]) -> Iterator[None]:
    """While the body runs, `undo` is called if the process is made to go. It must be safe from any thread."""
    key = next(_keys)
    with _lock:
        _pending[key] = undo
    try:
        yield
    finally:
        with _lock:
            _pending.pop(key, None)


def run_all() -> None:
    """Undo everything that is under way, newest first; one failure does not keep the others."""
    with _lock:
        undos = list(_pending.values())
        _pending.clear()
    for undo in reversed(undos):
        with contextlib.suppress(Exception):
            undo()
