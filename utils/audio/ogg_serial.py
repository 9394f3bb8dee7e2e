"""The serial number of an Ogg stream, set after the file is written.

Ogg wants a number that differs between the streams of one file, and libsndfile takes a random one. Stems are the only stream
of theirs, so a number made from their samples is as good, and the same job gives the same bytes.
"""

from __future__ import annotations

import zlib
from typing import Protocol

_HEAD_BYTES = 27
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_ONES = 0xFFFFFFFF


class _PagedFile(Protocol):
    def seek(self, offset: int) -> int: ...
    def read(self, size: int) -> bytes: ...
    def write(self, data: bytes) -> int: ...


def set_serial(file: _PagedFile, serial: int) -> None:
    """Put the number into every page, and correct the checksums. Stops where the file has no more pages."""
    start = 0
    while True:
        file.seek(start)
        head = file.read(_HEAD_BYTES)
        if len(head) < _HEAD_BYTES or not head.startswith(b"OggS"):
            return
        lengths = file.read(head[26])
        body = file.read(sum(lengths))
        head = head[:14] + serial.to_bytes(4, "little") + head[18:22] + bytes(4) + head[26:]
        checksum = _checksum(head + lengths + body)
        file.seek(start + 14)
        file.write(head[14:22] + checksum)
        start += len(head) + len(lengths) + len(body)


def _checksum(page: bytes) -> bytes:
    """Ogg's CRC is that of zlib with the bits of each byte in the other order, and without inverting it."""
    return (zlib.crc32(page.translate(_REVERSED), _ONES) ^ _ONES).to_bytes(4, "big").translate(_REVERSED)
