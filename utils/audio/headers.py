"""The length that the header of an uncompressed file promises. A file with fewer samples was cut off.

libsndfile silently shortens such files to what is there. The placeholder sizes that programs write to a pipe, where
they do not know the length yet, promise nothing.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

_MAX_CHUNKS = 1000
_PLAIN_TAGS = {1, 3, 6, 7}  # PCM, float, A-law, mu-law: a fixed number of bytes per sample
_EXTENSIBLE_TAG = 0xFFFE
_UNKNOWN_32 = 0xFFFFFFFF


class _RiffChunk(NamedTuple):
    name: bytes
    size: int
    start: int


def promised_frames(file: BinaryIO) -> int | None:
    """The samples per channel that a WAV, RF64 or AIFF header promises; None for other and for streamed files."""
    file.seek(0)
    head = file.read(12)
    form, kind = head[:4], head[8:12]
    if form in (b"RIFF", b"RF64", b"BW64") and kind == b"WAVE":
        return _promised_by_wav(file, "<")
    if form == b"RIFX" and kind == b"WAVE":
        return _promised_by_wav(file, ">")
    if form == b"FORM" and kind in (b"AIFF", b"AIFC"):
        for chunk in _chunks(file, ">"):
            if chunk.name == b"COMM":
                body = _read_at(file, chunk.start, 8)
                frames = struct.unpack(">hIh", body)[1] if len(body) == 8 else 0
                return None if _is_streamed(frames) else frames
    return None


def _chunks(file: BinaryIO, order: str) -> Iterator[_RiffChunk]:
    start = 12
    for _ in range(_MAX_CHUNKS):
        file.seek(start)
        head = file.read(8)
        if len(head) < 8:
            return
        name, size = struct.unpack(f"{order}4sI", head)
        yield _RiffChunk(name, size, start + 8)
        start += 8 + size + size % 2


def _promised_by_wav(file: BinaryIO, order: str) -> int | None:
    frame_bytes, long_size = 0, None
    for chunk in _chunks(file, order):
        if chunk.name == b"ds64":
            body = _read_at(file, chunk.start, 16)
            long_size = struct.unpack("<Q", body[8:16])[0] if len(body) == 16 else None
        elif chunk.name == b"fmt ":
            frame_bytes = _frame_bytes(_read_at(file, chunk.start, min(chunk.size, 40)), order)
        elif chunk.name == b"data":
            size = long_size if chunk.size == _UNKNOWN_32 and long_size else chunk.size
            return None if not frame_bytes or _is_streamed(size) else size // frame_bytes
    return None


def _read_at(file: BinaryIO, start: int, size: int) -> bytes:
    file.seek(start, io.SEEK_SET)
    return file.read(size)


def _frame_bytes(body: bytes, order: str) -> int:
    """The bytes of one sample of all channels, from the body of a `fmt ` chunk; 0 if the coding has no fixed number."""
    if len(body) < 16:
        return 0
    tag, _, _, _, frame_bytes = struct.unpack_from(f"{order}HHIIH", body)
    if tag == _EXTENSIBLE_TAG and len(body) >= 26:
        tag = struct.unpack_from(f"{order}H", body, 24)[0]
    return int(frame_bytes) if tag in _PLAIN_TAGS else 0


def _is_streamed(size: int) -> bool:
    return size == 0 or 0x7FFF0000 <= size <= 0x80000000 or 0xFFFF0000 <= size <= _UNKNOWN_32
