"""Time by stages, and the steps of a job that make them up."""

import contextlib

import numpy as np
import pytest
import soundfile

from tools.fixtures.networks import write_network
from tools.profiling import ProfiledJob, StageClock
from utils.core.requests import NetworkSeparate
from utils.core.settings import Settings
from utils.engine.programs import make_engine


class Clock:
    """A clock that tells what it is set to."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_a_moment_belongs_to_the_innermost_stage(clock):
    """What a stage within takes does not count for the one around it, and the sum is all that passed."""
    stages = StageClock(clock)
    with stages.stage("outer"):
        clock.now = 1.0
        with stages.stage("inner"):
            clock.now = 4.0
        clock.now = 4.5
        with stages.stage("inner"):
            clock.now = 5.0
    clock.now = 9.0  # nothing runs
    assert stages.seconds == {"outer": 1.5, "inner": 3.5}


def test_a_stage_that_fails_is_over(clock):
    """An error goes on its way, and the time after it is the outer stage's again."""
    stages = StageClock(clock)

    with stages.stage("outer"):
        with contextlib.suppress(ValueError), stages.stage("inner"):
            clock.now += 2.0
            raise ValueError
        clock.now += 1.0
    assert stages.seconds == {"outer": 1.0, "inner": 2.0}


def test_the_steps_of_a_job_are_stages(clock):
    """Under the names that the profiler gives them."""
    stages = StageClock(clock)
    job = ProfiledJob(stages, {"read": "audio_load", "separate": "demix"})
    with job.step("separate"):
        clock.now = 1.0
        with job.step("read"):
            clock.now = 3.0
    assert stages.seconds == {"demix": 1.0, "audio_load": 2.0}


def test_every_step_of_a_separation_has_a_stage(tmp_path):
    """A real job: each stage took some time, and together they are all that passed."""
    files = write_network(tmp_path, "mdx23c")
    soundfile.write(tmp_path / "song.wav", np.random.default_rng(0).uniform(-0.1, 0.1, (44100, 2)), 44100)
    stages = StageClock()
    names = {"load": "load", "move": "move", "read": "read", "separate": "separate", "write": "write"}
    engine = make_engine("dsu-bsroformer", Settings(models_dir=tmp_path, device="cpu", threads=1))
    engine.start()
    fields = {"model_path": str(files.checkpoint), "config_path": str(files.config), "output": str(tmp_path / "out")}
    engine.separate(NetworkSeparate(input=str(tmp_path / "song.wav"), **fields), ProfiledJob(stages, names))
    assert stages.seconds.keys() == names.keys()
    assert all(seconds > 0 for seconds in stages.seconds.values())
