"""dsu-demucs against the program of the demucs package, alternately, with the same song and weights.

The networks have the size of the public htdemucs and htdemucs_ft and random weights, since time and memory do not depend
on the weights. Both programs are started for each song, as from a shell; the last row is a running worker.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
from demucs.htdemucs import HTDemucs
from torch import nn

from benchmarks.results import table, write_section
from benchmarks.worker_process import ROOT, MemoryWatch, WorkerProcess
from tools.fixtures.demucs import SAMPLE_RATE, SOURCES, write_bag, write_checkpoint
from tools.fixtures.song import song
from workers import WORKERS

QUIET = 0.05
MEMBERS = tuple(f"full000{number}" for number in range(1, 5))


class ProgramRun(NamedTuple):
    seconds: float
    peak_bytes: int


def full_size() -> tuple[type[nn.Module], dict[str, Any]]:
    """The class and arguments of a network of the public size: 42 million parameters."""
    return HTDemucs, {
        "sources": list(SOURCES),
        "bottom_channels": 512,
        "dconv_mode": 3,
        "segment": Fraction(39, 5),
        "samplerate": SAMPLE_RATE,
    }


def make_models(repo: Path) -> None:
    for seed, member in enumerate(MEMBERS):
        write_checkpoint(repo, member, full_size, seed=seed)
    write_bag(repo, "one", MEMBERS[:1])
    write_bag(repo, "four", MEMBERS, weights=np.eye(len(SOURCES)).tolist())


def run_program(command: Sequence[str]) -> ProgramRun:
    """The wall time and peak memory of a program."""
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        watch = MemoryWatch(process.pid)
        process.wait()
        peak = watch.sampled_peak()
    if process.returncode:
        raise RuntimeError(f"`{' '.join(command)}` failed with exit status {process.returncode}.")
    return ProgramRun(time.perf_counter() - started, peak)


def programs(repo: Path, out: Path, source: Path, model: str, extra: Sequence[str]) -> dict[str, list[str]]:
    words = ["-n", model, "--repo", str(repo), "-d", "cpu", "--shifts", "0", "--float32", *extra, str(source)]
    return {
        "demucs": [sys.executable, "-m", "demucs", "-o", str(out / "demucs"), *words],
        "DSU": [sys.executable, str(ROOT / WORKERS["demucs"].script), "-o", str(out / "dsu"), *words],
    }


def compare(
    repo: Path, out: Path, source: Path, model: str, extra: Sequence[str], rounds: int
) -> dict[str, ProgramRun]:
    """The median time and largest memory of each program; their runs alternate."""
    runs: dict[str, list[ProgramRun]] = {"demucs": [], "DSU": []}
    for _ in range(rounds):
        for name, command in programs(repo, out, source, model, extra).items():
            runs[name].append(run_program(command))
    return {
        name: ProgramRun(statistics.median(run.seconds for run in mine), max(run.peak_bytes for run in mine))
        for name, mine in runs.items()
    }


def warm_seconds(repo: Path, out: Path, source: Path) -> float:
    """The time of the second separation by a worker."""
    request = {"cmd": "separate", "input": str(source), "output": str(out), "model": "one", "repo": str(repo)}
    with WorkerProcess(WORKERS["demucs"].script, out / "models") as worker:
        worker.wait_for("ready")
        for _ in range(2):
            worker.send({**request, "shifts": 0, "pcm_type": "FLOAT", "progress": False})
            elapsed = worker.wait_for("done").content["elapsed"]
    return float(elapsed)


def agreement_db(out: Path, track: str) -> float:
    """The agreement of the worst stem with that of the package."""
    pairs = [
        [soundfile.read(out / program / "one" / track / f"{stem}.wav")[0] for program in ("demucs", "dsu")]
        for stem in SOURCES
    ]
    return float(min(10 * np.log10(np.sum(a**2) / max(np.sum((a - b) ** 2), 1e-30)) for a, b in pairs))


def row(what: str, runs: Mapping[str, ProgramRun]) -> list[str]:
    package, ours = runs["demucs"], runs["DSU"]
    memory = [f"{run.peak_bytes / 2**20:.0f}" for run in (package, ours)]
    ratio = ours.seconds / package.seconds
    return [what, f"{package.seconds:.1f}", f"{ours.seconds:.1f}", f"{ratio:.2f}", *memory]


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser("run.py bench demucs", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the song")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each program; default 3")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        source = base / "song.wav"
        # Quiet, since untrained networks have loud outputs and demucs lowers each clipping stem individually.
        soundfile.write(source, QUIET * song(options.seconds), SAMPLE_RATE, subtype="FLOAT")
        make_models(base / "repo")
        whole = compare(base / "repo", base / "out", source, "one", [], options.rounds)
        one_stem = compare(base / "repo", base / "out", source, "four", ["--two-stems", "vocals"], 1)
        warm = warm_seconds(base / "repo", base / "warm", source)
        agreement = agreement_db(base / "out", source.stem)
    head = ["", "demucs s", "DSU s", "DSU / demucs", "demucs peak MiB", "DSU peak MiB"]
    warm_row = ["htdemucs, four stems, worker up", "", f"{warm:.1f}", f"{warm / whole['demucs'].seconds:.2f}", "", ""]
    rows = [
        row("htdemucs, four stems", whole),
        row("htdemucs_ft, `--two-stems vocals`", one_stem),
        warm_row,
    ]
    note = f"A song of {options.seconds:g} s, shifts 0, float output, {options.rounds} rounds in turns (the bag: one)."
    body = f"{table(head, rows)}\n\nThe stems of both programs agree to {agreement:.0f} dB or better."
    write_section("dsu-demucs against demucs", f"`python3 run.py bench demucs`. {note}\n\n{body}")
    print(body)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
