"""The time and memory to load a network, against plain PyTorch. Each load has its own process, and both alternate.

The plain way initialises the network, reads the file and copies it into the network. The worker builds it on the meta
device and uses the memory-mapped file as weights; in bf16, it also converts them. All have imported torch and the
network's class before.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, cast

import psutil
import torch
from torch import Tensor, nn

from benchmarks.results import table, write_section
from benchmarks.worker_process import ROOT, recorded_peak
from models.architectures import network_class, params_class
from tools.fixtures.networks import SAMPLE_RATE, full_size, full_size_config, public_yaml, seeded_network
from utils.core.bootstrap import physical_cores
from utils.device import computing, prepare_torch
from utils.engine.backends import Backend
from utils.engine.families.networks.network import load_network
from utils.store.network_config import output_stems, read_config
from utils.store.network_models import NetworkSource

KIND = "bs_roformer"
LAYERS = 7  # instead of the public model's 12, so that the file has about 500 MB
TIME_TARGETS = {"DSU": 0.15, "DSU in bf16": 0.5}
MEMORY_TARGET = 1.2
MB = 1e6


class Load(NamedTuple):
    """The time until the network is ready and until it has run once, and the growth of the process by then."""

    ready_s: float
    first_s: float
    ready_bytes: int
    first_bytes: int


def load_ours(checkpoint: Path, config: Path) -> Backend:
    """Load as the worker does."""
    source = NetworkSource(
        checkpoint.stem, KIND, checkpoint, config, output_stems(read_config(config), config), record=None
    )
    return load_network(source, mapped=True, allow_unsafe=False).backend


def load_plainly(checkpoint: Path, config: Path) -> nn.Module:
    net = cast(nn.Module, network_class(KIND)(params_class(KIND).from_config(read_config(config))))
    net.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True))
    return net.eval()


def load_converted(checkpoint: Path, config: Path) -> Callable[[Tensor], Tensor]:
    """Load as the worker does where half precision is faster."""
    backend = load_ours(checkpoint, config)
    backend.prepare("bf16")

    def run(mix: Tensor) -> Tensor:
        with computing("cpu", "bf16"):
            return backend(mix)

    return run


WAYS: dict[str, Callable[[Path, Path], Callable[..., Tensor]]] = {
    "plain": load_plainly,
    "DSU": load_ours,
    "DSU in bf16": load_converted,
}


def measure(way: str, checkpoint: Path, config: Path) -> Load:
    """Load the network in this process and run it on one second of audio."""
    network_class(KIND)
    process = psutil.Process()
    mix = torch.zeros(1, 2, SAMPLE_RATE)
    before = process.memory_info().rss
    started = time.perf_counter()
    net = WAYS[way](checkpoint, config)
    ready_s, ready_bytes = time.perf_counter() - started, peak_bytes(process) - before
    with torch.inference_mode():
        net(mix)
    return Load(ready_s, time.perf_counter() - started, ready_bytes, peak_bytes(process) - before)


def peak_bytes(process: psutil.Process) -> int:
    """The peak memory of the process, or its current memory if the system does not record the peak."""
    return max(recorded_peak(process), int(process.memory_info().rss))


def measure_apart(way: str, checkpoint: Path, config: Path) -> Load:
    """The same in a new process."""
    command = [sys.executable, "-m", "benchmarks.loading", "--load", way, str(checkpoint), str(config)]
    finished = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return Load(*json.loads(finished.stdout))


def large_params() -> Any:
    return replace(full_size(KIND), depth=LAYERS)


def make_files(folder: Path) -> tuple[Path, Path]:
    """A checkpoint of about 500 MB in single precision, and its configuration."""
    public = full_size_config(KIND)
    checkpoint, config = folder / "network.ckpt", folder / "network.yaml"
    config.write_text(public_yaml({**public, "model": {**public["model"], "depth": LAYERS}}), encoding="utf-8")
    torch.save(seeded_network(KIND, large_params(), seed=0).state_dict(), checkpoint)
    return checkpoint, config


def medians(loads: Sequence[Load]) -> Load:
    """The median times and the largest memory."""
    ready_s, first_s, ready_bytes, first_bytes = zip(*loads, strict=True)
    return Load(statistics.median(ready_s), statistics.median(first_s), max(ready_bytes), max(first_bytes))


def report(loads: Mapping[str, Load], file_bytes: int) -> str:
    plain = loads["plain"]
    rows = [row for way, load in loads.items() for row in rows_of(way, load, plain, file_bytes)]
    return table(["", "plain", "DSU", "DSU / plain", "DSU / file", "target"], rows)


def rows_of(way: str, load: Load, plain: Load, file_bytes: int) -> list[list[str]]:
    """What one way takes, beside the plain one; nothing of the plain one itself."""
    if way not in TIME_TARGETS:
        return []
    time_target, memory_target = f"<= {TIME_TARGETS[way]} of plain", f"<= {MEMORY_TARGET} of the file"
    return [
        seconds_row(f"{way}: until the network is ready, s", plain.ready_s, load.ready_s, time_target),
        seconds_row(f"{way}: until one second of audio has run too, s", plain.first_s, load.first_s, ""),
        memory_row(f"{way}: growth until ready, MB", plain.ready_bytes, load.ready_bytes, file_bytes, memory_target),
        memory_row(f"{way}: growth until that second has run, MB", plain.first_bytes, load.first_bytes, file_bytes, ""),
    ]


def seconds_row(what: str, plain_s: float, ours_s: float, target: str) -> list[str]:
    return [what, f"{plain_s:.3f}", f"{ours_s:.3f}", f"{ours_s / plain_s:.3f}", "", target]


def memory_row(what: str, plain: int, ours: int, file_bytes: int, target: str) -> list[str]:
    ratios = [f"{ours / plain:.3f}", f"{ours / file_bytes:.3f}"]
    return [what, f"{plain / MB:.0f}", f"{ours / MB:.0f}", *ratios, target]


def compare(checkpoint: Path, config: Path, rounds: int) -> dict[str, list[Load]]:
    """Measure all ways alternately. The file is in the system's cache by then."""
    loads: dict[str, list[Load]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way, measured in loads.items():
            measured.append(measure_apart(way, checkpoint, config))
    return loads


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser("run.py bench loading", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="loads in each way; default 9")
    parser.add_argument("--load", nargs=3, metavar=("WAY", "CHECKPOINT", "CONFIG"), help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.load:
        way, checkpoint_name, config_name = options.load
        prepare_torch(physical_cores())
        print(json.dumps(measure(way, Path(checkpoint_name), Path(config_name))))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        checkpoint, config = make_files(Path(folder))
        file_bytes = checkpoint.stat().st_size
        loads = compare(checkpoint, config, options.rounds)
    body = report({way: medians(measured) for way, measured in loads.items()}, file_bytes)
    note = (
        f"A BS-RoFormer of {file_bytes / MB:.0f} MB in single precision, its file in the system's cache; "
        f"{options.rounds} rounds in turns, each load in a fresh process that has imported torch and the network; "
        "medians of the times, the most memory."
    )
    write_section("Loading a network", f"`python3 run.py bench loading`. {note}\n\n{body}")
    print(body)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
