"""Plans cut a song without gaps and cross-fade it back to itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.engine.chunking import ChunkPlan, plan_triangular, triangle

LENGTHS = st.integers(1, 3000)


def weight_sum(plan):
    total = np.zeros(plan.end - plan.origin)
    for chunk in (plan[i] for i in range(len(plan))):
        start = chunk.start - plan.origin
        total[start : start + chunk.length] += plan.weights(chunk.number)
    return total


@given(total=LENGTHS, chunk=st.integers(1, 700), overlap=st.floats(0, 0.95), before=st.integers(0, 300))
def test_weights_sum_to_one_everywhere(total, chunk, overlap, before):
    """Whatever the length, the chunk and the overlap, the cross-fades add up to one at every sample."""
    plan = plan_triangular(total, chunk=chunk, overlap=overlap, origin=-before)
    np.testing.assert_allclose(weight_sum(plan), 1.0, atol=1e-5)


def test_chunks_start_every_hop_and_end_with_the_song():
    """Starts are multiples of the hop, and no chunk reaches beyond the end."""
    plan = plan_triangular(1000, chunk=400, overlap=0.25)
    assert [plan[i].start for i in range(len(plan))] == [0, 300, 600, 900]
    assert [plan[i].length for i in range(len(plan))] == [400, 400, 400, 100]


def test_interior_chunks_share_their_weights():
    """Chunks with the same neighbours have the same array, so that long songs cost no more memory."""
    plan = plan_triangular(10_000, chunk=400, overlap=0.5)
    assert plan.weights(10) is plan.weights(20)
    assert plan.weights(0) is not plan.weights(10)


def test_an_empty_song_has_no_chunks():
    """Nothing to separate means nothing to run."""
    assert len(plan_triangular(0, chunk=10, overlap=0.5)) == 0


def test_a_chunk_that_is_not_there_is_an_index_error():
    """Plans behave as sequences do."""
    with pytest.raises(IndexError):
        plan_triangular(10, chunk=10, overlap=0.0)[1]


@pytest.mark.parametrize("hop", [0, 11])
def test_a_hop_that_leaves_gaps_is_refused(hop):
    """A hop of zero never ends and one beyond the chunk leaves holes."""
    with pytest.raises(ValueError, match="hop"):
        ChunkPlan(origin=0, end=100, chunk=10, hop=hop, window=triangle(10))


def test_a_window_that_touches_zero_is_refused():
    """A window must be positive everywhere, or samples that only it covers would be lost."""
    window = triangle(10)
    window[0] = 0
    with pytest.raises(ValueError, match="window"):
        ChunkPlan(origin=0, end=100, chunk=10, hop=5, window=window)


@pytest.mark.parametrize("length", [1, 2, 9, 10])
def test_the_triangle_is_highest_in_the_middle(length):
    """The window rises to one and falls, as long as was asked."""
    window = triangle(length)
    assert len(window) == length
    assert window.max() == 1.0
    assert (np.diff(np.sign(np.diff(window))) <= 0).all()
