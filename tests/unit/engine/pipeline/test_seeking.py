"""The chunk loop from anywhere: every sample once, and each as it always was."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.core.job import Job
from utils.engine.pipeline.chunking import plan_faded, plan_on_grid, plan_triangular
from utils.engine.pipeline.demix import Compute, Lane, Runner, demix
from utils.engine.pipeline.seeking import Gaps, demix_anywhere
from utils.engine.pipeline.song import Scale, SongBuffer, SongFile

RATE = 100


class Uneven:
    """A network whose output depends on where in the chunk a sample is, so that sums depend on their order."""

    def __init__(self, context=0):
        self.context = context
        self.runs = 0

    def input_length(self, length):
        return length + self.context

    def __call__(self, mix):
        self.runs += len(mix)
        slope = torch.linspace(0.1, 1.7, mix.shape[-1])
        return torch.stack([mix * slope, mix.cumsum(-1) / 7], dim=1)


def lanes_of(kind, total, nets):
    gains = np.array([0.37, 1.1])
    if kind == "shifts":
        plans = [plan_triangular(total, chunk=130, overlap=0.6, origin=-origin) for origin in (0, 31, 77)]
        return [Lane(net, plan, gains, scale=Scale(0.1, 0.7)) for net, plan in zip(nets, plans, strict=False)]
    if kind == "mirrored":
        plan = plan_faded(total, chunk=120, overlaps=4)
        return [Lane(net, plan, gains, mirrored=True) for net in nets[:2]]
    if kind == "bounded":
        return [Lane(nets[0], plan_on_grid(total, chunk=140, fade=30, grid=10), gains, bounded=True)]
    plans = [plan_triangular(total, chunk=chunk, overlap=0.25) for chunk in (90, 200)]
    return [Lane(net, plan, gains) for net, plan in zip(nets, plans, strict=False)]


KINDS = ["shifts", "mirrored", "bounded", "bag"]


def song_of(total):
    return np.random.default_rng(total).standard_normal((2, total)).astype(np.float32)


def in_order(samples, kind, batch):
    total = samples.shape[1]
    lanes = lanes_of(kind, total, [Uneven(20) for _ in range(3)])
    with Runner(Compute("cpu", 1, batch_size=batch), Job(), lambda: False) as runner:
        song = SongBuffer(iter([samples]), channels=2, total=total)
        parts = list(demix(song, lanes, channels=2, rate=RATE, runner=runner, job=Job()))
    return torch.cat([part.rows for part in parts], dim=-1).numpy()


class Moved(Job):
    """A job whose listener moves after so many parts."""

    def __init__(self, start_s, moves):
        super().__init__()
        self.seek(start_s)
        self.moves = dict(moves)
        self.parts = 0


def anywhere(samples, kind, batch, start_s, moves):
    """The rows, with NaN where no part came, and the parts in the order in which they came."""
    total = samples.shape[1]
    nets = [Uneven(20) for _ in range(3)]
    job = Moved(start_s, moves)
    found = np.full((2, 2, total), np.nan, np.float32)
    order = []
    with SongFile(2) as song, Runner(Compute("cpu", 1, batch_size=batch), job, lambda: False) as runner:
        for start in range(0, total, 61):
            song.append(samples[:, start : start + 61])
        lanes = lanes_of(kind, total, nets)
        for part in demix_anywhere(song, lanes, channels=2, rate=RATE, runner=runner, job=job):
            place = slice(part.start, part.start + part.rows.shape[-1])
            assert np.isnan(found[..., place]).all()
            found[..., place] = part.rows.numpy()
            np.testing.assert_array_equal(part.mix, samples[:, place])
            order.append((place.start, place.stop))
            if len(order) in job.moves:
                job.seek(job.moves[len(order)])
    return found, order, sum(net.runs for net in nets)


# Engines, which other tests start in this process, switch subnormal numbers off.
SECONDS = st.floats(0, 20, allow_subnormal=False) | st.just(1e308)  # so many that the number of samples is infinite


@settings(max_examples=150)
@given(
    kind=st.sampled_from(KINDS),
    total=st.integers(1, 1500),
    batch=st.integers(1, 4),
    start_s=SECONDS,
    moves=st.lists(st.tuples(st.integers(1, 12), SECONDS), max_size=5),
)
def test_every_sample_is_as_in_a_job_from_start_to_end(kind, total, batch, start_s, moves):
    """Wherever it begins, and wherever and whenever the listener moves: to the last bit, and each comes once."""
    samples = song_of(total)
    found, _, _ = anywhere(samples, kind, batch, start_s, moves)
    np.testing.assert_array_equal(found, in_order(samples, kind, batch))


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_part_holds_the_position(kind):
    """It is what the listener waits for, and it costs no more than the chunks that touch it."""
    _, order, _ = anywhere(song_of(1500), kind, 1, 7.0, [])
    assert order[0][0] <= 700 < order[0][1] or (order[0][0] <= 700 and order[1][1] > 700)
    assert [begin for begin, _ in order] == sorted(
        (begin for begin, _ in order), key=lambda begin: (begin < order[0][0], begin)
    )


def test_a_move_is_followed_at_once():
    """The next part is where the listener is; what was done is not given again."""
    _, order, _ = anywhere(song_of(1500), "bag", 1, 3.0, [(1, 11.0)])
    assert order[1][0] <= 1100
    assert order[1][1] > 1000


def test_a_move_to_where_the_work_is_going_changes_nothing():
    """Nor does one to a place that is done."""
    samples = song_of(1500)
    _, plain, runs = anywhere(samples, "bag", 1, 3.0, [])
    _, moved, more = anywhere(samples, "bag", 1, 3.0, [(2, plain[2][0] / RATE), (4, 3.2)])
    assert (moved, more) == (plain, runs)


def test_few_chunks_run_twice():
    """Only those that touch the border of two runs."""
    samples = song_of(1500)
    _, _, least = anywhere(samples, "bag", 1, 0.0, [])
    _, _, runs = anywhere(samples, "bag", 1, 7.0, [(2, 11.0)])
    assert least < runs <= least + 3 * 2 * 2


def test_gaps_are_closed_in_any_order():
    """What is finished is never offered again; after the end comes the beginning."""
    gaps = Gaps(100)
    gaps.close(20, 30)
    gaps.close(60, 100)
    assert gaps.at(10) == (10, 20)
    assert gaps.at(25) == (30, 60)
    assert gaps.at(70) == (0, 20)
    assert gaps.begin_of(45) == 30
    gaps.close(0, 20)
    gaps.close(30, 60)
    assert not gaps
