"""How long a cancelled job takes to end, at the worst moment, for networks of public sizes with random weights.

A job shows where the longest stretch without a checkpoint is, from reading the model to the last chunk. Further jobs are
cancelled in it, at its start and later, since onnxruntime is stopped from outside.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import soundfile
import torch
from demucs.demucs import Demucs
from demucs.hdemucs import HDemucs
from torch import nn

from benchmarks.peers.models import MDX, NETWORKS, ONE, VR, PublicModels
from benchmarks.results import table, write_section
from models.architectures import params_class
from tools.fixtures.demucs import SAMPLE_RATE, SOURCES, write_bag, write_checkpoint
from tools.fixtures.networks import PUBLIC, full_size_path, seeded_network
from tools.fixtures.song import song
from utils.core import requests
from utils.core.bootstrap import physical_cores
from utils.core.job import Job, JobCancelled
from utils.core.settings import Settings
from utils.engine.programs import make_engine
from utils.store.network_config import read_config

TARGET_S = 0.5
QUIET = 0.05
WHOLE_CHUNKS_S = 1e6  # as long as the public configuration has them
SEGMENT_S = 44  # of the networks of mdx_extra and its time-domain relatives


class CancelCase(NamedTuple):
    """A program and a request for its network."""

    program: str
    kind: type[requests.Separate]
    fields: dict[str, Any]


class Watched(Job):
    """Notes when the thread that works passes its checkpoints, and can be cancelled after one of them."""

    def __init__(self, *, cancel_after: int | None = None, delay_s: float = 0.0) -> None:
        super().__init__()
        self.passed_s: list[float] = []
        self.cancelled_s = 0.0
        self._thread = threading.get_ident()
        self._cancel_after = cancel_after
        self._delay_s = delay_s

    def checkpoint(self) -> None:
        super().checkpoint()
        if threading.get_ident() != self._thread or self.is_settled:
            return
        self.passed_s.append(time.perf_counter())
        if len(self.passed_s) - 1 == self._cancel_after:
            threading.Timer(self._delay_s, self.cancel).start()

    def cancel(self) -> None:
        self.cancelled_s = time.perf_counter()
        super().cancel()

    @property
    def longest(self) -> tuple[int, float]:
        """The checkpoint before the longest stretch, and how long that is."""
        stretches = [after - before for before, after in itertools.pairwise(self.passed_s)]
        number = max(range(len(stretches)), key=stretches.__getitem__)
        return number, stretches[number]


class CancelTimes(NamedTuple):
    job_s: float
    longest_s: float
    answers_s: Sequence[float]


def measure(case: CancelCase, models_dir: Path, source: Path, cancels: int) -> CancelTimes:
    engine = make_engine(case.program, Settings(models_dir=models_dir, device="cpu", threads=physical_cores()))
    engine.start()

    def separate(job: Watched) -> float:
        """The time from the start or, if it was cancelled, from then on."""
        engine.clear_cache()
        started = time.perf_counter()
        fields = {"input": str(source), "output": str(source.parent / "out"), **case.fields}
        try:
            engine.separate(case.kind(**fields), job)
        except JobCancelled:
            return time.perf_counter() - job.cancelled_s
        return time.perf_counter() - started

    separate(Watched())  # it passes checkpoints that later ones do not
    watched = Watched()
    job_s = separate(watched)
    number, longest_s = watched.longest
    delays = [longest_s * index / cancels for index in range(cancels)]
    return CancelTimes(
        job_s, longest_s, [separate(Watched(cancel_after=number, delay_s=delay_s)) for delay_s in delays]
    )


def write_song(path: Path, seconds: float) -> None:
    soundfile.write(path, QUIET * song(seconds), SAMPLE_RATE)


# Networks -------------------------------------------------------------------------------------------------------------


def of_config(kind: str) -> Callable[[PublicModels], CancelCase]:
    def make(models: PublicModels) -> CancelCase:
        if kind in NETWORKS:
            models.write_network(kind, WHOLE_CHUNKS_S)
            checkpoint, config = models.checkpoint(kind), models.config(kind)
        else:
            config = full_size_path(kind)
            checkpoint = models.networks_made() / f"{kind}.ckpt"
            net = seeded_network(kind, params_class(kind).from_config(read_config(config)), seed=0)
            torch.save(net.state_dict(), checkpoint)
        return CancelCase(
            "dsu-bsroformer",
            requests.NetworkSeparate,
            {"model_path": str(checkpoint), "config_path": str(config)},
        )

    return make


def htdemucs(models: PublicModels) -> CancelCase:
    models.write_demucs(1)
    return CancelCase("dsu-demucs", requests.DemucsSeparate, {"model": ONE, "repo": str(models.repo)})


def earlier_demucs(klass: type[nn.Module]) -> Callable[[PublicModels], CancelCase]:
    def make(models: PublicModels) -> CancelCase:
        name = klass.__name__.lower()
        arguments = {"sources": list(SOURCES), "segment": SEGMENT_S, "samplerate": SAMPLE_RATE}
        write_checkpoint(models.repo, f"{name}01", lambda: (klass, arguments))
        write_bag(models.repo, name, [f"{name}01"])
        return CancelCase("dsu-demucs", requests.DemucsSeparate, {"model": name, "repo": str(models.repo)})

    return make


def vr(models: PublicModels) -> CancelCase:
    models.write_vr()
    return CancelCase("dsu-audio-separator", requests.AudioSeparatorSeparate, {"model": models.checkpoint(VR).name})


def mdx(models: PublicModels) -> CancelCase:
    models.write_mdx()
    return CancelCase("dsu-audio-separator", requests.AudioSeparatorSeparate, {"model": models.checkpoint(MDX).name})


def audiosep(models: PublicModels) -> CancelCase:
    models.write_audiosep()
    files = models.audiosep
    fields = {
        "config_path": str(files.config),
        "checkpoint_path": str(files.checkpoint),
        "clap_checkpoint_path": str(files.clap_checkpoint),
        "roberta_dir": str(files.roberta_dir),
        "texts": ["vocals"],
    }
    return CancelCase("dsu-audiosep", requests.AudioSepSeparate, fields)


CASES: dict[str, Callable[[PublicModels], CancelCase]] = {
    "htdemucs": htdemucs,
    "hdemucs": earlier_demucs(HDemucs),
    "demucs": earlier_demucs(Demucs),
    **{kind: of_config(kind) for kind in (*NETWORKS, *sorted(PUBLIC.keys() - NETWORKS.keys() - {"htdemucs"}))},
    "vr": vr,
    "mdx": mdx,
    "audiosep": audiosep,
}


def report(measured: dict[str, CancelTimes]) -> str:
    rows = [
        [name, f"{one.job_s:.1f}", f"{one.longest_s:.2f}", f"{max(one.answers_s):.2f}"]
        for name, one in measured.items()
    ]
    return table(["network", "job s", "longest stretch without a checkpoint s", "cancelled after s, at most"], rows)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser("run.py bench cancel", description=__doc__)
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=f"{', '.join(CASES)}; default: all")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the song; default 20")
    parser.add_argument("--cancels", type=int, default=4, help="cancelled jobs for each network; default 4")
    options = parser.parse_args(argv)
    if unknown := set(options.networks) - set(CASES):
        parser.error(f"unknown network {min(unknown)}; they are {', '.join(CASES)}")
    names = options.networks or list(CASES)
    measured = {}
    for name in names:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            source = folder / "song.wav"
            write_song(source, options.seconds)
            measured[name] = measure(CASES[name](PublicModels(folder)), folder, source, options.cancels)
        print(report({name: measured[name]}).splitlines()[-1], flush=True)
    note = (
        f"Networks of public sizes with random weights, read for each job, a song of {options.seconds:g} s, "
        f"{physical_cores()} threads, default settings. Each was cancelled {options.cancels} times, in its longest stretch "
        f"without a checkpoint; target: {TARGET_S} s."
    )
    body = report(measured)
    if not options.networks:
        write_section("Cancelling", f"`python3 run.py bench cancel`. {note}\n\n{body}")
    print(body)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
