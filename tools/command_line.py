"""What the test programs' command lines share. Standard library only, so that it works where packages are missing."""

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

ROOT = Path(__file__).resolve().parents[1]
PYTHON = ".venv\\Scripts\\python.exe" if sys.platform == "win32" else ".venv/bin/python"

GENERATE = "`python tests/generate_test_audio.py` writes songs to test with."

N = TypeVar("N", int, float)


class Unusable(Exception):
    """What a program was given cannot be used; the message says why and what to do."""


@contextmanager
def packages_of_project() -> Iterator[None]:
    """Around the imports of a program: a missing package ends it with what to do, and not with a traceback."""
    try:
        yield
    except ModuleNotFoundError as missing:
        sys.exit(
            f"The package `{missing.name}` is not installed for {sys.executable}. "
            f"`python3 run.py demo` sets up this project's own Python; start the program with {ROOT / PYTHON}."
        )


def number(kind: type[N], least: float, most: float = math.inf) -> Callable[[str], N]:
    """An argparse type: a number between two bounds, both included."""

    def read(text: str) -> N:
        try:
            value = kind(text)
        except ValueError:
            value = kind(least - 1)
        if not (math.isfinite(value) and least <= value <= most):
            upper = f" to {most:g}" if math.isfinite(most) else " on"
            what = "a whole number" if kind is int else "a number"
            raise argparse.ArgumentTypeError(f"{text!r} is not {what} from {least:g}{upper}")
        return value

    return read


def output_folder() -> Path:
    """Where the test programs write: tests/benchmark_output, or what DSU_BENCHMARK_OUTPUT names."""
    named = os.environ.get("DSU_BENCHMARK_OUTPUT")
    return Path(named).absolute() if named else ROOT / "tests" / "benchmark_output"


def ended_by_sigterm() -> None:
    """Leave on SIGTERM as on an error, so that no process that was started is left behind."""

    def leave(number: int, _: object) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, leave)


def with_hint(error: Exception) -> str:
    """What is wrong and, where the error knows it, what to do."""
    return " ".join(str(part) for part in (error, getattr(error, "hint", None)) if part)
