"""The benchmark of cancelling: where a job goes longest without a checkpoint, and how it ends there."""

import pytest

from benchmarks import cancel
from benchmarks.cancel import CancelCase, CancelTimes, Watched
from tools.fixtures.networks import write_network
from utils.core.job import JobCancelled
from utils.core.requests import NetworkSeparate


def test_the_longest_stretch_begins_after_a_checkpoint():
    """Its number is that of the checkpoint before it."""
    job = Watched()
    job.passed_s = [0.0, 1.0, 4.0, 5.0]
    assert job.longest == (1, 3.0)


def test_a_watched_job_is_cancelled_after_a_checkpoint():
    """At the one that was named, not at the one before."""
    job = Watched(cancel_after=1)
    job.checkpoint()
    assert not job.cancelled

    def work():
        while True:  # until another thread has cancelled it
            job.checkpoint()

    with pytest.raises(JobCancelled):
        work()
    assert len(job.passed_s) >= 2
    assert job.cancelled_s > job.passed_s[1]


def test_the_report_has_the_worst_of_all_answers():
    """For each network."""
    text = cancel.report({"one": CancelTimes(12.0, 0.4, [0.1, 0.45, 0.2])})
    assert text.splitlines()[-1] == "| one | 12.0 | 0.40 | 0.45 |"


@pytest.mark.slow
def test_cancelling_is_measured(tmp_path):
    """With a tiny network: a whole job, and some that were cancelled in it."""
    files = write_network(tmp_path, "mdx23c")
    source = tmp_path / "song.wav"
    cancel.write_song(source, 2.0)
    fields = {"model_path": str(files.checkpoint), "config_path": str(files.config)}
    measured = cancel.measure(CancelCase("dsu-bsroformer", NetworkSeparate, fields), tmp_path, source, 2)
    assert measured.job_s > measured.longest_s > 0
    assert len(measured.answers_s) == 2
