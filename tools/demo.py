"""The demo: start a real worker, separate a song through the protocol, and show the result.

Run by `python3 run.py demo`. By default it separates the embedded clip. Its true stems are known, so the quality can be
measured.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import webbrowser
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

import numpy as np
import soundfile

from tools.metrics import Signal, sdr
from utils.audio.report.facts import Closeness, Facts
from utils.audio.report.writer import ReportWriter
from utils.core.bootstrap import use_utf8

ROOT = Path(__file__).resolve().parent.parent
CLIP = ROOT / "embedded" / "clip"  # a file per stem
MODEL = "dsu_mini"
CLIP_RATE = 44100
BAR_WIDTH = 32
QUIET_PERCENT = 25  # between progress lines, if the output is no terminal

WHAT_SDR_IS = """\
SDR, the signal-to-distortion ratio, compares the loudness of a stem with that
of the errors in it: higher is better. `over mix` is the improvement over using
the whole song instead of the stem.
"""
# Models to go on with: what for, how many MB, and how many times as long as dsu_mini each takes on a CPU, by
# benchmarks/RESULTS.md.
BETTER = {"htdemucs": ("four stems", 84, 6.0), "vocals_melband": ("vocals", 913, 23.0)}
USUAL_SONG_MIN = 4
# Programs that play a file, as they come with systems.
PLAYERS = (
    ("afplay",),
    ("ffplay", "-nodisp", "-autoexit", "-loglevel", "error"),
    ("pw-play",),
    ("paplay",),
    ("aplay", "--quiet"),
)


class DemoFailed(Exception):
    """The worker answered with an error, or ended."""


class Level(NamedTuple):
    """The measurements of an output file."""

    file: str
    peak_db: float
    rms_db: float
    duration_s: float
    sample_rate: int
    sdr_db: float | None = None  # if the truth is known
    gain_db: float | None = None  # over the SDR of the mix


class ProgressBar:
    """A progress bar on a terminal; elsewhere a line now and then."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out
        self._live = out.isatty()
        self._next_line = QUIET_PERCENT

    def show(self, percent: float, stage: str, eta_s: float | None) -> None:
        left = "" if eta_s is None else f"{eta_s:5.1f} s left"
        if self._live:
            filled = round(BAR_WIDTH * percent / 100)
            bar = "#" * filled + "-" * (BAR_WIDTH - filled)
            self._out.write(f"\r\x1b[K[{bar}] {percent:5.1f} %  {stage}  {left}")
            self._out.flush()
        elif percent >= self._next_line:
            self._out.write(f"{percent:5.1f} %  {stage}\n")
            self._next_line = int(percent // QUIET_PERCENT + 1) * QUIET_PERCENT

    def end(self) -> None:
        if self._live:
            self._out.write("\n")


class DemoWorker:
    """A worker process and its pipes."""

    def __init__(self, models_dir: Path) -> None:
        command = [sys.executable, str(ROOT / "workers" / "bsroformer_worker.py"), "--worker"]
        self._process = subprocess.Popen(  # noqa: S603  our own worker
            [*command, "--models-dir", str(models_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._process.terminate()
        with self._process:  # closes its pipes and waits for its end
            pass

    def send(self, request: Mapping[str, Any]) -> None:
        stdin = self._process.stdin
        if stdin is not None:
            stdin.write(json.dumps(request) + "\n")
            stdin.flush()

    def lines(self) -> Iterator[dict[str, Any]]:
        for line in self._process.stdout or ():
            yield json.loads(line)

    def wait_for(self, status: str, bar: ProgressBar | None = None) -> dict[str, Any]:
        """The next line with this status; progress is shown on the bar, an error ends the demo."""
        for line in self.lines():
            if line["status"] == status:
                return line
            if line["status"] == "error":
                raise DemoFailed(" ".join(str(line[key]) for key in ("message", "hint") if key in line))
            if line["status"] == "progress" and bar is not None:
                bar.show(line["percent"], line["stage"], line.get("eta"))
        raise DemoFailed(f"The worker ended before it sent `{status}`; see its output above.")


def read_clip() -> dict[str, Signal]:
    """The stems of the embedded clip, (channels, samples)."""
    paths = sorted(CLIP.glob("*.ogg"))
    return {path.stem: soundfile.read(path, dtype="float32", always_2d=True)[0].T for path in paths}


def write_mix(stems: Mapping[str, Signal], path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    mix = np.sum(list(stems.values()), axis=0)
    soundfile.write(path, mix.T, CLIP_RATE, subtype="FLOAT")
    return path


def separate(
    worker: DemoWorker, source: Path, folder: Path, out: IO[str], *, report: bool = True, verbose: bool = False
) -> dict[str, Any]:
    """Send the demo's request and show its progress, and with `verbose` what is sent and what comes back."""
    request = {"cmd": "separate", "id": 1, "model": MODEL, "input": str(source), "output": str(folder)}
    if report:
        request |= {"report": True, "report_html": True}
    if verbose:
        out.write(f"\nTo the worker:   {json.dumps(request)}\n")
    out.flush()
    bar = ProgressBar(out)
    worker.send(request)
    try:
        done = worker.wait_for("done", bar)
    finally:
        bar.end()
    if verbose:
        out.write(f"From the worker: {json.dumps(done)}\n")
    return done


def decibels(amplitude: float) -> float:
    return 20 * float(np.log10(max(amplitude, 1e-10)))


def measure(path: Path) -> Level:
    """Measure an output file, block by block, since a song may be long."""
    peak, energy = 0.0, 0.0
    with soundfile.SoundFile(path) as audio:
        for block in audio.blocks(blocksize=1 << 16, dtype="float64", always_2d=True):
            peak = max(peak, float(np.abs(block).max()))
            energy += float(np.square(block).sum())
        rms = (energy / max(1, audio.frames * audio.channels)) ** 0.5
        return Level(path.name, decibels(peak), decibels(rms), audio.frames / audio.samplerate, audio.samplerate)


def compare(level: Level, path: Path, truth: Signal, mix: Signal, gain: float) -> Level:
    """Add the quality of the file. All stems may have been lowered by a common gain."""
    estimate = soundfile.read(path, dtype="float32", always_2d=True)[0].T / gain
    reached = sdr(truth, estimate)
    return level._replace(sdr_db=reached, gain_db=reached - sdr(truth, mix))


def write_report(done: Mapping[str, Any], source: Path, levels: Sequence[Level], version: str) -> dict[str, str]:
    """The worker's report with the SDR in it, which only the demonstration knows. Returns where it is, as `done` does."""
    signals = {"the mix": source, **{stem: Path(path) for stem, path in done["paths"].items()}}
    closeness = {
        stem: Closeness(level.sdr_db, level.gain_db)
        for stem, level in zip(done["paths"], levels, strict=True)
        if level.sdr_db is not None and level.gain_db is not None
    }
    facts = Facts(source.stem, done["model"], version, done["device"], done["settings"], closeness)
    picture, page = (Path(done["output_dir"], f"report.{extension}") for extension in ("png", "html"))
    rate, duration_s = done["sample_rate"], done["duration"]
    with ReportWriter(list(signals), sample_rate=rate, channels=2, duration_s=duration_s, page=page) as report:
        for name, path in signals.items():
            for block in soundfile.blocks(path, blocksize=1 << 16, dtype="float32", always_2d=True):
                report.add(name, block.T)
        report.save_picture(picture, facts)
        report.save_page(facts)
    return {"report": str(picture), "report_html": str(page)}


def table(levels: list[Level]) -> str:
    width = max(len("file"), *(len(level.file) for level in levels))
    head = f"{'file':<{width}}  {'peak dBFS':>9}  {'RMS dBFS':>8}  {'seconds':>8}  {'Hz':>6}"
    rows = [
        f"{level.file:<{width}}  {level.peak_db:9.1f}  {level.rms_db:8.1f}  {level.duration_s:8.2f}  "
        f"{level.sample_rate:6}"
        for level in levels
    ]
    if all(level.sdr_db is not None for level in levels):
        head += f"  {'SDR dB':>7}  {'over mix':>8}"
        rows = [f"{row}  {level.sdr_db:7.1f}  {level.gain_db:+8.1f}" for row, level in zip(rows, levels, strict=True)]
    return "\n".join([head, "-" * len(head), *rows])


def shown(path: str | Path) -> str:
    """A path as people read it: from the current folder, where it is below that."""
    path = Path(path).absolute()
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def speed(done: Mapping[str, Any]) -> float:
    """How many times as fast as it plays the song was separated, without start-up, reading, writing and the picture."""
    return float(done["duration"] / max(done["timing"]["infer"], 1e-6))


def suggestions(realtime: float) -> str:
    """Better models, with their size and about how long they take on a machine that runs dsu_mini so fast."""
    lines = [
        "Far better models. Each is downloaded when first used; the times are about what a",
        f"song of {USUAL_SONG_MIN} minutes takes here.",
    ]
    for name, (purpose, megabytes, times) in BETTER.items():
        minutes = max(1, round(USUAL_SONG_MIN * times / realtime))
        lines.append(f"  python3 run.py worker dsu -m {name + ' SONG':<20} {purpose}; {megabytes} MB, {minutes} min")
    lines.append(f"  {'python3 run.py worker dsu models':<49} all models")
    return "\n".join(lines) + "\n"


def play(paths: Sequence[Path], out: IO[str]) -> None:
    """Play files one after the other, where there is a program for that."""
    if sys.platform == "win32":
        import winsound  # noqa: PLC0415  only Windows has it

        for path in paths:
            winsound.PlaySound(str(path), winsound.SND_FILENAME)
        return
    player = next((player for player in PLAYERS if shutil.which(player[0])), None)
    if player is None:
        out.write(f"No program to play audio was found ({', '.join(player[0] for player in PLAYERS)}).\n")
        return
    for path in paths:
        out.write(f"Playing {shown(path)}\n")
        out.flush()
        subprocess.run([*player, str(path)], check=False)  # noqa: S603  one of the programs above


def run(folder: Path, source: Path | None, out: IO[str], *, verbose: bool = False) -> tuple[Path, list[Path]]:
    """Separate the song or the clip and print the results. Returns the page that plays the stems, and the stems."""
    truth = {} if source else read_clip()
    source = source or write_mix(truth, folder / "clip.wav")
    out.write(f"Song: {shown(source)}\n")
    with DemoWorker(folder / "models") as worker:
        ready = worker.wait_for("ready")
        out.write(f"Worker dsu-bsroformer {ready['version']} is ready: {ready['device']}, {ready['threads']} threads\n")
        done = separate(worker, source, folder / "stems", out, report=not truth, verbose=verbose)
        worker.send({"cmd": "exit"})
        worker.wait_for("exiting")
    paths = {stem: Path(path) for stem, path in done["paths"].items()}
    levels = [measure(path) for path in paths.values()]
    if truth:
        mix = np.sum(list(truth.values()), axis=0)
        levels = [
            compare(level, path, truth[stem], mix, done["gain"])
            for level, (stem, path) in zip(levels, paths.items(), strict=True)
        ]
        done |= write_report(done, source, levels, ready["version"])
    out.write(f"\nStems in {shown(done['output_dir'])}, from the built-in model dsu_mini:\n\n{table(levels)}\n")
    if truth:
        out.write(f"\n{WHAT_SDR_IS}")
    out.write(
        f"\nReport, with the stems to listen to: {shown(done['report_html'])}\nPicture: {shown(done['report'])}\n"
        f"{done['duration']:.0f} s of music, separated {speed(done):.0f} times as fast as it plays.\n\n{suggestions(speed(done))}"
    )
    return Path(done["report_html"]), list(paths.values())


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="run.py demo", description="Separate a song and show the result.")
    parser.add_argument("--output", type=Path, default=ROOT / "demo", metavar="DIR", help="default demo/")
    parser.add_argument("--open", action="store_true", help="open the page that shows and plays the result")
    parser.add_argument("--play", action="store_true", help="play the stems")
    parser.add_argument("--verbose", action="store_true", help="show what is sent to the worker and what it answers")
    parser.add_argument("song", type=Path, nargs="?", metavar="SONG", help="default: the embedded clip")
    options = parser.parse_args(argv)
    use_utf8(sys.stdout, sys.stderr)
    try:
        page, stems = run(options.output, options.song, sys.stdout, verbose=options.verbose)
        if options.open:
            webbrowser.open(page.absolute().as_uri())
        if options.play:
            play(stems, sys.stdout)
    except DemoFailed as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
