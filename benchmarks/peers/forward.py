"""Bare networks: each program's own way of reading a checkpoint, and one forward pass, in turns in one process.

Run by the Python of the environment of peers, for one row at a time. Prints a line of JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from benchmarks.peers.ceiling import flops_of, products_in, products_s
from benchmarks.peers.models import (
    MDX,
    MDX_BINS,
    MDX_FRAMES_LOG2,
    VR,
    VR_BANDS,
    VR_CAPACITY,
    VR_PRIMARY,
    PublicModels,
    mdx_network,
    network_config,
)
from benchmarks.peers.programs import OURS, OURS_FP32, decibels
from benchmarks.worker_process import ROOT
from models.architectures import params_class
from tools.fixtures.networks import channels_of
from tools.fixtures.peers import mdx23c_of_audio_separator, roformer_of_audio_separator
from tools.fixtures.song import SAMPLE_RATE, song
from tools.peers import peers_python
from utils.core.settings import Arithmetic
from utils.device import computing, fastest_precision, prepare_torch
from utils.engine.backends import Backend
from utils.engine.backends.torch import DTYPES

Pass = Callable[[], Tensor]
LOADS = 2  # the first one also imports what the loader needs
QUIET = 0.1


@dataclass(frozen=True)
class Bare:
    """The network of a row: how each program reads it, ours as a backend, and what it is given.

    `products` runs it in plain torch, where ours does not: for the count of its products.
    """

    inputs: Sequence[Any]
    ours: Callable[[], Backend]
    peers: Mapping[str, Callable[[], Callable[..., Any]]]
    seconds: float
    products: Callable[[], object] | None = None


# Networks of configurations -------------------------------------------------------------------------------------------


def of_config(kind: str, models: PublicModels, seconds: float) -> Bare:
    from utils.engine.families.networks.network import load_network
    from utils.store.network_config import output_stems
    from utils.store.network_models import NetworkSource

    checkpoint, path = models.checkpoint(kind), models.config(kind)
    config = network_config(kind, seconds)
    params = params_class(kind).from_config(config)
    source = NetworkSource(kind, kind, checkpoint, path, output_stems(config, path), record=None)

    def with_weights(net: nn.Module) -> nn.Module:
        net.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True))
        return net.eval()

    def pymss() -> nn.Module:
        from pymss_core import get_model_from_config  # type: ignore[import-untyped]

        # What its own loader finds out from the checkpoint.
        depth = {"mlp_hidden_layers": params.mask_estimator_depth} if kind == "mel_band_roformer" else {}
        return with_weights(cast(nn.Module, get_model_from_config(kind, str(path), depth)[0]))

    peers: dict[str, Callable[[], Callable[..., Any]]] = {"pymss": pymss}
    if kind in ("bs_roformer", "mel_band_roformer"):
        peers["audio-separator"] = lambda: with_weights(roformer_of_audio_separator(kind, params))
    if kind == "mdx23c":
        peers["audio-separator"] = lambda: with_weights(mdx23c_of_audio_separator(config))
    samples = int(config["audio"]["chunk_size"])
    return Bare(
        [music(samples)[:, : channels_of(params)]],
        lambda: load_network(source, mapped=True, allow_unsafe=False).backend,
        peers,
        samples / SAMPLE_RATE,
    )


def music(samples: int) -> Tensor:
    """The song, quietly, as a batch of one."""
    return QUIET * torch.from_numpy(song(samples / SAMPLE_RATE)[:samples].T.copy()).float()[None]


# The rest -------------------------------------------------------------------------------------------------------------


def htdemucs(models: PublicModels, _: float) -> Bare:
    """A whole segment, as all programs give it to the network."""
    from utils.engine.families.demucs.package import load_net

    path = models.member()

    def package(name: str) -> Callable[[], Callable[..., Any]]:
        def load() -> Callable[..., Any]:
            importlib.import_module(name)
            states = importlib.import_module(f"{name}.states")
            return cast("Callable[..., Any]", states.load_model(path).eval())

        return load

    def onnx() -> Callable[..., Any]:
        import onnxruntime

        (file,) = models.hub.rglob("*.onnx")
        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        return lambda mix: torch.from_numpy(session.run(["stems"], {"mix": mix.numpy()})[0])

    net = load_net(path, mapped=True, allow_unsafe=False)
    samples = int(net.segment_s * SAMPLE_RATE)
    return Bare(
        [music(samples)],
        lambda: load_net(path, mapped=True, allow_unsafe=False).backend,
        {"demucs": package("demucs"), "demucs-infer": package("demucs_infer"), "demucs-onnx": onnx},
        samples / SAMPLE_RATE,
    )


def vr(models: PublicModels, _: float) -> Bare:
    """The network is that of the audio-separator package in both."""
    from utils.engine.families.vr.model import VrModel, load_vr
    from utils.store.audio_separator_models import AudioSeparatorSource, VrParameters

    parameters = VrParameters(VR_BANDS, VR_CAPACITY)
    path = models.checkpoint(VR)
    source = AudioSeparatorSource(
        path.name,
        path,
        stems=(VR_PRIMARY, f"No {VR_PRIMARY}"),
        parameters=parameters,
        record=None,
        identifier=path.name,
    )

    def load() -> VrModel:
        return load_vr(source, device="cpu")

    model = load()
    frames = 512
    generator = torch.Generator().manual_seed(0)
    magnitude = torch.rand(1, 2, model.layout.bins + 1, frames, generator=generator)
    kept = frames - 2 * model.offset
    return Bare([magnitude], lambda: load().backend, {}, kept * model.layout.hop / model.sample_rate)


def mdx(models: PublicModels, _: float) -> Bare:
    """onnxruntime runs the same file in both."""
    from utils.core.bootstrap import physical_cores
    from utils.engine.backends.onnx import OnnxBackend

    frames = 2**MDX_FRAMES_LOG2
    spectra = torch.randn(1, 4, MDX_BINS, frames, generator=torch.Generator().manual_seed(0))

    def load() -> Backend:
        return OnnxBackend(
            models.checkpoint(MDX),
            bins=MDX_BINS,
            frames=frames,
            own_frames=frames,
            device="cpu",
            threads=physical_cores(),
        )

    net = mdx_network()
    return Bare([spectra], load, {}, frames * 1024 / SAMPLE_RATE, lambda: net(spectra))


def audiosep(models: PublicModels, seconds: float) -> Bare:
    from utils.engine.families.audiosep.network import load_audiosep
    from utils.store.audiosep_models import AudioSepSource

    files = models.audiosep
    source = AudioSepSource(
        name="audiosep",
        config=files.config,
        checkpoint=files.checkpoint,
        clap=files.clap_checkpoint,
        roberta=files.roberta_dir,
        stems=("vocals",),
        record=None,
    )
    model = load_audiosep(source, mapped=True, allow_unsafe=False)
    conditions = model.conditions(["vocals"])
    mix = music(round(seconds * model.sample_rate))[:, :1]
    return Bare([mix, conditions], lambda: load_audiosep(source, mapped=True, allow_unsafe=False).backend, {}, seconds)


def dsu_mini(_: PublicModels, seconds: float) -> Bare:
    from utils.engine.families.networks.network import load_network
    from utils.store.folders import configs_folder, embedded_folder
    from utils.store.network_config import output_stems, read_config
    from utils.store.network_models import NetworkSource

    path = configs_folder() / "mask_unet" / "dsu_mini.yaml"
    checkpoint = embedded_folder() / "dsu_mini.safetensors"
    source = NetworkSource(
        "dsu_mini", "mask_unet", checkpoint, path, output_stems(read_config(path), path), record=None
    )
    samples = round(seconds * SAMPLE_RATE)
    return Bare([music(samples)], lambda: load_network(source, mapped=True, allow_unsafe=False).backend, {}, seconds)


BARE: dict[str, Callable[[PublicModels, float], Bare]] = {
    "htdemucs": htdemucs,
    **{
        kind: lambda models, seconds, kind=kind: of_config(kind, models, seconds)  # type: ignore[misc]
        for kind in ("bs_roformer", "mel_band_roformer", "scnet", "mdx23c", "apollo")
    },
    "vr": vr,
    "mdx": mdx,
    "audiosep": audiosep,
    "dsu_mini": dsu_mini,
}


# Measuring ------------------------------------------------------------------------------------------------------------


def measure(bare: Bare, rounds: int, half: Arithmetic) -> dict[str, Any]:
    """Times to load and to run, agreement with ours, and what the products alone would take."""
    loads, nets = {}, {}
    for name, load in {OURS: bare.ours, **bare.peers}.items():
        loads[name], nets[name] = timed_loads(load)
    backend = cast(Backend, nets.pop(OURS))
    passes: dict[str, Pass] = {OURS_FP32: in_precision(backend, "fp32", bare.inputs)}
    if half != "fp32" and backend.halves:
        backend.prepare(half)
        passes[OURS] = in_precision(backend, half, bare.inputs)
    passes |= {name: (lambda net=net: net(*bare.inputs)) for name, net in nets.items()}  # type: ignore[misc]
    runs: dict[str, list[float]] = {name: [] for name in passes}
    with torch.inference_mode():
        # The first runs also warm everything up.
        outputs = {name: run().float() for name, run in passes.items()}
        for _ in range(rounds):
            for name, run in passes.items():
                started = time.perf_counter()
                run()
                runs[name].append(time.perf_counter() - started)
    products = products_in(bare.products or passes[OURS_FP32])
    return {
        "audio_s": bare.seconds,
        "parameter_bytes": backend.size_bytes(),
        "load_s": loads,
        "runs_s": runs,
        "agreement_db": {
            name: {
                ours: agreement_db(output, outputs[ours])
                for ours in (OURS_FP32, OURS)
                if ours in outputs and ours != name
            }
            for name, output in outputs.items()
        },
        "flops": flops_of(products),
        "products_s": {
            name: products_s(products, DTYPES[precision])
            for name, precision in ((OURS_FP32, "fp32"), (OURS, half))
            if name in passes
        },
    }


def timed_loads(load: Callable[[], Any]) -> tuple[float, Any]:
    taken = []
    for _ in range(LOADS):
        started = time.perf_counter()
        net = load()
        taken.append(time.perf_counter() - started)
    return min(taken), net


def in_precision(backend: Backend, precision: Arithmetic, inputs: Sequence[Any]) -> Pass:
    def run() -> Tensor:
        with computing("cpu", precision):
            return backend(*inputs)

    return run


def agreement_db(output: Tensor, ours: Tensor) -> float:
    """The level of our output over the difference. Others may omit the stem axis and the last samples."""
    reference = ours[..., : output.shape[-1]]
    difference = reference - output.reshape(reference.shape)
    level, error = (float(each.double().square().sum()) for each in (reference, difference))
    return decibels(level, error)


def measure_apart(row: str, models: PublicModels, seconds: float, rounds: int, environment: Mapping[str, str]) -> Any:
    """The same in a process of its own, with all the packages."""
    words = ["-m", "benchmarks.peers.forward", row, models.folder, str(seconds), str(rounds)]
    command = [str(word) for word in (peers_python(), *words)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        return {"failed": last[0][-200:]}
    return json.loads(done.stdout)


@contextlib.contextmanager
def stdout_kept() -> Iterator[int]:
    """What the packages print goes to standard error; yields where standard output is."""
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield kept
    finally:
        os.dup2(kept, 1)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("python -m benchmarks.peers.forward", description=__doc__)
    parser.add_argument("row", choices=BARE)
    parser.add_argument("models", type=Path)
    parser.add_argument("seconds", type=float)
    parser.add_argument("rounds", type=int)
    options = parser.parse_args(argv)
    prepare_torch(torch.get_num_threads())
    with stdout_kept(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from the other packages
        bare = BARE[options.row](PublicModels(options.models), options.seconds)
        measured = measure(bare, options.rounds, fastest_precision("cpu"))
    print(json.dumps(measured))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
