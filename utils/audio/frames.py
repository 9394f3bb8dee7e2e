"""Samples through a pipe, as messages: a line of JSON, then as many bytes as its field `bytes` says.

The bytes are 32-bit floats, least significant byte first: one signal after the other, each of them channel by channel. A
song is `begin`, any number of `frames`, and `end`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec
import numpy as np

from utils.audio.channels import Block
from utils.audio.pipes import Pipe
from utils.core.errors import InputUnreadable
from utils.core.typed import decode

MOST_FRAMES = 1 << 15  # of each channel in one message that is written
MOST_READ_FRAMES = 1 << 22
LONGEST_LINE_BYTES = 1 << 16


class Message(msgspec.Struct, frozen=True):
    """The line of a message that is read. Other fields may be there, and mean nothing."""

    kind: Literal["begin", "frames", "end"]
    frames: int = 0
    bytes: int = 0
    complete: bool = True


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


class FrameReader:
    """Reads one song of one signal from a pipe. Raises `InputUnreadable` for what is no song, or not a whole one."""

    def __init__(self, pipe: Pipe, channels: int, frames: int | None = None) -> None:
        self._pipe = pipe
        self._channels = channels
        self._frames = frames

    def __iter__(self) -> Iterator[Block]:
        """Its (samples, channels) blocks, up to the end that it says or to the length that was promised."""
        read = 0
        while self._frames is None or read < self._frames:
            message = self._message()
            if message.kind == "end":
                break
            if message.kind == "begin":
                self._take(message.bytes)
                continue
            if not 0 <= message.frames <= MOST_READ_FRAMES or message.bytes != 4 * self._channels * message.frames:
                raise self._error(
                    f"a message of {message.frames} samples of {self._channels} channels says that it has {message.bytes} bytes"
                )
            planar = np.frombuffer(self._take(message.bytes), "<f4").reshape(self._channels, -1)
            read += message.frames
            if self._frames is not None and read > self._frames:
                raise self._promised(read)
            yield np.ascontiguousarray(planar.T, np.float32)
        if self._frames is not None and read != self._frames:
            raise self._promised(read)

    def _promised(self, read: int) -> InputUnreadable:
        return self._error(f"{read} samples came, and {self._frames} were promised")

    def _message(self) -> Message:
        line = bytearray()
        while not line.endswith(b"\n"):
            byte = self._pipe.read(1)
            if not byte:
                raise self._error("it ended without the message `end`, so samples may be missing")
            line += byte
            if len(line) > LONGEST_LINE_BYTES:
                raise self._error("the line of a message does not end")
        try:
            message = decode(line, Message)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise self._error(f"the line of a message cannot be understood: {error}") from error
        if not message.complete:
            raise self._error("whoever writes it has given up")
        return message

    def _take(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            more = self._pipe.read(min(size - len(data), 1 << 20))
            if not more:
                raise self._error("it ended in the middle of a message")
            data += more
        return bytes(data)

    @staticmethod
    def _error(reason: str) -> InputUnreadable:
        return InputUnreadable(f"The samples from the pipe cannot be used: {reason}.", field="input.pipe")
