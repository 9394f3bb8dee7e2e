"""Workers that are killed. The next job in the folder finds a whole set, the old one or the new one, and nothing else."""

import random
import threading
import time

import pytest
from job_folders import Jobs


@pytest.fixture
def jobs(forge, demucs_models, songs, tmp_path):
    """Make the jobs of a new worker; the one before it has ended."""
    made = []

    def begin():
        worker = forge.start("demucs", demucs_models)
        if not made:
            made.append(Jobs(worker, songs, tmp_path, "wav"))
        made[0].worker = worker
        return made[0]

    return begin


def test_a_worker_that_is_killed_at_any_call_leaves_a_whole_set(scenario, jobs):
    """A worker that is killed as it opens, writes, syncs, renames, links or removes a file leaves the old set or the new one."""
    calls = 0
    for_publishing = 25  # the last calls of a job: those are tried in every profile
    with (one := jobs()).worker:
        calls = one.count_calls()
    early = scenario.chosen(range(1, calls - for_publishing), 4)
    states = []
    for number in [*early, *range(calls - for_publishing, calls + 1)]:
        with (one := jobs()).worker:
            folder = one.prepare(f"kill-{number}")
            one.worker.send(one.request(folder))
            assert one.worker.wait() == -9
        with (one := jobs()).worker, scenario.trial("call", number):
            states.append(one.check(one.heal(folder), is_new=None))
    assert states == sorted(states, reverse=True)  # up to some call it is the old set, from there on the new one
    assert {states[0], states[-1]} == {"new", "old"}


def test_a_worker_that_is_killed_at_any_moment_leaves_a_whole_set(scenario, jobs):
    """A worker that is killed at a random moment of a job leaves the old set or the new one."""
    chance = random.Random(1)
    with (one := jobs()).worker:
        folder = one.prepare("measured")
        began = time.monotonic()
        one.run(folder)
        longest = 1.5 * (time.monotonic() - began)
    for number in range(scenario.times(4, 300)):
        with (one := jobs()).worker:
            folder = one.prepare(f"moment-{number}")
            one.worker.send(one.request(folder))
            threading.Event().wait(chance.uniform(0, longest))  # the moment is what is tried: nothing is waited for
            one.worker.process.kill()
            one.worker.wait()
        with (one := jobs()).worker, scenario.trial("moment", number):
            one.check(folder, is_new=None)
