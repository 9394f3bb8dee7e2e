"""How a song is cut into overlapping chunks and cross-faded together again. Pure numbers; numpy only.

A plan is computed once, as a value. Windows belong to chunks, never to batches, and are divided by their sum at every
sample, so that adding up `weights(i) * output(i)` over all chunks gives the song back for a network that changes
nothing, whatever the length, the overlap or the batch size.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Window = npt.NDArray[np.float32]


class Chunk(NamedTuple):
    """The samples `start .. start + length` of the song."""

    number: int
    start: int
    length: int


@dataclass(frozen=True)
class ChunkPlan:
    """Chunks of `chunk` samples every `hop` samples from `origin` to `end`; the last ones are cut at `end`.

    `origin` may be negative: the plan then begins in the silence before the song.
    """

    origin: int
    end: int
    chunk: int
    hop: int
    window: Window
    _cache: dict[tuple[int, int, int], Window] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 0 < self.hop <= self.chunk:
            raise ValueError(f"hop {self.hop} must be in 1..{self.chunk}")
        if len(self.window) != self.chunk or self.window.min() <= 0:
            raise ValueError("the window must be as long as a chunk and positive everywhere")

    def __len__(self) -> int:
        return max(0, -(-(self.end - self.origin) // self.hop))

    def __getitem__(self, index: int) -> Chunk:
        if not 0 <= index < len(self):
            raise IndexError(index)
        start = self.origin + index * self.hop
        return Chunk(index, start, min(self.chunk, self.end - start))

    def weights(self, index: int) -> Window:
        """The cross-fade of a chunk. All chunks' weights sum to one at every sample from `origin` to `end`."""
        reach = (self.chunk - 1) // self.hop
        # Chunks far from both ends have the same neighbours, so their weights are the same array.
        key = (min(index, reach), min(len(self) - 1 - index, reach), self[index].length)
        if key not in self._cache:
            self._cache[key] = self._weights(index, reach)
        return self._cache[key]

    def _weights(self, index: int, reach: int) -> Window:
        own = self[index]
        total = np.zeros(own.length, dtype=np.float64)
        for other in range(max(0, index - reach), min(len(self), index + reach + 1)):
            offset = (other - index) * self.hop
            low, high = max(0, offset), min(own.length, offset + self[other].length)
            if high > low:
                total[low:high] += self.window[low - offset : high - offset]
        weights: Window = (self.window[: own.length] / total).astype(np.float32)
        return weights


def triangle(length: int) -> Window:
    """Rises to the middle and falls again; never zero."""
    half = length // 2
    rising = np.arange(1, half + 1, dtype=np.float64)
    falling = np.arange(length - half, 0, -1, dtype=np.float64)
    window = np.concatenate([rising, falling])
    return (window / window.max()).astype(np.float32)


def plan_triangular(total: int, *, chunk: int, overlap: float, origin: int = 0) -> ChunkPlan:
    """Chunks that overlap by a part of their length, cross-faded by a triangle.

    Args:
        total: the song's samples.
        chunk: samples of a chunk.
        overlap: the part of a chunk that the next one covers too, 0 <= overlap < 1.
        origin: where the first chunk starts, 0 or before.
    """
    hop = max(1, int((1 - overlap) * chunk))
    return ChunkPlan(origin=origin, end=total, chunk=chunk, hop=hop, window=triangle(chunk))
