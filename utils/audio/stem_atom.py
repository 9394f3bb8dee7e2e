"""What makes an MP4 file a stem file of Native Instruments: a description of its stems, in the atom `moov/udta/stem`.

It is JSON: the names and colours of the four stems that follow the mix, and settings for effects on their sum, which are off.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

# Red, blue, green and violet, as in a report: drums, bass, other and vocals, in the order of the faders of controllers.
COLOURS = ("#D64541", "#2C7FB8", "#41A05D", "#8F5ABE")

_COMPRESSOR = {
    "enabled": False,
    "ratio": 3,
    "input_gain": 0.5,
    "output_gain": 0.5,
    "attack": 0.003,
    "release": 0.3,
    "threshold": 0,
    "hp_cutoff": 300,
    "dry_wet": 50,
}
_LIMITER = {"enabled": False, "release": 0.05, "threshold": 0, "ceiling": -0.35}

_HEAD_BYTES = 8  # the size and the name of an atom of less than 4 GiB, as those of descriptions are


class _SeekableFile(Protocol):
    def seek(self, offset: int, whence: int = 0) -> int: ...
    def read(self, size: int) -> bytes: ...
    def write(self, data: bytes) -> int: ...


class _Atom(NamedTuple):
    name: bytes
    start: int
    end: int


def stem_description(names: Sequence[str]) -> bytes:
    """The content of the atom, for stems of these names."""
    stems = [{"name": name, "color": colour} for name, colour in zip(names, COLOURS, strict=True)]
    described = {"version": 1, "mastering_dsp": {"compressor": _COMPRESSOR, "limiter": _LIMITER}, "stems": stems}
    return json.dumps(described, ensure_ascii=False).encode()


def add_stem_atom(file: _SeekableFile, description: bytes) -> None:
    """Put the description into a finished file that ends with its `moov`, as FFmpeg leaves it: no sample moves."""
    moov = next(atom for atom in _atoms_in(file) if atom.name == b"moov")
    file.seek(moov.start + _HEAD_BYTES)
    content = file.read(moov.end - moov.start - _HEAD_BYTES)
    udta = next((atom for atom in _atoms_in(io.BytesIO(content)) if atom.name == b"udta"), None)
    at = len(content) if udta is None else udta.start
    inside = b"" if udta is None else content[udta.start + _HEAD_BYTES : udta.end]
    rest = b"" if udta is None else content[udta.end :]
    file.seek(moov.start)
    file.write(_atom(b"moov", content[:at] + _atom(b"udta", inside + _atom(b"stem", description)) + rest))


def _atom(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", _HEAD_BYTES + len(content), name) + content


def _atoms_in(file: _SeekableFile) -> Iterator[_Atom]:
    """The outermost atoms. One of more than 4 GiB has its size behind its name."""
    end = file.seek(0, io.SEEK_END)
    start = 0
    while start < end:
        file.seek(start)
        head = file.read(16)
        size, name = struct.unpack_from(">I4s", head)
        if size == 1:
            (size,) = struct.unpack_from(">Q", head, 8)
        yield _Atom(name, start, start + size)
        start += size
