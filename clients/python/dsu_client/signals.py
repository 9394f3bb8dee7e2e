"""Signals that would end this process at once unwind it first, so that nothing is left running or lying about."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import NoReturn

SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]


class _Ended(BaseException):
    """This process was told to end."""


@contextlib.contextmanager
def signals_raised() -> Iterator[None]:
    """While the body runs in the main thread, raise in it what nobody handles; afterwards the process ends by it."""
    is_main = threading.current_thread() is threading.main_thread()
    numbers = [number for number in SIGNALS if is_main and signal.getsignal(number) is signal.SIG_DFL]

    def end(number: int, _: object) -> NoReturn:
        raise _Ended(number)

    for number in numbers:
        signal.signal(number, end)
    try:
        yield
    except _Ended as ended:
        if not numbers:  # whoever has asked for it first ends the process
            raise
        signal.signal(ended.args[0], signal.SIG_DFL)
        signal.raise_signal(ended.args[0])
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)
