"""Separation of what a text describes: the network and its text side, and how a song goes through them.

The network is mono and takes each channel by itself, at a rate of its own. It is a U-net, so chunks start on the grid of
its coarsest level and are shown all that can influence them, as far as the song goes; their sum is then what one pass
over the whole song gives. Everything else happens at the song's rate: only what the network hears is resampled, so that the
residual keeps what lies above that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from models.audiosep.resunet import FRAMES_MULTIPLE, HOP_SAMPLES, ResUNet30, ResUNet30Params, Shifts
from utils.audio.resampling import resampled
from utils.core.errors import ConfigInvalid
from utils.core.requests import AudioSepSeparate
from utils.engine.backends import Backend
from utils.engine.backends.torch import TorchBackend, for_inference, without_data
from utils.engine.pipeline.chunking import ChunkPlan, plan_on_grid
from utils.store.audiosep_models import AudioSepSource
from utils.store.checkpoints import assign, read_checkpoint, size_bytes, unwrap_state
from utils.store.network_config import read_plain

if TYPE_CHECKING:
    from models.audiosep.text import ClapText, TextEncoder

GRID = FRAMES_MULTIPLE * HOP_SAMPLES  # samples at the network's rate from one place of its coarsest level to the next
GRIDS_AROUND = 11  # how far the network looks: 3.52 s
AROUND_S = 3.52
CHUNK_S = 10.0
ONE_PASS_S = 30.0  # where a request would rather have no chunks; they are as long as that with what is around them
SECTIONS = ("data", "model")  # of a configuration


class AudioSepModel:
    """A loaded network, on its device, and its text side, which stays on the CPU."""

    def __init__(self, source: AudioSepSource, net: ResUNet30, texts: TextEncoder) -> None:
        self.source = source
        self.stems = source.stems
        self.backend: Backend = TorchBackend(net, net.separate)
        self.sample_rate = net.params.sample_rate
        self._film = net.film
        self._texts = texts
        self._device = "cpu"

    def size_bytes(self) -> int:
        return self.backend.size_bytes() + (size_bytes(self._texts.net) if self._device == "cpu" else 0)

    def move(self, device: str) -> None:
        self.backend.move(device)
        self._device = device

    def conditions(self, texts: Sequence[str]) -> list[Shifts]:
        """What each text makes of the network; worked out once for a whole song."""
        with torch.inference_mode():
            conditions: list[Shifts] = self._film(self._texts.embed(texts).to(self._device))
        return conditions


def load_audiosep(source: AudioSepSource, *, mapped: bool, allow_unsafe: bool) -> AudioSepModel:
    """Read a network and its text side. Raises `ConfigInvalid` or one of the checkpoint errors."""

    def fill(net: ResUNet30 | ClapText, path: Path) -> None:
        content = read_checkpoint(path, mapped=mapped, allow=net.PICKLED_WITH, allow_unsafe=allow_unsafe)
        assign(net, net.complete_state(unwrap_state(content, path)), path=path)
        for_inference(net)

    return AudioSepModel(source, _network(source, fill), _text_side(source, fill))


def _network(source: AudioSepSource, fill: Callable[[ResUNet30, Path], None]) -> ResUNet30:
    try:
        params = ResUNet30Params.from_config(read_plain(source.config, SECTIONS))
    except ValueError as error:
        raise ConfigInvalid(
            f"`{source.config.name}` does not describe an AudioSep network: {error}", field="config_path"
        ) from error
    with without_data():
        net = ResUNet30(params)
    fill(net, source.checkpoint)
    return net


def _text_side(source: AudioSepSource, fill: Callable[[ClapText, Path], None]) -> TextEncoder:
    from models.audiosep.text import TextEncoder

    try:
        return TextEncoder.from_files(source.clap, source.roberta, fill=fill, without_data=without_data)
    except (OSError, ValueError) as error:
        raise ConfigInvalid(f"`{source.roberta}` is no folder of RoBERTa: {error}", field="roberta_dir") from error


# A song ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rates:
    """The song's rate and the network's, and the grid in samples of each."""

    song: int
    network: int

    @property
    def grid(self) -> int:
        return GRID * self.song // self.network

    @classmethod
    def of(cls, song: int, network: int) -> Rates:
        """As they are; of a song with an odd rate, at which the grid is no whole number, the network's for both."""
        return cls(song if GRID * song % network == 0 else network, network)


class Interruptible(Sequence[Shifts]):
    """Conditions that a job which was cancelled stops at: a network may take seconds for each."""

    def __init__(self, conditions: Sequence[Shifts], checkpoint: Callable[[], None]) -> None:
        self._conditions = conditions
        self._checkpoint = checkpoint

    def __len__(self) -> int:
        return len(self._conditions)

    def __getitem__(self, index: Any) -> Any:
        self._checkpoint()
        return self._conditions[index]


class AudioSepView:
    """The network as the chunk loop sees it: at the song's rate, with a stem for each condition.

    On the CPU channels follow each other: together they would take more memory and no less time.
    """

    def __init__(self, backend: Backend, conditions: Sequence[Shifts], rates: Rates, *, together: bool) -> None:
        self._backend = backend
        self._conditions = conditions
        self._rates = rates
        self._together = together

    def input_length(self, length: int) -> int:
        return length + 2 * GRIDS_AROUND * self._rates.grid

    def __call__(self, mix: Tensor) -> Tensor:
        channels = at_rate(mix.flatten(0, 1), self._rates.song, self._rates.network)[:, None]
        groups = [channels] if self._together else channels[:, None]
        stems = torch.cat([self._backend(group, self._conditions) for group in groups])
        back = at_rate(stems.flatten(0, 1).float(), self._rates.network, self._rates.song)
        length = mix.shape[-1]
        whole = nn.functional.pad(back, (0, length - back.shape[-1]))  # to the sample, or cut to it
        return whole.reshape(*mix.shape[:2], -1, length).transpose(1, 2)


def at_rate(signals: Tensor, source_rate: int, target_rate: int) -> Tensor:
    """(signals, samples) at another rate."""
    if source_rate == target_rate:
        return signals
    block = np.ascontiguousarray(signals.cpu().numpy().T)
    return torch.from_numpy(resampled(block, source_rate, target_rate).T.copy()).to(signals.device)


@dataclass(frozen=True)
class Lengths:
    """How long chunks are, and up to what length a song is one chunk."""

    chunk_s: float
    whole_s: float

    def plan(self, total: int, rates: Rates) -> ChunkPlan:
        one = total <= self.whole_s * rates.song
        chunk = total + rates.grid if one else round(self.chunk_s * rates.song)
        return plan_on_grid(total, chunk=chunk, fade=0, grid=rates.grid)


def lengths_of(request: AudioSepSeparate, longest_s: float | None) -> Lengths:
    """A song that is no longer than what the network sees of a chunk becomes a single one, unless chunks are requested."""
    if longest_s is not None:
        return Lengths(longest_s, longest_s)
    if request.use_chunk is False:
        return Lengths(ONE_PASS_S - 2 * AROUND_S, ONE_PASS_S)
    chunk_s = request.chunk_seconds or CHUNK_S
    return Lengths(chunk_s, chunk_s + 2 * AROUND_S if request.use_chunk == "auto" else chunk_s)
