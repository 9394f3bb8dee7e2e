"""Where the samples of a WAV file of ours are. Their bytes are sent as they lie there, so nothing is decoded here."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import NamedTuple

_FLOAT, _EXTENSIBLE = 3, 0xFFFE
PART = re.compile(r"^\.(.+\.wav)\.[0-9a-f]+\.part$")  # how the worker calls the file of a stem while it grows
_MOST_CHUNKS = 32
_SIZE_IN_DS64 = 0xFFFFFFFF


class WavLayout(NamedTuple):
    """The samples of a file: 32-bit floats, interleaved, from `offset` on."""

    offset: int
    frames: int
    sample_rate: int
    channels: int

    @property
    def frame_bytes(self) -> int:
        return 4 * self.channels


def layout_of(path: Path) -> WavLayout:
    """Read the header. Raises `ValueError` for any other kind of file, and `OSError`."""
    with path.open("rb") as file:
        riff, _, wave = struct.unpack("<4sI4s", _exactly(file.read(12), 12))
        if riff not in (b"RIFF", b"RF64") or wave != b"WAVE":
            raise ValueError("not a WAV file")
        rate = channels = long_size = 0
        for _ in range(_MOST_CHUNKS):
            kind, size = struct.unpack("<4sI", _exactly(file.read(8), 8))
            if kind == b"data":
                if not channels:
                    break
                size = long_size if size == _SIZE_IN_DS64 else size
                return WavLayout(file.tell(), size // (4 * channels), rate, channels)
            start = file.tell()
            if kind == b"ds64":
                _, long_size, _, _ = struct.unpack("<QQQI", _exactly(file.read(28), 28))
            elif kind == b"fmt ":
                form, channels, rate, _, _, bits = struct.unpack("<HHIIHH", _exactly(file.read(16), 16))
                if form not in (_FLOAT, _EXTENSIBLE) or bits != 32 or not 1 <= channels <= 64:
                    raise ValueError("not 32-bit floats")
            file.seek(start + size + size % 2)
    raise ValueError("no samples")


def _exactly(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise ValueError("cut off")
    return data
