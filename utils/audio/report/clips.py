"""The tracks of a page as short MP3 files, so that a browser can play any part of a song in step and in little memory.

Clips overlap: each fades out while the next one fades in, so laid over each other at their places they sum to the track.
MP3 is what every browser decodes. A decoder may shift what it decodes a little; as it shifts all clips alike, tracks stay
in step with each other.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass

import av
import numpy as np

from utils.audio.channels import Block, mix_channels
from utils.audio.formats import rate_like
from utils.audio.resampling import StreamResampler

STEP_S = 10
OVERLAPS = 10  # of a second: the part of it that clips overlap
MOST_BYTES = 72_000_000  # of all clips: an hour of a mix and four stems at the lowest rate
KILOBITS = (128, 96, 64, 48, 32)
LEAST_STEREO = 64  # below it, a track of one channel sounds better
MOST_KILOBITS_BELOW_16_KHZ = 64
# LAME's faster search: half the time of its usual one, and as close to the track at these rates.
SEARCH = {"compression_level": "7"}


@dataclass(frozen=True)
class ClipPlan:
    """How tracks are cut and encoded."""

    rate: int
    channels: int
    kilobits: int
    most: int  # clips of a track; what comes later is left out

    @classmethod
    def fitting(cls, tracks: int, *, sample_rate: int, channels: int, duration_s: float) -> ClipPlan:
        """The best quality in which all of the tracks take no more than `MOST_BYTES`, or as much of them as fits."""
        rate = rate_like(sample_rate, "mp3")
        known = [kilobits for kilobits in KILOBITS if rate >= 16000 or kilobits <= MOST_KILOBITS_BELOW_16_KHZ]
        clips = max(1, math.ceil(duration_s / STEP_S))
        kilobits = next((one for one in known if clips <= cls._room(tracks, one)), known[-1])
        return cls(rate, min(channels, 2) if kilobits >= LEAST_STEREO else 1, kilobits, cls._room(tracks, kilobits))

    @staticmethod
    def _room(tracks: int, kilobits: int) -> int:
        return max(1, MOST_BYTES // (tracks * kilobits * 125 * STEP_S))

    @property
    def step(self) -> int:
        return STEP_S * self.rate

    @property
    def overlap(self) -> int:
        return self.rate // OVERLAPS

    @property
    def lead(self) -> int:
        """How long before its place in the song a clip begins."""
        return self.overlap // 2

    def playable_s(self, duration_s: float) -> float:
        return min(duration_s, float(self.most * STEP_S))


class ClipCutter:
    """Cuts one track into clips of (samples, channels), block by block."""

    def __init__(self, plan: ClipPlan, source_rate: int) -> None:
        self._plan = plan
        self._resampler = StreamResampler(source_rate, plan.rate, plan.channels)
        self._rest: Block = np.zeros((plan.lead, plan.channels), np.float32)
        self._count = 0
        self._rise = np.linspace(0, 1, plan.overlap, endpoint=False, dtype=np.float32)[:, None]

    def push(self, block: Block) -> Iterator[Block]:
        """The clips that are complete with the next samples (channels, n)."""
        if self._count < self._plan.most:
            mixed = np.ascontiguousarray(mix_channels(block.T, self._plan.channels))
            for ready in self._resampler.push(mixed):
                yield from self._complete(ready)

    def finish(self) -> Iterator[Block]:
        """The last clips."""
        if self._count < self._plan.most:
            yield from self._complete(self._resampler.finish())
        if self._count < self._plan.most:
            yield self._next(len(self._rest))

    def _complete(self, block: Block) -> Iterator[Block]:
        """The clips that something comes after, so that they fade out."""
        self._rest = np.concatenate([self._rest, block])
        length = self._plan.step + self._plan.overlap
        while len(self._rest) > length and self._count < self._plan.most:
            clip = self._next(length)
            clip[-self._plan.overlap :] *= 1 - self._rise
            self._rest = self._rest[self._plan.step :]
            yield clip

    def _next(self, length: int) -> Block:
        clip = self._rest[:length].copy()
        if self._count:
            faded = clip[: self._plan.overlap]
            faded *= self._rise[: len(faded)]
        self._count += 1
        return clip


def encoded(clip: Block, plan: ClipPlan) -> bytes:
    """A clip as an MP3 file, which tells how many samples of it are not the clip's."""
    layout = "mono" if plan.channels == 1 else "stereo"
    file = io.BytesIO()
    with av.open(file, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=plan.rate, layout=layout, options=SEARCH)
        stream.bit_rate = 1000 * plan.kilobits
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(clip.T), format="fltp", layout=layout)
        frame.sample_rate = plan.rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()
