"""Forward time of our networks against other implementations, at the size of public models.

All run alternately in one process, with the same random weights on the same chunk. Their outputs are compared before
anything is timed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from benchmarks.results import table, write_section
from tools.fixtures.networks import PUBLIC, channels_of, full_size, full_size_config, full_size_path, seeded_network
from tools.fixtures.peers import ROFORMERS, mdx23c_of_audio_separator, roformer_of_audio_separator
from utils.core.bootstrap import physical_cores
from utils.device import prepare_torch
from utils.store.network_config import read_config

AGREEMENT_DB = 80.0
SECONDS = 10.0

# Options that all implementations support: some transformers ignore `zero_dc`.
IN_COMMON: dict[str, dict[str, Any]] = {kind: {"zero_dc": False} for kind in ("bs_roformer", "mel_band_roformer")}

PeerMaker = Callable[[str, Path], nn.Module]


class Disagreement(Exception):
    """The output of another implementation differs, so its time is not comparable."""


class Timed(NamedTuple):
    """The run times of one network in seconds, by implementation; ours is `DSU`."""

    kind: str
    parameters: int
    chunk_s: float
    runs: Mapping[str, list[float]]


# Other implementations ----------------------------------------------------------------------------------------------


def pymss_network(kind: str, config: Path) -> nn.Module:
    from pymss_core import get_model_from_config  # type: ignore[import-untyped]

    return cast(nn.Module, get_model_from_config(kind, str(config), pymss_options(kind))[0])


def pymss_options(kind: str) -> dict[str, Any]:
    """The common options, and the number of mask layers, which pymss does not take from the configuration."""
    depth = {"mlp_hidden_layers": full_size(kind).mask_estimator_depth} if kind == "mel_band_roformer" else {}
    return {**IN_COMMON.get(kind, {}), **depth}


def audio_separator_network(kind: str, config: Path) -> nn.Module:
    if kind in ROFORMERS:
        return roformer_of_audio_separator(kind, replace(full_size(kind), **IN_COMMON[kind]))
    return mdx23c_of_audio_separator(read_config(config))


# The kinds that each package implements, and how to build its network from a public configuration. Bandit in pymss-core
# does not treat stereo as two channels.
PEERS: dict[str, tuple[frozenset[str], PeerMaker]] = {
    "pymss-core": (frozenset(PUBLIC) - {"bandit"}, pymss_network),
    "audio-separator": (frozenset({*ROFORMERS, "mdx23c"}), audio_separator_network),
}
KINDS = [kind for kind in PUBLIC if any(kind in kinds for kinds, _ in PEERS.values())]


def peers_of(kind: str, weights: Mapping[str, Tensor]) -> dict[str, nn.Module]:
    """The other implementations of a kind with our weights; their keys must match exactly."""
    made = {name: make(kind, full_size_path(kind)) for name, (kinds, make) in PEERS.items() if kind in kinds}
    for peer in made.values():
        peer.load_state_dict(weights, strict=True)
        peer.eval()
    return made


# Measuring ----------------------------------------------------------------------------------------------------------


def chunk_samples(config: Mapping[str, Any], seconds: float) -> int:
    """The configuration's chunk length, or a shorter valid one for networks that do not pad."""
    audio = config["audio"]
    bound = min(int(audio["chunk_size"]), int(seconds * audio["sample_rate"]))
    if "hop_length" not in audio or "num_scales" not in config["model"]:
        return bound
    hop, multiple = int(audio["hop_length"]), 2 ** int(config["model"]["num_scales"])
    frames = (bound // hop + 1) // multiple * multiple
    return int(hop * (frames - 1))


def measure(kind: str, seconds: float, rounds: int) -> Timed:
    """Check that all implementations agree, which also warms them up, then time them alternately."""
    config, params = full_size_config(kind), replace(full_size(kind), **IN_COMMON.get(kind, {}))
    samples = chunk_samples(config, seconds)
    ours = seeded_network(kind, params, seed=0)
    networks = {"DSU": ours, **peers_of(kind, ours.state_dict())}
    mix = 0.1 * torch.randn(1, channels_of(params), samples, generator=torch.Generator().manual_seed(1))
    runs: dict[str, list[float]] = {name: [] for name in networks}
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from the other packages
        require_agreement(kind, {name: net(mix) for name, net in networks.items()})
        for _ in range(rounds):
            for name, net in networks.items():
                runs[name].append(forward_s(net, mix))
    parameters = sum(tensor.numel() for tensor in ours.parameters())
    return Timed(kind, parameters, samples / config["audio"]["sample_rate"], runs)


def forward_s(net: nn.Module, mix: Tensor) -> float:
    started = time.perf_counter()
    net(mix)
    return time.perf_counter() - started


def require_agreement(kind: str, outputs: Mapping[str, Tensor]) -> None:
    for name, output in outputs.items():
        agreement = agreement_db(output, outputs["DSU"])
        if agreement < AGREEMENT_DB:
            raise Disagreement(f"{kind}: the output of {name} agrees with ours only to {agreement:.0f} dB.")


def agreement_db(output: Tensor, ours: Tensor) -> float:
    """The level of our output over the difference. Others may omit the stem axis and the last samples."""
    reference = ours[..., : output.shape[-1]]
    difference = reference - output.reshape(reference.shape)
    smallest = torch.finfo(torch.float32).tiny
    return float(10 * torch.log10(reference.square().sum() / difference.square().sum().clamp_min(smallest)))


# Reporting ----------------------------------------------------------------------------------------------------------


def heads(names: Iterable[str]) -> list[str]:
    others = [cell for name in names for cell in (f"{name} s", f"DSU / {name}")]
    return ["network", "million parameters", "chunk s", "DSU s", *others]


def row(timed: Timed, names: Iterable[str]) -> list[str]:
    """Median times and their ratios, with those of the minima in brackets."""
    ours = timed.runs["DSU"]
    others = [
        cell
        for name in names
        for cell in ([spread(timed.runs[name]), ratio(ours, timed.runs[name])] if name in timed.runs else ["", ""])
    ]
    return [timed.kind, f"{timed.parameters / 1e6:.1f}", f"{timed.chunk_s:.1f}", spread(ours), *others]


def spread(runs: list[float]) -> str:
    return f"{statistics.median(runs):.2f} ({min(runs):.2f})"


def ratio(ours: list[float], others: list[float]) -> str:
    return f"{statistics.median(ours) / statistics.median(others):.2f} ({min(ours) / min(others):.2f})"


def report(measured: Iterable[Timed]) -> str:
    return table(heads(PEERS), [row(timed, PEERS) for timed in measured])


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser("run.py bench networks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="runs of each network; default 5")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="longest chunk; public models use 8 to 12 s")
    parser.add_argument("--only", nargs="+", choices=KINDS, metavar="KIND", help=f"default: all of {', '.join(KINDS)}")
    options = parser.parse_args(argv)
    threads = physical_cores()
    prepare_torch(threads)
    measured = []
    for kind in options.only or KINDS:
        measured.append(measure(kind, options.seconds, options.rounds))
        print(report(measured[-1:]), flush=True)
    body = report(measured)
    note = (
        f"One forward pass of a stereo chunk (the public configuration's, at most {options.seconds:g} s) in single "
        f"precision on {threads} threads, {options.rounds} rounds in turns: median, and the minimum in brackets. Same "
        f"random weights; the outputs agree to {AGREEMENT_DB:.0f} dB or better."
    )
    write_section("Networks against other implementations", f"`python3 run.py bench networks`. {note}\n\n{body}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
