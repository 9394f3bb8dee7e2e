"""How a song is divided for a VR network: into patches of frames, several to a chunk, with a lane per kind of chunk.

A network takes `window` frames and returns a mask for those in the middle. These patches tile the song from its first
frame on. A chunk holds whole patches, plus those around them that the mending of masks needs as context. Chunks near the
ends of the song know their position; all others are alike and share a lane.
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

# Patches per chunk if chunks overlap: an eighth is then computed twice, or a quarter with a halo.
SHARED_PATCHES = 8


class SummedPlan(ChunkPlan):
    """Chunks that are summed without windows: their overlap is a proper overlap-add."""

    def _weights(self, index: int, reach: int) -> Window:  # noqa: ARG002  # overrides a method that needs it
        return np.ones(self[index].length, dtype=np.float32)


@dataclass(frozen=True)
class Geometry:
    """Sizes in frames, except for `hop`."""

    hop: int  # in samples
    window: int  # the network's input
    offset: int  # the network's context on either side
    shift: int  # the offset of the second pass; 0 if there is only one
    core: int  # the frames that a chunk contributes
    halo: int  # further frames with masks, on either side
    tail: int  # how far the samples of a frame extend
    margin: int  # how far the spectrum of a frame depends on its surroundings

    @property
    def patch(self) -> int:
        return self.window - 2 * self.offset

    @property
    def context(self) -> int:
        """The context of a chunk's core, on either side."""
        return max(self.tail, self.halo + self.shift + self.offset + self.margin)

    @property
    def chunk_samples(self) -> int:
        return (self.core + 2 * self.tail) * self.hop

    @property
    def input_samples(self) -> int:
        return (self.core + 2 * self.context) * self.hop

    def place(self, number: int, samples: int) -> Location:
        """Where the input of a chunk starts, in a song with this number of samples."""
        return Location(number * self.core - self.context, samples)


def geometry(options: VrOptions, *, hop: int, offset: int, multiple: int, tail: int, margin: int) -> Geometry:
    """The geometry of a job. Raises `InvalidRequest` for a window that the network does not support."""
    patch = options.window_size - 2 * offset
    if patch < 1 or options.window_size % multiple:
        raise InvalidRequest(
            f"This network needs a `vr_window_size` above {2 * offset} that is a multiple of {multiple}, "
            f"not {options.window_size}.",
            hint="Usual values are 320, 512 and 1024; smaller ones are slower and better.",
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
    """The plans of a song: one for each chunk near an end, with its location, and one for all chunks in between."""
    chunks = -(-song_frames(samples, sizes.hop) // sizes.core)
    step = sizes.core * sizes.hop

    def kind(number: int) -> int | None:
        """None for all chunks whose whole input lies inside the song; every other chunk is a kind of its own."""
        start = sizes.place(number, samples).frame
        stop = start + sizes.core + 2 * sizes.context
        return None if start >= 0 and stop * sizes.hop <= samples else number

    for own, numbers in groupby(range(chunks), key=kind):
        first, *others = numbers
        origin = (first * sizes.core - sizes.tail) * sizes.hop
        plan = SummedPlan(
            origin=origin,
            # A lane that is done must not hold back the others.
            end=max(origin + len(others) * step + sizes.chunk_samples, samples),
            chunk=sizes.chunk_samples,
            hop=step,
            window=np.ones(sizes.chunk_samples, dtype=np.float32),
            starts_before=origin + (len(others) + 1) * step,
        )
        yield plan, None if own is None else sizes.place(first, samples)
