"""Programs in turns, and their stems, with small scripts in place of programs."""

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from benchmarks.peers import programs
from benchmarks.peers.programs import OURS, OURS_FP32, Contest

SCRIPT = """
import os, sys, numpy, soundfile
out, gain, *words = sys.argv[1:]
os.makedirs(out, exist_ok=True)
half = 1e-3 if os.environ.get("DSU_DEFAULT_PRECISION") == "auto" else 0
samples = numpy.random.default_rng(0).standard_normal(1000) * 0.1
soundfile.write(out + "/song_(Vocals)_net.wav", (samples + half * samples[::-1]) * float(gain), 44100, subtype="FLOAT")
with open(out + ".log", "a") as log:
    log.write(" ".join(["run", *words]) + "\\n")
"""


@pytest.fixture
def program(tmp_path):
    """A program that writes noise with a gain; in the default precision of ours it is a little off."""
    script = tmp_path / "program.py"
    script.write_text(SCRIPT)
    return lambda gain: lambda out: [sys.executable, script, out, str(gain)]


@pytest.fixture
def place(tmp_path):
    folder = tmp_path / "stems"
    folder.mkdir()
    return folder


def hold(contest, place, rounds=2, half="bf16"):
    return programs.hold(contest, place, rounds, programs.environment(1, {}, ""), half)


def test_programs_run_in_turns_and_are_compared_with_both_of_ours(program, place):
    """Each as often as asked; the other's stems are the same, ours in half precision a little off."""
    outcome = hold(Contest("same", 1.0, {OURS: program(1), "other": program(1)}), place)
    assert {name: len(runs) for name, runs in outcome.runs.items()} == {OURS_FP32: 2, OURS: 2, "other": 2}
    assert all(run.seconds > 0 for runs in outcome.runs.values() for run in runs)
    assert outcome.agreement_db["other"][OURS_FP32] > 100
    assert outcome.agreement_db["other"][OURS] == pytest.approx(60, abs=1)
    assert outcome.agreement_db[OURS].keys() == {OURS_FP32}
    assert not outcome.failed
    assert not place.exists()


def test_a_device_without_half_precision_runs_ours_once(program, place):
    """There is only one precision to compare."""
    outcome = hold(Contest("same", 1.0, {OURS: program(1), "other": program(1)}), place, half="fp32")
    assert outcome.runs.keys() == {OURS_FP32, "other"}


def test_what_is_compared_may_differ_from_what_is_timed(program, place, monkeypatch):
    """The run for the comparison has more words and is not timed."""
    monkeypatch.setattr(programs.shutil, "rmtree", lambda *_, **__: None)
    contest = Contest("checked", 1.0, {OURS: program(1), "other": program(1)}, {OURS: ("a", "b"), "other": ("c",)})
    outcome = hold(contest, place, rounds=1)
    assert {name: len(runs) for name, runs in outcome.runs.items()} == {OURS_FP32: 1, OURS: 1, "other": 1}
    assert (place / "other.log").read_text() == "run c\nrun\n"
    assert (place / "DSU-fp32.log").read_text() == "run a b\nrun\n"


def test_a_program_that_fails_does_not_end_the_run(program, place):
    """It has a reason in place of times, and is not started again."""

    def failing(out):
        return [sys.executable, "-c", "import sys; sys.exit('no such model')"]

    outcome = hold(Contest("failing", 1.0, {OURS: program(1), "other": failing}), place)
    assert outcome.failed == {"other": "exit status 1: no such model"}
    assert outcome.runs.keys() == {OURS_FP32, OURS}
    assert outcome.as_json()["failed"]


def test_a_program_that_hangs_is_ended(monkeypatch):
    """It counts as failed after the longest time."""
    monkeypatch.setattr(programs, "LONGEST_S", 0.2)
    with pytest.raises(programs.Failed, match="longer than"):
        programs.run_program([sys.executable, "-c", "input = __import__('threading').Event().wait()"], {})


@pytest.mark.parametrize(
    ("path", "stem"),
    [
        ("one/song/vocals.wav", "song vocals"),
        ("song/song_vocals.wav", "song vocals"),
        ("song_(Vocals)_UVR-DeNoise.wav", "song vocals"),
        ("song07/song07_(No Noise).wav", "song07 no noise"),
        ("htdemucs/song07/no_vocals.wav", "song07 no_vocals"),
    ],
)
def test_stems_are_known_whatever_a_program_calls_them(path, stem):
    """By song and stem, in lower case."""
    assert programs.stem_of(Path(path)) == stem


def test_agreement_is_that_of_the_worst_stem(tmp_path):
    """Of the stems that both have; without one there is no agreement."""
    samples = np.random.default_rng(0).standard_normal(1000) * 0.1
    for name, gain in (("a", 1.0), ("b", 1.01), ("c", 1.1)):
        soundfile.write(tmp_path / f"{name}.wav", gain * samples, 44100, subtype="FLOAT")
    files = {name: tmp_path / f"{name}.wav" for name in "abc"}
    ours = {"bass": files["a"], "drums": files["a"]}
    assert programs.lowest_db({"bass": files["a"], "drums": files["b"]}, ours) == pytest.approx(40, abs=0.2)
    assert programs.lowest_db({"vocals": files["a"]}, ours) is None
    assert not programs.agrees(None, half=True)
    assert programs.agrees(40, half=True)
    assert not programs.agrees(40, half=False)
