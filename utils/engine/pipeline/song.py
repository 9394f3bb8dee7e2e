"""A song as the chunk loop reads it: random access, zeros outside the song.

A sliding buffer over the stream of a song gives access near the current position; its size does not depend on the length of
the song. A file gives access anywhere.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from utils.audio.disk import output_error
from utils.audio.scanning import AudioStats
from utils.engine.pipeline.chunking import ENDLESS

Samples = npt.NDArray[np.float32]

SMALLEST_DEVIATION = 1e-8  # keeps the scale of silence finite


@dataclass(frozen=True)
class Scale:
    """The normalisation of a song for networks, `(mix - mean) / std`. Their output is scaled by `* std + mean`."""

    mean: float = 0.0
    std: float = 1.0

    @classmethod
    def of(cls, stats: AudioStats) -> Scale:
        """The scale that gives the song mean 0 and standard deviation 1."""
        return cls(stats.mean, stats.std + SMALLEST_DEVIATION)


UNSCALED = Scale()


class SongAccess(Protocol):
    """Samples of a song, wherever the chunk loop needs them."""

    @property
    def total(self) -> int:
        """How many samples it has."""

    def read(self, start: int, length: int, scale: Scale | None = None) -> Samples:
        """Samples `start .. start + length`, scaled; zeros before and after the song."""

    def read_at(self, positions: npt.NDArray[np.int64], scale: Scale) -> Samples:
        """The samples at `positions`, scaled; zeros where a position is negative."""


class SongFile:
    """A song in a temporary file without a name, which is gone with the process."""

    def __init__(self, channels: int) -> None:
        self.total = 0
        self._channels = channels
        self._folder = Path(tempfile.gettempdir())
        try:
            self._file = tempfile.TemporaryFile(buffering=1 << 18)  # noqa: SIM115  # `close` closes it
        except OSError as error:
            raise output_error(error, self._folder) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def __del__(self) -> None:  # of a job that failed before it began
        self.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):  # what a full disk did not take
            self._file.close()

    def append(self, block: Samples) -> None:
        """Append a (channels, samples) block."""
        try:
            self._file.write(block.T.astype("<f4", order="C", copy=False).tobytes())
        except OSError as error:
            raise output_error(error, self._folder) from error
        self.total += block.shape[1]

    def read(self, start: int, length: int, scale: Scale | None = None) -> Samples:
        low, high = max(0, start), min(self.total, start + length)
        out = np.zeros((self._channels, length), dtype=np.float32)
        if high > low:
            frame_bytes = 4 * self._channels
            self._file.seek(low * frame_bytes)
            data = self._file.read((high - low) * frame_bytes)
            part = np.frombuffer(data, "<f4").reshape(-1, self._channels).T
            out[:, low - start : high - start] = part if scale is None else (part - scale.mean) / scale.std
        return out

    def read_at(self, positions: npt.NDArray[np.int64], scale: Scale) -> Samples:
        return read_at(self, self._channels, positions, scale)


class SongBuffer:
    """Random access to a stream of blocks (channels, n), apart from samples that were forgotten.

    A `total` of `ENDLESS` becomes the true one when the stream ends. Until then, `reaches` is asked before samples are read.
    """

    def __init__(self, blocks: Iterator[Samples], *, channels: int, total: int) -> None:
        self._blocks = blocks
        self._total = total
        self._kept = np.zeros((channels, 0), dtype=np.float32)
        self._kept_from = 0
        self._filled = 0  # samples of `_kept` that hold audio; the rest is spare capacity
        self._needed_from = 0

    @property
    def total(self) -> int:
        return self._total

    def reaches(self, position: int) -> bool:
        """Whether the song has all samples before `position`."""
        if self._total == ENDLESS:
            self._fill_to(position)
        return self._total >= position

    def read(self, start: int, length: int, scale: Scale | None = None) -> Samples:
        """Samples `start .. start + length`, scaled; zeros before and after the song."""
        low, high = max(0, start), min(self._total, start + length)
        out = np.zeros((self._kept.shape[0], length), dtype=np.float32)
        if high > low:
            if low < self._kept_from:
                raise ValueError(f"samples before {self._kept_from} were forgotten, {low} was requested")
            self._fill_to(high)
            part = self._kept[:, low - self._kept_from : high - self._kept_from]
            out[:, low - start : high - start] = part if scale is None else (part - scale.mean) / scale.std
        return out

    def read_at(self, positions: npt.NDArray[np.int64], scale: Scale) -> Samples:
        """The samples at `positions`, scaled; zeros where a position is negative."""
        return read_at(self, self._kept.shape[0], positions, scale)

    def forget_before(self, position: int) -> None:
        """Declare that samples before `position` will not be read again."""
        self._needed_from = max(self._needed_from, position)
        drop = min(position, self._kept_from + self._filled) - self._kept_from
        # Moving the rest costs time in proportion to its size, so wait until at least as much can be dropped.
        if drop > 0 and 2 * drop >= self._filled:
            rest = self._filled - drop
            self._kept[:, :rest] = self._kept[:, drop : self._filled].copy()
            self._filled, self._kept_from = rest, self._kept_from + drop

    def _fill_to(self, end: int) -> None:
        while self._kept_from + self._filled < end:
            block = next(self._blocks, None)
            if block is None and self._total == ENDLESS:
                self._total = self._kept_from + self._filled
                return
            if block is None:  # the stream promises `total` samples; should it ever break that, pad with silence
                block = np.zeros((self._kept.shape[0], end - self._kept_from - self._filled), dtype=np.float32)
            needed = self._filled + block.shape[1]
            if self._kept_from + needed <= self._needed_from:
                self._kept_from, self._filled = self._kept_from + needed, 0
                continue
            if needed > self._kept.shape[1]:
                grown = np.zeros((self._kept.shape[0], max(needed, 3 * self._kept.shape[1] // 2)), dtype=np.float32)
                grown[:, : self._filled] = self._kept[:, : self._filled]
                self._kept = grown
            self._kept[:, self._filled : needed] = block
            self._filled = needed


def read_at(song: SongAccess, channels: int, positions: npt.NDArray[np.int64], scale: Scale) -> Samples:
    """The samples of a song at `positions`, scaled; zeros where a position is negative."""
    valid = positions >= 0
    low, high = int(positions[valid].min()), int(positions.max()) + 1
    out = np.zeros((channels, len(positions)), dtype=np.float32)
    out[:, valid] = song.read(low, high - low, scale)[:, positions[valid] - low]
    return out
