"""Resampling of streams, with lengths that are known in advance."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import soxr

from utils.audio.channels import Block

_SLICE_FRAMES = 1 << 18  # of output at once; a block at a low rate would become a very long one
_QUALITY = "VHQ"  # a few per cent slower than HQ, which is nothing compared with a network


def resampled_frames(frames: int, source_rate: int, target_rate: int) -> int:
    """The number of samples at another rate: rounded, halves up."""
    return (2 * frames * target_rate + source_rate) // (2 * source_rate)


def resampled(block: Block, source_rate: int, target_rate: int) -> Block:
    """A whole signal (samples, channels) at another rate, exactly `resampled_frames` long."""
    stream = StreamResampler(source_rate, target_rate, block.shape[1])
    return np.concatenate([*stream.push(block), stream.finish()])


class StreamResampler:
    """Takes (samples, channels) blocks at one rate and returns them at another.

    The total length of its output, `finish` included, is exactly `resampled_frames` of that of its input.
    """

    def __init__(self, source_rate: int, target_rate: int, channels: int) -> None:
        self._source_rate, self._target_rate = source_rate, target_rate
        self._channels = channels
        self._taken = self._given = 0
        self._stream = None
        if source_rate != target_rate:
            self._stream = soxr.ResampleStream(source_rate, target_rate, channels, dtype="float32", quality=_QUALITY)

    def push(self, block: Block) -> Iterator[Block]:
        """The output that is ready, in blocks of bounded length; the block itself if the rates are equal."""
        if self._stream is None:
            self._taken += len(block)
            self._given += len(block)
            yield block
            return
        step = max(_SLICE_FRAMES * self._source_rate // self._target_rate, 1)
        for start in range(0, len(block), step):
            taken = np.ascontiguousarray(block[start : start + step], dtype=np.float32)
            self._taken += len(taken)
            ready = self._stream.resample_chunk(taken)
            self._given += len(ready)
            if len(ready):
                yield ready

    def finish(self) -> Block:
        """The rest of the output. Call it once."""
        due = resampled_frames(self._taken, self._source_rate, self._target_rate) - self._given
        rest = np.zeros((due, self._channels), np.float32)
        if self._stream is not None:
            tail = self._stream.resample_chunk(np.zeros((0, self._channels), np.float32), last=True)[:due]
            rest[: len(tail)] = tail
        return rest
