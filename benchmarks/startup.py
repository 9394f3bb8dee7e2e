"""The time until a worker's first line and until it is ready, against `import torch` alone, from its script or frozen.

The runs alternate, so that both have the same conditions.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.results import table, write_section
from benchmarks.worker_process import ROOT, WorkerProcess
from utils.core.catalogue import Worker
from workers import WORKERS

FROZEN = ROOT / "dist" / "dsu"
FIRST_TARGET = 0.1
READY_TARGET = 1.25


def import_torch_s() -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import torch"], check=True)
    return time.perf_counter() - started


def worker_s(program: str, models_dir: Path) -> tuple[float, float]:
    """Seconds until the first line and until `ready`."""
    with WorkerProcess(program, models_dir) as worker:
        return worker.wait_for("loading").at_s, worker.wait_for("ready").at_s


def measure(program: str, runs: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {"import torch": [], "first line": [], "ready": []}
    with tempfile.TemporaryDirectory() as folder:
        for run in range(runs + 1):
            first, ready = worker_s(program, Path(folder))
            alone = import_torch_s()
            if run > 0:  # the first round fills the file cache
                for name, seconds in zip(times, (alone, first, ready), strict=True):
                    times[name].append(seconds)
    return times


def report(times: dict[str, list[float]]) -> str:
    targets = {"import torch": "", "first line": f"<= {FIRST_TARGET}", "ready": f"<= {READY_TARGET}"}
    median = {name: statistics.median(values) for name, values in times.items()}
    smallest = {name: min(values) for name, values in times.items()}
    rows = [
        [
            name,
            f"{median[name]:.3f}",
            f"{smallest[name]:.3f}",
            f"{median[name] / median['import torch']:.3f}",
            f"{smallest[name] / smallest['import torch']:.3f}",
            target,
        ]
        for name, target in targets.items()
    ]
    return table(["", "median s", "minimum s", "median / torch", "minimum / torch", "target"], rows)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser("run.py bench startup", description=__doc__)
    parser.add_argument("--runs", type=int, default=9, help="number of runs; default 9")
    parser.add_argument(
        "--frozen",
        nargs="?",
        type=Path,
        const=FROZEN,
        metavar="DIR",
        help="measure the workers of a frozen folder, by default dist/dsu",
    )
    options = parser.parse_args(argv)
    for name, worker in WORKERS.items():
        body = report(measure(program_of(worker, options.frozen), options.runs))
        note = f"From starting the process, {options.runs} alternating runs with a warm file cache."
        title, flag = (
            (f"Start of the frozen {worker.name}", " --frozen") if options.frozen else (f"Start of {worker.name}", "")
        )
        write_section(title, f"`python3 run.py bench startup{flag}`. {note}\n\n{body}")
        print(f"{name}\n{body}")
    return 0


def program_of(worker: Worker, frozen: Path | None) -> str:
    """The worker's script, or its executable in a frozen folder."""
    suffix = ".exe" if sys.platform == "win32" else ""
    return worker.script if frozen is None else str(frozen.absolute() / (worker.executable + suffix))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
