"""Sample rates changed as a stream, with lengths that are known beforehand."""

from __future__ import annotations

import numpy as np
import soxr

from utils.audio.channels import Block

_QUALITY = "VHQ"  # costs a few per cent more than HQ, nothing next to a network


def resampled_frames(frames: int, source_rate: int, target_rate: int) -> int:
    """How many samples `frames` samples become at another rate: rounded, halves up."""
    return (2 * frames * target_rate + source_rate) // (2 * source_rate)


def resampled(block: Block, source_rate: int, target_rate: int) -> Block:
    """A (samples, channels) block that is all there is, at another rate: exactly `resampled_frames` long."""
    stream = StreamResampler(source_rate, target_rate, block.shape[1])
    start = stream.push(block)
    return np.concatenate([start, stream.finish()])


class StreamResampler:
    """Takes (samples, channels) blocks at one rate and gives them at another.

    What it gives in total, `finish` included, is exactly `resampled_frames` of what it took.
    """

    def __init__(self, source_rate: int, target_rate: int, channels: int) -> None:
        self._source_rate, self._target_rate = source_rate, target_rate
        self._channels = channels
        self._taken = self._given = 0
        self._stream = None
        if source_rate != target_rate:
            self._stream = soxr.ResampleStream(source_rate, target_rate, channels, dtype="float32", quality=_QUALITY)

    def push(self, block: Block) -> Block:
        """What can be given now; with equal rates the block itself."""
        self._taken += len(block)
        if self._stream is not None:
            block = self._stream.resample_chunk(np.ascontiguousarray(block, dtype=np.float32))
        self._given += len(block)
        return block

    def finish(self) -> Block:
        """The rest. Call it once."""
        due = resampled_frames(self._taken, self._source_rate, self._target_rate) - self._given
        rest = np.zeros((due, self._channels), np.float32)
        if self._stream is not None:
            tail = self._stream.resample_chunk(np.zeros((0, self._channels), np.float32), last=True)[:due]
            rest[: len(tail)] = tail
        return rest
