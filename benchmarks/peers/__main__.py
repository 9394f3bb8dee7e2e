"""DSU against demucs, demucs-infer, demucs-onnx, audio-separator and pymss: whole programs and bare networks, in one run.

All of it takes about 40 minutes on two quiet cores and writes a section of benchmarks/RESULTS.md, benchmarks/peers.json and two
charts in docs/images. With --rows only a part is measured, and its tables are printed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.peers import forward, report, workers
from benchmarks.peers.models import PublicModels
from benchmarks.peers.programs import environment, hold
from benchmarks.peers.rows import ROWS, Comparison, Place
from benchmarks.results import conditions, write_section
from benchmarks.worker_process import ROOT
from tools.ffmpeg_program import path_with_ffmpeg
from tools.peers import FOLDER, peers_packages, peers_python
from utils.core.bootstrap import physical_cores
from utils.device import fastest_precision

JSON = ROOT / "benchmarks" / "peers.json"
IMAGES = ROOT / "docs" / "images"
SECTION = "DSU beside other programs"
PACKAGES = ("demucs", "demucs-infer", "demucs-onnx", "audio-separator", "pymss", "pymss-core", "onnxruntime")
ROUNDS = 2
JOBS_S = 1.5  # the clips of the jobs of workers
# What is measured of the life of workers, and about how long it takes.
LIVES = {"starts": 60.0, "switching": 75.0, "configurations": 200.0}


class Task(NamedTuple):
    """A part of a run: its name, about its seconds on two quiet cores, and what to do."""

    name: str
    cost_s: float
    run: Callable[[], None]


class Bench:
    """One run: where its models and songs are, and what has been measured so far."""

    def __init__(self, folder: Path, rounds: int, seconds: float | None) -> None:
        self.threads = physical_cores()
        self.half = fastest_precision("cpu")
        self.rounds = rounds
        self._seconds = seconds
        self._folder = folder
        self._models = PublicModels(folder / "models")
        known = {
            "PYMSS_USER_MODELS": str(self._models.registered),
            "HF_HOME": str(folder / "home"),
            "DSU_MODELS": str(self._models.folder),
        }
        self._environment = environment(self.threads, known, path_with_ffmpeg(FOLDER / "programs"))
        self.measured: dict[str, Any] = {
            "conditions": conditions(),
            "versions": versions(),
            "threads": self.threads,
            "precision": self.half,
            "rounds": rounds,
            "rows": {},
        }

    def steps(self, names: Sequence[str]) -> list[Task]:
        """What is to be done for these rows and lives."""
        rows = [Task(name, ROWS[name].cost_s, lambda name=name: self.row(name)) for name in names if name in ROWS]  # type: ignore[misc]
        lives = [Task(name, LIVES[name], getattr(self, name)) for name in names if name in LIVES]
        return [*rows, *lives]

    def seconds_of(self, row: Comparison) -> float:
        return row.seconds if self._seconds is None else self._seconds

    def row(self, name: str) -> None:
        row = ROWS[name]
        seconds, rounds = self.seconds_of(row), row.rounds or self.rounds
        row.make(self._models, seconds)
        place = Place(self._models, self._folder, seconds)
        outcomes = [
            hold(contest, self._folder / "stems", rounds, self._environment, self.half).as_json()
            for contest in row.contests(place)
        ]
        measured: dict[str, Any] = {"title": row.title, "contests": outcomes}
        if row.forward:
            measured["forward"] = forward.measure_apart(name, self._models, seconds, rounds, self._environment)
        self.measured["rows"][name] = measured

    def starts(self) -> None:
        self.measured["starts"] = workers.starts(self._folder, self._environment, self.rounds)

    def switching(self) -> None:
        self.measured["switching"] = workers.switching(*self._jobs(workers.FIRST, workers.SECOND))

    def configurations(self) -> None:
        kinds = (workers.FIRST, workers.SECOND, workers.RESTORER)
        self.measured["configurations"] = workers.configurations(*self._jobs(*kinds))

    def _jobs(self, *kinds: str) -> tuple[PublicModels, Path, Path]:
        """The models of jobs, their song, and a folder for the stems."""
        seconds = JOBS_S if self._seconds is None else self._seconds
        for kind in kinds:
            self._models.write_network(kind, seconds)
        return self._models, Place(self._models, self._folder, seconds).song(), self._folder / "stems"


def versions() -> str:
    """The versions of the programs, as the environment of peers has them."""
    code = "import importlib.metadata as m, json, sys; print(json.dumps([m.version(name) for name in sys.argv[1:]]))"
    done = subprocess.run([str(peers_python()), "-c", code, *PACKAGES], check=True, capture_output=True, text=True)
    return ", ".join(f"{name} {version}" for name, version in zip(PACKAGES, json.loads(done.stdout), strict=True))


def run_steps(
    steps: Sequence[Task], say: Callable[[str], object], now: Callable[[], float] = time.monotonic
) -> dict[str, str]:
    """Do all steps, and say before each how long the rest will take, judging by those that are done.

    One that fails does not take the others' results with it; returns why, by its name.
    """
    started, done_s = now(), 0.0
    failed: dict[str, str] = {}
    total_s = sum(step.cost_s for step in steps)
    for number, step in enumerate(steps, start=1):
        pace = (now() - started) / done_s if done_s else 1.0
        say(f"[{number}/{len(steps)}] {step.name}, about {minutes(pace * (total_s - done_s))} left")
        try:
            step.run()
        except Exception as error:  # noqa: BLE001  whatever it is, the rest of a long run goes on
            failed[step.name] = f"{type(error).__name__}: {error}"
            say(f"{step.name} failed: {failed[step.name]}")
        done_s += step.cost_s
    say(f"Measured in {minutes(now() - started)}.")
    return failed


def minutes(seconds: float) -> str:
    return f"{max(1, round(seconds / 60))} min"


def write(measured: Mapping[str, Any]) -> None:
    """The section, the figures and the charts."""
    JSON.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    charts = {"programs": report.programs_chart, "networks": report.forward_chart}
    for name, chart in charts.items():
        (IMAGES / f"peers-{name}.svg").write_text(chart(measured["rows"]), encoding="utf-8")
    write_section(SECTION, report.section(measured))


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("run.py bench peers", description=__doc__)
    everything = [*ROWS, *LIVES]
    parser.add_argument(
        "--rows", nargs="+", choices=everything, metavar="NAME", help=f"only these of {', '.join(everything)}"
    )
    parser.add_argument("--seconds", type=float, help="length of all clips; by default each row has its own")
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help=f"runs of each program and network; default {ROUNDS}"
    )
    parser.add_argument("--folder", type=Path, help="for models and songs, about 5 GB; they are kept there")
    options = parser.parse_args(argv)
    if options.rounds < 1:
        parser.error("--rounds must be 1 or more")
    peers_packages()
    with tempfile.TemporaryDirectory() as temporary:
        bench = Bench((options.folder or Path(temporary)).absolute(), options.rounds, options.seconds)
        steps = bench.steps(options.rows or everything)
        failed = run_steps(steps, lambda line: print(line, file=sys.stderr, flush=True))
    if options.rows is None and options.seconds is None:
        write(bench.measured)
    print(report.section(bench.measured))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
