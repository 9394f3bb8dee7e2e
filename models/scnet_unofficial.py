"""SCNet as somebody else wrote it from its paper: the same idea, with other keys and a simpler network.

Levels shrink the bands along frequency by keeping one row of several, fuse along frequency only, and the recurrent layers
between encoder and decoder have nothing beside them: what they put out is all that goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import accumulate, pairwise
from typing import Any, cast

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody uses
from torch import Tensor, nn

from models.blocks.recurrent import kept_flat, run_recurrent
from models.blocks.sections import Section
from models.blocks.stft import Stft
from models.scnet import row_layers

MAMBA = ("d_state", "d_conv", "d_expand")  # options of layers that no public network has
SHRINKING, CONV_KERNEL = 4, 3


@dataclass(frozen=True)
class ScnetUnofficialParams:
    """The `model` section of the published configuration, with its names and values. Bands are listed from low to high."""

    dims: tuple[int, ...] = (4, 32, 64, 128)
    bandsplit_ratios: tuple[float, ...] = (0.175, 0.392, 0.433)
    downsample_strides: tuple[int, ...] = (1, 4, 16)
    n_conv_modules: tuple[int, ...] = (3, 2, 1)
    n_rnn_layers: int = 6
    rnn_hidden_dim: int = 128
    n_sources: int = 4
    n_fft: int = 4096
    hop_length: int = 1024
    win_length: int = 4096
    stft_normalized: bool = False

    def __post_init__(self) -> None:
        if len(self.dims) < 2 or self.dims[0] % 2:  # noqa: PLR2004 - the input and one level
            raise ValueError("`model.dims` must begin with twice the channels, followed by the width of each level.")
        if any(width < SHRINKING for width in self.dims[1:]):
            raise ValueError(f"Each width in `model.dims` must be at least {SHRINKING}.")
        for key in ("downsample_strides", "n_conv_modules"):
            if len(getattr(self, key)) != len(self.bandsplit_ratios):
                raise ValueError(f"`model.{key}` must have as many entries as `model.bandsplit_ratios`.")
        if list(accumulate(self.bandsplit_ratios))[-1] != 1:
            raise ValueError("The sum of `model.bandsplit_ratios` must be 1.")
        if self.n_rnn_layers % 2:
            raise ValueError("`model.n_rnn_layers` must be even: every Fourier transform needs its inverse.")
        if self.win_length > self.n_fft:
            raise ValueError("`model.win_length` must not exceed `model.n_fft`.")
        if any(band.rows < 1 for level in plan_levels(self) for band in level):
            raise ValueError("`model.bandsplit_ratios` leaves a band without frequencies at this `model.n_fft`.")

    @classmethod
    def tiny(cls) -> ScnetUnofficialParams:
        """Small enough for a test: two stems, two levels."""
        return cls(
            dims=(4, 8, 12), downsample_strides=(1, 2, 4), n_conv_modules=(2, 1, 1), n_rnn_layers=2, rnn_hidden_dim=12,
            n_sources=2, n_fft=512, hop_length=128, win_length=512,
        )  # fmt: skip

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> ScnetUnofficialParams:
        """The parameters that a public configuration describes."""
        model = Section(config, "model")
        model.reject_unknown((field.name for field in fields(cls)), ("use_mamba", *MAMBA))
        if model.switch("use_mamba", default=False):
            raise ValueError("`model.use_mamba` must be false: such layers are not supported.")
        lists = ("dims", "downsample_strides", "n_conv_modules")
        sizes = ("n_rnn_layers", "rnn_hidden_dim", "n_sources", "n_fft", "hop_length", "win_length")
        values: dict[str, Any] = {key: model.integers(key, getattr(cls, key)) for key in lists}
        values |= {key: model.integer(key, getattr(cls, key)) for key in sizes}
        return cls(
            **values,
            bandsplit_ratios=model.numbers("bandsplit_ratios", cls.bandsplit_ratios),
            stft_normalized=model.switch("stft_normalized", default=cls.stft_normalized),
        )

    @property
    def channels(self) -> int:
        return self.dims[0] // 2

    @property
    def outputs(self) -> int:
        return self.n_sources


@dataclass(frozen=True)
class CutBand:
    """One band of one level: its number of rows, of which every `stride`-th is kept."""

    rows: int
    stride: int

    @property
    def kept_rows(self) -> int:
        return (self.rows - 1) // self.stride + 1

    @property
    def rows_after_last(self) -> int:
        return self.rows - 1 - (self.kept_rows - 1) * self.stride


def plan_levels(params: ScnetUnofficialParams) -> Iterator[tuple[CutBand, ...]]:
    """The bands of each level, from the spectrogram inwards."""
    rows = params.n_fft // 2 + 1
    for _ in params.dims[1:]:
        edges = [int(edge * rows) for edge in accumulate(params.bandsplit_ratios, initial=0)]
        heights = [upper - lower for lower, upper in pairwise(edges)]
        bands = tuple(map(CutBand, heights, params.downsample_strides))
        yield bands
        rows = sum(band.kept_rows for band in bands)


class ScnetUnofficial(nn.Module):
    """The network. Spectrograms are (batch, channels, frequency, time) outside of the recurrent layers."""

    def __init__(self, params: ScnetUnofficialParams) -> None:
        super().__init__()
        self.params = params
        self.stft = Stft(params.n_fft, params.hop_length, params.win_length, normalized=params.stft_normalized)
        levels = list(zip(pairwise(params.dims), plan_levels(params), strict=True))
        self.sd_blocks = nn.ModuleList(LevelEncoder(*widths, bands, params.n_conv_modules) for widths, bands in levels)
        self.dualpath_blocks = DualPaths(params)
        outputs = [params.dims[0] * params.n_sources, *params.dims[1:-1]]
        self.su_blocks = nn.ModuleList(
            LevelDecoder(inner, output, bands)
            for ((_, inner), bands), output in reversed(list(zip(levels, outputs, strict=True)))
        )

    def forward(self, mix: Tensor, stems: Sequence[int] | None = None) -> Tensor:
        """(batch, channels, samples) to (batch, stems, channels, samples). `stems` are the indices of the heads to run."""
        samples = mix.shape[-1]
        parts = self.stft(F.pad(mix, (0, self._padded(samples) - samples)))
        features = parts.permute(0, 1, 4, 2, 3).flatten(1, 2)
        skips = []
        for encode in self.sd_blocks:
            features, skip = encode(features)
            skips.append(skip)
        features = self.dualpath_blocks(features)
        for decode in self.su_blocks:
            skip = skips.pop()
            features = decode(features, skip, None if skips else self._kept_channels(stems))
        spectra = torch.unflatten(features, 1, (self.params.channels, 2, -1)).permute(0, 3, 1, 4, 5, 2)
        estimates: Tensor = self.stft.inverse(spectra, self._padded(samples))
        return estimates[..., :samples]

    def _padded(self, samples: int) -> int:
        """The number of samples with silence behind them, one sample to one hop of it, or more if reflection needs that."""
        hop = self.params.hop_length
        return max(samples // hop + 1, self.params.n_fft // 2 // hop + 1) * hop

    def _kept_channels(self, stems: Sequence[int] | None) -> list[int] | None:
        """The channels of the last layer that belong to these stems; those of a stem lie apart."""
        if stems is None:
            return None
        every = range(self.params.n_sources)
        return [part * len(every) + every[stem] for part in range(self.params.dims[0]) for stem in stems]


class LevelEncoder(nn.Module):
    """One level: keep some rows of each band, refine them along time, then mix their channels."""

    def __init__(self, inputs: int, outputs: int, bands: Sequence[CutBand], depths: Sequence[int]) -> None:
        super().__init__()
        self.bands = tuple(bands)
        self.sd_layers = nn.ModuleList(
            BandEncoder(inputs, outputs, band.stride, depth) for band, depth in zip(bands, depths, strict=True)
        )
        self.global_conv2d = nn.Conv2d(outputs, outputs, 1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The features for the next level, and those for the decoder."""
        parts = torch.split(features, [band.rows for band in self.bands], dim=2)
        skip = torch.cat([layer(part) for layer, part in zip(self.sd_layers, parts, strict=True)], dim=2)
        return self.global_conv2d(skip), skip


class BandEncoder(nn.Module):
    """One band of one level."""

    def __init__(self, inputs: int, outputs: int, stride: int, depth: int) -> None:
        super().__init__()
        self.downsample = nn.ModuleDict({"conv": nn.Conv2d(inputs, outputs, 1, (stride, 1))})
        narrow = outputs // SHRINKING
        self.conv_modules = nn.ModuleList(
            nn.ModuleDict({"sequential": row_layers(outputs, narrow, CONV_KERNEL)}) for _ in range(depth)
        )

    def forward(self, band: Tensor) -> Tensor:
        kept = F.gelu(self.downsample["conv"](band))
        rows = kept.transpose(1, 2).flatten(0, 1)
        for module in self.conv_modules:
            rows = rows + cast("nn.ModuleDict", module)["sequential"](rows)
        return torch.unflatten(rows, 0, (len(band), -1)).transpose(1, 2)


class DualPaths(nn.Module):
    """Recurrent layers along time and along frequency, in turn on the features and on their Fourier transform over time."""

    def __init__(self, params: ScnetUnofficialParams) -> None:
        super().__init__()
        sizes = [(params.dims[-1] * scale, params.rnn_hidden_dim * scale) for scale in (1, 2)]
        self.layers = nn.ModuleList(
            nn.ModuleList(SequenceLayer(*sizes[number % 2]) for _ in range(2)) for number in range(params.n_rnn_layers)
        )

    def forward(self, features: Tensor) -> Tensor:
        frames = features.shape[-1]
        sequence = features.permute(3, 0, 2, 1)  # (time, batch, frequency, channels)
        for number, layer in enumerate(self.layers):
            along_time, along_frequency = cast("nn.ModuleList", layer)
            rows = along_time(sequence).transpose(0, 2)
            rows = along_frequency(rows)
            rows = _from_spectrum(rows, frames) if number % 2 else _to_spectrum(rows)
            sequence = rows.transpose(0, 2)
        return sequence.permute(1, 3, 2, 0)


class SequenceLayer(nn.Module):
    """A recurrent layer along the first axis of (length, …, channels), of which each sequence is normalised by itself."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.groupnorm = nn.GroupNorm(1, width)
        self.rnn = kept_flat(nn.LSTM(width, hidden, bidirectional=True))
        self.fc = nn.Linear(2 * hidden, width)

    def forward(self, features: Tensor) -> Tensor:
        sequences = features.flatten(1, 2)
        normed = self.groupnorm(sequences.permute(1, 2, 0)).permute(2, 0, 1).contiguous()
        result: Tensor = self.fc(run_recurrent(self.rnn, normed))
        return result.view_as(features)


def _to_spectrum(rows: Tensor) -> Tensor:
    """(frequency, batch, time, channels) to the half spectrum over time; the real and imaginary parts of a channel are neighbours."""
    return torch.view_as_real(torch.fft.rfft(rows.float(), dim=2)).flatten(-2)


def _from_spectrum(rows: Tensor, frames: int) -> Tensor:
    """The reverse of `_to_spectrum`."""
    parts = torch.unflatten(rows.float(), -1, (-1, 2))
    signal: Tensor = torch.fft.irfft(torch.complex(parts[..., 0], parts[..., 1]), n=frames, dim=2)
    return signal


class LevelDecoder(nn.Module):
    """One level: join the encoder's features of the same level, and give each band its rows again."""

    def __init__(self, inputs: int, outputs: int, bands: Sequence[CutBand]) -> None:
        super().__init__()
        self.bands = tuple(bands)
        self.fusion_layer = nn.ModuleDict({"conv": nn.Conv2d(2 * inputs, 2 * inputs, (3, 1), padding=(1, 0))})
        self.su_layers = nn.ModuleList(
            nn.ModuleDict(
                {"upsample": nn.ModuleDict({"conv": nn.ConvTranspose2d(inputs, outputs, 1, (band.stride, 1))})}
            )
            for band in bands
        )

    def forward(self, features: Tensor, skip: Tensor, kept_channels: list[int] | None) -> Tensor:
        # The layer sees the sum twice, once for each half of its weights. Adding the halves saves half of the work.
        fusion = cast("nn.Conv2d", self.fusion_layer["conv"])
        first, second = fusion.weight.chunk(2, dim=1)
        fused = F.glu(F.conv2d(features + skip, first + second, fusion.bias, padding=(1, 0)), dim=1)
        parts = torch.split(fused, [band.kept_rows for band in self.bands], dim=2)
        bands = zip(self.su_layers, parts, self.bands, strict=True)
        return torch.cat([_expanded(layer, part, band, kept_channels) for layer, part, band in bands], dim=2)


def _expanded(layer: nn.Module, part: Tensor, band: CutBand, kept_channels: list[int] | None) -> Tensor:
    """One band with all its rows, and only the channels to keep."""
    conv = cast("nn.ConvTranspose2d", cast("nn.ModuleDict", cast("nn.ModuleDict", layer)["upsample"])["conv"])
    weight, bias = conv.weight, cast("Tensor", conv.bias)
    if kept_channels is not None:
        weight, bias = weight[:, kept_channels], bias[kept_channels]
    return F.conv_transpose2d(part, weight, bias, (band.stride, 1), output_padding=(band.rows_after_last, 0))
