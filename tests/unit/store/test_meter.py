"""How a download's progress is told."""

from __future__ import annotations

import pytest
from loopback_server import Listener

from utils.core.job import JobCancelled
from utils.store.meter import Meter
from utils.store.records import FileRecord


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def files(*sizes):
    return [FileRecord(f"{index}.th", (), size, None) for index, size in enumerate(sizes)]


def test_at_most_ten_lines_a_second(clock):
    """However often bytes come, lines come every tenth of a second."""
    job = Listener()
    meter = Meter(files(1000), model="m", job=job, clock=clock)
    meter.begin(0)
    for received in range(1000):
        clock.now = received / 1000
        meter.update(received, 1000)
    assert 9 <= len(job.events) <= 10


def test_heartbeat_while_nothing_comes(clock):
    """With nothing new a line comes every second."""
    job = Listener()
    meter = Meter(files(1000), model="m", job=job, clock=clock)
    meter.begin(0)
    for tenth in range(1, 51):
        clock.now = tenth / 10 + 0.001
        meter.tick()
    assert len(job.events) == 1 + 5


def test_shares_by_size(clock):
    """A file of three quarters of the bytes makes three quarters of the percentage."""
    job = Listener()
    meter = Meter(files(300, 100), model="m", job=job, clock=clock)
    meter.begin(1)
    clock.now = 1
    meter.update(50, 100)
    assert [event.percent for event in job.events] == [75.0, 87.5]
    assert job.events[-1].file == "1.th"
    assert (job.events[-1].received_bytes, job.events[-1].total_bytes) == (50, 100)


@pytest.mark.parametrize(("sizes", "percent"), [((300, None), 99.0), ((None, None), 50.0)])
def test_shares_where_a_size_is_unknown(clock, sizes, percent):
    """What has no size in the list is small beside what has one; where none has, each file counts the same."""
    job = Listener()
    meter = Meter(files(*sizes), model="m", job=job, clock=clock)
    meter.begin(1)
    assert job.events[-1].percent == percent


def test_percent_never_goes_back(clock):
    """A download that starts over does not lower the percentage."""
    job = Listener()
    meter = Meter(files(100), model="m", job=job, clock=clock)
    for second, received in enumerate([10, 60, 0, 30, 70]):
        clock.now = second
        meter.update(received, 100)
    assert [event.percent for event in job.events] == [10, 60, 60, 60, 70]


def test_time_left_counts_only_this_run(clock):
    """What was there before took no time: half of the rest in 10 s means 10 s more."""
    job = Listener()
    meter = Meter(files(100), model="m", job=job, clock=clock)
    meter.update(50, 100)
    clock.now = 10
    meter.update(75, 100)
    assert [event.eta for event in job.events] == [None, 10.0]


def test_hundred_comes_only_at_the_end(clock):
    """All bytes received is not yet the end: they are still to be checked."""
    job = Listener()
    meter = Meter(files(100), model="m", job=job, clock=clock)
    meter.update(100, 100)
    meter.finish()
    assert [event.percent for event in job.events] == [99.9, 100.0]


def test_cancelled_job_is_noticed(clock):
    """Every report is a checkpoint."""
    job = Listener()
    meter = Meter(files(100), model="m", job=job, clock=clock)
    job.cancel()
    with pytest.raises(JobCancelled):
        meter.tick()
    with pytest.raises(JobCancelled):
        meter.update(1, 100)
