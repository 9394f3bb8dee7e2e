"""A song that is still coming is separated as far as it has come, into the samples of one that is known from the start."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.core.job import Job
from utils.engine.families.audiosep.network import Lengths, Rates
from utils.engine.families.mdx.model import plan_mdx
from utils.engine.families.networks.package import plan_alike, plan_to_end
from utils.engine.pipeline.chunking import ENDLESS, plan_faded, plan_on_grid, plan_triangular
from utils.engine.pipeline.demix import Compute, Lane, Runner, demix
from utils.engine.pipeline.song import SongBuffer

CHUNK = 300


class Smear:
    """A network to which each sample of its input and the place of it in the chunk matter, with some context."""

    def __init__(self, context=0):
        self.context = context

    def input_length(self, length):
        return length + self.context

    def __call__(self, mix):
        place = torch.arange(mix.shape[-1]) / mix.shape[-1]
        return (mix * (1 + place) + mix.mean(dim=-1, keepdim=True))[:, None]


class Fixed(Smear):
    """One whose input always has the same length, so that short chunks have much context."""

    def input_length(self, length):
        return max(length, CHUNK + 40)


ONE = np.ones(1)
KINDS = {
    "triangular": lambda total, hop: [Lane(Smear(20), plan_triangular(total, chunk=CHUNK, overlap=1 - hop, origin=-31), ONE)],
    "fixed": lambda total, hop: [Lane(Fixed(), plan_triangular(total, chunk=CHUNK, overlap=1 - hop), ONE)],
    "mirrored": lambda total, hop: [Lane(Smear(), plan_faded(total, chunk=CHUNK, overlaps=round(1 / hop)), ONE, mirrored=True)],
    "grid": lambda total, hop: [Lane(Smear(80), plan_on_grid(total, chunk=CHUNK, fade=round((1 - hop) * CHUNK), grid=10), ONE, bounded=True)],
    "whole or grid": lambda total, hop: [Lane(Smear(80), Lengths(10.24, 15.0).plan(total, Rates.of(1000, 1000)), ONE, bounded=True)],
    "to end": lambda total, hop: [Lane(Smear(), plan_to_end(total, chunk=CHUNK, hop=round(hop * CHUNK)), ONE, bounded=True)],
    "alike": lambda total, hop: [Lane(Smear(), plan_alike(total, chunk=CHUNK, hop=round(hop * CHUNK)), ONE)],
    "mdx": lambda total, hop: [Lane(Smear(), plan_mdx(total, n_fft=64, frames=2, overlap=1 - hop), ONE)],
    "shifts": lambda total, hop: [
        Lane(Smear(20), plan_triangular(total, chunk=chunk, overlap=1 - hop, origin=-origin), ONE)
        for chunk, origin in ((CHUNK, 7), (200, 0), (CHUNK, 90))
    ],
}  # fmt: skip


def chunk_of(kind):
    return KINDS[kind](ENDLESS, 0.5)[0].plan.chunk


def noise(total):
    return np.random.default_rng(total).standard_normal((2, total)).astype(np.float32)


class Counted:
    """A song in blocks, with how many samples were taken and how many the buffer holds."""

    def __init__(self, samples, block):
        self.read = 0
        self.samples = samples
        self.block = block

    def __iter__(self):
        for start in range(0, self.samples.shape[1], self.block):
            part = self.samples[:, start : start + self.block]
            self.read += part.shape[1]
            yield part


def separated(lanes_of, song, total, batch):
    """Each stretch, with how far the song had been read by then and how much of it was held."""
    buffer = SongBuffer(iter(song), channels=2, total=total)
    with Runner(Compute("cpu", 1, batch_size=batch), Job(), lambda: False) as runner:
        for stretch in demix(
            buffer, lanes_of(total), channels=2, rate=100, runner=runner, job=Job(), lanes_of=lanes_of
        ):
            yield stretch, song.read, buffer._kept.shape[1]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(
    around=st.sampled_from([0, 1, 2, 3, 7]),
    more=st.integers(-12, 12) | st.integers(0, CHUNK),
    hop=st.sampled_from([1.0, 0.75, 0.5, 0.25]),
    batch=st.integers(1, 3),
    block=st.sampled_from([1000, 97, 30]),
)
def test_a_song_of_unknown_length_is_separated_as_one_that_is_known(kind, around, more, hop, batch, block):
    """Sample by sample, in the same order, for any length around the borders of chunks."""
    chunk = chunk_of(kind)
    total = max(1, around * round(hop * chunk) + more)

    def lanes_of(frames):
        return KINDS[kind](frames, hop)

    samples = noise(total)
    known = [each for each, *_ in separated(lanes_of, Counted(samples, block), total, batch)]
    coming = [each for each, *_ in separated(lanes_of, Counted(samples, block), ENDLESS, batch)]
    for stretches in (known, coming):
        assert [each.start for each in stretches] == [0, *np.cumsum([each.rows.shape[-1] for each in stretches])[:-1]]
    torch.testing.assert_close(
        torch.cat([each.rows for each in coming], dim=-1),
        torch.cat([each.rows for each in known], dim=-1),
        rtol=0,
        atol=0,
    )
    np.testing.assert_array_equal(np.concatenate([each.mix for each in coming], axis=1), samples)


@pytest.mark.parametrize("kind", KINDS)
def test_stems_follow_the_input_at_a_distance_that_does_not_grow(kind):
    """Each stretch leaves when the chunks that it needs have come; what is held of the song stays short."""
    chunk = chunk_of(kind)
    samples, done = noise(60 * chunk), 0
    for stretch, read, held in separated(
        lambda total: KINDS[kind](total, 0.5), Counted(samples, chunk // 30), ENDLESS, 1
    ):
        assert read - done <= (2.5 if kind in ("to end", "mdx") else 1.5) * chunk + 100
        assert held <= 12 * chunk
        done = stretch.start + stretch.rows.shape[-1]
    assert done == samples.shape[1]


def test_progress_tells_nothing_of_a_length_that_nobody_knows():
    """It stays at the beginning of the stage; a number that JSON does not have is never sent."""
    sent = []
    job = Job(sent.append)
    job.begin_stages(separate=1.0)
    buffer = SongBuffer(iter([noise(2000)]), channels=2, total=ENDLESS)
    with Runner(Compute("cpu", 1), job, lambda: False) as runner:
        lanes_of = lambda total: KINDS["triangular"](total, 0.5)  # noqa: E731
        list(demix(buffer, lanes_of(ENDLESS), channels=2, rate=100, runner=runner, job=job, lanes_of=lanes_of))
    assert all(math.isfinite(line.percent) for line in sent)
