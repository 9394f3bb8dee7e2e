"""Time by stages, and the functions of the engine that make them up."""

import runpy
from pathlib import Path

import pytest

from tools.profiling import StageClock, timed_engine
from utils.audio.writing import StemSet
from utils.engine import separation
from utils.engine.background import WriteBehind
from utils.engine.song import Song

SUBJECT = runpy.run_path(str(Path(__file__).resolve().parents[3] / "scripts/utils/profile_bsroformer.py"))["SUBJECT"]


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

    def broken():
        clock.now += 2.0
        raise ValueError("x")

    with stages.stage("outer"):
        with pytest.raises(ValueError, match="x"):
            stages.timed(broken, "inner")()
        clock.now += 1.0
    assert stages.seconds == {"outer": 1.0, "inner": 2.0}


def functions_of_stages():
    """What a separation calls for its song, its network and its files."""
    reading = (separation._scan, separation.read_tags, Song.read)
    saving = (StemSet.__enter__, StemSet.commit, StemSet.__exit__, WriteBehind.put, WriteBehind.__exit__)
    return (*reading, separation.demix, *saving)


def test_the_engine_is_left_as_it_was():
    """Functions are timed only within the context, all of them, and their results are theirs."""
    before = functions_of_stages()
    with timed_engine(StageClock(), SUBJECT):
        assert [getattr(function, "__wrapped__", None) for function in functions_of_stages()] == [*before]
    assert functions_of_stages() == before
