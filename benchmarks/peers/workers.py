"""The life of a worker: its start, loading a model, switching to another and back, and what other workers beside it cost."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.peers.models import PublicModels
from benchmarks.worker_process import ROOT, WorkerProcess
from tools.peers import peers_python
from workers import WORKERS

FIRST, SECOND, RESTORER = "bs_roformer", "scnet", "apollo"
WORKER = "bsroformer"
IDLE = ("demucs", "audio-separator", "audiosep")

# What a program imports before it can load a model.
IMPORTS = {
    "demucs": "import demucs.separate",
    "demucs-infer": "import demucs_infer.separate",
    "demucs-onnx": "import demucs_onnx.inference",
    "audio-separator": (
        "from tools.audio_separator_program import hollow_modules; hollow_modules(); "
        "from audio_separator.separator import Separator; import audio_separator.separator.architectures.mdxc_separator"
    ),
    "pymss": "import pymss.cli, pymss.separator",
}


class Start(NamedTuple):
    """Seconds from the start of a process to its first line, and until it can load a model."""

    first_s: float | None
    ready_s: float


class Operation(NamedTuple):
    """A job as its client sees it: all of it, and without loading the model; and whether the model was loaded for it."""

    name: str
    total_s: float
    processing_s: float
    loads: bool


# Start ----------------------------------------------------------------------------------------------------------------


def starts(folder: Path, environment: Mapping[str, str], rounds: int) -> dict[str, list[Start]]:
    """Workers and the imports of other programs, in turns; a first round fills the cache of files."""
    found: dict[str, list[Start]] = {}
    for turn in range(rounds + 1):
        for worker in WORKERS.values():
            with WorkerProcess(worker.script, folder) as process:
                start = Start(process.wait_for("loading").at_s, process.wait_for("ready").at_s)
            found.setdefault(worker.name, []).append(start)
        for name, code in {"import torch": "import torch", **IMPORTS}.items():
            found.setdefault(name, []).append(Start(None, import_s(code, environment)))
        if turn == 0:
            found = {}
    return found


def import_s(code: str, environment: Mapping[str, str]) -> float:
    started = time.perf_counter()
    command = [str(peers_python()), "-c", code]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    return time.perf_counter() - started


# Jobs -----------------------------------------------------------------------------------------------------------------


def job(models: PublicModels, kind: str, song: Path, out: Path) -> dict[str, Any]:
    files = {"model_path": str(models.checkpoint(kind)), "config_path": str(models.config(kind))}
    return {"cmd": "separate", "input": str(song), "output_dir": str(out), **files, "progress": False}


def run_job(worker: WorkerProcess, name: str, request: Mapping[str, Any]) -> Operation:
    started = time.perf_counter()
    worker.send(request)
    done = worker.wait_for("done").content
    total_s = time.perf_counter() - started
    return Operation(name, total_s, total_s - done["timing"]["load"], not done["model_from_cache"])


def worker_with(models: PublicModels, *words: str) -> WorkerProcess:
    return WorkerProcess(WORKERS[WORKER].script, models.folder, words)


def switching(models: PublicModels, song: Path, out: Path) -> dict[str, list[Operation]]:
    """Two models in a worker that keeps both, and in one that keeps only the last."""
    first, second = (job(models, kind, song, out) for kind in (FIRST, SECOND))
    steps = {
        "BS-RoFormer (COLD)": first,
        "BS-RoFormer (CACHED)": first,
        "SCNet (SWITCH)": second,
        "BS-RoFormer (BACK)": first,
    }
    found = {}
    for kept in (2, 1):
        with worker_with(models, "--max-cached-models", str(kept)) as worker:
            worker.wait_for("ready")
            found[f"models kept: {kept}"] = [run_job(worker, name, request) for name, request in steps.items()]
    return found


def configurations(models: PublicModels, song: Path, out: Path) -> dict[str, list[Operation]]:
    """The same jobs by one worker, without its cache, beside three idle ones, and by a worker for each job."""
    kinds = {"BS-RoFormer #1": FIRST, "BS-RoFormer #2": FIRST, "SCNet": SECOND, "Apollo": RESTORER}
    jobs = {name: job(models, kind, song, out) for name, kind in kinds.items()}
    found = {}
    for title, words, idle in (
        ("one worker", (), ()),
        ("one worker, cache off", ("--max-cached-models", "0"), ()),
        ("one worker, three others idle", (), IDLE),
    ):
        with ExitStack() as stack:
            for name in idle:
                stack.enter_context(WorkerProcess(WORKERS[name].script, models.folder)).wait_for("ready")
            started = time.perf_counter()
            with worker_with(models, *words) as worker:
                worker.wait_for("ready")
                operations = [run_job(worker, name, request) for name, request in jobs.items()]
            found[title] = [*operations, whole(started, operations)]
    started = time.perf_counter()
    operations = [alone(models, name, request) for name, request in jobs.items()]
    found["a worker for each job"] = [*operations, whole(started, operations)]
    return found


def alone(models: PublicModels, name: str, request: Mapping[str, Any]) -> Operation:
    """A job with the start and the end of its worker, which are overhead."""
    started = time.perf_counter()
    with worker_with(models) as worker:
        worker.wait_for("ready")
        inner = run_job(worker, name, request)
    return inner._replace(total_s=time.perf_counter() - started)


def whole(started: float, operations: Sequence[Operation]) -> Operation:
    """The sequence from the start of its first worker to the end of its last."""
    processing_s = sum(each.processing_s for each in operations)
    return Operation("all, with start and end", time.perf_counter() - started, processing_s, loads=True)
