"""Make VR and MDX networks with seeded random weights, in the formats in which public ones come, with their numbers
beside them.

They stand in for trained models wherever the whole path from file to stems must run in seconds. What comes out of them
is not a separation. Networks of the first VR generation have fixed sizes; the smallest takes 32 MB.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from utils.engine.backends.onnx import packed, varint
from utils.engine.families.vr.package import SIZES_KIB, band_parameters, build_vr, vr_kind

CONTRAST = 3.0  # of masks: random weights alone give masks that are half open everywhere
SMALL_CAPACITY = (8, 16)


class ModelFiles(NamedTuple):
    """A network and the file beside it that says what it needs."""

    checkpoint: Path
    numbers: Path


def make_vr(
    folder: Path,
    name: str,
    *,
    bands: str | Mapping[str, Any] = "1band_sr44100_hl512_nf1024",
    capacity: tuple[int, int] | None = SMALL_CAPACITY,
    primary_stem: str = "Vocals",
    seed: int = 0,
) -> ModelFiles:
    """A VR network: of version 5.1 where a capacity is given, else of the first generation."""
    raw = band_parameters(bands) if isinstance(bands, str) else bands
    kind = vr_kind(1024 * SIZES_KIB[0], capacity)
    net = build_vr(kind, raw.get("n_bins") or raw["bins"])
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / f"{name}.pth"
    torch.save(random_weights(net, seed), checkpoint)
    numbers: dict[str, Any] = {"vr_model_param": bands, "primary_stem": primary_stem}
    if capacity is not None:
        numbers |= {"nout": capacity[0], "nout_lstm": capacity[1]}
    return _with_numbers(checkpoint, numbers)


def _with_numbers(checkpoint: Path, numbers: Mapping[str, Any]) -> ModelFiles:
    beside = checkpoint.with_suffix(".json")
    beside.write_text(json.dumps(numbers), encoding="utf-8")
    return ModelFiles(checkpoint, beside)


def random_weights(net: nn.Module, seed: int) -> dict[str, Tensor]:
    """Weights that let a signal through at about its level, for a network that may be without data."""
    generator = torch.Generator().manual_seed(seed)
    return {key: _random(key, tensor, generator) for key, tensor in nn.Module.state_dict(net).items()}


def _random(key: str, like: Tensor, generator: torch.Generator) -> Tensor:
    if not like.is_floating_point():
        return torch.zeros(like.shape, dtype=like.dtype)
    noise = torch.randn(like.shape, generator=generator)
    if key.endswith("running_var"):
        return 0.5 + noise.square()
    if like.ndim == 1:
        return 1 + 0.2 * noise if key.endswith("weight") else 0.2 * noise
    gain = CONTRAST if key == "out.weight" else 1.0
    return noise * gain * math.sqrt(2 / like[0].numel())


# MDX ----------------------------------------------------------------------------------------------------------------

# Numbers of the fields in ONNX's messages: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
MODEL_IR, MODEL_GRAPH, MODEL_OPSET = 1, 7, 8
GRAPH_NODE, GRAPH_NAME, GRAPH_TENSOR, GRAPH_INPUT, GRAPH_OUTPUT = 1, 2, 5, 11, 12
NODE_INPUT, NODE_OUTPUT, NODE_KIND, NODE_ATTRIBUTE = 1, 2, 4, 5
IR_VERSION, OPSET = 8, 13
FLOAT = 1
INTEGERS = 7

HIDDEN = 6
PARTS = 4


def make_mdx(
    folder: Path,
    name: str,
    *,
    n_fft: int = 2048,
    bins: int = 512,
    frames_log2: int = 5,
    compensate: float = 1.03,
    primary_stem: str = "Vocals",
    seed: int = 0,
) -> ModelFiles:
    """An MDX network: convolutions and a layer across frequencies, giving a mask over the song's spectrum."""
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / f"{name}.onnx"
    checkpoint.write_bytes(_mdx_model(bins, 2**frames_log2, np.random.default_rng(seed)))
    numbers = {
        "primary_stem": primary_stem,
        "mdx_n_fft_scale_set": n_fft,
        "mdx_dim_f_set": bins,
        "mdx_dim_t_set": frames_log2,
        "compensate": compensate,
    }
    return _with_numbers(checkpoint, numbers)


def _mdx_model(bins: int, frames: int, random: np.random.Generator) -> bytes:
    tensors = {
        "first": random.standard_normal((HIDDEN, PARTS, 3, 3)) / 3,
        "across": random.standard_normal((bins, bins)) / math.sqrt(bins),
        "last": random.standard_normal((PARTS, HIDDEN, 1, 1)),
        "bias": random.standard_normal(PARTS) * 0.3,
    }
    nodes = [
        _node("Conv", ["input", "first"], "a", _integers("pads", [1, 1, 1, 1])),
        _node("Relu", ["a"], "b"),
        _node("Transpose", ["b"], "c", _integers("perm", [0, 1, 3, 2])),
        _node("MatMul", ["c", "across"], "d"),
        _node("Transpose", ["d"], "e", _integers("perm", [0, 1, 3, 2])),
        _node("Conv", ["e", "last", "bias"], "f"),
        _node("Sigmoid", ["f"], "mask"),
        _node("Mul", ["mask", "input"], "output"),
    ]
    graph = [
        *(packed(GRAPH_NODE, node) for node in nodes),
        packed(GRAPH_NAME, b"mdx"),
        *(packed(GRAPH_TENSOR, _tensor(name, values)) for name, values in tensors.items()),
        packed(GRAPH_INPUT, _end("input", bins, frames)),
        packed(GRAPH_OUTPUT, _end("output", bins, frames)),
    ]
    opset = packed(MODEL_OPSET, _integer(2, OPSET))
    return _integer(MODEL_IR, IR_VERSION) + packed(MODEL_GRAPH, b"".join(graph)) + opset


def _node(kind: str, inputs: Sequence[str], output: str, attribute: bytes = b"") -> bytes:
    parts = [packed(NODE_INPUT, name.encode()) for name in inputs]
    parts += [packed(NODE_OUTPUT, output.encode()), packed(NODE_KIND, kind.encode())]
    return b"".join(parts) + (packed(NODE_ATTRIBUTE, attribute) if attribute else b"")


def _integers(name: str, values: Iterable[int]) -> bytes:
    return packed(1, name.encode()) + b"".join(_integer(8, value) for value in values) + _integer(20, INTEGERS)


def _tensor(name: str, values: np.ndarray[Any, Any]) -> bytes:
    shape = b"".join(_integer(1, size) for size in values.shape)
    return shape + _integer(2, FLOAT) + packed(8, name.encode()) + packed(9, values.astype("<f4").tobytes())


def _end(name: str, bins: int, frames: int) -> bytes:
    """An input or output of the graph: as many spectra as one likes, of a fixed size, as public files have it."""
    batch = packed(1, packed(2, b"batch_size"))
    shape = batch + b"".join(packed(1, _integer(1, size)) for size in (PARTS, bins, frames))
    return packed(1, name.encode()) + packed(2, packed(1, _integer(1, FLOAT) + packed(2, shape)))


def _integer(number: int, value: int) -> bytes:
    """A field that holds a number."""
    return varint(number << 3) + varint(value)
