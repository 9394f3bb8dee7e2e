"""MaskUnet: a small U-net over loudness that gives each stem its share of every frequency.

Its input is the loudness of left, right, their sum and their difference, never phases; its output is shares that add up
to one. So the stems always add up to the mix, and unfamiliar sounds still go somewhere sensible. High frequencies are
grouped in bands, where hearing is coarse too. It is the network to train with little computing power; phases, and with
them the last decibels, are left to larger networks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody uses
from torch import Tensor, nn

from models.blocks.sections import Section, output_names
from models.blocks.stft import Stft

MODEL_KEYS = ("fine_bins", "band_bins", "fold", "widths", "blocks", "dense_from", "dense_shrink")
CHANNELS = 2
VIEWS = 4  # left, right, sum, difference
QUIET = 1e-12  # energy
LOUDNESS = 8.0  # where loudness turns from proportional to logarithmic


@dataclass(frozen=True)
class MaskUnetParams:
    """The sizes. The lowest `fine_bins` bins are kept, those above are grouped in bands of `band_bins`; `fold` neighbours
    along frequency become one row of the U-net, whose levels have `widths` channels.
    """

    n_fft: int
    hop_samples: int
    num_stems: int
    fine_bins: int
    band_bins: int
    widths: tuple[int, ...]
    fold: int = 2
    blocks: int = 1  # on each level, on the way down and on the way up
    dense_from: int = 2  # the first level with `Dense` layers
    dense_shrink: int = 4

    def __post_init__(self) -> None:
        if self.fine_bins + self.band_bins * self.bands != self.n_fft // 2:
            raise ValueError("`model.band_bins` must divide the bins above `model.fine_bins`.")
        if self.rows % (self.fold * 2 ** (len(self.widths) - 1)):
            raise ValueError("`model.widths` has too many levels for these bins and bands.")

    @classmethod
    def tiny(cls) -> MaskUnetParams:
        """Small enough for a test: four stems, three levels."""
        return cls(
            n_fft=256, hop_samples=64, num_stems=4, fine_bins=32, band_bins=6, widths=(4, 6, 8), dense_from=1
        )  # fmt: skip

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> MaskUnetParams:
        """The parameters that a configuration describes."""
        audio, model = Section(config, "audio"), Section(config, "model")
        model.reject_unknown(MODEL_KEYS)
        return cls(
            n_fft=audio.integer("n_fft"),
            hop_samples=audio.integer("hop_length"),
            num_stems=len(output_names(config)),
            fine_bins=model.integer("fine_bins"),
            band_bins=model.integer("band_bins"),
            widths=tuple(model.integers("widths")),
            fold=model.integer("fold", 2),
            blocks=model.integer("blocks", 1),
            dense_from=model.integer("dense_from", 2),
            dense_shrink=model.integer("dense_shrink", 4),
        )

    @property
    def channels(self) -> int:
        return CHANNELS

    @property
    def outputs(self) -> int:
        return self.num_stems

    @property
    def bands(self) -> int:
        return (self.n_fft // 2 - self.fine_bins) // self.band_bins

    @property
    def rows(self) -> int:
        """The distinct frequencies: bins, then bands."""
        return self.fine_bins + self.bands

    @property
    def heights(self) -> list[int]:
        """The frequencies of each level."""
        return [self.rows // self.fold >> level for level in range(len(self.widths))]


class MaskUnet(nn.Module):
    """The network. It takes stereo audio of any length."""

    def __init__(self, params: MaskUnetParams) -> None:
        super().__init__()
        self.params = params
        self.stft = Stft(params.n_fft, params.hop_samples)
        levels = list(enumerate(zip(params.widths, params.heights, strict=True)))
        first, last = params.widths[0], len(levels) - 1
        self.norm = nn.BatchNorm1d(params.rows * VIEWS)
        self.enter = nn.Conv2d(params.fold * VIEWS, first, 3, padding=1)
        self.down = nn.ModuleList(_level(params, level, *sizes) for level, sizes in levels)
        self.shrink = nn.ModuleList(
            nn.Conv2d(narrow, wide, 2, stride=2) for narrow, wide in zip(params.widths, params.widths[1:], strict=False)
        )
        self.grow = nn.ModuleList(
            nn.Conv2d(wide, narrow, 1) for narrow, wide in zip(params.widths, params.widths[1:], strict=False)
        )
        self.up = nn.ModuleList(_level(params, level, *sizes) for level, sizes in levels[:last])
        self.leave = nn.Conv2d(first, params.fold * params.num_stems * CHANNELS, 1)

    def forward(self, mix: Tensor, stems: Sequence[int] | None = None) -> Tensor:
        """(batch, 2, samples) to (batch, stems, 2, samples). `stems` are the indices of those to return."""
        samples = mix.shape[-1]
        padded = max(samples, self.params.n_fft // 2 + 1)  # what reflection needs
        spectrum = self.stft(F.pad(mix, (0, padded - samples)))
        masks = self.masks(spectrum)
        if stems is not None:
            masks = masks[:, list(stems)]
        return self.stft.inverse(masks[..., None] * spectrum[:, None], padded)[..., :samples]

    def masks(self, spectrum: Tensor) -> Tensor:
        """(batch, 2, bins, frames, 2) to each stem's share of it, (batch, stems, 2, bins, frames)."""
        shares = self.shares(spectrum)
        fine, bands = torch.split(shares, [self.params.fine_bins, self.params.bands], dim=2)
        spread = bands.repeat_interleave(self.params.band_bins, dim=2)
        return torch.cat((fine, spread, bands[:, :, -1:]), dim=2).permute(0, 3, 4, 2, 1)

    def shares(self, spectrum: Tensor) -> Tensor:
        """The same before it is spread to bins: (batch, frames, rows, stems, channels)."""
        return self._shares(self._views(spectrum))[:, : spectrum.shape[-2]].float()

    def rows(self, energy: Tensor) -> Tensor:
        """(..., bins, frames) summed up to (..., rows, frames). The highest bin is left out."""
        fine, high = energy[..., : self.params.n_fft // 2, :].tensor_split((self.params.fine_bins,), dim=-2)
        return torch.cat(
            (fine, torch.unflatten(high, -2, (self.params.bands, self.params.band_bins)).sum(dim=-2)), dim=-2
        )

    def _views(self, spectrum: Tensor) -> Tensor:
        """The loudness of each view, (batch, frames, rows, views)."""
        left, right = spectrum.unbind(1)
        products = torch.stack((dot(left, left), dot(right, right), dot(left, right)), dim=1)
        left, right, shared = self.rows(products).transpose(2, 3).unbind(1)
        middle, side = (left + right) / 4 + shared / 2, (left + right) / 4 - shared / 2
        amplitude = torch.stack((left, right, middle, side), dim=-1).clamp_min(QUIET).sqrt()
        return torch.log1p(LOUDNESS * amplitude)

    def _shares(self, views: Tensor) -> Tensor:
        """(batch, frames, rows, views) to (batch, frames or more, rows, stems, channels), which add up to one."""
        batch, frames, rows, _ = views.shape
        x = self.norm(views.reshape(batch * frames, -1)).view(batch, frames, rows // self.params.fold, -1)
        multiple = 1 << len(self.shrink)
        x = F.pad(x, (0, 0, 0, 0, 0, -frames % multiple)).permute(0, 3, 1, 2)  # in memory, channels stay last
        x = self.leave(self._unet(self.enter(x)))
        x = torch.unflatten(x.permute(0, 2, 3, 1), 3, (self.params.fold, self.params.num_stems, CHANNELS))
        return torch.softmax(x.flatten(2, 3), dim=3)

    def _unet(self, x: Tensor) -> Tensor:
        skips: list[Tensor] = []
        for blocks, shrink in zip(self.down, self.shrink, strict=False):
            skips.append(blocks(x))
            x = shrink(skips[-1])
        x = self.down[-1](x)
        for blocks, grow, skip in reversed(list(zip(self.up, self.grow, skips, strict=True))):
            x = blocks(skip + F.interpolate(grow(x), scale_factor=2.0, mode="nearest"))
        return x


def dot(one: Tensor, other: Tensor) -> Tensor:
    """The real part of one spectrum times the conjugate of the other. The last axis holds real and imaginary part."""
    return one[..., 0] * other[..., 0] + one[..., 1] * other[..., 1]


def _level(params: MaskUnetParams, level: int, width: int, height: int) -> nn.Sequential:
    """The blocks of one level, for one direction."""
    dense = [Dense(height, max(1, height // params.dense_shrink))] if level >= params.dense_from else []
    return nn.Sequential(*(Near(width) for _ in range(params.blocks)), *dense)


class Near(nn.Module):
    """A residual block of two small convolutions, for what is near in time and frequency."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.layers(x))


class Dense(nn.Module):
    """A residual layer in which all frequencies of a frame and channel see each other, through a narrow bottleneck."""

    def __init__(self, height: int, narrow: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(height, narrow), nn.ReLU(), nn.Linear(narrow, height))

    def forward(self, x: Tensor) -> Tensor:
        seen: Tensor = self.layers(x.contiguous())
        return x + seen.contiguous(memory_format=torch.channels_last)
