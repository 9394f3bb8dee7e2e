"""Data as values of our own types.

msgspec collects what it has to know of a type when that type is first used, and two threads that begin this at the same time
crash the process. So the first use of each type is under one lock, and all of our code comes here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_lock = threading.Lock()
_known: set[Any] = set()


def decode(text: bytes | bytearray | memoryview | str, kind: type[T]) -> T:
    """JSON as a value of this type. Raises `msgspec.DecodeError` and its `msgspec.ValidationError`."""
    _get_to_know(kind)
    return msgspec.json.decode(text, type=kind)


def convert(
    value: object, kind: type[T], *, strict: bool = True, dec_hook: Callable[[type, Any], Any] | None = None
) -> T:
    """Plain data as a value of this type. Raises `msgspec.ValidationError`."""
    _get_to_know(kind)
    return msgspec.convert(value, kind, strict=strict, dec_hook=dec_hook)


def _get_to_know(kind: Any) -> None:
    if kind not in _known:
        with _lock:
            msgspec.json.Decoder(kind)
            _known.add(kind)
