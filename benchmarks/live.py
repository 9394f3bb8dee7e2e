"""The time from a request to the first stretch that can be heard, from the start and from the middle, against the whole job.

The model is loaded beforehand; the samples go through the files that grow.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from benchmarks.results import table, write_section
from benchmarks.worker_process import WorkerProcess
from tools.fixtures.song import song
from workers import WORKERS

PIECE_S = 60.0
FIRST_TARGET_S = 1.0


class FirstSound(NamedTuple):
    """Seconds since the request."""

    first_s: float
    whole_s: float


def listen(worker: WorkerProcess, request: Mapping[str, object]) -> FirstSound:
    """Run one job; the worker must be idle."""
    worker.send({"cmd": "ping"})
    sent_s = worker.wait_for("pong").at_s
    worker.send({"cmd": "separate", "stream": True, "progress": False, **request})
    first = worker.wait_for("segment")
    return FirstSound(first.at_s - sent_s, worker.wait_for("done").at_s - sent_s)


def measure(model: str, minutes: float, runs: int, models_dir: Path | None) -> dict[str, list[FirstSound]]:
    """Alternating runs from the start and from the middle."""
    found: dict[str, list[FirstSound]] = {"the start": [], "the middle": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "song.wav"
        pieces = max(1, round(60 * minutes / PIECE_S))
        soundfile.write(source, np.tile(song(PIECE_S), (pieces, 1)), 44100)
        with WorkerProcess(WORKERS["dsu"].script, models_dir or folder / "models") as worker:
            worker.wait_for("ready")
            worker.send({"cmd": "load_model", "model": model})
            worker.wait_for("model_loaded")
            request = {"model": model, "input": str(source), "output": str(folder / "out")}
            for run in range(runs + 1):
                for place, more in (("the start", {}), ("the middle", {"start_at": 30 * minutes})):
                    heard = listen(worker, {**request, **more})
                    if run > 0:  # the first round fills the file cache
                        found[place].append(heard)
    return found


def report(found: Mapping[str, list[FirstSound]]) -> str:
    rows = []
    for place, runs in found.items():
        first, whole = (statistics.median(column) for column in zip(*runs, strict=True))
        rows.append([f"from {place}", f"{first:.2f}", f"{whole:.1f}", f"{first / whole:.3f}"])
    return table(["", "time to first sound s", "whole file s", "share"], rows)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser("run.py bench live", description=__doc__)
    parser.add_argument("--model", default="dsu_mini", help="name of the model; default dsu_mini")
    parser.add_argument("--models-dir", type=Path, help="where it is, if it has to be there")
    parser.add_argument("--minutes", type=float, default=4.0, help="length of the song; default 4")
    parser.add_argument("--runs", type=int, default=5, help="number of runs; default 5")
    options = parser.parse_args(argv)
    body = report(measure(options.model, options.minutes, options.runs, options.models_dir))
    note = (
        f"A song of {options.minutes:g} minutes, the model loaded, medians of {options.runs} runs. "
        f"The target of `dsu_mini` is {FIRST_TARGET_S:g} s."
    )
    write_section(f"First sound of {options.model}", f"`python3 run.py bench live`. {note}\n\n{body}")
    print(body)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
