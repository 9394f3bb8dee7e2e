"""The queue on its own, without processes."""

import threading

from utils.core.job import Job
from utils.core.replies import Cancelled, Exiting, Pong
from utils.serving.job_queue import JobQueue, Ticket


def ticket(name, answers):
    return Ticket(name, lambda job: Pong(model_loaded=None), Job(), lambda reply: answers.append((name, reply)))


def test_jobs_are_taken_in_order_until_the_end():
    """What was queued before the end is still handed out."""
    jobs, answers = JobQueue(), []
    for name in "ab":
        jobs.submit(ticket(name, answers))
    jobs.end()
    assert [jobs.take().request_id, jobs.take().request_id, jobs.take()] == ["a", "b", None]


def test_a_job_that_comes_after_the_end_is_answered():
    """It is cancelled and not queued."""
    jobs, answers = JobQueue(), []
    jobs.end()
    jobs.submit(ticket("late", answers))
    assert jobs.take() is None
    assert isinstance(answers[0][1], Cancelled)


def test_a_ticket_is_answered_once():
    """Whoever comes second is ignored."""
    answers = []
    one = ticket("a", answers)
    one.answer(Exiting())
    one.answer(Cancelled())
    assert answers == [("a", Exiting())]


def test_threads_that_race_to_answer_send_one_line():
    """Also if many answer at the same moment."""
    answers, gate = [], threading.Barrier(8)
    one = ticket("a", answers)

    def answer():
        gate.wait()
        one.answer(Exiting())

    threads = [threading.Thread(target=answer) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 1


def test_cancel_without_an_id_means_the_job_whose_turn_it_is():
    """The running one, or else the first that waits."""
    jobs, answers = JobQueue(), []
    first, second = ticket("a", answers), ticket("b", answers)
    jobs.submit(first)
    jobs.submit(second)
    assert jobs.cancel(None)
    assert answers == [("a", Cancelled())]
    assert jobs.take() is second
    assert jobs.cancel(None)
    assert second.job.cancelled
    assert answers == [("a", Cancelled())]


def test_cancel_finds_a_job_by_its_id():
    """A running one is told, a waiting one is answered and never taken."""
    jobs, answers = JobQueue(), []
    for name in ("a", 2, "c"):
        jobs.submit(ticket(name, answers))
    running = jobs.take()
    assert jobs.cancel(2.0)
    assert not jobs.cancel("nobody")
    assert jobs.cancel("a")
    assert running.job.cancelled
    assert answers == [(2, Cancelled())]
    assert jobs.take().request_id == "c"


def test_cancel_all_empties_the_queue():
    """Waiting jobs are answered, and the running one is returned."""
    jobs, answers = JobQueue(), []
    for name in "abc":
        jobs.submit(ticket(name, answers))
    running = jobs.take()
    assert jobs.cancel_all() == [running]
    assert [name for name, _ in answers] == ["b", "c"]
    assert jobs.counts().queued == 0


def test_refused_jobs_without_ids_take_the_memory_of_one():
    """However many come: they are counted, and answered after the job before them, or when all is cancelled."""
    for end in (JobQueue.take, JobQueue.cancel_all):
        jobs, answers = JobQueue(most_jobs=1), []
        jobs.submit(ticket("a", answers))
        for _ in range(1000):
            jobs.submit(ticket(None, answers))
        assert len(jobs._waiting) == 2
        assert jobs.counts().queued == 1
        assert not jobs.cancel("none")
        jobs.take()
        assert answers == []
        jobs.end()
        end(jobs)
        assert [(name, reply.code) for name, reply in answers] == [(None, "busy")] * 1000


def test_counts_follow_the_jobs():
    """Busy while one runs; done and failed afterwards."""
    jobs, answers = JobQueue(), []
    for name in "abc":
        jobs.submit(ticket(name, answers))
    first = jobs.take()
    assert jobs.counts() == (True, 2, 0, 0)
    jobs.finish(first, done=True)
    jobs.finish(jobs.take(), failed=True)
    jobs.finish(jobs.take())
    assert jobs.counts() == (False, 0, 1, 1)


def test_take_waits_for_a_job():
    """The main thread sleeps until there is one."""
    jobs, answers, taken = JobQueue(), [], []
    thread = threading.Thread(target=lambda: taken.append(jobs.take()))
    thread.start()
    one = ticket("a", answers)
    jobs.submit(one)
    thread.join(60)
    assert taken == [one]
