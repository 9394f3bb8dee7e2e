"""Demucs as its first two versions had it: a U-net on the samples themselves, with recurrent layers at its bottom.

Its convolutions reach no further than the samples that they are given, so that each layer is shorter than what it comes
from would allow. The input is padded with silence until the output has its length.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody uses
from julius import resample_frac
from torch import Tensor, nn

from models.blocks.demucs_layers import in_parts
from models.blocks.recurrent import kept_flat, run_recurrent
from models.blocks.sections import LARGEST, Section

COUNTS = ("audio_channels", "depth", "kernel_size", "stride", "context", "lstm_layers")


@dataclass(frozen=True, kw_only=True)
class DemucsV2Params:
    """The options with their names, but for `width`: the channels of the outermost layer, which files call `channels`.

    The first version works at the rate of the song, the second at twice that (`resample`).
    """

    sources: tuple[str, ...] = ("drums", "bass", "other", "vocals")
    audio_channels: int = 2
    width: int = 64
    depth: int = 6
    growth: float = 2.0
    kernel_size: int = 8
    stride: int = 4
    context: int = 3
    lstm_layers: int = 2
    resample: bool = True

    def __post_init__(self) -> None:
        if self.kernel_size < self.stride:
            raise ValueError("`model.kernel_size` must be at least `model.stride`, or samples are left out.")
        if self.stride**self.depth > LARGEST:
            raise ValueError("`model.depth` is larger than any song is long, with this `model.stride`.")
        if self.growth < 1 or self.width * self.growth**self.depth > LARGEST:
            raise ValueError(f"`model.growth` must be at least 1, and lead to no more than {LARGEST} channels.")

    @classmethod
    def tiny(cls) -> DemucsV2Params:
        """Small enough for a test: two stems."""
        return cls(sources=("vocals", "other"), width=8, depth=3, lstm_layers=1)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> DemucsV2Params:
        """The parameters that a configuration describes."""
        model = Section(config, "model")
        model.reject_unknown((*COUNTS, "sources", "channels", "growth", "resample"))
        return cls(
            sources=model.names("sources", cls.sources),
            width=model.integer("channels", cls.width),
            growth=model.number("growth", cls.growth),
            resample=model.switch("resample", default=cls.resample),
            **{key: model.integer(key, getattr(cls, key)) for key in COUNTS},
        )

    @property
    def channels(self) -> int:
        return self.audio_channels

    @property
    def outputs(self) -> int:
        return len(self.sources)

    def padded(self, samples: int) -> int:
        """The length of input from which at least that many samples come out, and no layer leaves any over."""
        length = 2 * samples if self.resample else samples
        for _ in range(self.depth):
            length = max(1, math.ceil((length - self.kernel_size) / self.stride) + 1) + self.context - 1
        for _ in range(self.depth):
            length = (length - 1) * self.stride + self.kernel_size
        return math.ceil(length / 2) if self.resample else length


class DemucsV2(nn.Module):
    """The network with the keys of public checkpoints."""

    def __init__(self, params: DemucsV2Params) -> None:
        super().__init__()
        self.params = params
        widths = [params.audio_channels]
        for _ in range(params.depth):
            widths.append(params.width if len(widths) == 1 else int(params.growth * widths[-1]))
        outputs = [params.outputs * params.audio_channels, *widths[1:-1]]
        taps = (params.kernel_size, params.stride)
        self.encoder = nn.ModuleList(
            nn.Sequential(nn.Conv1d(outer, inner, *taps), nn.ReLU(), nn.Conv1d(inner, 2 * inner, 1), nn.GLU(dim=1))
            for outer, inner in pairwise(widths)
        )
        decoder = [
            nn.Sequential(
                nn.Conv1d(inner, 2 * inner, params.context), nn.GLU(dim=1), nn.ConvTranspose1d(inner, outer, *taps)
            )
            for inner, outer in zip(widths[1:], outputs, strict=True)
        ]
        for layers in decoder[1:]:
            layers.append(nn.ReLU())
        self.decoder = nn.ModuleList(reversed(decoder))
        self.lstm = nn.ModuleDict(
            {
                "lstm": kept_flat(nn.LSTM(widths[-1], widths[-1], params.lstm_layers, bidirectional=True)),
                "linear": nn.Linear(2 * widths[-1], widths[-1]),
            }
        )
        in_parts(self)

    def forward(self, mix: Tensor, stems: Sequence[int] | None = None) -> Tensor:
        """(batch, channels, samples) to (batch, stems, channels, samples). All stems are computed in any case."""
        samples = mix.shape[-1]
        missing = self.params.padded(samples) - samples
        features = F.pad(mix, (missing // 2, missing - missing // 2))
        if self.params.resample:
            features = _resampled(features, 1, 2)
        skips = []
        for encode in self.encoder:
            features = encode(features)
            skips.append(features)
        frames = run_recurrent(self.lstm["lstm"], features.permute(2, 0, 1))
        features = self.lstm["linear"](frames).permute(1, 2, 0)
        for decode in self.decoder:
            features = decode(features + _middle(skips.pop(), features.shape[-1]))
        estimates = features.unflatten(1, (self.params.outputs, self.params.channels))
        if stems is not None:
            estimates = estimates[:, list(stems)]
        if self.params.resample:
            estimates = _resampled(estimates, 2, 1)
        return _middle(estimates, samples).float()


def _resampled(signal: Tensor, old: int, new: int) -> Tensor:
    """In single precision: rounding would be heard as noise."""
    with torch.autocast(signal.device.type, enabled=False):
        resampled: Tensor = resample_frac(signal.float(), old, new)
    return resampled


def _middle(signal: Tensor, length: int) -> Tensor:
    return signal.narrow(-1, (signal.shape[-1] - length) // 2, length)
