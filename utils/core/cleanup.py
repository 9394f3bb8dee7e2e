"""What must be undone if the process has to end at once: half-written files, locks.

Work in progress registers how to undo itself. `run_all` is called from another thread when a job does not reach its
next checkpoint in time.
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
    """Call `undo` if the process has to end while the body runs. It must be safe to call from any thread."""
    key = next(_keys)
    with _lock:
        _pending[key] = undo
    try:
        yield
    finally:
        with _lock:
            _pending.pop(key, None)


def run_all() -> None:
    """Undo everything in progress, newest first; a failure does not prevent the others."""
    with _lock:
        undos = list(_pending.values())
        _pending.clear()
    for undo in reversed(undos):
        with contextlib.suppress(Exception):
            undo()
