"""Chunk plans: how a song is cut into overlapping chunks and overlap-added again. Pure numbers; numpy only.

A plan is computed once, as a value. Windows belong to chunks, never to batches, and are normalised by their sum at every
sample. So the sum of `weights(i) * output(i)` over all chunks reconstructs the song for an identity network, for any
length, overlap and batch size.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

Window = npt.NDArray[np.float32]

# Ramps end just above zero: a sample covered only by the edge of a chunk is restored when dividing by the sum.
SMALLEST_WEIGHT = 1e-6

# The length of a song whose end has not come yet, for plans: its chunks are those in the middle of any long song.
ENDLESS = 1 << 48


class Chunk(NamedTuple):
    """Samples `start .. start + length` of the song."""

    number: int
    start: int
    length: int


@dataclass(frozen=True)
class ChunkPlan:
    """Chunks of `chunk` samples every `hop` samples from `origin` to `end`; the last ones are cut off at `end`.

    `origin` may be negative and `end` beyond the song: the plan then extends into the padding around the song. No
    chunk starts at or after `starts_before`, since all its output would be discarded.

    Songs of at least `settled` samples have the same chunks, but for those at the end.
    """

    origin: int
    end: int
    chunk: int
    hop: int
    window: Window
    starts_before: int
    settled: int = 0
    _cache: dict[tuple[int, int, int], Window] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 0 < self.hop <= self.chunk:
            raise ValueError(f"hop {self.hop} must be in 1..{self.chunk}")
        if len(self.window) != self.chunk or self.window.min() <= 0:
            raise ValueError("the window must be as long as a chunk and positive everywhere")

    def __len__(self) -> int:
        return max(0, -(-(min(self.end, self.starts_before) - self.origin) // self.hop))

    def __getitem__(self, index: int) -> Chunk:
        if not 0 <= index < len(self):
            raise IndexError(index)
        start = self.origin + index * self.hop
        return Chunk(index, start, min(self.chunk, self.end - start))

    def certain_from(self, index: int) -> int:
        """How long a song has to be so that this chunk and its weights are the same in all that are longer."""
        return self.origin + index * self.hop + self.chunk

    def weights(self, index: int) -> Window:
        """The normalised window of a chunk. Over all chunks, weights sum to one at every sample from `origin` to `end`."""
        reach = (self.chunk - 1) // self.hop
        # Chunks far from both ends have the same neighbours, so they share one array.
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


Plan = TypeVar("Plan", bound=ChunkPlan)


def shifted(plan: Plan, count: int) -> list[Plan]:
    """The plan, and others whose chunks start earlier by equal parts of a hop: `count` in all."""
    return [replace(plan, origin=plan.origin - number * plan.hop // count, _cache={}) for number in range(count)]


def triangle(length: int) -> Window:
    """A triangular window that never reaches zero."""
    half = length // 2
    rising = np.arange(1, half + 1, dtype=np.float64)
    falling = np.arange(length - half, 0, -1, dtype=np.float64)
    window = np.concatenate([rising, falling])
    scaled: Window = (window / window.max()).astype(np.float32)
    return scaled


def plan_triangular(total: int, *, chunk: int, overlap: float, origin: int = 0) -> ChunkPlan:
    """Chunks with a triangular window that overlap by a fraction of their length.

    Args:
        total: samples in the song.
        chunk: samples in a chunk.
        overlap: the fraction of a chunk that the next one covers too, 0 <= overlap < 1.
        origin: start of the first chunk, at or before 0.
    """
    hop = max(1, int((1 - overlap) * chunk))
    return ChunkPlan(origin=origin, end=total, chunk=chunk, hop=hop, window=triangle(chunk), starts_before=total)


def faded(length: int) -> Window:
    """A flat window with linear ramps over a tenth of its length at both ends, down to almost zero."""
    fade = length // 10
    window = np.ones(length, dtype=np.float64)
    if fade > 1:
        ramp = np.maximum(np.linspace(0.0, 1.0, fade), SMALLEST_WEIGHT)
        window[:fade], window[-fade:] = ramp, ramp[::-1]
    single: Window = window.astype(np.float32)
    return single


def plan_faded(total: int, *, chunk: int, overlaps: int) -> ChunkPlan:
    """Chunks with short cross-fades over a song that is mirrored at its ends; `overlaps` of them cover each sample.

    Args:
        total: samples in the song.
        chunk: samples in a chunk; the network always gets a whole chunk.
        overlaps: from 2 on, as in public configurations; 1 is the fastest setting without seams, where neighbours
            share a tenth of a chunk.
    """
    hop = max(1, chunk // overlaps if overlaps > 1 else chunk - chunk // 10)
    border = chunk - hop if total > 2 * (chunk - hop) else 0
    return ChunkPlan(
        origin=-border,
        end=total + border,
        chunk=chunk,
        hop=hop,
        window=faded(chunk),
        starts_before=total,
        settled=2 * (chunk - hop) + 1,
    )


def plan_on_grid(total: int, *, chunk: int, fade: int, grid: int) -> ChunkPlan:
    """Chunks that start on a grid and cross-fade over `fade` samples, for networks that compute in frames.

    Args:
        total: samples in the song.
        chunk: samples in a chunk, rounded to a multiple of `grid`.
        fade: samples in a cross-fade, rounded to a multiple of `grid` and at most half a chunk.
        grid: the hop between frames.
    """
    frames = max(1, round(chunk / grid))
    shared = min(round(fade / grid), frames // 2)
    window = np.ones(frames * grid, dtype=np.float64)
    if shared > 0:
        ramp = (np.arange(shared * grid) + 0.5) / (shared * grid)
        window[: len(ramp)], window[-len(ramp) :] = ramp, ramp[::-1]
    return ChunkPlan(
        origin=0,
        end=total,
        chunk=frames * grid,
        hop=(frames - shared) * grid,
        window=window.astype(np.float32),
        starts_before=total,
    )


def mirrored_positions(chunk: Chunk, plan: ChunkPlan, total: int) -> npt.NDArray[np.int64]:
    """The samples of the song that the network gets for a chunk of a faded plan, as indices; -1 is silence.

    The song is padded with its mirror image. A chunk that is cut off at the end of the plan is completed by its own
    mirror image if more than half of it is left, otherwise by silence.
    """
    positions = np.arange(chunk.start, chunk.start + plan.chunk)
    beyond = positions >= plan.end
    silent = beyond if chunk.length <= plan.chunk // 2 else np.zeros_like(beyond)
    positions = np.where(beyond, 2 * (plan.end - 1) - positions, positions)
    positions = np.abs(positions)
    positions = np.where(positions >= total, 2 * (total - 1) - positions, positions)
    return np.where(silent, -1, positions)
