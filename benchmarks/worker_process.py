"""A real worker process, with the arrival times of its lines and its peak memory."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import psutil

ROOT = Path(__file__).resolve().parent.parent
SAMPLE_INTERVAL_S = 0.05


class WorkerFailed(Exception):
    """The worker answered with an error, or ended early."""


class Line(NamedTuple):
    """A line of the worker and its time in seconds since the start of the process."""

    at_s: float
    content: dict[str, Any]


class MemoryWatch:
    """The peak resident memory of a process: as recorded by the system, or else sampled."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._stop = threading.Event()
        self._peak = 0
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """The peak in bytes. The process must still run."""
        self._peak = max(self._peak, recorded_peak(self._process))
        return self.sampled_peak()

    def sampled_peak(self) -> int:
        """The sampled peak in bytes, also of a process that has ended."""
        self._stop.set()
        self._thread.join()
        return self._peak

    def _watch(self) -> None:
        while not self._stop.wait(SAMPLE_INTERVAL_S):
            try:
                self._peak = max(self._peak, self._process.memory_info().rss)
            except psutil.NoSuchProcess:
                return


def recorded_peak(process: psutil.Process) -> int:
    """The peak that Linux (`VmHWM`) or Windows (`peak_wset`) recorded, in bytes; 0 on other systems."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    except OSError:
        return int(getattr(process.memory_info(), "peak_wset", 0))
    kibibytes = next((line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")), "0")
    return int(kibibytes) * 1024


def command(program: str) -> list[str]:
    """The command that starts a worker: this Python with its script, or a frozen program."""
    return [sys.executable, str(ROOT / program)] if program.endswith(".py") else [program]


class WorkerProcess:
    """A worker, started from its script or frozen; `with` ends it."""

    def __init__(self, program: str, models_dir: Path, words: Sequence[str] = ()) -> None:
        self._started = time.perf_counter()
        self._process = subprocess.Popen(
            [*command(program), "--worker", "--models-dir", str(models_dir), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._process.kill()
        # Closing its input ends the worker. If it is gone already, unsent requests are dropped.
        with contextlib.suppress(OSError), self._process:
            pass

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, request: Mapping[str, Any]) -> None:
        if self._process.stdin is not None:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()

    def wait_for(self, status: str) -> Line:
        """The next line with this status; earlier lines are skipped."""
        for raw in self._process.stdout or ():
            at_s = time.perf_counter() - self._started
            content = json.loads(raw)
            if content["status"] == status:
                return Line(at_s, content)
            if content["status"] == "error":
                raise WorkerFailed(content["message"])
        raise WorkerFailed(f"The worker ended before it sent `{status}`.")
