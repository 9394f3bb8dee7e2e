"""How soon a worker speaks and is ready, against `import torch` alone. Runs alternate, so that both see one machine."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.results import table, write_section
from benchmarks.worker_process import WorkerProcess
from workers import WORKERS

FIRST_TARGET = 0.1
READY_TARGET = 1.25


def import_torch_s() -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import torch"], check=True)
    return time.perf_counter() - started


def worker_s(script: str, models_dir: Path) -> tuple[float, float]:
    """Seconds until the first line and until `ready`."""
    with WorkerProcess(script, models_dir) as worker:
        return worker.wait_for("loading").at_s, worker.wait_for("ready").at_s


def measure(script: str, runs: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {"import torch": [], "first line": [], "ready": []}
    with tempfile.TemporaryDirectory() as folder:
        for run in range(runs + 1):
            first, ready = worker_s(script, Path(folder))
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
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args(argv)
    for name, worker in WORKERS.items():
        body = report(measure(worker.script, options.runs))
        note = f"From starting the process, {options.runs} alternating runs with a warm file cache."
        write_section(f"Start of {worker.name}", f"`python3 run.py bench startup`. {note}\n\n{body}")
        print(f"{name}\n{body}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
