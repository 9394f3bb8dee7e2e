"""Float samples, kept on disk until the gain for all stems is known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from utils.audio.channels import Block
from utils.audio.disk import output_error
from utils.audio.guarded import GuardedFile

SAMPLE_BYTES = 4
_BLOCK_FRAMES = 1 << 16


class Spool:
    """A file of raw floats that is written first and read back later."""

    def __init__(self, path: Path, channels: int) -> None:
        self._channels = channels
        try:
            self._file = GuardedFile(path, "w+b")
        except OSError as error:
            raise output_error(error, path) from error

    def write(self, block: Block) -> None:
        self._file.write(block.astype("<f4", order="C", copy=False).tobytes())
        self._file.require_written()

    def blocks(self) -> Iterator[Block]:
        """Everything that was written, from the start."""
        self._file.seek(0)
        frame_bytes = SAMPLE_BYTES * self._channels
        while data := self._file.read(_BLOCK_FRAMES * frame_bytes):
            yield np.frombuffer(data, "<f4").astype(np.float32, copy=False).reshape(-1, self._channels)
        self._file.require_written()

    def close(self) -> None:
        self._file.close()

    def abandon(self) -> None:
        self._file.close()
