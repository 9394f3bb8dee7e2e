"""The chunk loop: identity in, identity out; batches and lanes make no difference; memory running out is handled."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.core.errors import OutOfMemory
from utils.core.job import Job, JobCancelled
from utils.engine.pipeline.chunking import plan_faded, plan_on_grid, plan_triangular
from utils.engine.pipeline.demix import Compute, Lane, Runner, demix
from utils.engine.pipeline.song import Scale, SongBuffer

ONE = np.ones(1, np.float32)


class Identity:
    """Returns the mix as its only stem; its input has `context` more samples than the chunk."""

    def __init__(self, context=0):
        self.context = context
        self.batches = []

    def input_length(self, length):
        return length + self.context

    def __call__(self, mix):
        self.batches.append(len(mix))
        return mix[:, None].clone()


class Watching(Identity):
    """Keeps the first input that it gets."""

    def __call__(self, mix):
        if not self.batches:
            self.seen = mix[0].numpy().copy()
        return super().__call__(mix)


class Hungry(Identity):
    """Runs out of memory above `limit` samples in a batch."""

    def __init__(self, limit):
        super().__init__()
        self.limit = limit

    def __call__(self, mix):
        if mix.shape[0] * mix.shape[-1] > self.limit:
            raise torch.OutOfMemoryError("CUDA out of memory (in a test)")
        return super().__call__(mix)


def run(samples, lanes, job=None, free_memory=lambda: False, **compute):
    job = job or Job()
    song = SongBuffer(
        (samples[:, i : i + 97] for i in range(0, samples.shape[1], 97)), channels=2, total=samples.shape[1]
    )
    parts = []
    with Runner(Compute(device="cpu", threads=1, **compute), job, free_memory) as runner:
        parts += demix(song, lanes, channels=2, rate=100, runner=runner, job=job)
    assert [p.start for p in parts] == list(np.cumsum([0] + [p.rows.shape[-1] for p in parts[:-1]]))
    mix = np.concatenate([p.mix for p in parts], axis=-1)
    np.testing.assert_array_equal(mix, samples)
    return torch.cat([p.rows for p in parts], dim=-1).numpy()


def noise(total, seed=0):
    return np.random.default_rng(seed).standard_normal((2, total)).astype(np.float32)


@settings(max_examples=60)
@given(
    total=st.integers(1, 2500),
    chunk=st.integers(1, 400),
    overlap=st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 0.9]),
    batch=st.integers(1, 9),
    context=st.integers(0, 60),
    origin=st.integers(0, 200),
)
def test_identity_returns_its_input(total, chunk, overlap, batch, context, origin):
    """An identity network reconstructs the song for every length, overlap, batch size and shift."""
    samples = noise(total)
    lane = Lane(Identity(context), plan_triangular(total, chunk=chunk, overlap=overlap, origin=-origin), ONE)
    np.testing.assert_allclose(run(samples, [lane], batch_size=batch)[0], samples, atol=1e-5)


@settings(max_examples=60)
@given(total=st.integers(1, 2500), chunk=st.integers(2, 400), overlaps=st.integers(1, 9), batch=st.integers(1, 9))
def test_identity_over_a_mirrored_song(total, chunk, overlaps, batch):
    """Chunks of the mirrored song reconstruct the song as well."""
    samples = noise(total)
    lane = Lane(Identity(), plan_faded(total, chunk=chunk, overlaps=overlaps), ONE, mirrored=True)
    np.testing.assert_allclose(run(samples, [lane], batch_size=batch)[0], samples, atol=1e-5)


def test_the_batch_size_changes_nothing():
    """The same samples to the last bit, whether chunks run alone or together."""
    samples = noise(3000)
    results = [
        run(samples, [Lane(Identity(), plan_triangular(3000, chunk=300, overlap=0.6), ONE)], batch_size=size)
        for size in (1, 2, 3, 5, 7, 16, 64)
    ]
    for other in results[1:]:
        np.testing.assert_array_equal(results[0], other)


def test_batches_are_filled():
    """Chunks of the same length fill whole batches."""
    net = Identity()
    run(noise(1000), [Lane(net, plan_triangular(1000, chunk=100, overlap=0.0), ONE)], batch_size=4)
    assert net.batches == [4, 4, 2]


def test_lanes_of_different_lengths_add_up():
    """Members of a bag with different chunks and shifts add up to one sum."""
    samples = noise(2000)
    lanes = [
        Lane(Identity(), plan_triangular(2000, chunk=300, overlap=0.25), np.array([0.25], np.float32)),
        Lane(Identity(20), plan_triangular(2000, chunk=711, overlap=0.5, origin=-150), np.array([0.75], np.float32)),
    ]
    np.testing.assert_allclose(run(samples, lanes, batch_size=2)[0], samples, atol=1e-5)


def test_gains_count_for_each_stem():
    """A lane with a gain of zero for a stem does not contribute to it."""

    class Two(Identity):
        def __call__(self, mix):
            return torch.stack([mix, 2 * mix], dim=1)

    samples = noise(500)
    plan = plan_triangular(500, chunk=100, overlap=0.25)
    lanes = [Lane(Two(), plan, np.array([1, 0], np.float32)), Lane(Two(), plan, np.array([0, 1], np.float32))]
    out = run(samples, lanes)
    np.testing.assert_allclose(out[0], samples, atol=1e-5)
    np.testing.assert_allclose(out[1], 2 * samples, atol=1e-5)


def test_scale_is_undone():
    """Networks get the scaled song; the stems have the song's own level."""
    samples = 3 * noise(800) + 1
    net = Watching()
    lane = Lane(net, plan_triangular(800, chunk=100, overlap=0.25), ONE, scale=Scale(mean=1.0, std=3.0))
    np.testing.assert_allclose(run(samples, [lane])[0], samples, atol=1e-5)
    np.testing.assert_allclose(net.seen, (samples[:, :100] - 1) / 3, atol=1e-5)


def test_lanes_can_have_rows_of_their_own():
    """Lanes with separate rows are not summed."""
    samples = noise(500)
    plan = plan_triangular(500, chunk=100, overlap=0.25)
    lanes = [Lane(Identity(), plan, ONE), Lane(Identity(), plan, 3 * ONE, row=1), Lane(Identity(), plan, ONE, row=1)]
    out = run(samples, lanes)
    np.testing.assert_allclose(out[0], samples, atol=1e-5)
    np.testing.assert_allclose(out[1], 4 * samples, atol=1e-5)


@pytest.mark.parametrize("workers", [2, 3])
def test_chunks_in_threads_give_the_same(workers):
    """`jobs` does not change the result."""
    samples = noise(2000)
    plan = plan_triangular(2000, chunk=150, overlap=0.25)
    np.testing.assert_array_equal(
        run(samples, [Lane(Identity(), plan, ONE)]), run(samples, [Lane(Identity(), plan, ONE)], workers=workers)
    )


def test_running_out_of_memory_halves_the_batch():
    """The job continues with smaller batches, the result is complete, and there is a warning."""
    samples, job = noise(2000), Job()
    net = Hungry(limit=200)
    out = run(samples, [Lane(net, plan_triangular(2000, chunk=100, overlap=0.0), ONE)], job=job, batch_size=8)
    np.testing.assert_allclose(out[0], samples, atol=1e-6)
    assert max(net.batches) == 2
    assert [warning for warning in job.warnings if "reduced to 2" in warning]


def test_then_other_models_are_released():
    """If single chunks do not fit, models that the job does not need are released before it fails."""
    net, job = Hungry(limit=50), Job()

    def release():
        net.limit = 1000
        return True

    lane = Lane(net, plan_triangular(500, chunk=100, overlap=0.0), ONE)
    run(noise(500), [lane], job=job, free_memory=release)
    assert [warning for warning in job.warnings if "released" in warning]


def test_then_it_is_out_of_memory():
    """If nothing is left to try, the error says what to do."""
    lane = Lane(Hungry(limit=50), plan_triangular(500, chunk=100, overlap=0.0), ONE)
    with pytest.raises(OutOfMemory) as caught:
        run(noise(500), [lane])
    assert "segment" in caught.value.hint


def test_other_errors_are_not_taken_for_memory():
    """A bug in a network is not retried."""

    class Broken(Identity):
        def __call__(self, mix):
            raise RuntimeError("shape mismatch")

    with pytest.raises(RuntimeError, match="shape"):
        run(noise(500), [Lane(Broken(), plan_triangular(500, chunk=100, overlap=0.0), ONE)])


def test_cancel_ends_the_loop_before_the_next_chunk():
    """After `cancel` no further chunk is run."""
    job = Job()

    class Cancelling(Identity):
        def __call__(self, mix):
            out = super().__call__(mix)
            if len(self.batches) == 3:
                job.cancel()
            return out

    net = Cancelling()
    with pytest.raises(JobCancelled):
        run(noise(2000), [Lane(net, plan_triangular(2000, chunk=100, overlap=0.0), ONE)], job=job)
    assert len(net.batches) == 3


def test_progress_counts_chunks_to_the_end():
    """Progress never goes back and counts every chunk of every lane."""
    seen = []
    job = Job()
    job.progress = lambda stage, done, total: seen.append((stage, done, total))
    plan = plan_triangular(1000, chunk=100, overlap=0.0)
    run(noise(1000), [Lane(Identity(), plan, ONE / 2), Lane(Identity(), plan, ONE / 2)], job=job, batch_size=3)
    assert seen[-1] == ("separate", 20, 20)
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)


class Smearing(Identity):
    """Every sample becomes the mean of the 21 around it, with zeros outside the input."""

    def __call__(self, mix):
        kernel = torch.full((2, 1, 21), 1 / 21)
        return torch.nn.functional.conv1d(mix, kernel, padding=10, groups=2)[:, None]


@pytest.mark.parametrize("batch_size", [1, 3])
def test_a_bounded_network_with_enough_context_gives_what_it_gives_of_the_whole(batch_size):
    """Its input ends where the song does, so both ends equal those of one pass over the whole song."""
    samples = noise(1234)
    lane = Lane(Smearing(context=20), plan_on_grid(1234, chunk=200, fade=40, grid=20), ONE, bounded=True)
    whole = Smearing()(torch.from_numpy(samples)[None])[0, 0].numpy()
    np.testing.assert_allclose(run(samples, [lane], batch_size=batch_size)[0], whole, atol=1e-6)
