"""The only loop over chunks: song in, rows of samples out, in order, in memory that does not grow with the song.

A `Lane` is one network with its own chunk plan (a member of a bag, a time shift). All lanes advance together through
the song and add into one accumulator; what no lane will touch again is yielded. The output does not depend on the batch
size.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from utils import device as devices
from utils.core.errors import OutOfMemory
from utils.core.job import Job
from utils.engine.pipeline.chunking import Chunk, ChunkPlan, mirrored_positions
from utils.engine.pipeline.song import UNSCALED, Samples, Scale, SongBuffer


@dataclass(frozen=True)
class Stretch:
    """A finished stretch of a song: what the lanes add up to, and the mix at the same place."""

    start: int
    rows: Tensor  # (rows, channels, samples), on the CPU
    mix: Samples  # (channels, samples)


class Network(Protocol):
    """A network as the loop sees it."""

    def input_length(self, length: int) -> int:
        """How many samples the network wants to see for a chunk of `length` samples, at least `length`."""

    def __call__(self, mix: Tensor) -> Tensor:
        """(batch, channels, samples) to (batch, stems, channels, samples), in fp32."""


@dataclass(frozen=True)
class Lane:
    """A network, where it looks, and how much it counts for each stem.

    Around the song the network sees silence; or, `mirrored`, the song's mirror image; or, `bounded`, nothing: what it is
    shown ends where the song does. It sees the song scaled, and its output is scaled back. Its stems go to the rows of
    the result from `row` on.
    """

    net: Network
    plan: ChunkPlan
    gains: npt.NDArray[np.float64]  # (stems,)
    mirrored: bool = False
    bounded: bool = False
    scale: Scale = UNSCALED
    row: int = 0

    @property
    def rows(self) -> slice:
        return slice(self.row, self.row + len(self.gains))


@dataclass(frozen=True)
class Compute:
    """Where and how networks run."""

    device: str
    threads: int
    batch_size: int = 1
    precision: str = "auto"
    workers: int = 1  # CPU: chunks that run at the same time, each in a thread of its own


class Accumulator:
    """Sums chunks of stems on the device, from the first unfinished sample on."""

    def __init__(self, rows: int, channels: int, total: int, device: str) -> None:
        self._sum = torch.zeros(rows, channels, 0, device=device)
        self._from = 0
        self._total = total

    def add(self, start: int, block: Tensor, rows: slice) -> None:
        """Add a block that starts at `start` to these rows; what lies outside the song is dropped."""
        low, high = max(start, 0), min(start + block.shape[-1], self._total)
        if high <= low:
            return
        missing = high - self._from - self._sum.shape[-1]
        if missing > 0:
            self._sum = torch.nn.functional.pad(self._sum, (0, missing))
        self._sum[rows, :, low - self._from : high - self._from] += block[..., low - start : high - start]

    def take_until(self, position: int) -> tuple[int, Tensor]:
        """Remove and return the samples before `position`, and where they start."""
        start, count = self._from, max(0, min(position, self._total) - self._from)
        taken = self._sum[..., :count]
        self._sum = self._sum[..., count:].clone()
        self._from = start + count
        return start, taken


class Runner:
    """Runs batches of chunks; where memory runs out it halves the batch and remembers."""

    def __init__(self, compute: Compute, job: Job, free_memory: Callable[[], bool]) -> None:
        self.compute = compute
        self._job = job
        self._free_memory = free_memory
        self.batch_size = max(compute.batch_size, compute.workers)
        self.busy_s = 0.0
        self._pool = (
            ThreadPoolExecutor(compute.workers, initializer=self._share_threads) if compute.workers > 1 else None
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unused: object) -> None:
        if self._pool is not None:
            self._pool.shutdown()
            torch.set_num_threads(self.compute.threads)

    def run(self, net: Network, mixes: Sequence[Tensor]) -> list[Tensor]:
        """The network's output for each mix; all mixes have one length."""
        started = time.perf_counter()
        outputs: list[Tensor] = []
        while len(outputs) < len(mixes):
            self._job.checkpoint()
            group = mixes[len(outputs) : len(outputs) + self.batch_size]
            try:
                outputs += self._run_group(net, group)
            except Exception as error:
                if not devices.is_out_of_memory(error):
                    raise
                self._back_off(error)
        self.busy_s += time.perf_counter() - started
        return outputs

    def _run_group(self, net: Network, group: Sequence[Tensor]) -> list[Tensor]:
        if self._pool is None:
            return list(self._forward(net, torch.stack(list(group))))
        return [output[0] for output in self._pool.map(lambda mix: self._forward(net, mix[None]), group)]

    def _forward(self, net: Network, batch: Tensor) -> Tensor:
        with torch.inference_mode(), devices.autocast(self.compute.device, self.compute.precision):
            return net(batch.to(self.compute.device)).float()

    def _back_off(self, error: Exception) -> None:
        devices.release_unused(self.compute.device)
        if self.batch_size > 1:
            self.batch_size //= 2
            self._job.warn(f"Memory ran out; the batch was reduced to {self.batch_size}.")
        elif self._free_memory():
            self._job.warn("Memory ran out; the other cached models were released.")
        else:
            raise OutOfMemory(
                "There is not enough memory to run this model, even one chunk at a time.",
                hint="Use a shorter `segment`, close other programs, or run on the CPU with `--device cpu`.",
            ) from error

    def _share_threads(self) -> None:
        torch.set_num_threads(max(1, self.compute.threads // self.compute.workers))


def demix(song: SongBuffer, lanes: Sequence[Lane], *, channels: int, runner: Runner, job: Job) -> Iterator[Stretch]:
    """Separate a whole song; what is finished comes in order."""
    device = runner.compute.device
    accumulator = Accumulator(max(lane.rows.stop for lane in lanes), channels, song.total, device)
    next_chunk = [0] * len(lanes)
    chunks_total, chunks_done = sum(len(lane.plan) for lane in lanes), 0
    while chunks_done < chunks_total:
        job.checkpoint()
        with job.step("separate"):
            turn = min(range(len(lanes)), key=lambda i: _reached(lanes[i], next_chunk[i]))
            batch = _next_batch(lanes[turn], next_chunk[turn], runner.batch_size, song.total)
            _add_batch(song, lanes[turn], batch, runner, accumulator, job)
            next_chunk[turn] += len(batch)
            chunks_done += len(batch)
            reached = min(_reached(lane, i) for lane, i in zip(lanes, next_chunk, strict=True))
            start, rows = accumulator.take_until(reached)
            stretch = Stretch(start, rows.cpu(), song.read(start, rows.shape[-1]))
            needed_from = min(_looks_back_to(lane, i, song.total) for lane, i in zip(lanes, next_chunk, strict=True))
            song.forget_before(needed_from)
        job.progress("separate", chunks_done, chunks_total)
        if rows.shape[-1] > 0:
            yield stretch


def _reached(lane: Lane, index: int) -> int:
    """Samples before this are final as far as this lane goes."""
    return lane.plan[index].start if index < len(lane.plan) else lane.plan.end


def _looks_back_to(lane: Lane, index: int, total: int) -> int:
    """The first sample that this lane still reads. Chunks at the end of the song may look back further than others."""
    if index >= len(lane.plan):
        return lane.plan.end
    soon = {index, min(index + 1, len(lane.plan) - 1), len(lane.plan) - 1}
    return min(_first_seen(lane, lane.plan[i], total) for i in soon)


def _first_seen(lane: Lane, chunk: Chunk, total: int) -> int:
    if not lane.mirrored:
        return _view(lane, chunk, total)[0]
    positions = mirrored_positions(chunk, lane.plan, total)
    return int(positions[positions >= 0].min())


def _view(lane: Lane, chunk: Chunk, total: int) -> tuple[int, int]:
    """Where the network looks for a chunk, start and length: the chunk lies in the middle of what it wants to see."""
    if lane.mirrored:
        return chunk.start, lane.plan.chunk
    length = lane.net.input_length(chunk.length)
    start = chunk.start - (length - chunk.length) // 2
    if lane.bounded:
        first = max(start, 0)
        return first, min(start + length, total) - first
    return start, length


def _next_batch(lane: Lane, first: int, size: int, total: int) -> list[Chunk]:
    """The next chunks of one lane for which the network is shown equally much, at most `size`."""
    chunks = [lane.plan[first]]
    length = _view(lane, chunks[0], total)[1]
    for index in range(first + 1, min(first + size, len(lane.plan))):
        if _view(lane, lane.plan[index], total)[1] != length:
            break
        chunks.append(lane.plan[index])
    return chunks


def _add_batch(
    song: SongBuffer, lane: Lane, batch: Sequence[Chunk], runner: Runner, accumulator: Accumulator, job: Job
) -> None:
    with job.step("read"):
        mixes = [torch.from_numpy(_see(song, lane, chunk)) for chunk in batch]
    gains = torch.from_numpy(lane.gains.astype(np.float32))[:, None, None]
    for chunk, output in zip(batch, runner.run(lane.net, mixes), strict=True):
        before = chunk.start - _view(lane, chunk, song.total)[0]
        seen = output[..., before : before + chunk.length]
        if lane.scale != UNSCALED:
            seen = seen * lane.scale.std + lane.scale.mean
        fade = torch.from_numpy(lane.plan.weights(chunk.number))
        accumulator.add(chunk.start, seen * (gains * fade).to(output.device), lane.rows)


def _see(song: SongBuffer, lane: Lane, chunk: Chunk) -> Samples:
    """What the network is shown for a chunk."""
    start, length = _view(lane, chunk, song.total)
    if lane.mirrored and not 0 <= start <= song.total - length:
        return song.read_at(mirrored_positions(chunk, lane.plan, song.total), lane.scale)
    return song.read(start, length, lane.scale)
