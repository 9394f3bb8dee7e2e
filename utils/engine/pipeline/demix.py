"""The only loop over chunks: song in, rows of samples out, in order, in memory that does not grow with the song.

A `Lane` is one network with its own chunk plan (a member of a bag, a time shift). All lanes advance through the song
together and overlap-add into one accumulator; samples that no lane will touch again are yielded. The output does not
depend on the batch size.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, Protocol, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from utils import device as devices
from utils.core.errors import OutOfMemory
from utils.core.failures import is_out_of_memory
from utils.core.job import Job, working_on
from utils.core.settings import Arithmetic
from utils.engine.backends import Overflow
from utils.engine.backends.torch import helped
from utils.engine.pipeline.chunking import ENDLESS, Chunk, ChunkPlan, mirrored_positions
from utils.engine.pipeline.song import UNSCALED, Samples, Scale, SongAccess, SongBuffer

OVERFLOWED = "This network overflows in half precision; from now on it computes in single precision."


@dataclass(frozen=True)
class Stretch:
    """A finished stretch of a song: the sum of the lanes, and the mix at the same position."""

    start: int
    rows: Tensor  # (rows, channels, samples), on the CPU
    mix: Samples  # (channels, samples)


class Network(Protocol):
    """A network as the chunk loop calls it."""

    def input_length(self, length: int) -> int:
        """How many samples the network needs as context for a chunk of `length` samples, at least `length`."""

    def __call__(self, mix: Tensor) -> Tensor:
        """(batch, channels, samples) to (batch, stems, channels, samples), in fp32."""


@dataclass(frozen=True)
class Lane:
    """A network with its chunk plan, and its gain for each stem.

    The song is padded with silence for the network; or, if `mirrored`, with its mirror image; or, if `bounded`, not at
    all: the network's input then ends where the song does. The input is scaled, and the output is scaled back. The
    network's stems are added to the rows of the result from `row` on.
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
    precision: Arithmetic = "fp32"
    workers: int = 1  # CPU: chunks that run in parallel, each in its own thread


class Accumulator:
    """The overlap-add buffer on the device. It starts at the first unfinished sample, and ends where `until` is."""

    def __init__(self, rows: int, channels: int, until: int, device: str, *, first: int = 0) -> None:
        self.until = until
        self._sum = torch.zeros(rows, channels, 0, device=device)
        self._from = first

    def add(self, start: int, block: Tensor, rows: slice) -> None:
        """Add a block that starts at `start` to these rows; samples before and after the buffer's own are dropped."""
        low, high = max(start, self._from), min(start + block.shape[-1], self.until)
        if high <= low:
            return
        missing = high - self._from - self._sum.shape[-1]
        if missing > 0:
            self._sum = torch.nn.functional.pad(self._sum, (0, missing))
        self._sum[rows, :, low - self._from : high - self._from] += block[..., low - start : high - start]

    def take_until(self, position: int) -> tuple[int, Tensor]:
        """Remove the samples before `position`; returns their start and the samples."""
        start, count = self._from, max(0, min(position, self.until) - self._from)
        taken = self._sum[..., :count]
        self._sum = self._sum[..., count:].clone()
        self._from = start + count
        return start, taken


class Runner:
    """Runs batches of chunks. If memory runs out, it halves the batch size for the rest of the job."""

    def __init__(self, compute: Compute, job: Job, free_memory: Callable[[], bool]) -> None:
        self.compute = compute
        self._job = job
        self._free_memory = free_memory
        self.batch_size = max(compute.batch_size, compute.workers)
        self.busy_s = 0.0
        self.overflowed = False
        self._pool: ThreadPoolExecutor | None = None
        if compute.workers > 1:
            share = max(1, compute.threads // compute.workers)
            self._pool = ThreadPoolExecutor(compute.workers, initializer=lambda: torch.set_num_threads(share))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unused: object) -> None:
        if self._pool is not None:
            self._pool.shutdown()
            torch.set_num_threads(self.compute.threads)

    def run(self, net: Network, mixes: Sequence[Tensor]) -> list[Tensor]:
        """The network's output for each mix; all mixes have the same length."""
        started = time.perf_counter()
        outputs: list[Tensor] = []
        while len(outputs) < len(mixes):
            self._job.checkpoint()
            group = mixes[len(outputs) : len(outputs) + self.batch_size]
            try:
                if self._pool is None:
                    outputs.extend(self._forward(net, torch.stack(list(group))))
                else:
                    outputs += [out[0] for out in self._pool.map(lambda mix: self._forward(net, mix[None]), group)]
            except Overflow:
                self.overflowed = True
                self._job.warn(OVERFLOWED)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                self._back_off(error)
        self.busy_s += time.perf_counter() - started
        return outputs

    def _forward(self, net: Network, batch: Tensor) -> Tensor:
        computing = devices.computing(self.compute.device, self.compute.precision)
        with working_on(self._job), torch.inference_mode(), computing, helped(self.compute.device):
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
                f"{devices.out_of_memory(self.compute.device)} is not enough memory to run this model, even with one chunk at a time.",
                hint="Use a shorter `segment`, close other programs, or run on the CPU with `--device cpu`.",
            ) from error


class Turn(NamedTuple):
    """Chunks of one lane that run together."""

    lane: Lane
    chunks: list[Chunk]
    final: int  # up to here, nothing is added after it
    needed: int  # from here on, the song is still read after it

    @property
    def end(self) -> int:
        """Up to here, it adds something."""
        return self.chunks[-1].start + self.chunks[-1].length

    @property
    def work(self) -> int:
        """How much there is to do, in samples."""
        return len(self.chunks) * self.lane.plan.hop


def turns(lanes: Sequence[Lane], size: int, total: int, first: Sequence[int] | None = None) -> Iterator[Turn]:
    """All chunks of all lanes, at most `size` together, in the order in which they are added up.

    `first` has the first chunk of each lane, where those before it have had their turns.
    """
    next_chunk = list(first or [0] * len(lanes))
    left = sum(len(lane.plan) for lane in lanes) - sum(next_chunk)
    while left:
        last = min(range(len(lanes)), key=lambda i: _final_until(lanes[i], next_chunk[i]))
        chunks = _next_batch(lanes[last], next_chunk[last], size, total)
        next_chunk[last] += len(chunks)
        left -= len(chunks)
        final = min(_final_until(lane, i) for lane, i in zip(lanes, next_chunk, strict=True))
        needed = min(_needed_from(lane, i, total) for lane, i in zip(lanes, next_chunk, strict=True))
        yield Turn(lanes[last], chunks, final, needed)


def turns_as_it_comes(
    song: SongBuffer, endless: Sequence[Lane], size: int, lanes_of: Callable[[int], Sequence[Lane]]
) -> Iterator[Turn]:
    """As `turns`, of a song whose end has not come yet: the same ones, each as soon as it is the same for any longer song."""
    numbers = {id(lane): number for number, lane in enumerate(endless)}
    done = [0] * len(endless)
    if song.reaches(max(lane.plan.settled for lane in endless)):
        # The last chunks, which are not known yet, may look back so far.
        back = max(lane.plan.chunk + lane.net.input_length(lane.plan.chunk) for lane in endless)
        for turn in turns(endless, size, ENDLESS):
            start, length = _view(turn.lane, turn.chunks[-1], ENDLESS)
            if not song.reaches(max(start + length, turn.lane.plan.certain_from(turn.chunks[-1].number))):
                break
            yield turn._replace(needed=turn.needed - back)
            done[numbers[id(turn.lane)]] += len(turn.chunks)
    yield from turns(lanes_of(song.total), size, song.total, done)


def turns_within(song: SongBuffer, todo: Iterable[Turn], within: range) -> list[Turn]:
    """Those turns that add to any of these samples, or lie between. The song may forget what only earlier ones read."""
    found: list[Turn] = []
    reached = 0
    for turn in todo:
        reached = max(reached, turn.end)
        if reached <= within.start:
            song.forget_before(turn.needed)
            continue
        found.append(turn)
        if turn.final >= within.stop:
            break
    return found


def demix(
    song: SongBuffer,
    lanes: Sequence[Lane],
    *,
    channels: int,
    rate: int,
    runner: Runner,
    job: Job,
    lanes_of: Callable[[int], Sequence[Lane]] | None = None,
    within: range | None = None,
) -> Iterator[Stretch]:
    """Separate a song, of `rate` samples a second, or these samples of it; yields finished stretches in order.

    Where the end of the song has not come yet, the lanes are those of an endless one; `lanes_of` gives those for its length.
    """
    size = runner.batch_size
    todo: Iterable[Turn]
    if within is not None:
        todo = turns_within(song, turns(lanes, size, song.total), within)
        total: float = sum(turn.work for turn in todo)
    elif song.total == ENDLESS and lanes_of is not None:
        todo, total = turns_as_it_comes(song, lanes, size, lanes_of), math.inf
    else:
        todo, total = turns(lanes, size, song.total), work(lanes)
    accumulator = Accumulator(
        row_count(lanes), channels, song.total, runner.compute.device, first=within.start if within is not None else 0
    )
    done = 0
    job.progress("separate", 0, total / rate)
    for turn in todo:
        job.checkpoint()
        accumulator.until = within.stop if within is not None else song.total
        with job.step("separate"):
            run_turn(song, turn, runner, accumulator, job)
            start, rows = accumulator.take_until(turn.final)
            stretch = Stretch(start, rows.cpu(), song.read(start, rows.shape[-1]))
            song.forget_before(turn.needed)
        done += turn.work
        job.progress("separate", done / rate, total / rate)
        if rows.shape[-1] > 0:
            yield stretch


def row_count(lanes: Sequence[Lane]) -> int:
    return max(int(lane.rows.stop) for lane in lanes)


def work(lanes: Sequence[Lane]) -> int:
    """How much there is to do, in samples."""
    return sum(len(lane.plan) * lane.plan.hop for lane in lanes)


def _final_until(lane: Lane, index: int) -> int:
    """The position up to which this lane adds nothing more, if `index` is its next chunk."""
    return lane.plan[index].start if index < len(lane.plan) else lane.plan.end


def _needed_from(lane: Lane, index: int, total: int) -> int:
    """The first sample that this lane still reads. Chunks at the end of the song may look back further than others."""
    if index >= len(lane.plan):
        return lane.plan.end
    chunks = [lane.plan[i] for i in (index, min(index + 1, len(lane.plan) - 1), len(lane.plan) - 1)]
    if not lane.mirrored:
        return min(_view(lane, chunk, total)[0] for chunk in chunks)
    positions = np.concatenate([mirrored_positions(chunk, lane.plan, total) for chunk in chunks])
    return int(positions[positions >= 0].min())


def _view(lane: Lane, chunk: Chunk, total: int) -> tuple[int, int]:
    """Start and length of the network's input for a chunk, which lies in the middle of its context."""
    if lane.mirrored:
        return chunk.start, lane.plan.chunk
    length = lane.net.input_length(chunk.length)
    start = chunk.start - (length - chunk.length) // 2
    if lane.bounded:
        first = max(start, 0)
        return first, min(start + length, total) - first
    return start, length


def _next_batch(lane: Lane, first: int, size: int, total: int) -> list[Chunk]:
    """The next chunks of one lane whose inputs have the same length, at most `size`."""
    chunks = [lane.plan[first]]
    length = _view(lane, chunks[0], total)[1]
    for index in range(first + 1, min(first + size, len(lane.plan))):
        if _view(lane, lane.plan[index], total)[1] != length:
            break
        chunks.append(lane.plan[index])
    return chunks


def run_turn(song: SongAccess, turn: Turn, runner: Runner, accumulator: Accumulator, job: Job) -> None:
    """Run the chunks of a turn, and add what comes out."""
    lane = turn.lane
    with job.step("read"):
        mixes = []
        for chunk in turn.chunks:
            start, length = _view(lane, chunk, song.total)
            if lane.mirrored and not 0 <= start <= song.total - length:
                samples = song.read_at(mirrored_positions(chunk, lane.plan, song.total), lane.scale)
            else:
                samples = song.read(start, length, lane.scale)
            mixes.append(torch.from_numpy(samples))
    gains = torch.from_numpy(lane.gains.astype(np.float32))[:, None, None]
    for chunk, output in zip(turn.chunks, runner.run(lane.net, mixes), strict=True):
        context = chunk.start - _view(lane, chunk, song.total)[0]
        stems = output[..., context : context + chunk.length]
        if lane.scale != UNSCALED:
            stems = stems * lane.scale.std + lane.scale.mean
        window = torch.from_numpy(lane.plan.weights(chunk.number))
        accumulator.add(chunk.start, stems * (gains * window).to(output.device), lane.rows)
