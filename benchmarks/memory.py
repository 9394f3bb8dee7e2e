"""Peak memory of a worker for a short and a long song, same net, default settings: a long song must cost no more."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from benchmarks.results import table, write_section
from benchmarks.worker_process import MemoryWatch, WorkerProcess
from tools.make_checkpoint import HTDEMUCS, tiny_htdemucs, write_bag, write_checkpoint
from tools.song import SAMPLE_RATE, song
from workers import WORKERS

TARGET = 1.10
MODEL = "tiny"
STEMS = 4
# Of each second: the song and its stems in 16 bit, and the stems once more in 32 bit until their gain is known.
BYTES_PER_SECOND = SAMPLE_RATE * 2 * (2 + STEMS * 2 + STEMS * 4)


class Measured(NamedTuple):
    minutes: float
    ready_bytes: int
    peak_bytes: int
    elapsed_s: float


def write_song(path: Path, minutes: float) -> None:
    """The synthetic song again and again, slightly quieter each time, written piece by piece."""
    piece = song()
    left = round(minutes * 60 * SAMPLE_RATE)
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 2, "PCM_16") as audio:
        gain = 1.0
        while left > 0:
            audio.write(np.float32(gain) * piece[:left])
            left -= len(piece)
            gain *= 0.999


def measure(folder: Path, minutes: float) -> Measured:
    source = folder / f"{minutes:g}-minutes.wav"
    write_song(source, minutes)
    with WorkerProcess(WORKERS["demucs"].script, folder / "models") as worker:
        worker.wait_for("ready")
        worker.send({"cmd": "get_status"})
        ready = worker.wait_for("status").content["memory"]["rss_mb"]
        watch = MemoryWatch(worker.pid)
        out = folder / "stems"
        worker.send({"cmd": "separate", "model": MODEL, "input": str(source), "output": str(out), "progress": False})
        done = worker.wait_for("done").content
        peak = watch.stop()
    shutil.rmtree(out)
    source.unlink()
    return Measured(minutes, round(ready * 1e6), peak, done["elapsed"])


def make_model(models_dir: Path) -> None:
    write_checkpoint(models_dir / "demucs", HTDEMUCS, tiny_htdemucs, seed=1)
    write_bag(models_dir / "demucs", MODEL, [HTDEMUCS])


def report(short: Measured, long: Measured) -> str:
    rows = [
        [f"{run.minutes:g}", f"{run.ready_bytes / 2**20:.0f}", f"{run.peak_bytes / 2**20:.0f}", f"{run.elapsed_s:.0f}"]
        for run in (short, long)
    ]
    ratio = long.peak_bytes / short.peak_bytes
    return (
        table(["minutes of audio", "MiB when ready", "peak MiB", "seconds"], rows)
        + f"\n\nRatio of the peaks: **{ratio:.3f}** (target: at most {TARGET:.2f})."
    )


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser("run.py bench memory", description=__doc__)
    parser.add_argument("--minutes", type=float, nargs=2, default=(4.0, 60.0), metavar=("SHORT", "LONG"))
    parser.add_argument(
        "--folder", type=Path, help="where the songs and stems lie meanwhile; default the temporary folder"
    )
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        needed = round(max(options.minutes) * 60 * BYTES_PER_SECOND)
        if shutil.disk_usage(folder).free < needed:
            print(f"This needs {needed / 1e9:.0f} GB in {folder.parent}; name another place with --folder.")
            return 1
        make_model(folder / "models")
        short, long = (measure(folder, minutes) for minutes in options.minutes)
    body = report(short, long)
    note = "A tiny Hybrid Transformer Demucs with random weights, default settings, 16-bit WAV in and out."
    write_section("Memory of dsu-demucs", f"`python3 run.py bench memory`. {note}\n\n{body}")
    print(body)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
