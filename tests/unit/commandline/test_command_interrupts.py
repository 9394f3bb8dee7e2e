"""Ctrl-C once and twice."""

import queue
import signal

import pytest

from utils.commandline.interrupts import SIGNALS, Interrupts, cancelled_by_signals
from utils.core.job import Job


def test_first_signal_cancels_the_job_and_says_so():
    """The job is asked to stop, and the person is told how to stop at once."""
    job, told = Job(), queue.Queue()
    Interrupts(job, told.put).handle(signal.SIGINT)
    assert job.cancelled
    assert "Ctrl-C again" in told.get(timeout=10)


def test_second_signal_leaves_at_once_by_the_first_one():
    """A second signal does not wait for the job."""
    left = queue.Queue()
    interrupts = Interrupts(Job(), lambda text: None, leave=left.put)
    interrupts.handle(signal.SIGTERM)
    assert left.empty()
    interrupts.handle(signal.SIGINT)
    assert left.get(timeout=10) == signal.SIGTERM


def test_signals_reach_the_job_and_handlers_are_put_back():
    """A real signal cancels the job while the body runs; afterwards everything is as before."""
    before = [signal.getsignal(number) for number in SIGNALS]
    job, told = Job(), queue.Queue()
    with cancelled_by_signals(job, told.put) as interrupts:
        signal.raise_signal(signal.SIGINT)
        assert job.cancelled
        assert interrupts.status == -signal.SIGINT
    assert told.get(timeout=10)
    assert [signal.getsignal(number) for number in SIGNALS] == before


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_every_signal_that_ends_programs_cancels(number):
    """A terminal that is closed, too, so that no half-written files are left."""
    job = Job()
    with cancelled_by_signals(job, lambda text: None) as interrupts:
        signal.raise_signal(number)
        assert job.cancelled
        assert interrupts.status == -number


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_signals_that_are_ignored_stay_ignored(number):
    """A program that was started with nohup, or in the background of a script, is to go on."""
    job, before = Job(), signal.signal(number, signal.SIG_IGN)
    try:
        with cancelled_by_signals(job, lambda text: None):
            signal.raise_signal(number)
        assert not job.cancelled
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)
