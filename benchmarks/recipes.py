"""Time of a recipe with three models against the time that its networks take by themselves.

What a recipe adds is decoding, conversions, queues, writing and, where a pass ends, a file between passes. A `batch` does the
same through files, job by job, in turns with it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.memory import write_song
from benchmarks.results import table, write_section
from benchmarks.worker_process import WorkerProcess
from tools.fixtures.networks import write_network
from workers import WORKERS

TARGET = 1.05
KINDS = ("mel_band_roformer", "bs_roformer", "scnet")
STEPS: Mapping[str, Any] = {
    "voice": {"model": KINDS[0]},
    "lead": {"model": KINDS[1], "input": "voice.vocals"},
    "band": {"model": KINDS[2], "input": "voice.rest"},
    "left": {"residual": ["lead.vocals", "band.vocals"]},
}
OUTPUTS = {"lead": "lead.vocals", "band": "band.vocals", "left": "left"}
CHAINED: Sequence[Mapping[str, Any]] = (
    {"model": KINDS[0]},
    {"model": KINDS[1], "input": {"from": 0, "stem": "vocals"}},
    {"model": KINDS[2], "input": {"from": 0, "stem": "other"}},
)


class Timed(NamedTuple):
    """One round: how long the recipe took, how long its networks computed, and how long the batch took."""

    elapsed_s: float
    networks_s: float
    batch_s: float


def measure(folder: Path, minutes: float, rounds: int) -> list[Timed]:
    """The jobs after the first, which loads the models."""
    for kind in KINDS:
        write_network(folder / "models" / "bsroformer", kind, name=kind, chunk_seconds=4.0, stems=("vocals", "other"))
    source = folder / "song.wav"
    write_song(source, minutes)
    found: list[Timed] = []
    with WorkerProcess(WORKERS["dsu"].script, folder / "models") as worker:
        worker.wait_for("ready")
        worker.send({"cmd": "set_cache_size", "n": len(KINDS)})
        for _ in range(rounds + 1):
            recipe = {"steps": STEPS, "outputs": OUTPUTS}
            out = str(folder / "stems")
            asked = {"output": out, "progress": False}
            worker.send({"cmd": "separate", "input": str(source), "recipe": recipe, **asked})
            done = worker.wait_for("done").content
            jobs = [{"cmd": "separate", "input": str(source), **asked, **job} for job in CHAINED]
            worker.send({"cmd": "batch", "jobs": jobs})
            chained = worker.wait_for("done").content
            found.append(Timed(done["elapsed"], done["timing"]["infer"], chained["elapsed"]))
    return found[1:]


def report(runs: Sequence[Timed]) -> str:
    rows = [
        [
            *(f"{seconds:.2f}" for seconds in (run.elapsed_s, run.networks_s, run.batch_s)),
            *(f"{run.elapsed_s / seconds:.3f}" for seconds in (run.networks_s, run.batch_s)),
        ]
        for run in runs
    ]
    own = statistics.median(run.elapsed_s / run.networks_s for run in runs)
    other = statistics.median(run.elapsed_s / run.batch_s for run in runs)
    return (
        table(["the recipe s", "its networks s", "the batch s", "recipe / networks", "recipe / batch"], rows)
        + f"\n\nMedians: **{own:.3f}** of its networks (target: at most {TARGET:.2f}), {other:.3f} of the batch."
    )


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser("run.py bench recipes", description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0, help="length of the song; default 2")
    parser.add_argument("--rounds", type=int, default=3, help="how many jobs to time; default 3")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        body = report(measure(Path(name), options.minutes, options.rounds))
    note = (
        f"Three small networks with random weights ({', '.join(KINDS)}), one on the song and two on its stems, {options.minutes:g} "
        "minutes of audio."
    )
    write_section("Time of a recipe", f"`python3 run.py bench recipes`. {note}\n\n{body}")
    print(body)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
