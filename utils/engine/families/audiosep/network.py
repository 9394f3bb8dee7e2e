"""Separation by text: the network and its text encoder, and how they process a song.

The network is mono and processes each channel separately, at its own sample rate. It is a U-net, so chunks start on the
grid of its coarsest level and get all context that can affect them, up to the ends of the song: their sum equals one
pass over the whole song. Everything else happens at the song's rate. Only the network's input and output are resampled,
so the residual keeps the frequencies above the network's range.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from models.audiosep.resunet import FRAMES_MULTIPLE, HOP_SAMPLES, ResUNet30, ResUNet30Params, Shifts
from utils.audio.resampling import resampled
from utils.core.errors import ConfigInvalid
from utils.core.requests import AudioSepSeparate
from utils.core.settings import Arithmetic
from utils.engine.backends import Backend
from utils.engine.backends.torch import TorchBackend, for_inference, without_data
from utils.engine.pipeline.chunking import ChunkPlan, plan_on_grid
from utils.store.audiosep_models import AudioSepSource
from utils.store.checkpoints import assign, largest_network_bytes, read_checkpoint, size_bytes, unwrap_state
from utils.store.network_config import read_plain
from utils.store.records import stands_half

if TYPE_CHECKING:
    from models.audiosep.text import ClapText, TextEncoder

GRID = FRAMES_MULTIPLE * HOP_SAMPLES  # the hop of the coarsest level, in samples at the network's rate
CONTEXT_GRIDS = 11  # the context on either side, in grid steps
CONTEXT_S = 3.52  # the same in seconds
CHUNK_S = 10.0
ONE_PASS_S = 30.0  # chunk length including context, for requests with chunking turned off
SECTIONS = ("data", "model")  # of a configuration


class AudioSepModel:
    """A loaded network on its device, and its text encoder, which stays on the CPU."""

    def __init__(self, source: AudioSepSource, net: ResUNet30, texts: TextEncoder) -> None:
        self.source = source
        self.stems = source.stems
        self.backend: Backend = TorchBackend(net, "separate", halves=stands_half(source.record))
        self.sample_rate = net.params.sample_rate
        self._film = net.film
        self._texts = texts
        self._device = "cpu"

    def size_bytes(self) -> int:
        return self.backend.size_bytes() + (size_bytes(self._texts.net) if self._device == "cpu" else 0)

    def move(self, device: str) -> None:
        self.backend.move(device)
        self._device = device

    def prepare(self, precision: Arithmetic) -> None:
        self.backend.prepare(precision)

    def conditions(self, texts: Sequence[str]) -> list[Shifts]:
        """The FiLM conditions of each text, computed once for a whole song."""
        with torch.inference_mode():
            conditions: list[Shifts] = self._film(self._texts.embed(texts))
        return [{name: shift.to(self._device) for name, shift in each.items()} for each in conditions]


def load_audiosep(source: AudioSepSource, *, mapped: bool, allow_unsafe: bool) -> AudioSepModel:
    """Read a network and its text encoder. Raises `ConfigInvalid` or one of the checkpoint errors."""

    def fill(net: ResUNet30 | ClapText, path: Path) -> None:
        content = read_checkpoint(path, mapped=mapped, allow=net.PICKLED_WITH, allow_unsafe=allow_unsafe)
        assign(net, net.complete_state(unwrap_state(content, path)), path=path)
        for_inference(net)

    try:
        params = ResUNet30Params.from_config(read_plain(source.config, SECTIONS))
        with without_data(largest_network_bytes(source.checkpoint)):
            net = ResUNet30(params)
    except (ValueError, RuntimeError, OverflowError) as error:
        raise ConfigInvalid(
            f"`{source.config.name}` does not describe an AudioSep network: {error}", field="config_path"
        ) from error
    fill(net, source.checkpoint)

    from models.audiosep.text import TextEncoder

    try:
        texts = TextEncoder.from_files(source.clap, source.roberta, fill=fill, without_data=without_data)
    except (OSError, ValueError) as error:
        raise ConfigInvalid(f"`{source.roberta}` is not a RoBERTa folder: {error}", field="roberta_dir") from error
    return AudioSepModel(source, net, texts)


# Songs ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rates:
    """The sample rates of the song and of the network."""

    song: int
    network: int

    @property
    def grid(self) -> int:
        """The grid in samples of the song."""
        return GRID * self.song // self.network

    @classmethod
    def of(cls, song: int, network: int) -> Rates:
        """The rates to use. If the grid is not a whole number of the song's samples, both are the network's rate."""
        return cls(song if GRID * song % network == 0 else network, network)


class AudioSepView:
    """The network as the chunk loop calls it: at the song's rate, with one stem per condition.

    Unless `together`, channels run one after another: on the CPU a batch would take more memory and save no time.
    """

    def __init__(self, backend: Backend, conditions: Sequence[Shifts], rates: Rates, *, together: bool) -> None:
        self._backend = backend
        self._conditions = conditions
        self._rates = rates
        self._together = together

    def input_length(self, length: int) -> int:
        return length + 2 * CONTEXT_GRIDS * self._rates.grid

    def __call__(self, mix: Tensor) -> Tensor:
        channels = at_rate(mix.flatten(0, 1), self._rates.song, self._rates.network)[:, None]
        groups = [channels] if self._together else channels[:, None]
        stems = torch.cat([self._backend(group, self._conditions) for group in groups])
        samples = at_rate(stems.flatten(0, 1).float(), self._rates.network, self._rates.song)
        length = mix.shape[-1]
        exact = nn.functional.pad(samples, (0, length - samples.shape[-1]))  # pads or trims to the input's length
        return exact.reshape(*mix.shape[:2], -1, length).transpose(1, 2)


def at_rate(signals: Tensor, source_rate: int, target_rate: int) -> Tensor:
    """Resample (signals, samples)."""
    if source_rate == target_rate:
        return signals
    block = np.ascontiguousarray(signals.cpu().numpy().T)
    return torch.from_numpy(resampled(block, source_rate, target_rate).T.copy()).to(signals.device)


@dataclass(frozen=True)
class Lengths:
    """The length of chunks, and up to which length a song is processed as one chunk."""

    chunk_s: float
    whole_s: float

    def plan(self, total: int, rates: Rates) -> ChunkPlan:
        is_whole = total <= self.whole_s * rates.song
        chunk = total + rates.grid if is_whole else round(self.chunk_s * rates.song)
        plan = plan_on_grid(total, chunk=chunk, fade=0, grid=rates.grid)
        return replace(plan, settled=math.floor(self.whole_s * rates.song) + 1)


def lengths_of(request: AudioSepSeparate, longest_s: float | None) -> Lengths:
    """The lengths for a request, at most `longest_s`. A song no longer than a chunk with its context is one chunk.

    Requests that turn chunking on get chunks for any song longer than one.
    """
    if longest_s is not None:
        return Lengths(longest_s, longest_s)
    if request.use_chunk is False:
        return Lengths(ONE_PASS_S - 2 * CONTEXT_S, ONE_PASS_S)
    chunk_s = request.chunk_seconds or CHUNK_S
    return Lengths(chunk_s, chunk_s + 2 * CONTEXT_S if request.use_chunk == "auto" else chunk_s)
