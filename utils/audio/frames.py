"""Samples through a pipe, as messages: a line of JSON, then as many bytes as its field `bytes` says.

The bytes are 32-bit floats, least significant byte first: one signal after the other, each of them channel by channel. A
song is `begin`, any number of `frames`, and `end`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from utils.audio.channels import Block
from utils.audio.pipes import Pipe

MOST_FRAMES = 1 << 15  # of each channel in one message


class FrameWriter:
    """Writes songs to a pipe. Methods raise `PipeGone`, and what the pipe's checkpoint raises."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe

    def begin(self, **facts: object) -> None:
        """Tell what is to come."""
        self._send({"kind": "begin", **facts})

    def frames(self, start: int, signals: Mapping[str, Sequence[Block]]) -> None:
        """Write (samples, channels) blocks of every signal, which begin at the sample `start`."""
        whole = [np.concatenate(blocks) for blocks in signals.values() if blocks]
        length = len(whole[0]) if whole else 0
        for first in range(0, length, MOST_FRAMES):
            planar = np.concatenate([signal[first : first + MOST_FRAMES].T for signal in whole])
            data = planar.astype("<f4", copy=False).tobytes()
            count = min(MOST_FRAMES, length - first)
            self._send({"kind": "frames", "start": start + first, "frames": count}, data)

    def end(self, *, complete: bool) -> None:
        """Tell that nothing more comes of this song."""
        self._send({"kind": "end", "complete": complete})

    def _send(self, header: dict[str, Any], data: bytes = b"") -> None:
        line = msgspec.json.encode({**header, "bytes": len(data)}) + b"\n"
        self._pipe.write(memoryview(line + data))
