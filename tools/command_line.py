"""Shared by the command lines of the test programs. Standard library only, so that it works without any packages."""

from __future__ import annotations

import argparse
import math
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from utils.core.bootstrap import use_utf8
from utils.core.errors import DsuError

ROOT = Path(__file__).resolve().parents[1]
PYTHON = ".venv\\Scripts\\python.exe" if sys.platform == "win32" else ".venv/bin/python"

GENERATE = "`python tests/generate_test_audio.py` writes songs to test with."

N = TypeVar("N", int, float)


class Unusable(Exception):
    """A file or option that a program cannot use. The message says why, and what to do."""


@contextmanager
def packages_of_project() -> Iterator[None]:
    """Wraps the imports of a program: if a package is missing, it ends with a hint instead of a traceback."""
    try:
        yield
    except ModuleNotFoundError as missing:
        sys.exit(
            f"The package `{missing.name}` is not installed for {sys.executable}. "
            f"Run `python3 run.py demo` to set up this project's own Python, then start the program with {ROOT / PYTHON}."
        )


def number(kind: type[N], least: float, most: float = math.inf) -> Callable[[str], N]:
    """An argparse type for numbers from `least` to `most`, both included."""

    def read(text: str) -> N:
        try:
            value = kind(text)
        except ValueError:
            value = kind(least - 1)
        if not (math.isfinite(value) and least <= value <= most):
            noun = "an integer" if kind is int else "a number"
            allowed = f"from {least:g} to {most:g}" if math.isfinite(most) else f"of at least {least:g}"
            raise argparse.ArgumentTypeError(f"{text!r} is not {noun} {allowed}")
        return value

    return read


def output_folder() -> Path:
    """Where the test programs write: DSU_BENCHMARK_OUTPUT, or else tests/benchmark_output."""
    named = os.environ.get("DSU_BENCHMARK_OUTPUT")
    return Path(named).absolute() if named else ROOT / "tests" / "benchmark_output"


def ended_by_sigterm() -> None:
    """Let SIGTERM raise SystemExit, so that child processes are cleaned up."""

    def leave(number: int, _: object) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, leave)


def exit_status(program: Callable[[], bool | None]) -> int:
    """Run a program and return its exit status: 1 if it returns False or fails, with the reason on standard error."""
    use_utf8(sys.stdout, sys.stderr)
    ended_by_sigterm()
    try:
        return 1 if program() is False else 0
    except (Unusable, DsuError) as error:
        sys.stderr.write(f"{with_hint(error)}\n")
    except OSError as error:
        sys.stderr.write(f"`{error.filename}` cannot be used: {error.strerror}.\n")
    except KeyboardInterrupt:
        return 130
    return 1


@contextmanager
def written_to(target: Path, option: str) -> Iterator[None]:
    """Wraps writing: if it fails, the error says to name another target by this option."""
    try:
        yield
    except OSError as error:
        raise Unusable(f"`{target}` cannot be written: {error.strerror}. Name another {option}.") from error


def with_hint(error: Exception) -> str:
    """The message of an error and, if it has one, its hint."""
    return " ".join(str(part) for part in (error, getattr(error, "hint", None)) if part)
