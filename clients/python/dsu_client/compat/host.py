"""The workers that all of a host's compatible objects share: one for each device, ended with the host."""

from __future__ import annotations

import atexit
import threading
from typing import Any

from dsu_client.client import DSU

_options: dict[str, Any] = {}
_workers: dict[str | None, DSU] = {}
_lock = threading.Lock()


def configure(**options: Any) -> None:
    """Start workers with these options of `DSU` from now on; those that run are ended."""
    close()
    _options.clear()
    _options.update(options)


def worker(device: object = None) -> DSU:
    """The worker of a device, named as torch does; without a name it is that of `configure`, or the best."""
    name = None if device is None else str(device)
    with _lock:
        if name not in _workers:
            _workers[name] = DSU(**({**_options, "device": name} if name else _options))
        return _workers[name]


@atexit.register
def close() -> None:
    """End all workers. The next request starts them again."""
    with _lock:
        ended = list(_workers.values())
        _workers.clear()
    for each in ended:
        each.close()
