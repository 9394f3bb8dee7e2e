"""Progress, warnings and cancelling of a job, with a clock of the test's own."""

import pytest

from utils.core.job import Job, JobCancelled, PartOfJob


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def told():
    return []


@pytest.fixture
def job(told, clock):
    return Job(told.append, clock=clock)


def percents(told):
    return [event.percent for event in told]


def test_progress_comes_at_most_ten_times_a_second(job, told, clock):
    """What comes in between is left out."""
    for step in range(100):
        clock.now = step * 0.01
        job.progress("separate", step + 1, 100)
    assert len(told) == 10


def test_progress_never_goes_back(job, told, clock):
    """Smaller numbers are not sent."""
    for done in (5, 3, 5, 8):
        clock.now += 1
        job.progress("separate", done, 10)
    assert percents(told) == [50.0, 80.0]


def test_100_is_kept_for_the_end(job, told, clock):
    """It is sent once, also right after another line."""
    job.progress("separate", 10, 10)
    job.finish()
    job.finish()
    assert percents(told) == [99.9, 100.0]


def test_stages_share_the_whole(job, told, clock):
    """Each maps its own progress to its share."""
    job.begin_stages(scan=10, separate=80, write=10)
    for stage in ("scan", "separate", "write"):
        clock.now += 1
        job.progress(stage, 1, 2)
    assert percents(told) == [5.0, 50.0, 95.0]
    assert [event.stage for event in told] == ["scan", "separate", "write"]


def test_eta_follows_the_pace(job, told, clock):
    """A quarter in 5 seconds leaves 15."""
    clock.now = 5.0
    job.progress("separate", 1, 4)
    assert told[0].eta == 15.0


def test_progress_can_be_turned_off(told):
    """Then not even the last line is sent."""
    job = Job(told.append, show_progress=False)
    job.progress("separate", 1, 2)
    job.finish()
    assert told == []


def test_a_cancelled_job_stops_at_its_next_checkpoint(job):
    """And no library's `except Exception` keeps it."""
    job.checkpoint()
    job.cancel()
    assert job.cancelled
    with pytest.raises(JobCancelled):
        job.checkpoint()
    assert not issubclass(JobCancelled, Exception)


def test_warnings_are_said_once(job):
    """However often they are found."""
    job.warn("loud")
    job.warn("loud")
    assert job.warnings == ["loud"]


def test_a_part_reports_within_its_span(job, told, clock):
    """And is cancelled with the whole."""
    part = PartOfJob(job, "files", 0.5, 1.0)
    part.begin_stages(scan=1, separate=1)
    part.progress("separate", 1, 2)
    assert (told[0].percent, told[0].stage) == (87.5, "files")
    clock.now += 1
    part.finish()
    assert percents(told) == [87.5, 99.9]
    job.cancel()
    with pytest.raises(JobCancelled):
        part.checkpoint()
