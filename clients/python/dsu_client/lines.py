"""Lines of the protocol: requests as bytes, and bytes as lines, wherever the pipe cuts them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .errors import RequestError

# The worker answers longer lines with an error without an id.
LONGEST_REQUEST_BYTES = 1048576
# Longer lines from a worker are dropped, so that memory stays bounded whatever it sends.
LONGEST_REPLY_BYTES = 64 * 1024 * 1024


def encode(request: Mapping[str, Any]) -> bytes:
    """A request as a line. Paths of any kind may stand where the protocol has strings."""
    try:
        data = json.dumps(request, default=_plain, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    except (TypeError, ValueError) as error:
        raise RequestError(f"The request is not JSON: {error}.") from error
    if len(data) > LONGEST_REQUEST_BYTES:
        advice = "Send fewer `inputs` or `jobs` at once."
        raise RequestError(
            f"The request is longer than {LONGEST_REQUEST_BYTES} bytes. {advice}", code="request_too_long"
        )
    return data


def _plain(value: object) -> object:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"{type(value).__name__} is not a type of JSON")


def parse(text: bytes) -> dict[str, Any] | None:
    """A line from a worker, or None for anything else that was printed."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) and isinstance(value.get("status"), str) else None


def read_lines(read: Callable[[], bytes], longest: int = LONGEST_REPLY_BYTES) -> Iterator[dict[str, Any]]:
    """Every line of the protocol that `read` brings, until it brings nothing; the rest without an end is a line too."""
    kept = bytearray()
    dropping = False
    while chunk := read():
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            kept += part
            line = None if dropping else parse(bytes(kept))
            kept.clear()
            dropping = False
            if line is not None:
                yield line
        kept += rest
        if len(kept) > longest:
            kept.clear()
            dropping = True
    line = None if dropping else parse(bytes(kept))
    if line is not None:
        yield line
