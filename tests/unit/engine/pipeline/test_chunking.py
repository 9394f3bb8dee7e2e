"""Plans cut a song without gaps, and their cross-fades reconstruct it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.engine.pipeline.chunking import (
    ChunkPlan,
    faded,
    mirrored_positions,
    plan_faded,
    plan_on_grid,
    plan_triangular,
    shifted,
    triangle,
)

LENGTHS = st.integers(1, 3000)
# Engines, which other tests start in this process, switch subnormal numbers off.
OVERLAPS = st.floats(0, 0.95, allow_subnormal=False)


def weight_sum(plan):
    total = np.zeros(plan.end - plan.origin)
    for chunk in (plan[i] for i in range(len(plan))):
        start = chunk.start - plan.origin
        total[start : start + chunk.length] += plan.weights(chunk.number)
    return total


@given(total=LENGTHS, chunk=st.integers(1, 700), overlap=OVERLAPS, before=st.integers(0, 300))
def test_weights_sum_to_one_everywhere(total, chunk, overlap, before):
    """The cross-fades sum to one at every sample, for any length, chunk and overlap."""
    plan = plan_triangular(total, chunk=chunk, overlap=overlap, origin=-before)
    np.testing.assert_allclose(weight_sum(plan), 1.0, atol=1e-5)


@given(total=LENGTHS, chunk=st.integers(2, 700), overlaps=st.integers(1, 8), count=st.integers(1, 9))
def test_shifted_plans_begin_evenly_spaced_and_are_whole_themselves(total, chunk, overlaps, count):
    """Each sums to one over the song; none begins a whole hop earlier, where its chunks would be those of the first."""
    plan = plan_faded(total, chunk=chunk, overlaps=overlaps)
    plans = shifted(plan, count)
    earlier = [plan.origin - one.origin for one in plans]
    assert earlier == [number * plan.hop // count for number in range(count)]
    for one in plans:
        np.testing.assert_allclose(weight_sum(one)[-one.origin :][:total], 1.0, atol=1e-5)


def test_chunks_start_every_hop_and_end_with_the_song():
    """Starts are multiples of the hop, and no chunk extends beyond the end."""
    plan = plan_triangular(1000, chunk=400, overlap=0.25)
    assert [plan[i].start for i in range(len(plan))] == [0, 300, 600, 900]
    assert [plan[i].length for i in range(len(plan))] == [400, 400, 400, 100]


def test_interior_chunks_share_their_weights():
    """Chunks with the same neighbours share one array, so long songs need no more memory."""
    plan = plan_triangular(10_000, chunk=400, overlap=0.5)
    assert plan.weights(10) is plan.weights(20)
    assert plan.weights(0) is not plan.weights(10)


def test_an_empty_song_has_no_chunks():
    """Nothing to separate means nothing to run."""
    assert len(plan_triangular(0, chunk=10, overlap=0.5)) == 0


def test_a_chunk_that_is_not_there_is_an_index_error():
    """Plans behave like sequences."""
    with pytest.raises(IndexError):
        plan_triangular(10, chunk=10, overlap=0.0)[1]


@pytest.mark.parametrize("hop", [0, 11])
def test_a_hop_that_leaves_gaps_is_refused(hop):
    """A hop of zero would never end, and one beyond the chunk would leave gaps."""
    with pytest.raises(ValueError, match="hop"):
        ChunkPlan(origin=0, end=100, chunk=10, hop=hop, window=triangle(10), starts_before=100)


def test_a_window_that_touches_zero_is_refused():
    """A window must be positive everywhere, or samples covered only by it would be lost."""
    window = triangle(10)
    window[0] = 0
    with pytest.raises(ValueError, match="window"):
        ChunkPlan(origin=0, end=100, chunk=10, hop=5, window=window, starts_before=100)


@pytest.mark.parametrize("length", [1, 2, 9, 10])
def test_the_triangle_is_highest_in_the_middle(length):
    """The window has the requested length, rises to one and falls."""
    window = triangle(length)
    assert len(window) == length
    assert window.max() == 1.0
    assert (np.diff(np.sign(np.diff(window))) <= 0).all()


@given(total=LENGTHS, chunk=st.integers(1, 700), overlaps=st.integers(1, 12))
def test_faded_weights_sum_to_one_over_the_song(total, chunk, overlaps):
    """Short cross-fades leave no seam and no hole either, from the first sample to the last."""
    plan = plan_faded(total, chunk=chunk, overlaps=overlaps)
    np.testing.assert_allclose(weight_sum(plan)[-plan.origin :][:total], 1.0, atol=1e-5)


def test_overlaps_set_the_hop():
    """Two or more overlaps divide the chunk, as in public configurations; one cross-fades over a tenth."""
    assert [plan_faded(10_000, chunk=1000, overlaps=n).hop for n in (1, 2, 4)] == [900, 500, 250]


def test_no_chunk_starts_behind_the_song():
    """Chunks whose output would be discarded are not planned."""
    plan = plan_faded(10_000, chunk=1000, overlaps=4)
    assert all(plan[i].start < 10_000 for i in range(len(plan)))
    assert plan[len(plan) - 1].start + plan.hop >= 10_000


def test_a_faded_window_keeps_its_edges():
    """The ramps are as long as a tenth and never quite zero."""
    window = faded(100)
    assert 0 < window[0] < 1e-5
    assert (window[10:90] == 1).all()
    np.testing.assert_array_equal(window, window[::-1])


@given(total=st.integers(1, 900), chunk=st.integers(2, 300), overlaps=st.integers(1, 8))
def test_mirrored_positions_are_those_of_padding(total, chunk, overlaps):
    """Chunks equal the song padded by reflection, with the last chunk completed by reflection or silence."""
    song = np.arange(total, dtype=np.float64) + 1
    plan = plan_faded(total, chunk=chunk, overlaps=overlaps)
    padded = np.pad(song, -plan.origin, mode="reflect") if plan.origin else song
    for number in range(len(plan)):
        part = padded[number * plan.hop :][:chunk]
        missing = chunk - len(part)
        mode = "reflect" if len(part) > chunk // 2 else "constant"
        expected = np.pad(part, (0, missing), mode=mode) if missing else part
        positions = mirrored_positions(plan[number], plan, total)
        np.testing.assert_array_equal(np.where(positions < 0, 0, song[positions]), expected)


@pytest.mark.parametrize("total", [1, 20, 199, 1000, 1234])
@pytest.mark.parametrize("fade", [0, 5, 40, 500])
def test_chunks_on_a_grid(total, fade):
    """All chunks start on the grid, weights sum to one everywhere, and no fade is longer than half a chunk."""
    plan = plan_on_grid(total, chunk=203, fade=fade, grid=20)
    assert plan.chunk == 200
    assert plan.hop >= 100
    total_weight = np.zeros(total)
    for index in range(len(plan)):
        chunk = plan[index]
        assert chunk.start % 20 == 0
        total_weight[chunk.start : chunk.start + chunk.length] += plan.weights(index)
    np.testing.assert_allclose(total_weight, 1, atol=1e-6)
