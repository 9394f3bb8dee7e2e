"""SCNet: separates by compressing three frequency bands unequally, and writes every stem's spectrogram.

Encoder levels shrink the bands along frequency (high bands most) and refine every row along time. Between encoder and
decoder, recurrent blocks run along frequency and along time, on the features and on their Fourier transform over time
in turn. The decoder mirrors the encoder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from itertools import pairwise
from math import ceil
from typing import Any, ClassVar, Self, cast

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody uses
from torch import Tensor, nn

from models.blocks.parts import SquareConv2d
from models.blocks.recurrent import kept_flat, run_recurrent
from models.blocks.sections import Section
from models.blocks.stft import Stft


@dataclass(frozen=True)
class ScnetParams:
    """The `model` section of a public configuration, with its names and defaults. Bands are listed from low to high."""

    sources: tuple[str, ...] = ("drums", "bass", "other", "vocals")
    audio_channels: int = 2
    dims: tuple[int, ...] = (4, 32, 64, 128)
    nfft: int = 4096
    hop_size: int = 1024
    win_size: int = 4096
    normalized: bool = True
    band_SR: tuple[float, ...] = (0.175, 0.392, 0.433)  # noqa: N815 - the configurations' spelling
    band_stride: tuple[int, ...] = (1, 4, 16)
    band_kernel: tuple[int, ...] = (3, 4, 16)
    conv_depths: tuple[int, ...] = (3, 2, 1)
    compress: float = 4
    conv_kernel: int = 3
    num_dplayer: int = 6
    expand: int = 1

    IGNORED: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        if len(self.dims) < 2 or self.dims[0] != 2 * self.audio_channels:  # noqa: PLR2004 - the input and one level
            raise ValueError(
                "`model.dims` must begin with twice `model.audio_channels`, followed by the width of each level."
            )
        for key in ("band_stride", "band_kernel", "conv_depths"):
            if len(getattr(self, key)) != len(self.band_SR):
                raise ValueError(f"`model.{key}` must have as many entries as `model.band_SR`, one for each band.")
        if any(kernel % stride for kernel, stride in zip(self.band_kernel, self.band_stride, strict=True)):
            raise ValueError("Each entry of `model.band_kernel` must be a multiple of the one in `model.band_stride`.")
        if self.num_dplayer % 2:
            raise ValueError("`model.num_dplayer` must be even: every Fourier transform needs its inverse.")
        if self.conv_kernel % 2 == 0:
            raise ValueError("`model.conv_kernel` must be odd, so that it has a middle.")
        if any(band.rows < 1 or band.shrunk_rows < 1 for level in plan_levels(self) for band in level):
            raise ValueError("`model.band_SR` leaves a band without frequencies at this `model.nfft`.")

    @classmethod
    def tiny(cls) -> Self:
        """Small enough for a test: two stems, two levels."""
        return cls(
            sources=("vocals", "other"), dims=(4, 8, 12), nfft=512, hop_size=128, win_size=512,
            band_stride=(1, 2, 4), band_kernel=(3, 2, 4), conv_depths=(2, 1, 1), num_dplayer=2,
        )  # fmt: skip

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """The parameters that a public configuration describes."""
        model = Section(config, "model")
        model.reject_unknown((field.name for field in fields(cls)), cls.IGNORED)
        return cls(**cls.values_in(model))

    @classmethod
    def values_in(cls, model: Section) -> dict[str, Any]:
        """The fields' values in the section `model`."""
        return {
            "sources": model.names("sources", cls.sources),
            "audio_channels": model.integer("audio_channels", cls.audio_channels),
            "dims": model.integers("dims", cls.dims),
            "nfft": model.integer("nfft", cls.nfft),
            "hop_size": model.integer("hop_size", cls.hop_size),
            "win_size": model.integer("win_size", cls.win_size),
            "normalized": model.switch("normalized", default=cls.normalized),
            "band_SR": model.numbers("band_SR", cls.band_SR),
            "band_stride": model.integers("band_stride", cls.band_stride),
            "band_kernel": model.integers("band_kernel", cls.band_kernel),
            "conv_depths": model.integers("conv_depths", cls.conv_depths),
            "compress": model.number("compress", cls.compress),
            "conv_kernel": model.integer("conv_kernel", cls.conv_kernel),
            "num_dplayer": model.integer("num_dplayer", cls.num_dplayer),
            "expand": model.integer("expand", cls.expand),
        }

    @property
    def channels(self) -> int:
        return self.audio_channels

    @property
    def outputs(self) -> int:
        return len(self.sources)


@dataclass(frozen=True)
class LevelBand:
    """One band of one level: its number of rows, and how they shrink."""

    rows: int
    kernel: int
    stride: int

    @property
    def padding(self) -> tuple[int, int]:
        """Rows of zeros before and after, so that a stride of 1 keeps the number of rows, and any other one divides it."""
        total = self.kernel - 1 if self.stride == 1 else -self.rows % self.stride
        return total // 2, total - total // 2

    @property
    def shrunk_rows(self) -> int:
        return (self.rows + sum(self.padding) - self.kernel) // self.stride + 1


def plan_levels(params: ScnetParams) -> Iterator[tuple[LevelBand, ...]]:
    """The bands of each encoder level, from the spectrogram inwards."""
    rows = params.nfft // 2 + 1
    for _ in params.dims[1:]:
        edges = [0, *(ceil(rows * sum(params.band_SR[:band])) for band in range(1, len(params.band_SR))), rows]
        heights = [upper - lower for lower, upper in pairwise(edges)]
        bands = tuple(map(LevelBand, heights, params.band_kernel, params.band_stride))
        yield bands
        rows = sum(band.shrunk_rows for band in bands)


class Scnet(nn.Module):
    """The network. Spectrograms are (batch, channels, frequency, time) outside of the separation part."""

    WINDOW: ClassVar[Callable[..., Tensor]] = torch.ones

    def __init__(self, params: ScnetParams) -> None:
        super().__init__()
        self.params = params
        self.stft = Stft(
            params.nfft, params.hop_size, params.win_size, normalized=params.normalized, window=self.WINDOW
        )
        levels = list(plan_levels(params))
        widths = list(pairwise(params.dims))
        outputs = [params.dims[0] * len(params.sources), *params.dims[1:-1]]
        self.encoder = nn.ModuleList(
            EncoderLevel(*pair, bands, params) for pair, bands in zip(widths, levels, strict=True)
        )
        self.separation_net = SeparationNet(params, self._dual_paths(params))
        self.decoder = nn.ModuleList(
            nn.ModuleList((Fusion(width), Expansion(width, output, bands)))
            for width, output, bands in reversed(list(zip(params.dims[1:], outputs, levels, strict=True)))
        )

    def forward(self, mix: Tensor, stems: Sequence[int] | None = None) -> Tensor:
        """(batch, channels, samples) to (batch, stems, channels, samples). `stems` are the indices of the heads to run."""
        samples = mix.shape[-1]
        padded = F.pad(mix, (0, self._missing_samples(samples)))
        estimates: Tensor = self.stft.inverse(self._estimate(self.stft(padded), stems), padded.shape[-1])
        return estimates[..., :samples]

    def _dual_paths(self, params: ScnetParams) -> Callable[[int], nn.Module]:
        """The function that makes a block of the separation part, given its width."""
        return partial(DualPath, expand=params.expand)

    def _estimate(self, parts: Tensor, stems: Sequence[int] | None) -> Tensor:
        """(batch, channels, bins, frames, 2) to (batch, stems, channels, bins, frames, 2): the spectra themselves."""
        features = parts.permute(0, 1, 4, 2, 3).flatten(1, 2)
        return self._split_stems(self._separate(features, self._kept_channels(stems)))

    def _split_stems(self, spectra: Tensor) -> Tensor:
        shape = (-1, self.params.audio_channels, 2)
        return torch.unflatten(spectra, 1, shape).permute(0, 1, 2, 4, 5, 3)

    def _missing_samples(self, samples: int) -> int:
        """The padding to an even number of frames: one sample to two hops, or more if reflection needs it."""
        hops = max(samples // self.params.hop_size + 1, self.params.nfft // 2 // self.params.hop_size + 1)
        return (hops + (hops + 1) % 2) * self.params.hop_size - samples

    def _kept_channels(self, stems: Sequence[int] | None) -> list[int] | None:
        """The channels of the last layer that belong to these stems."""
        if stems is None:
            return None
        width = self.params.dims[0]
        return [channel for stem in stems for channel in range(stem * width, (stem + 1) * width)]

    def _separate(self, features: Tensor, kept_channels: list[int] | None) -> Tensor:
        skips = []
        for encode in self.encoder:
            features, skip = encode(features)
            skips.append(skip)
        features = self.separation_net(features)
        for level in self.decoder:
            fuse, expand = cast("tuple[Fusion, Expansion]", tuple(cast("nn.ModuleList", level)))
            fused = fuse(features, skips.pop())
            features = expand(fused, None if skips else kept_channels)
        return features


# Encoder ---------------------------------------------------------------------------------------------------------------


class EncoderLevel(nn.Module):
    """One level: shrink each band along frequency, refine its rows along time, then mix all bands."""

    def __init__(self, inputs: int, outputs: int, bands: Sequence[LevelBand], params: ScnetParams) -> None:
        super().__init__()
        self.SDlayer = Shrinking(inputs, outputs, bands)
        self.conv_modules = nn.ModuleList(RowRefiner(outputs, depth, params) for depth in params.conv_depths)
        self.globalconv = SquareConv2d(outputs, outputs, bias=True)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The features for the next level, and those for the decoder."""
        bands = zip(self.conv_modules, self.SDlayer(features), strict=True)
        skip = torch.cat([refine(band) for refine, band in bands], dim=2)
        return self.globalconv(skip), skip


class Shrinking(nn.Module):
    """A convolution along frequency for each band."""

    def __init__(self, inputs: int, outputs: int, bands: Sequence[LevelBand]) -> None:
        super().__init__()
        self.bands = tuple(bands)
        self.convs = nn.ModuleList(
            nn.Conv2d(inputs, outputs, (band.kernel, 1), (band.stride, 1)) for band in self.bands
        )

    def forward(self, features: Tensor) -> list[Tensor]:
        parts = torch.split(features, [band.rows for band in self.bands], dim=2)
        bands = zip(self.convs, parts, self.bands, strict=True)
        return [conv(F.pad(part, (0, 0, *band.padding))) for conv, part, band in bands]


class RowRefiner(nn.Module):
    """Residual convolutions along time, on each frequency row by itself."""

    def __init__(self, width: int, depth: int, params: ScnetParams) -> None:
        super().__init__()
        narrow = int(width / params.compress)
        self.layers = nn.ModuleList(row_layers(width, narrow, params.conv_kernel) for _ in range(depth))

    def forward(self, band: Tensor) -> Tensor:
        rows = band.transpose(1, 2).flatten(0, 1)
        for layer in self.layers:
            rows = rows + layer(rows)
        return torch.unflatten(F.gelu(rows), 0, (len(band), -1)).transpose(1, 2)


def row_layers(width: int, narrow: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.GroupNorm(1, width),
        nn.Conv1d(width, 2 * narrow, kernel, padding=kernel // 2),
        nn.GLU(dim=1),
        nn.Conv1d(narrow, narrow, kernel, padding=kernel // 2, groups=narrow),
        nn.GroupNorm(1, narrow),
        nn.SiLU(),
        nn.Conv1d(narrow, width, 1),
    )


# Separation -------------------------------------------------------------------------------------------------------


class SeparationNet(nn.Module):
    """Dual-path blocks. Every second one runs on the Fourier transform over time of the previous one's output."""

    def __init__(self, params: ScnetParams, dual_path: Callable[[int], nn.Module]) -> None:
        super().__init__()
        width = params.dims[-1]
        self.dp_modules = nn.ModuleList(dual_path(width * (1 + block % 2)) for block in range(params.num_dplayer))

    def forward(self, features: Tensor) -> Tensor:
        frames = features.shape[-1]
        sequence = features.permute(2, 0, 3, 1)
        for block, dual_path in enumerate(self.dp_modules):
            sequence = dual_path(sequence)
            sequence = from_time_spectrum(sequence, frames) if block % 2 else to_time_spectrum(sequence)
        return sequence.permute(1, 3, 0, 2)


class DualPath(nn.Module):
    """A recurrent layer along frequency, then one along time. Index 0 of each list is for frequency.

    Features are (frequency, batch, time, channels) here: the layout of recurrent kernels, so that only swapping
    frequency and time moves data.
    """

    def __init__(self, width: int, expand: int) -> None:
        super().__init__()
        self.lstm_layers = nn.ModuleList(
            kept_flat(nn.LSTM(width, width * expand, bidirectional=True)) for _ in range(2)
        )
        self.linear_layers = nn.ModuleList(nn.Linear(2 * width * expand, width) for _ in range(2))
        self.norm_layers = nn.ModuleList(WholeNorm(width) for _ in range(2))

    def forward(self, features: Tensor) -> Tensor:
        for norm, lstm, linear in zip(self.norm_layers, self.lstm_layers, self.linear_layers, strict=True):
            sequences = norm(features).flatten(1, 2)
            features = features + linear(run_recurrent(lstm, sequences)).view_as(features)
            features = features.transpose(0, 2).contiguous()
        return features


class WholeNorm(nn.GroupNorm):
    """Normalises each example as a whole; features are (…, batch, …, channels) with the batch second.

    The same as a group norm with one group, whose kernels would use only one core for a single example.
    """

    def __init__(self, width: int) -> None:
        super().__init__(1, width)

    def forward(self, features: Tensor) -> Tensor:
        centred = features - features.mean((0, 2, 3), keepdim=True, dtype=torch.float32)
        variance = centred.square().mean((0, 2, 3), keepdim=True)
        return torch.addcmul(self.bias, centred, self.weight * torch.rsqrt(variance + self.eps))


def to_time_spectrum(features: Tensor) -> Tensor:
    """(frequency, batch, time, channels) to the half spectrum over time; real and imaginary parts are channels."""
    spectrum = torch.fft.rfft(features.float(), dim=2, norm="ortho")
    return torch.cat((spectrum.real, spectrum.imag), dim=-1)


def from_time_spectrum(features: Tensor, frames: int) -> Tensor:
    """The reverse of `to_time_spectrum`."""
    real, imaginary = features.float().chunk(2, dim=-1)
    signal: Tensor = torch.fft.irfft(torch.complex(real, imaginary), n=frames, dim=2, norm="ortho")
    return signal


# Decoder ----------------------------------------------------------------------------------------------------------


class Fusion(nn.Module):
    """Joins the encoder's features of the same level."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = SquareConv2d(2 * width, 2 * width, bias=True)

    def forward(self, features: Tensor, skip: Tensor) -> Tensor:
        # The layer sees the sum twice, once for each half of its weights. Adding the halves saves half of the work.
        first, second = self.conv.weight.chunk(2, dim=1)
        return F.glu(self.conv.convolved(features + skip, first + second), dim=1)


class Expansion(nn.Module):
    """A transposed convolution along frequency for each band, cut to the rows that the band had before it shrank."""

    def __init__(self, inputs: int, outputs: int, bands: Sequence[LevelBand]) -> None:
        super().__init__()
        self.bands = tuple(bands)
        self.convtrs = nn.ModuleList(
            nn.ConvTranspose2d(inputs, outputs, (band.kernel, 1), (band.stride, 1)) for band in self.bands
        )

    def forward(self, features: Tensor, kept_channels: list[int] | None = None) -> Tensor:
        parts = torch.split(features, [band.shrunk_rows for band in self.bands], dim=2)
        bands = zip(self.convtrs, parts, self.bands, strict=True)
        return torch.cat([expand_band(conv, part, band, kept_channels) for conv, part, band in bands], dim=2)


def expand_band(conv: nn.Module, part: Tensor, band: LevelBand, kept_channels: list[int] | None) -> Tensor:
    """One band with as many rows as before it shrank, and only the channels to keep."""
    weight, bias = cast("Tensor", conv.weight), cast("Tensor", conv.bias)
    if kept_channels is not None:
        weight, bias = weight[:, kept_channels], bias[kept_channels]
    expanded = F.conv_transpose2d(part, weight, bias, (band.stride, 1))
    return expanded.narrow(2, (expanded.shape[2] - band.rows) // 2, band.rows)
