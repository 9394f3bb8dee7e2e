"""The shared parts of the test programs' command lines."""

import argparse
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tools.command_line import ROOT, Unusable, exit_status, number, output_folder, with_hint, written_to
from utils.core.errors import InputNotFound


def test_numbers_within_their_bounds_are_read():
    """Both bounds are included, and the result has the given type."""
    assert number(int, 1, 8)("8") == 8
    assert number(float, 0.5)("0.5") == 0.5


@pytest.mark.parametrize("text", ["0", "9", "1.5", "x", ""])
def test_other_values_are_refused(text):
    """The message has the given text and the allowed range."""
    with pytest.raises(argparse.ArgumentTypeError, match="an integer from 1 to 8") as caught:
        number(int, 1, 8)(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("text", ["nan", "inf", "-1"])
def test_numbers_are_finite(text):
    """NaN and infinity are refused even without an upper bound."""
    with pytest.raises(argparse.ArgumentTypeError, match="of at least 0"):
        number(float, 0)(text)


def test_hints_follow_messages():
    """The hint of an error, if it has one, follows its message."""
    assert with_hint(InputNotFound("It is gone.", hint="Look elsewhere.")) == "It is gone. Look elsewhere."
    assert with_hint(ValueError("Wrong.")) == "Wrong."


@pytest.fixture
def kept_sigterm():
    """Puts the handler of SIGTERM back after the test."""
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


def fails_with(error):
    def program():
        raise error

    return program


@pytest.mark.parametrize(
    ("program", "status", "said"),
    [
        (lambda: None, 0, ""),
        (lambda: True, 0, ""),
        (lambda: False, 1, ""),
        (fails_with(Unusable("Broken.")), 1, "Broken.\n"),
        (fails_with(InputNotFound("It is gone.", hint="Look elsewhere.")), 1, "It is gone. Look elsewhere.\n"),
        (
            fails_with(PermissionError(13, "Permission denied", "a.wav")),
            1,
            "`a.wav` cannot be used: Permission denied.",
        ),
        (fails_with(KeyboardInterrupt()), 130, ""),
    ],
)
def test_failures_become_a_message_and_an_exit_status(program, status, said, kept_sigterm, capsys):
    """Expected errors end a program with one line on standard error and no traceback."""
    assert exit_status(program) == status
    assert capsys.readouterr().err.startswith(said)


def test_a_target_that_cannot_be_written_has_a_hint(tmp_path):
    """The error names the target and the option to change."""
    with (
        pytest.raises(Unusable, match=r"cannot be written: .*\. Name another --output\."),
        written_to(tmp_path, "--output"),
    ):
        tmp_path.write_bytes(b"")


def test_the_output_can_be_elsewhere(tmp_path, monkeypatch):
    """DSU_BENCHMARK_OUTPUT names the folder; the default is in tests."""
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
def test_a_python_without_packages_gets_a_hint(program):
    """Started by any Python, a program ends with a message and no traceback."""
    words = [sys.executable, "-S", str(Path(ROOT) / program), "--help"]  # -S: without installed packages
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "is not installed" in done.stderr
    assert "run.py demo" in done.stderr
    assert "Traceback" not in done.stderr
