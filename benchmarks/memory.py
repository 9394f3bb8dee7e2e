"""Peak memory of a worker for a short and a long song, which should be about the same."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile

from benchmarks.results import table, write_section
from benchmarks.worker_process import MemoryWatch, WorkerProcess
from tools.fixtures.audio_separator import make_mdx, make_vr
from tools.fixtures.demucs import HTDEMUCS, tiny_htdemucs, write_bag, write_checkpoint
from tools.fixtures.networks import write_network
from tools.fixtures.song import SAMPLE_RATE, song
from workers import WORKERS

TARGET = 1.10
MODEL = "tiny"


class Case(NamedTuple):
    """A kind of network: its worker, how to make a small one, and the request."""

    worker: str
    network: str
    stems: int
    make: Callable[[Path], object]  # in the models directory
    request: Mapping[str, Any]

    @property
    def title(self) -> str:
        return f"Memory of {WORKERS[self.worker].name}" + (f", {self.network}" if self.worker != "demucs" else "")

    @property
    def bytes_per_second(self) -> int:
        """Disk space: the song and its stems in 16 bits, and the stems also in 32 bits until their gain is known."""
        return SAMPLE_RATE * 2 * (2 + self.stems * (2 + 4))


def _make_demucs(models_dir: Path) -> None:
    write_checkpoint(models_dir / "demucs", HTDEMUCS, tiny_htdemucs, seed=1)
    write_bag(models_dir / "demucs", MODEL, [HTDEMUCS])


def _make_recipe(models_dir: Path) -> None:
    _make_demucs(models_dir)
    write_network(models_dir / "bsroformer", "mdx23c", name="net", stems=("vocals", "other"))


RECIPE = {
    "steps": {
        "voice": {"model": "net"},
        "lead": {"model": "net", "input": "voice.vocals"},
        "band": {"model": MODEL, "input": "voice.other"},
        "left": {"residual": ["lead.vocals", "band.drums"]},
    },
    "outputs": {"lead": "lead.vocals", "drums": "band.drums", "left": "left"},
}
CASES = {
    "demucs": Case("demucs", "Hybrid Transformer Demucs", 4, _make_demucs, {"cmd": "separate", "model": MODEL}),
    "vr": Case(
        "audio-separator",
        "VR",
        2,
        lambda models_dir: make_vr(models_dir / "audio-separator", MODEL, bands="4band_v3"),
        {"cmd": "separate", "model": f"{MODEL}.pth"},
    ),
    "mdx": Case(
        "audio-separator",
        "MDX",
        2,
        lambda models_dir: make_mdx(models_dir / "audio-separator", MODEL, n_fft=6144, bins=2048, frames_log2=8),
        {"cmd": "separate", "model": f"{MODEL}.onnx"},
    ),
    "apollo": Case(
        "audio-separator",
        "Apollo",
        1,
        lambda models_dir: write_network(models_dir / "bsroformer", "apollo", name=MODEL),
        {"cmd": "apollo", "model": MODEL},
    ),
    "recipe": Case(
        "dsu",
        "a recipe of four steps in two passes",
        3,
        _make_recipe,
        {"cmd": "separate", "recipe": RECIPE},
    ),
}


class Measured(NamedTuple):
    minutes: float
    threads: int
    ready_bytes: int
    peak_bytes: int
    elapsed_s: float


def write_song(path: Path, minutes: float) -> None:
    """Write the synthetic song repeatedly, slightly quieter each time, in blocks."""
    piece = song()
    left = round(minutes * 60 * SAMPLE_RATE)
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 2, "PCM_16") as audio:
        gain = 1.0
        while left > 0:
            audio.write(np.float32(gain) * piece[:left])
            left -= len(piece)
            gain *= 0.999


def measure(case: Case, folder: Path, minutes: float) -> Measured:
    source = folder / f"{minutes:g}-minutes.wav"
    write_song(source, minutes)
    with WorkerProcess(WORKERS[case.worker].script, folder / "models") as worker:
        threads = worker.wait_for("ready").content["threads"]
        worker.send({"cmd": "get_status"})
        ready = worker.wait_for("status").content["memory"]["rss_mb"]
        watch = MemoryWatch(worker.pid)
        out = folder / "stems"
        worker.send({**case.request, "input": str(source), "output_dir": str(out), "progress": False})
        done = worker.wait_for("done").content
        peak = watch.stop()
    shutil.rmtree(out)
    source.unlink()
    return Measured(minutes, threads, round(ready * 1e6), peak, done["elapsed"])


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


def run(case: Case, lengths: Sequence[float], folder: Path) -> str:
    """Measure one kind of network and write its section."""
    case.make(folder / "models")
    short, long = (measure(case, folder, minutes) for minutes in lengths)
    shutil.rmtree(folder / "models")
    body = report(short, long)
    subject = (
        f"A small {case.network} network" if case.worker != "dsu" else f"{case.network.capitalize()}, of small networks"
    )
    note = f"{subject} with random weights, default settings, threads: {long.threads}, 16-bit WAV in and out."
    write_section(case.title, f"`python3 run.py bench memory`. {note}\n\n{body}")
    return body


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser("run.py bench memory", description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"{', '.join(CASES)}; default: all")
    parser.add_argument(
        "--minutes",
        type=float,
        nargs=2,
        default=(4.0, 60.0),
        metavar=("SHORT", "LONG"),
        help="lengths of the songs; default 4 60",
    )
    parser.add_argument("--folder", type=Path, help="for songs and stems while it runs; default: the temporary folder")
    options = parser.parse_args(argv)
    if unknown := set(options.kinds) - set(CASES):
        parser.error(f"unknown kind {min(unknown)}; the kinds are {', '.join(CASES)}")
    cases = [CASES[kind] for kind in options.kinds or CASES]
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        needed = round(max(options.minutes) * 60 * max(case.bytes_per_second for case in cases))
        if shutil.disk_usage(folder).free < needed:
            print(f"This needs {needed / 1e9:.0f} GB in {folder.parent}. Choose another place with --folder.")
            return 1
        for case in cases:
            print(f"{case.title}\n\n{run(case, options.minutes, folder)}\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
