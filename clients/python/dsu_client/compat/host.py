"""The workers that all of a host's compatible objects share: one for each device and models directory, ended with the host."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from dsu_client.client import DSU
from dsu_client.errors import ModelError
from dsu_client.job import Pathname
from dsu_client.locate import clean_environment, find_program
from dsu_client.signals import signals_raised

T = TypeVar("T")

_options: dict[str, Any] = {}
_workers: dict[tuple[str | None, str], DSU] = {}
_lock = threading.Lock()


def configure(**options: Any) -> None:
    """Start workers with these options of `DSU` from now on; those that run are ended."""
    close()
    _options.clear()
    _options.update(options)


def worker(device: object = None, models_dir: Pathname | None = None) -> DSU:
    """The worker of a device, named as torch does, and of a models directory; without them, as `configure` or DSU has it."""
    named = {"device": device, "models_dir": models_dir}
    options = {**_options, **{name: str(value) for name, value in named.items() if value is not None}}
    key = (options.get("device"), str(options.get("models_dir")))
    with _lock:
        if key not in _workers:
            _workers[key] = DSU(**options)
        return _workers[key]


def with_models(where: DSU, names: Sequence[str], act: Callable[[], T]) -> T:
    """What `act` returns, after the worker has downloaded these models if one is missing, as the packages do by themselves."""
    try:
        return act()
    except ModelError as error:
        if error.code != "model_not_installed":
            raise
    for name in names:
        try:
            where.download_model(model=name)
        except ModelError as error:
            if error.code != "unknown_model":  # models of one's own cannot be downloaded
                raise
    return act()


def run_program(kind: str, words: Sequence[str] | None) -> None:
    """Run a program of DSU with these arguments, or those of this process; ends this one where it fails.

    The program ends with this process, however that ends, and by then has removed what it had half-written.
    """
    sys.stdout.flush()
    command = [*find_program(kind), *(sys.argv[1:] if words is None else words)]
    env = {**clean_environment(), "DSU_PARENT": str(os.getpid())}
    with signals_raised(), subprocess.Popen(command, env=env) as program:  # noqa: S603
        try:
            status = program.wait()
        except BaseException:
            program.terminate()
            raise  # when it has ended
    if status != 0:
        sys.exit(status if status > 0 else 128 - status)


@atexit.register
def close() -> None:
    """End all workers. The next request starts them again."""
    with _lock:
        ended = list(_workers.values())
        _workers.clear()
    for each in ended:
        each.close()
