"""Where the time of one separation goes: an engine run in this process, timed by the steps of its jobs.

Each moment belongs to the innermost stage that is under way, so that the shares sum to 100 %. What threads do
meanwhile (reading ahead, writing behind) costs the separation only what it has to wait for.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.choose_models import ModelChoice, choose
from tools.command_line import GENERATE, ROOT, ended_by_sigterm, number, with_hint
from utils.core import requests
from utils.core.bootstrap import limit_threads, use_utf8
from utils.core.errors import DsuError, InputNotFound
from utils.core.job import Job
from utils.core.settings import Settings

INPUT = ROOT / "tests" / "audio" / "test_4s.wav"
LOAD, MOVE, SAVE, OTHER = "load_model", "model_to_device", "save", "other"


@dataclass(frozen=True)
class Subject:
    """What is profiled: whose models, the names of its stages, and how its engine is asked."""

    kind: str
    description: str
    read: str  # the stage that reads the song
    separate: str  # the stage in which the network runs
    load: type[requests.LoadModel]
    job: type[requests.Separate]
    add_options: Callable[[argparse.ArgumentParser], None]
    options: tuple[str, ...]  # options that are fields of the job


# Time -----------------------------------------------------------------------------------------------------------------


class StageClock:
    """Seconds by stage. A stage that begins within another one stops the other's clock."""

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self.seconds: dict[str, float] = {}
        self._now = now
        self._running: list[str] = []
        self._since = 0.0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self._settle()
        self._running.append(name)
        try:
            yield
        finally:
            self._settle()
            self._running.pop()

    def _settle(self) -> None:
        now = self._now()
        if self._running:
            stage = self._running[-1]
            self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._since
        self._since = now


class ProfiledJob(Job):
    """A job whose steps are stages of a clock, under the names of what is profiled."""

    def __init__(self, clock: StageClock, names: Mapping[str, str]) -> None:
        super().__init__()
        self._stages = clock
        self._names = names

    def step(self, name: str) -> AbstractContextManager[None]:
        return self._stages.stage(self._names[name])


# Profiling ------------------------------------------------------------------------------------------------------------


def profile(
    subject: Subject, options: argparse.Namespace, choice: ModelChoice, folder: Path
) -> tuple[dict[str, Any], cProfile.Profile | None]:
    """Load the model and separate one song; the breakdown, and with `--cprofile` what Python's profiler saw."""
    threads = limit_threads(None)
    from utils.engine.programs import make_engine  # noqa: PLC0415  imports torch, whose threads are limited by now

    engine = make_engine(f"dsu-{subject.kind}", Settings(choice.models_dir, device=options.device, threads=threads))
    ready = engine.start()
    fields = {name: value for name in subject.options if (value := getattr(options, name)) is not None}
    model: dict[str, Any] = dict(choice.load)
    load = subject.load(**model)
    job = subject.job(input=str(options.input), output=str(folder), **model, **fields)
    clock = StageClock()
    profiler = cProfile.Profile() if options.cprofile else None
    names = {"load": LOAD, "move": MOVE, "read": subject.read, "separate": subject.separate, "write": SAVE}
    with profiler or nullcontext(), clock.stage(OTHER):
        engine.load_model(load, ProfiledJob(clock, names))
        done = engine.separate(job, ProfiledJob(clock, names))
    engine.close()
    order = (LOAD, MOVE, subject.read, subject.separate, SAVE, OTHER)
    total = sum(clock.seconds.values())
    figures = {
        "worker": subject.kind,
        "model": choice.name,
        "model_note": choice.note,
        "device": ready.device,
        "threads": ready.threads,
        "input": str(options.input),
        "duration_s": done.duration,
        "settings": {**fields, **(done.settings or {})},
        "total_s": round(total, 4),
        "stages": {
            name: {
                "seconds": round(clock.seconds.get(name, 0.0), 4),
                "percent": round(100 * clock.seconds.get(name, 0.0) / total, 2),
            }
            for name in order
        },
    }
    return figures, profiler


def as_table(figures: Mapping[str, Any]) -> str:
    """The breakdown as a table."""
    head = "{worker} on {device} (threads: {threads}), {model}, {duration_s:g} s of audio".format(**figures)
    width = max(len(name) for name in figures["stages"])
    rows = [
        f"{name:<{width}}  {stage['seconds']:9.3f} s  {stage['percent']:6.2f} %"
        for name, stage in figures["stages"].items()
    ]
    return "\n".join([head, *rows, f"{'total':<{width}}  {figures['total_s']:9.3f} s  {100:6.2f} %"])


def top_functions(profiler: cProfile.Profile, count: int) -> str:
    """The functions that took the most time themselves, of this thread."""
    stats = pstats.Stats(profiler)
    rows = sorted(stats.stats.items(), key=lambda item: -item[1][2])[:count]  # type: ignore[attr-defined]  # not in typeshed
    lines = [f"{'calls':>8}  {'own s':>8}  {'all s':>8}  function"]
    for (file, line, name), (_, calls, own_s, all_s, _) in rows:
        where = f"{Path(file).name}:{line} " if line else ""
        lines.append(f"{calls:8}  {own_s:8.3f}  {all_s:8.3f}  {where}{name}")
    return "\n".join(lines)


# The command line -----------------------------------------------------------------------------------------------------


def parser_of(subject: Subject) -> argparse.ArgumentParser:
    default_file = Path(tempfile.gettempdir()) / f"{subject.kind}_profile.prof"
    parser = argparse.ArgumentParser(f"profile_{subject.kind}.py", description=subject.description)
    parser.add_argument("--model", metavar="NAME", help="default: an installed one, else a small random network")
    parser.add_argument("--models-dir", type=Path, metavar="DIR", help="default DSU_MODELS, or what the worker takes")
    parser.add_argument("--input", type=Path, default=INPUT, metavar="FILE", help="default tests/audio/test_4s.wav")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, mps, cuda or cuda:N")
    subject.add_options(parser)
    parser.add_argument("--cprofile", action="store_true", help="also run Python's profiler, which costs some time")
    parser.add_argument(
        "--top", type=number(int, 1), default=20, metavar="N", help="functions to list with --cprofile; default 20"
    )
    parser.add_argument(
        "--prof-out", type=Path, default=default_file, metavar="FILE", help=f"of --cprofile; default {default_file}"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the breakdown into this file")
    return parser


def main(subject: Subject, argv: Sequence[str]) -> int:
    """The program: exit status 0, or 1 with a sentence that says what is wrong."""
    options = parser_of(subject).parse_args(argv)
    use_utf8(sys.stdout, sys.stderr)
    ended_by_sigterm()
    try:
        run(subject, options)
    except DsuError as error:
        sys.stderr.write(f"{with_hint(error)}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"`{error.filename}` cannot be used: {error.strerror}.\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def run(subject: Subject, options: argparse.Namespace) -> None:
    if not options.input.is_file():
        raise InputNotFound(f"There is no file `{options.input}`.", hint=GENERATE)
    choice = choose(subject.kind, options.models_dir, options.model)
    sys.stdout.write(f"{choice.note}\n")
    sys.stdout.flush()
    with tempfile.TemporaryDirectory() as folder:
        figures, profiler = profile(subject, options, choice, Path(folder))
    sys.stdout.write(f"{as_table(figures)}\n")
    if profiler is not None:
        profiler.dump_stats(options.prof_out)
        sys.stdout.write(f"\n{top_functions(profiler, options.top)}\nFor snakeviz and pstats: {options.prof_out}\n")
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
