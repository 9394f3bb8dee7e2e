"""Progress, warnings and cancelling of a job, with a clock of the test's own."""

import threading

import msgspec
import pytest

from utils.core.job import Job, JobCancelled, PartOfJob, current_job, working_on


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def events():
    return []


@pytest.fixture
def job(events, clock):
    return Job(events.append, clock=clock)


def percents(events):
    return [event.percent for event in events]


def test_progress_comes_at_most_ten_times_a_second(job, events, clock):
    """What comes in between is left out."""
    for step in range(100):
        clock.now = step * 0.01
        job.progress("separate", step + 1, 100)
    assert len(events) == 10


def test_progress_never_goes_back(job, events, clock):
    """Smaller numbers are not sent."""
    for done in (5, 3, 5, 8):
        clock.now += 1
        job.progress("separate", done, 10)
    assert percents(events) == [50.0, 80.0]


def test_100_is_kept_for_the_end(job, events, clock):
    """It is sent once, also right after another line."""
    job.progress("separate", 10, 10)
    job.finish()
    job.finish()
    assert percents(events) == [99.9, 100.0]


def test_stages_share_the_whole(job, events, clock):
    """Each maps its own progress to its share."""
    job.begin_stages(scan=10, separate=80, write=10)
    for stage in ("scan", "separate", "write"):
        clock.now += 1
        job.progress(stage, 1, 2)
    assert percents(events) == [5.0, 50.0, 95.0]
    assert [event.stage for event in events] == ["scan", "separate", "write"]


def test_eta_follows_the_pace(job, events, clock):
    """A quarter in 5 seconds leaves 15."""
    clock.now = 5.0
    job.progress("separate", 1, 4)
    assert events[0].eta == 15.0


def test_progress_can_be_turned_off(events):
    """Then not even the last line is sent."""
    job = Job(events.append, show_progress=False)
    job.progress("separate", 1, 2)
    job.finish()
    assert events == []


def test_a_cancelled_job_stops_at_its_next_checkpoint(job):
    """And no library's `except Exception` keeps it."""
    job.checkpoint()
    job.cancel()
    assert job.cancelled
    with pytest.raises(JobCancelled):
        job.checkpoint()
    assert not issubclass(JobCancelled, Exception)


def test_cancelling_also_stops_what_has_no_checkpoints(job):
    """However it then ends, the job is cancelled; and only what runs is stopped."""
    stopped = []
    with job.stopped_by(lambda: stopped.append("earlier")):
        pass

    def run():
        job.cancel()
        raise RuntimeError("ended by its own means")

    with pytest.raises(JobCancelled), job.stopped_by(lambda: stopped.append("running")):
        run()
    assert stopped == ["running"]
    with pytest.raises(JobCancelled), job.stopped_by(lambda: None):
        pytest.fail("a cancelled job begins nothing more")


def test_cancelling_a_whole_stops_what_its_part_runs(job):
    """And what the part of a part does."""
    stopped = []
    with PartOfJob(PartOfJob(job, "batch", 0, 2), "files", 0, 1).stopped_by(lambda: stopped.append(True)):
        job.cancel()
    assert stopped == [True]


def test_errors_of_what_could_be_stopped_stay(job):
    """As long as nobody cancels."""
    with pytest.raises(KeyError), job.stopped_by(lambda: None):
        raise KeyError


def test_work_that_takes_too_long_is_ended(job, clock):
    """At the next checkpoint after its time, with the error that was given; no library's `except Exception` keeps it."""
    swallowed = []

    def work():
        clock.now += 2
        try:
            job.checkpoint()
        except Exception as error:  # noqa: BLE001 - as a library does
            swallowed.append(error)

    with job.within(3, TimeoutError("slow")):
        work()
    with pytest.raises(TimeoutError, match="slow"), job.within(2, TimeoutError("slow")):
        work()
    assert swallowed == []
    job.checkpoint()


def test_work_without_checkpoints_is_stopped_when_it_takes_too_long():
    """As cancelling stops it."""
    job, stopped = Job(), threading.Event()

    def work():
        assert stopped.wait(60)
        raise RuntimeError("ended by its own means")

    with pytest.raises(TimeoutError), job.within(0.01, TimeoutError()), job.stopped_by(stopped.set):
        work()


def test_cancelling_counts_more_than_being_late(job, clock):
    """Whoever cancelled gets the answer to that."""
    job.cancel()
    with pytest.raises(JobCancelled), job.within(0, TimeoutError()):
        job.checkpoint()


def test_a_thread_finds_its_job(job):
    """Each its own, the innermost, and one that nobody cancels if it has none."""
    found = []
    with working_on(job):
        with working_on(part := PartOfJob(job, "files", 0, 1)):
            assert current_job() is part
        assert current_job() is job
        job.cancel()
        thread = threading.Thread(target=lambda: found.append(current_job().cancelled))
        thread.start()
        thread.join()
    assert found == [False]
    assert not current_job().cancelled


def test_warnings_are_said_once(job):
    """However often they are found."""
    job.warn("loud")
    job.warn("loud")
    assert job.warnings == ["loud"]


def test_a_part_reports_within_its_span(job, events, clock):
    """And is cancelled with the whole."""
    part = PartOfJob(job, "files", 1, 2)
    part.begin_stages(scan=1, separate=1)
    part.progress("separate", 1, 2)
    assert (events[0].percent, events[0].stage) == (87.5, "files")
    clock.now += 1
    part.finish()
    assert percents(events) == [87.5, 99.9]
    job.cancel()
    with pytest.raises(JobCancelled):
        part.checkpoint()


def places(events):
    return [(event.percent, event.index, event.count, event.part_percent, event.part_stage) for event in events]


def test_a_part_also_reports_its_own_progress(job, events, clock):
    """Which one of how many is at work, how far it is and what is done to it."""
    part = PartOfJob(job, "batch", 0, 2, index=1)
    part.begin_stages(scan=1, separate=1)
    part.progress("scan", 1, 2)
    clock.now += 1
    part.progress("separate", 1, 2)
    assert places(events) == [(12.5, 1, 2, 25.0, "scan"), (37.5, 1, 2, 75.0, "separate")]


def test_progress_of_a_part_is_told_while_the_whole_stands_still(job, events, clock):
    """As one of thousands of files does not move it; and neither ever goes back."""
    for position, done in ((0, 1), (0, 3), (0, 2), (1, 1), (0, 4), (1, 1), (1, 2)):
        clock.now += 1
        PartOfJob(job, "files", position, 100_000).progress("separate", done, 4)
    assert {event.percent for event in events} == {0.0}
    assert [(event.index, event.part_percent) for event in events] == [(0, 25.0), (0, 75.0), (1, 25.0), (1, 50.0)]


def test_parts_of_a_part_are_not_told_of(job, events, clock):
    """A batch tells of its jobs, not of the files of a job."""
    PartOfJob(PartOfJob(job, "batch", 1, 2), "files", 1, 4).progress("separate", 1, 2)
    assert places(events) == [(68.8, 1, 2, 37.5, "files")]
    assert events[0].stage == "batch"


def test_a_job_without_parts_says_nothing_of_them(job, events, clock):
    """Its lines are what they always were."""
    job.progress("separate", 1, 2)
    assert set(msgspec.to_builtins(events[0])) == {"status", "percent", "stage", "eta"}


def test_what_a_part_counts_is_told_to_the_whole():
    """In its own unit, for whoever shows more than a percentage."""
    counted = []

    class Counting(Job):
        def counted(self, stage, done, total):
            counted.append((stage, done, total))

    PartOfJob(PartOfJob(Counting(), "files", 0, 2), "jobs", 1, 3).progress("separate", 1.5, 18.0)
    assert counted[0] == ("separate", 1.5, 18.0)
