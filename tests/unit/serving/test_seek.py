"""`seek` finds its job: by name, by its own id, or whichever runs; and says what it cannot move."""

import pytest

from utils.core.errors import InvalidRequest
from utils.core.job import Job, PartOfJob
from utils.core.replies import Pong
from utils.serving.job_queue import JobQueue, Ticket


def ticket(request_id):
    return Ticket(request_id, lambda job: Pong(model_loaded=None), Job(), lambda reply: None)


@pytest.fixture
def queue():
    """A job runs and one waits."""
    queue = JobQueue()
    for name in ("running", "waiting"):
        queue.submit(ticket(name))
    queue.running = queue.take()
    queue.running.job.allow_seeking()
    return queue


def test_the_job_that_is_named_moves(queue):
    """Whether it runs or waits; the other stays."""
    assert queue.seek("waiting", 7.0)
    assert queue.running.job.sought() is None
    assert queue.seek("running", 8.0)
    assert queue.running.job.sought() == 8.0
    assert queue.take().job.sought() == 7.0


@pytest.mark.parametrize("own", [None, "running", "an id of its own"])
def test_without_a_name_the_running_job_moves(queue, own):
    """As with `cancel`, or by a request that has an id of its own."""
    assert queue.seek(None, 3.0, or_else=own)
    assert queue.running.job.sought() == 3.0


def test_its_own_id_may_name_the_job(queue):
    """One that waits."""
    assert queue.seek(None, 3.0, or_else="waiting")
    assert queue.running.job.sought() is None


def test_nothing_moves_where_there_is_nothing(queue):
    """Neither by an unknown name nor in an empty queue."""
    assert not queue.seek("none", 3.0)
    assert not JobQueue().seek(None, 3.0)
    assert queue.running.job.sought() is None


def test_what_runs_from_start_to_end_is_not_moved():
    """Its sender is told how it could be."""
    queue = JobQueue()
    queue.submit(ticket("running"))
    queue.take()
    with pytest.raises(InvalidRequest) as refused:
        queue.seek(None, 3.0)
    assert "start_at" in refused.value.hint


def test_the_last_move_counts_once_and_a_part_moves_with_its_job():
    """One of many files is what the client hears."""
    job = Job()
    part = PartOfJob(job, "files", 0, 2)
    part.allow_seeking()
    assert job.can_seek
    job.seek(1.0)
    job.seek(2.0)
    assert (part.sought(), part.sought(), job.sought()) == (2.0, None, None)
