"""How a song is laid out for a VR network: patches of frames, several to a chunk, and one lane for each sort of chunk.

A network looks at `window` frames and gives a mask for those in the middle; the patches tile the song from its first
frame on. A chunk holds whole patches and as many around them as the mending of masks needs to see. Chunks near the
ends of the song know where they are; the others are all alike and share a lane.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from utils.core.errors import InvalidRequest
from utils.engine.families.vr.masks import MENDING_REACH
from utils.engine.families.vr.options import VrOptions
from utils.engine.families.vr.spectra import Location, song_frames
from utils.engine.pipeline.chunking import ChunkPlan, Window

# Patches of a chunk, where chunks share some: what is computed twice is then an eighth, or a quarter with a halo.
SHARED_PATCHES = 8


class SummedPlan(ChunkPlan):
    """Chunks that are added up as they are: what overlaps belongs together, and nothing is faded."""

    def _weights(self, index: int, reach: int) -> Window:  # noqa: ARG002  # the plan's own need it
        return np.ones(self[index].length, dtype=np.float32)


@dataclass(frozen=True)
class Geometry:
    """Sizes in frames, but for `hop`."""

    hop: int  # samples from one frame to the next
    window: int  # what the network sees
    offset: int  # what it needs to see on either side
    shift: int  # by how much the second look is off; 0 if there is none
    core: int  # what a chunk is about
    halo: int  # what else it makes masks for, on either side
    tail: int  # how far a frame's samples reach
    margin: int  # how far a frame looks

    @property
    def patch(self) -> int:
        return self.window - 2 * self.offset

    @property
    def around(self) -> int:
        """How much more than its core a chunk looks at, on either side."""
        return max(self.tail, self.halo + self.shift + self.offset + self.margin)

    @property
    def chunk_samples(self) -> int:
        return (self.core + 2 * self.tail) * self.hop

    @property
    def seen_samples(self) -> int:
        return (self.core + 2 * self.around) * self.hop

    def place(self, number: int, samples: int) -> Location:
        """Where what a chunk looks at begins, in a song of so many samples."""
        return Location(number * self.core - self.around, samples)


def geometry(options: VrOptions, *, hop: int, offset: int, multiple: int, tail: int, margin: int) -> Geometry:
    """The layout of a job. Raises `InvalidRequest` for a window that the network cannot look through."""
    patch = options.window_size - 2 * offset
    if patch < 1 or options.window_size % multiple:
        raise InvalidRequest(
            f"This network needs a `vr_window_size` above {2 * offset} that is a multiple of {multiple}; "
            f"{options.window_size} was asked for.",
            hint="320, 512 and 1024 are usual; the smaller, the slower and the better.",
            field="vr_window_size",
        )
    halo = -(-MENDING_REACH // patch) * patch if options.post_process else 0
    shared = SHARED_PATCHES * max(1, halo // patch)
    return Geometry(
        hop=hop,
        window=options.window_size,
        offset=offset,
        shift=patch // 2 if options.tta else 0,
        core=patch * (shared if halo or options.tta else 1),
        halo=halo,
        tail=tail,
        margin=margin,
    )


def plans(sizes: Geometry, samples: int) -> Iterator[tuple[SummedPlan, Location | None]]:
    """The chunks of a song: one plan for each chunk near an end, with its place, and one for all between."""
    count = -(-song_frames(samples, sizes.hop) // sizes.core)
    for _, numbers in groupby(range(count), key=lambda number: _sort(sizes, number, samples)):
        chunks = list(numbers)
        near_end = _sort(sizes, chunks[0], samples) is not None
        yield _plan(sizes, chunks[0], len(chunks), samples), sizes.place(chunks[0], samples) if near_end else None


def _sort(sizes: Geometry, number: int, samples: int) -> int | None:
    """None for a chunk that sees nothing but the song; the others are each one of their sort."""
    start = sizes.place(number, samples).frame
    stop = start + sizes.core + 2 * sizes.around
    return None if start >= 0 and stop * sizes.hop <= samples else number


def _plan(sizes: Geometry, first: int, count: int, samples: int) -> SummedPlan:
    origin = (first * sizes.core - sizes.tail) * sizes.hop
    step = sizes.core * sizes.hop
    reached = origin + (count - 1) * step + sizes.chunk_samples
    return SummedPlan(
        origin=origin,
        end=max(reached, samples),  # a lane that is done must not hold back the others
        chunk=sizes.chunk_samples,
        hop=step,
        window=np.ones(sizes.chunk_samples, dtype=np.float32),
        starts_before=origin + count * step,
    )
