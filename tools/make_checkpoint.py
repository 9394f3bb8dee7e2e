"""Make small Demucs checkpoints with seeded random weights, in the file format of the demucs package.

They stand in for trained models wherever the whole path from file to stems must run in seconds: the demonstration,
tests, benchmarks. The weights are random, so what comes out is not a separation.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
import yaml
from demucs.demucs import Demucs
from demucs.hdemucs import HDemucs
from demucs.htdemucs import HTDemucs
from torch import nn

SAMPLE_RATE = 44100
SOURCES = ("drums", "bass", "other", "vocals")

HTDEMUCS = "aaaa0001"
HDEMUCS = "aaaa0002"
DEMUCS = "aaaa0003"
FINE_TUNED = ("aaaa0011", "aaaa0012", "aaaa0013", "aaaa0014")

OUTPUT_GAIN = 8.0

NetMaker = Callable[[], tuple[type[nn.Module], dict[str, Any]]]


def tiny_htdemucs(segment: Fraction = Fraction(2)) -> tuple[type[nn.Module], dict[str, Any]]:
    """Class and keyword arguments of a small Hybrid Transformer Demucs."""
    return HTDemucs, {
        "sources": list(SOURCES),
        "channels": 8,
        "depth": 4,
        "bottom_channels": 16,
        "t_layers": 1,
        "t_heads": 2,
        "segment": segment,
        "samplerate": SAMPLE_RATE,
    }


def tiny_hdemucs() -> tuple[type[nn.Module], dict[str, Any]]:
    """Class and keyword arguments of a small Hybrid Demucs."""
    return HDemucs, {"sources": list(SOURCES), "channels": 8, "depth": 6, "segment": 4, "samplerate": SAMPLE_RATE}


def tiny_demucs() -> tuple[type[nn.Module], dict[str, Any]]:
    """Class and keyword arguments of a small time-domain Demucs."""
    return Demucs, {"sources": list(SOURCES), "channels": 8, "depth": 4, "segment": 4, "samplerate": SAMPLE_RATE}


def seeded_net(klass: type[nn.Module], kwargs: Mapping[str, Any], seed: int) -> nn.Module:
    """The net with random weights that depend on the seed only; the global random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = klass(**kwargs).eval()
    _raise_output(net)
    return net


def _raise_output(net: nn.Module) -> None:
    """Scale the last layer of each decoder: fresh nets are so quiet that 16-bit files would hold little but rounding."""
    for branch in ("decoder", "tdecoder"):
        layers = getattr(net, branch, None)
        if isinstance(layers, nn.ModuleList):
            last = [part for part in layers[-1].modules() if isinstance(part, nn.ConvTranspose1d | nn.ConvTranspose2d)]
            for tensor in last[-1].parameters():
                tensor.data.mul_(OUTPUT_GAIN)


def write_checkpoint(folder: Path, signature: str, make: NetMaker, *, seed: int = 0, half: bool = True) -> Path:
    """Write `SIGNATURE-CHECKSUM.th`. `half` stores the weights in half precision, as published models do."""
    klass, kwargs = make()
    net = seeded_net(klass, kwargs, seed)
    state = {
        name: tensor.half() if half and tensor.is_floating_point() else tensor
        for name, tensor in net.state_dict().items()
    }
    package = {"klass": klass, "args": (), "kwargs": kwargs, "state": state, "training_args": {}}
    buffer = io.BytesIO()
    torch.save(package, buffer)
    checksum = hashlib.sha256(buffer.getbuffer()).hexdigest()[:8]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{signature}-{checksum}.th"
    path.write_bytes(buffer.getbuffer())
    return path


def write_bag(
    folder: Path,
    name: str,
    members: Sequence[str],
    *,
    weights: Sequence[Sequence[float]] | None = None,
    segment_s: float | None = None,
) -> Path:
    """Write the bag `NAME.yaml`: its members' signatures, and one row of stem weights for each member."""
    bag: dict[str, Any] = {"models": list(members)}
    if weights is not None:
        bag["weights"] = [[float(weight) for weight in row] for row in weights]
    if segment_s is not None:
        bag["segment"] = segment_s
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(bag, sort_keys=False), encoding="utf-8")
    return path


def make_repo(folder: Path) -> Path:
    """Fill a folder with one net of each family and three bags.

    `tiny`: one Hybrid Transformer net. `tiny_ft`: four of them, each responsible for one stem, as `htdemucs_ft` is.
    `tiny_bag`: a weighted mean of a Hybrid Transformer and a Hybrid net.
    """
    write_checkpoint(folder, HTDEMUCS, tiny_htdemucs, seed=1)
    write_checkpoint(folder, HDEMUCS, tiny_hdemucs, seed=2)
    write_checkpoint(folder, DEMUCS, tiny_demucs, seed=3)
    for seed, signature in enumerate(FINE_TUNED, start=11):
        write_checkpoint(folder, signature, tiny_htdemucs, seed=seed)
    write_bag(folder, "tiny", [HTDEMUCS])
    write_bag(folder, "tiny_ft", FINE_TUNED, weights=torch.eye(len(SOURCES)).tolist())
    write_bag(folder, "tiny_bag", [HTDEMUCS, HDEMUCS], weights=[[0.75, 1.0, 0.5, 0.25], [0.25, 1.0, 0.5, 0.75]])
    return folder
