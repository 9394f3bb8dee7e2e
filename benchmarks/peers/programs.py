"""Whole programs, from a file to files: they run in turns, and their stems are compared before their times are."""

from __future__ import annotations

import math
import os
import re
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile

from benchmarks.worker_process import ROOT, MemoryWatch

OURS = "DSU"
OURS_FP32 = "DSU fp32"
IN_FP32, IN_HALF = 60.0, 35.0  # dB from which on stems agree
SMALLEST = 1e-20
LONGEST_S = 900.0

Command = Callable[[Path], Sequence[str | Path]]  # from the folder for the stems


class Failed(Exception):
    """A program ended with an error."""


@dataclass(frozen=True)
class Contest:
    """Programs that do the same with the same song. `check` holds words to add to a run that is compared and not timed."""

    settings: str
    seconds: float
    programs: Mapping[str, Command]
    check: Mapping[str, Sequence[str]] = field(default_factory=dict)


class ProgramRun(NamedTuple):
    seconds: float
    peak_bytes: int


@dataclass
class Outcome:
    """What came out of a contest; a program that failed has a reason in place of runs."""

    settings: str
    seconds: float
    runs: dict[str, list[ProgramRun]]
    agreement_db: dict[str, dict[str, float | None]]  # of each program, with both of ours
    failed: dict[str, str]

    def as_json(self) -> dict[str, Any]:
        return {
            "settings": self.settings,
            "audio_s": self.seconds,
            "runs_s": {name: [run.seconds for run in runs] for name, runs in self.runs.items()},
            "peak_bytes": {name: max(run.peak_bytes for run in runs) for name, runs in self.runs.items() if runs},
            "agreement_db": self.agreement_db,
            "failed": self.failed,
        }


def hold(contest: Contest, folder: Path, rounds: int, environment: Mapping[str, str], half: str) -> Outcome:
    """Run all programs in turns. `half` is the precision that ours takes by default."""
    entries = dict(entries_of(contest, environment, half))
    outcome = Outcome(contest.settings, contest.seconds, {name: [] for name in entries}, {}, {})

    def run(name: str, out: Path, words: Sequence[str] = ()) -> None:
        command, variables = entries[name]
        if name in outcome.failed:
            return
        try:
            done = run_program([*map(str, command(out)), *words], variables)
        except Failed as failure:
            outcome.failed[name] = str(failure)
            outcome.runs.pop(name, None)
        else:
            if not words:
                outcome.runs[name].append(done)

    outs = {name: folder / name.replace(" ", "-") for name in entries}
    for name, out in outs.items():
        run(name, out, contest.check.get(OURS if name.startswith(OURS) else name, ()))
    stems = {name: stems_in(out) for name, out in outs.items() if name not in outcome.failed}
    outcome.agreement_db = agreements(stems)
    for _ in range(rounds - (0 if contest.check else 1)):
        for name, out in outs.items():
            run(name, out)
    shutil.rmtree(folder, ignore_errors=True)
    return outcome


def entries_of(
    contest: Contest, environment: Mapping[str, str], half: str
) -> Iterable[tuple[str, tuple[Command, Mapping[str, str]]]]:
    """The programs with their environments; ours is there in single precision, and in its default one if that is another."""
    for name, command in contest.programs.items():
        if name != OURS:
            yield name, (command, environment)
            continue
        yield OURS_FP32, (command, {**environment, "DSU_DEFAULT_PRECISION": "fp32"})
        if half != "fp32":
            yield OURS, (command, {**environment, "DSU_DEFAULT_PRECISION": "auto"})


def run_program(command: Sequence[str], environment: Mapping[str, str]) -> ProgramRun:
    """The wall time and the peak memory of a program. Raises `Failed` with the end of what it wrote."""
    started = time.perf_counter()
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment, cwd=ROOT
    ) as process:
        watch = MemoryWatch(process.pid)
        try:
            _, written = process.communicate(timeout=LONGEST_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise Failed(f"took longer than {LONGEST_S:g} s") from None
        finally:
            peak = watch.sampled_peak()
    if process.returncode:
        last = written.decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
        raise Failed(f"exit status {process.returncode}: {last[0][-200:]}")
    return ProgramRun(time.perf_counter() - started, peak)


# Stems ----------------------------------------------------------------------------------------------------------------


def stems_in(folder: Path) -> dict[str, Path]:
    """The files below a folder, by song and stem, however a program calls them. Songs are called `song` or `song12`."""
    return {stem_of(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.suffix in SUFFIXES}


SUFFIXES = (".wav", ".flac")
IN_BRACKETS = re.compile(r"\(([^)]+)\)")


def stem_of(path: Path) -> str:
    """`song/vocals.wav`, `song_vocals.wav` and `song_(Vocals)_MODEL.wav` are all `song vocals`."""
    song = re.search(r"song\d*", path.as_posix())
    bracketed = IN_BRACKETS.search(path.stem)
    name = bracketed[1] if bracketed else re.sub(r"^song\d*_", "", path.stem)
    return f"{song[0] if song else ''} {name.lower()}".strip()


def agreements(stems: Mapping[str, Mapping[str, Path]]) -> dict[str, dict[str, float | None]]:
    """How well each program's stems agree with those of both of ours."""
    return {
        name: {ours: lowest_db(files, stems[ours]) for ours in (OURS_FP32, OURS) if ours in stems and ours != name}
        for name, files in stems.items()
    }


def lowest_db(theirs: Mapping[str, Path], ours: Mapping[str, Path]) -> float | None:
    """The agreement of the worst of the stems that both have; None if there is none."""
    return min(
        (agreement_db(*(soundfile.read(each[stem])[0] for each in (theirs, ours))) for stem in theirs if stem in ours),
        default=None,
    )


def agreement_db(theirs: np.ndarray[Any, Any], ours: np.ndarray[Any, Any]) -> float:
    """The level of one over that of the difference."""
    length = min(len(theirs), len(ours))
    theirs, ours = theirs[:length], ours[:length]
    return decibels(float(np.square(theirs).sum()), float(np.square(theirs - ours).sum()))


def decibels(level: float, error: float) -> float:
    return 10 * math.log10(max(level, SMALLEST) / max(error, SMALLEST * max(level, 1.0)))


def agrees(agreement: float | None, *, half: bool) -> bool:
    return agreement is not None and agreement >= (IN_HALF if half else IN_FP32)


def least(runs: Sequence[ProgramRun]) -> float:
    return min(run.seconds for run in runs)


def middle(runs: Sequence[ProgramRun]) -> float:
    return statistics.median(run.seconds for run in runs)


def environment(threads: int, models: Mapping[str, str], path: str) -> dict[str, str]:
    """What all programs are started with: the same threads, nothing from the network."""
    count = str(threads)
    return {
        **os.environ,
        **models,
        "PATH": path,
        "OMP_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "HF_HUB_OFFLINE": "1",
        "DSU_OFFLINE": "1",
    }
