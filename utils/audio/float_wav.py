"""A WAV file of floats that others can read while it grows: whatever it holds, its header is true once `show` has returned.

Samples go anywhere in it, in any order; what has not been written yet is silence. It becomes an RF64 file by itself when it
outgrows what a WAV file can be, in the room that its header keeps for that.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from utils.audio.channels import Block
from utils.audio.disk import output_error
from utils.audio.formats import MAX_RIFF_BYTES
from utils.audio.guarded import GuardedFile

SAMPLE_BYTES = 4
HEADER_BYTES = 92
_BLOCK_FRAMES = 1 << 16
_FLOAT = 3
_SIZE_IN_DS64 = 0xFFFFFFFF


class FloatWav:
    """An open file of this kind. Any thread may abandon it."""

    def __init__(self, path: Path, rate: int, channels: int) -> None:
        self.frames = 0  # up to the last sample that was written
        self._rate = rate
        self._channels = channels
        self._frame_bytes = SAMPLE_BYTES * channels
        self._is_shown = False
        self._lock = threading.Lock()  # a seek and what follows it belong together
        try:
            self._file = GuardedFile(path, "w+b")
        except OSError as error:
            raise output_error(error, path) from error
        self.show()

    def write(self, block: Block, track: int = 0) -> None:
        """Append a (samples, channels) block. There is one track."""
        del track
        self.write_at(self.frames, block)

    def write_at(self, start: int, block: Block) -> None:
        """Write a block from the sample `start` on."""
        with self._lock:
            self._file.seek(HEADER_BYTES + start * self._frame_bytes)
            self._file.write(block.astype("<f4", order="C", copy=False).tobytes())
            self.frames = max(self.frames, start + len(block))
            self._is_shown = False
        self._file.require_written()

    def extend_to(self, frames: int) -> None:
        """Make it this long at least, by silence."""
        if frames > self.frames:
            self.write_at(frames - 1, np.zeros((1, self._channels), np.float32))

    def show(self) -> None:
        """Let others read what was written so far."""
        with self._lock:
            if self._is_shown:
                return
            self._file.flush()  # the samples before the header that promises them
            self._file.seek(0)
            self._file.write(header(self._rate, self._channels, self.frames))
            self._file.flush()
            self._is_shown = True
        self._file.require_written()

    def read(self, start: int, length: int) -> Block:
        """Samples from `start` on; fewer at the end of the file."""
        with self._lock:
            self._file.seek(HEADER_BYTES + start * self._frame_bytes)
            data = self._file.read(min(length, self.frames - start) * self._frame_bytes)
        self._file.require_written()
        return np.frombuffer(data, "<f4").astype(np.float32, copy=False).reshape(-1, self._channels)

    def blocks(self) -> Iterator[Block]:
        """Everything that was written, from the start."""
        for start in range(0, self.frames, _BLOCK_FRAMES):
            yield self.read(start, _BLOCK_FRAMES)

    def close(self) -> None:
        """Write what is left. Raises if anything could not be written."""
        self.show()
        self._file.close()
        self._file.require_written()

    def abandon(self) -> None:
        """Close the file as it is. May be called from any thread."""
        self._file.close()


def header(rate: int, channels: int, frames: int) -> bytes:
    """The header of a file with so many samples of each channel."""
    frame_bytes = SAMPLE_BYTES * channels
    size = frames * frame_bytes
    is_long = size > MAX_RIFF_BYTES
    riff_size = HEADER_BYTES - 8 + size
    room = struct.pack("<QQQI", riff_size, size, frames, 0) if is_long else bytes(28)
    parts = (
        struct.pack("<4sI4s", b"RF64" if is_long else b"RIFF", _SIZE_IN_DS64 if is_long else riff_size, b"WAVE"),
        struct.pack("<4sI", b"ds64" if is_long else b"JUNK", len(room)) + room,
        struct.pack("<4sIHHIIHH", b"fmt ", 16, _FLOAT, channels, rate, rate * frame_bytes, frame_bytes, 32),
        struct.pack("<4sII", b"fact", 4, min(frames, _SIZE_IN_DS64)),
        struct.pack("<4sI", b"data", _SIZE_IN_DS64 if is_long else size),
    )
    return b"".join(parts)
