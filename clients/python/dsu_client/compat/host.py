"""The workers that all of a host's compatible objects share: one for each device and models directory, ended with the host."""

from __future__ import annotations

import atexit
import contextlib
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from dsu_client.client import DSU
from dsu_client.job import Pathname
from dsu_client.locate import clean_environment, find_program

SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]

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


class _Ended(BaseException):
    """This process was told to end."""


def run_program(kind: str, words: Sequence[str] | None) -> None:
    """Run a program of DSU with these arguments, or those of this process; ends this one where it fails.

    The program ends with this process, and by then has removed what it had half-written.
    """
    sys.stdout.flush()
    command = [*find_program(kind), *(sys.argv[1:] if words is None else words)]
    with _signals_raised(), subprocess.Popen(command, env=clean_environment()) as program:  # noqa: S603
        try:
            status = program.wait()
        except BaseException:
            program.terminate()
            raise  # when it has ended
    if status != 0:
        sys.exit(status if status > 0 else 128 - status)


@contextlib.contextmanager
def _signals_raised() -> Iterator[None]:
    """While the body runs, signals that would end this process at once unwind it first."""
    is_main = threading.current_thread() is threading.main_thread()
    numbers = [number for number in SIGNALS if is_main and signal.getsignal(number) is signal.SIG_DFL]

    def end(number: int, _: object) -> NoReturn:
        raise _Ended(number)

    for number in numbers:
        signal.signal(number, end)
    try:
        yield
    except _Ended as ended:
        signal.signal(ended.args[0], signal.SIG_DFL)
        signal.raise_signal(ended.args[0])
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


@atexit.register
def close() -> None:
    """End all workers. The next request starts them again."""
    with _lock:
        ended = list(_workers.values())
        _workers.clear()
    for each in ended:
        each.close()
