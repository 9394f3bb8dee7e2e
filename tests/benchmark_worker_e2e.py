"""Time one worker from its start to its second separation, as a client sees it.

The worker starts, loads a model twice (the second time from its cache), separates a file (cold), and separates it again
(warm). Prints a line for each figure, then all of them as one line of JSON. Exit status: 0; 1 if the worker failed, with
the end of its standard error; 2 for a wrong command line.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.command_line import (
    GENERATE,
    Unusable,
    exit_status,
    number,
    output_folder,
    packages_of_project,
)

with packages_of_project():
    import soundfile

    from benchmarks.worker_process import Line, MemoryWatch, WorkerFailed, WorkerProcess, command
    from tools.choose_models import APOLLO, KINDS, ModelChoice, choose, models_directory
    from workers import WORKERS

INPUT = Path(__file__).resolve().parent / "audio" / "test_4s.wav"
TIMEOUT_S = 1800.0
TAIL_LINES = 20

# The request fields for the files of a model that is not in a models directory.
OWN_FILES = {
    "bsroformer": {"checkpoint": "model_path", "config": "config_path"},
    APOLLO: {"checkpoint": "model_path", "config": "config_path"},
    "audio-separator": {"checkpoint": "model"},
    "audiosep": {
        "checkpoint": "checkpoint_path",
        "config": "config_path",
        "clap_checkpoint": "clap_checkpoint_path",
        "roberta_dir": "roberta_dir",
    },
}


class Kind(NamedTuple):
    """What to measure: a worker, and its commands that load and use a model."""

    worker: str
    load: str = "load_model"
    separate: str = "separate"


MEASURED = {kind: Kind(kind) for kind in KINDS} | {APOLLO: Kind("audio-separator", "load_apollo", "apollo")}


# The worker -----------------------------------------------------------------------------------------------------------


class TimedWorker(WorkerProcess):
    """A worker whose standard error is kept, and which is killed if an answer takes too long."""

    def __init__(self, words: Sequence[str], errors: IO[bytes], timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._started = time.perf_counter()
        try:
            self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
        except OSError as error:
            raise WorkerFailed(f"`{words[0]}` cannot be started: {error.strerror}.") from error

    def ask(self, request: Mapping[str, Any], status: str) -> tuple[float, dict[str, Any]]:
        """Send a request and wait: the seconds until its answer, and the answer."""
        asked = time.perf_counter()
        try:
            self.send(request)
        except OSError as error:
            raise WorkerFailed("The worker ended before all requests were sent.") from error
        answer = self.wait_for(status)
        return time.perf_counter() - asked, answer.content

    def wait_for(self, status: str | None) -> Line:
        """The next line with this status, or any status if None."""
        with self._time_limit() as ended:
            for raw in self._process.stdout or ():
                line = Line(time.perf_counter() - self._started, parsed(raw))
                if line.content["status"] == "error":
                    raise WorkerFailed(
                        " ".join(str(line.content[key]) for key in ("message", "hint") if key in line[1])
                    )
                if status in (None, line.content["status"]):
                    return line
        if ended.is_set():
            raise WorkerFailed(f"The worker did not answer within {self._timeout_s:g} s and was killed.")
        raise WorkerFailed(
            f"The worker ended before it sent `{status}`." if status else "The worker ended without sending anything."
        )

    @contextmanager
    def _time_limit(self) -> Iterator[threading.Event]:
        ended = threading.Event()

        def end() -> None:
            ended.set()
            self._process.kill()

        alarm = threading.Timer(self._timeout_s, end)
        alarm.start()
        try:
            yield ended
        finally:
            alarm.cancel()


def parsed(raw: bytes) -> dict[str, Any]:
    try:
        content = json.loads(raw)
    except ValueError:
        content = None
    if not isinstance(content, dict) or "status" not in content:
        text = raw.decode("utf-8", "replace").strip()
        raise WorkerFailed(f"This program does not speak the DSU protocol; it wrote: {text[:200]}")
    return content


def tail(errors: IO[bytes]) -> str:
    """The end of the worker's standard error, to append to a message."""
    errors.seek(0)
    lines = errors.read().decode("utf-8", "replace").splitlines()
    return "\n".join(["\nThe end of its standard error:", *lines[-TAIL_LINES:]]) if lines else ""


# Measuring ------------------------------------------------------------------------------------------------------------


def measure(
    worker: TimedWorker, kind: Kind, choice: ModelChoice, job: Mapping[str, Any], repeat: int
) -> dict[str, Any]:
    """The figures of one run of a worker, from start to exit."""
    watch = MemoryWatch(worker.pid)
    first = worker.wait_for(None)
    ready = worker.wait_for("ready")
    loads = [worker.ask({"cmd": kind.load, **choice.load}, "model_loaded") for _ in range(2)]
    jobs = [worker.ask({"cmd": kind.separate, **job}, "done") for _ in range(1 + repeat)]
    peak_bytes = watch.stop()
    worker.ask({"cmd": "exit"}, "exiting")
    (cold_s, cold), warm = jobs[0], jobs[1:]
    missing = [path for path in cold["paths"].values() if not Path(path).is_file()]
    if missing:
        raise WorkerFailed(f"The worker reported `{missing[0]}` as written, but it does not exist.")
    return {
        "version": ready.content["version"],
        "device": ready.content["device"],
        "threads": ready.content["threads"],
        "model": choice.name,
        "duration_s": cold["duration"],
        "outputs": list(cold["paths"].values()),
        "warnings": cold.get("warnings", []),
        "t_start_to_first_status_s": round(first.at_s, 4),
        "t_start_to_ready_s": round(ready.at_s, 4),
        "t_load_model_s": round(loads[0][0], 4),
        "t_load_model_again_s": round(loads[1][0], 4),
        "t_separate_cold_wall_s": round(cold_s, 4),
        "t_separate_warm_wall_s": round(min(seconds for seconds, _ in warm), 4),
        "t_separate_warm_walls_s": [round(seconds, 4) for seconds, _ in warm],
        "load_model_elapsed_s": loads[0][1]["elapsed"],
        "separate_cold_elapsed_s": cold["elapsed"],
        "separate_warm_elapsed_s": min(done["elapsed"] for _, done in warm),
        "peak_memory_mib": round(peak_bytes / 2**20, 1),
    }


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Choose the model, start the worker, measure."""
    kind = MEASURED[options.worker]
    source = usable_input(options.input)
    choice = own_model(options) or choose(options.worker, options.models_dir, options.model)
    sys.stdout.write(f"{choice.note}\n")
    sys.stdout.flush()
    program = program_of(kind.worker, options.exe)
    flags = ["--worker", "--device", options.device, "--models-dir", str(choice.models_dir)]
    folder = options.output_dir or output_folder() / options.worker
    job: dict[str, Any] = {"input": str(source), "output_dir": str(folder.absolute()), "progress": False, **choice.load}
    if options.batch_size is not None:
        job["batch_size"] = options.batch_size
    if options.worker == "audiosep":
        job["text"] = options.text
    with tempfile.TemporaryFile() as errors:
        try:
            with TimedWorker([*command(program), *flags], errors, options.timeout) as worker:
                figures = measure(worker, kind, choice, job, options.repeat)
        except WorkerFailed as failure:
            raise Unusable(f"{options.worker} failed. {failure}{tail(errors)}") from failure
    return {
        "worker": options.worker,
        "program": program,
        "model_note": choice.note,
        "input": str(source),
        "batch_size": options.batch_size,
        "repeat": options.repeat,
        **figures,
    }


def usable_input(path: Path) -> Path:
    if not path.is_file():
        raise Unusable(f"There is no file `{path}`. {GENERATE}")
    try:
        soundfile.info(path)
    except soundfile.LibsndfileError as error:
        raise Unusable(f"`{path}` cannot be read as audio: {error.error_string} Name another --input.") from error
    return path.absolute()


def own_model(options: argparse.Namespace) -> ModelChoice | None:
    """The model whose files are given as options, if any are."""
    given = {
        option: path
        for option in ("checkpoint", "config", "clap_checkpoint", "roberta_dir")
        if (path := getattr(options, option)) is not None
    }
    if not given:
        return None
    fields = OWN_FILES.get(options.worker, {})
    for option, path in given.items():
        if option not in fields:
            raise Unusable(f"{options.worker} has no --{option.replace('_', '-')}. Choose a model by --model.")
        if not path.exists():
            raise Unusable(f"--{option.replace('_', '-')}: there is no `{path}`.")
    if options.model is not None:
        raise Unusable("Give either --model or the model's files, not both.")
    load = {fields[option]: str(path.absolute()) for option, path in given.items()}
    name = given.get("checkpoint", next(iter(given.values()))).stem
    return ModelChoice(name, load, models_directory(options.models_dir), f"Using `{name}`, given by its files.")


def program_of(worker: str, exe: Path | None) -> str:
    """The program to start: the worker's script, a frozen program, or the worker's program in a frozen folder."""
    if exe is None:
        return WORKERS[worker].script
    suffix = ".exe" if sys.platform == "win32" else ""
    path = exe / WORKERS[worker].executable if exe.is_dir() else exe
    candidates = [path, path.with_name(path.name + suffix)]
    found = next((each for each in candidates if each.is_file()), None)
    if found is None:
        raise Unusable(f"There is no program `{path}`. Build dist/dsu with `python3 run.py build`, or use --python.")
    return str(found.absolute())


# Reporting ------------------------------------------------------------------------------------------------------------


def as_text(figures: Mapping[str, Any]) -> str:
    """A line for each figure, then all as one line of JSON."""
    head = "{worker} {version} on {device} (threads: {threads}), {model}, {duration_s:g} s of audio".format(**figures)
    lines = [
        f"{key}: {value}" for key, value in figures.items() if key.startswith("t_") or key.endswith(("_s", "_mib"))
    ]
    return "\n".join([head, *lines, json.dumps(figures, ensure_ascii=False)])


def report(figures: Mapping[str, Any], path: Path | None) -> None:
    sys.stdout.write(as_text(figures) + "\n")
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("benchmark_worker_e2e.py", description=__doc__)
    program = parser.add_mutually_exclusive_group()
    program.add_argument(
        "--exe", type=Path, metavar="PATH", help="a frozen worker, or the folder of all, such as dist/dsu"
    )
    program.add_argument("--python", action="store_true", help="the worker's script with this Python (default)")
    parser.add_argument("--worker", choices=KINDS, required=True, help="apollo is part of dsu-audio-separator")
    parser.add_argument("--model", metavar="NAME", help="default: an installed model, else a small random network")
    parser.add_argument("--models-dir", type=Path, metavar="DIR", help="default DSU_MODELS, or the worker's default")
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="a model of your own")
    parser.add_argument("--config", type=Path, metavar="FILE", help="its YAML configuration")
    parser.add_argument("--clap-checkpoint", type=Path, metavar="FILE", help="audiosep: the text encoder")
    parser.add_argument("--roberta-dir", type=Path, metavar="DIR", help="audiosep: the text encoder's vocabulary")
    parser.add_argument("--input", type=Path, default=INPUT, metavar="FILE", help="default tests/audio/test_4s.wav")
    parser.add_argument("--output-dir", type=Path, metavar="DIR", help="default tests/benchmark_output/WORKER")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, mps, cuda or cuda:N")
    parser.add_argument("--batch-size", type=number(int, 1, 256), metavar="N", help="chunks per forward pass")
    parser.add_argument("--text", default="vocals", help="audiosep: what to separate; default vocals")
    parser.add_argument(
        "--repeat",
        type=number(int, 1),
        default=1,
        metavar="N",
        help="number of warm separations; the fastest counts; default 1",
    )
    parser.add_argument(
        "--timeout",
        type=number(float, 1),
        default=TIMEOUT_S,
        metavar="S",
        help="timeout for one answer in seconds; default 1800",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to this file")
    return parser


def main(argv: Sequence[str]) -> int:
    options = parser().parse_args(argv)
    return exit_status(lambda: report(run(options), options.json))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
