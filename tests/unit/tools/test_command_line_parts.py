"""What the test programs' command lines share."""

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from tools.command_line import ROOT, number, output_folder, with_hint
from utils.core.errors import InputNotFound


def test_numbers_within_their_bounds_are_read():
    """Both bounds are included, and the kind is the one asked for."""
    assert number(int, 1, 8)("8") == 8
    assert number(float, 0.5)("0.5") == 0.5


@pytest.mark.parametrize("text", ["0", "9", "1.5", "x", ""])
def test_what_is_no_such_number_is_refused(text):
    """The message has what was given and what is wanted."""
    with pytest.raises(argparse.ArgumentTypeError, match="a whole number from 1 to 8") as caught:
        number(int, 1, 8)(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("text", ["nan", "inf", "-1"])
def test_numbers_are_finite(text):
    """Also where there is no upper bound."""
    with pytest.raises(argparse.ArgumentTypeError, match="from 0 on"):
        number(float, 0)(text)


def test_hints_follow_messages():
    """Of errors that have one."""
    assert with_hint(InputNotFound("It is gone.", hint="Look elsewhere.")) == "It is gone. Look elsewhere."
    assert with_hint(ValueError("Wrong.")) == "Wrong."


def test_the_output_can_be_elsewhere(tmp_path, monkeypatch):
    """DSU_BENCHMARK_OUTPUT names the folder; without it, it is in tests."""
    monkeypatch.delenv("DSU_BENCHMARK_OUTPUT", raising=False)
    assert output_folder() == ROOT / "tests" / "benchmark_output"
    monkeypatch.setenv("DSU_BENCHMARK_OUTPUT", str(tmp_path))
    assert output_folder() == tmp_path


@pytest.mark.parametrize(
    "program",
    [
        "tests/generate_test_audio.py",
        "tests/create_long_audio.py",
        "tests/benchmark_worker_e2e.py",
        "tests/run_bsroformer_models.py",
        "scripts/utils/profile_demucs.py",
        "scripts/utils/profile_bsroformer.py",
    ],
)
def test_a_python_without_packages_is_told_what_to_do(program):
    """Started by any Python, a program ends with a sentence and no traceback."""
    words = [sys.executable, "-S", str(Path(ROOT) / program), "--help"]  # -S: without installed packages
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "is not installed" in done.stderr
    assert "run.py demo" in done.stderr
    assert "Traceback" not in done.stderr
