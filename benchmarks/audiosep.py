"""dsu-audiosep started for each job against one persistent worker, cold against warm, and the cost of a second load.

The separator and the text encoder have the size of the public model and random weights, since time does not depend on the
weights. Short and long songs alternate, like the jobs of a client.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import soundfile

from benchmarks.results import table, write_section
from benchmarks.worker_process import MemoryWatch, WorkerProcess
from tools.fixtures.audiosep import AudioSepFiles, write_audiosep
from tools.fixtures.song import SAMPLE_RATE, song
from workers import WORKERS

TEXTS = ("vocals", "drums", "an acoustic guitar")
QUIET = 0.05  # input gain, since untrained networks have loud outputs


class WorkerRun(NamedTuple):
    """The times of one worker from start to exit, and its peak memory."""

    startup_s: float
    load_s: float
    second_load_s: float
    jobs_s: tuple[float, ...]
    total_s: float
    peak_bytes: int


def load_request(files: AudioSepFiles) -> dict[str, str]:
    return {
        "cmd": "load_model",
        "config_path": str(files.config),
        "checkpoint_path": str(files.checkpoint),
        "clap_checkpoint_path": str(files.clap_checkpoint),
        "roberta_dir": str(files.roberta_dir),
    }


def run_worker(files: AudioSepFiles, sources: Sequence[Path], texts: Sequence[str] = TEXTS[:1]) -> WorkerRun:
    """Start a worker, load the model twice, separate each song, and stop the worker."""
    jobs: list[float] = []
    with WorkerProcess(WORKERS["audiosep"].script, files.config.parent) as worker:
        watch = MemoryWatch(worker.pid)
        ready_s = worker.wait_for("ready").at_s
        loads = []
        for _ in range(2):
            worker.send(load_request(files))
            loads.append(float(worker.wait_for("model_loaded").content["elapsed"]))
        for source in sources:
            worker.send(separate_request(source, texts))
            jobs.append(float(worker.wait_for("done").content["elapsed"]))
        peak = watch.stop()
        worker.send({"cmd": "exit"})
        total_s = worker.wait_for("exiting").at_s
    return WorkerRun(ready_s, loads[0], loads[1], tuple(jobs), total_s, peak)


def separate_request(source: Path, texts: Sequence[str]) -> dict[str, object]:
    folder = source.parent / "out"
    return {"cmd": "separate", "input": str(source), "output_dir": str(folder), "texts": list(texts), "progress": False}


def write_song(path: Path, seconds: float) -> Path:
    soundfile.write(path, QUIET * song(seconds), SAMPLE_RATE)
    return path


def report(cold: Sequence[WorkerRun], persistent: WorkerRun, together: WorkerRun, seconds: Sequence[float]) -> str:
    """The tables: `cold` has a run per song, `persistent` one run with both songs twice, `together` one run with all texts."""
    times = together.jobs_s[0] / cold[0].jobs_s[0]
    rest = (
        f"{len(TEXTS)} texts at once take {times:.2f} of the time of one. "
        f"At its most the one worker held {persistent.peak_bytes / 2**20:.0f} MiB."
    )
    return "\n\n".join(
        [cold_table(cold, seconds), jobs_table(cold, persistent), warm_table(cold, persistent, seconds), rest]
    )


def cold_table(cold: Sequence[WorkerRun], seconds: Sequence[float]) -> str:
    rows = [
        [f"{length:g}", *as_text(run.startup_s, run.load_s, run.jobs_s[0], run.total_s)]
        for run, length in zip(cold, seconds, strict=True)
    ]
    return table(["song s", "start s", "load s", "separation s", "total s"], rows)


def jobs_table(cold: Sequence[WorkerRun], persistent: WorkerRun) -> str:
    each = [run.total_s for run in (*cold, *cold)]
    rows = [
        ["a worker for each job", *as_text(sum(each)), ", ".join(as_text(*each))],
        ["one worker", *as_text(persistent.total_s), ", ".join(as_text(*persistent.jobs_s))],
    ]
    return table(["short, long, short, long", "total s", "each s"], rows)


def warm_table(cold: Sequence[WorkerRun], persistent: WorkerRun, seconds: Sequence[float]) -> str:
    rows = [["load", *as_text(persistent.load_s, persistent.second_load_s)]]
    for index, length in enumerate(seconds):
        again = statistics.mean(persistent.jobs_s[index :: len(seconds)])
        rows.append([f"song of {length:g} s, from start to end", *as_text(cold[index].total_s, again)])
    return table(["", "first s", "then s"], rows)


def as_text(*seconds: float) -> list[str]:
    return [f"{one:.2f}" for one in seconds]


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser("run.py bench audiosep", description=__doc__)
    parser.add_argument(
        "--seconds",
        type=float,
        nargs=2,
        default=(4.0, 40.0),
        metavar=("SHORT", "LONG"),
        help="lengths of the songs; default 4 40",
    )
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = write_audiosep(folder / "model", full_size=True)
        sources = [write_song(folder / f"{length:g}.wav", length) for length in options.seconds]
        cold = [run_worker(files, [source]) for source in sources]
        persistent = run_worker(files, [*sources, *sources])
        together = run_worker(files, sources[:1], TEXTS)
    body = report(cold, persistent, together, options.seconds)
    note = (
        "A network of the public model's size with random weights, its files in the system's cache; one text, `use_chunk` "
        "auto, 16-bit stereo at 44.1 kHz in and out. Each worker loads twice, the second time from its cache."
    )
    write_section("dsu-audiosep cold and warm", f"`python3 run.py bench audiosep`. {note}\n\n{body}")
    print(body)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
