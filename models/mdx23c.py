"""MDX23C (TFC-TDF v3): a U-net over the complex spectrogram that writes every stem's spectrogram.

The spectrum is cut into sub-bands, which become channels. Each level of the U-net mixes time and frequency with small
convolutions (TFC) and connects all frequencies through a narrow fully connected layer (TDF).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody uses
from torch import Tensor, nn

from models.blocks.sections import Section, output_names
from models.blocks.stft import Stft
from models.blocks.tfc_tdf import ChannelNorm, TfcTdfBlock, pointwise

MODEL_KEYS = (
    "act", "bottleneck_factor", "growth", "norm", "num_blocks_per_scale",
    "num_channels", "num_scales", "num_subbands", "scale",
)  # fmt: skip
IGNORED_KEYS = ("name",)
MOST_SCALES = 20
ACTIVATIONS: dict[str, type[nn.Module]] = {"gelu": nn.GELU, "relu": nn.ReLU}


@dataclass(frozen=True)
class Mdx23cParams:
    """The options of public configurations. `scale` is the factor by which a level shrinks (time, frequency)."""

    n_fft: int
    hop_samples: int
    dim_f: int
    num_stems: int
    num_channels: int
    growth: int
    num_scales: int
    num_blocks_per_scale: int
    audio_channels: int = 2
    num_subbands: int = 4
    scale: tuple[int, int] = (2, 2)
    bottleneck_factor: int = 4
    norm: str = "InstanceNorm"
    act: str = "gelu"

    def __post_init__(self) -> None:
        if self.num_scales > MOST_SCALES:
            raise ValueError(f"`model.num_scales` is {self.num_scales}, but no spectrum can be halved that often.")
        if self.dim_f > self.n_fft // 2 + 1:
            raise ValueError(f"`audio.dim_f` is {self.dim_f}, but `audio.n_fft` has only {self.n_fft // 2 + 1} bins.")
        if self.heights[-1] < self.bottleneck_factor:
            raise ValueError(
                "`model.bottleneck_factor` is larger than the number of frequencies of the coarsest level."
            )
        shrink = self.num_subbands * self.scale[1] ** self.num_scales
        if self.dim_f % shrink:
            raise ValueError(f"`audio.dim_f` must be a multiple of {shrink} for these sub-bands and scales.")
        make_activation(self.act)

    @classmethod
    def tiny(cls) -> Mdx23cParams:
        """Small enough for a test: two stems, two scales."""
        return cls(
            n_fft=256, hop_samples=64, dim_f=128, num_stems=2,
            num_channels=8, growth=4, num_scales=2, num_blocks_per_scale=1,
        )  # fmt: skip

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Mdx23cParams:
        """The parameters that a public configuration describes."""
        audio, model = Section(config, "audio"), Section(config, "model")
        model.reject_unknown(MODEL_KEYS, IGNORED_KEYS)
        scale = model.integers("scale")
        if len(scale) != 2:  # noqa: PLR2004 - time and frequency
            raise ValueError("The configuration's `model.scale` must hold two numbers: time and frequency.")
        return cls(
            n_fft=audio.integer("n_fft"),
            hop_samples=audio.integer("hop_length"),
            dim_f=audio.integer("dim_f"),
            audio_channels=audio.integer("num_channels", 2),
            num_stems=len(output_names(config)),
            num_channels=model.integer("num_channels"),
            growth=model.integer("growth"),
            num_scales=model.integer("num_scales"),
            num_blocks_per_scale=model.integer("num_blocks_per_scale"),
            num_subbands=model.integer("num_subbands"),
            scale=(scale[0], scale[1]),
            bottleneck_factor=model.integer("bottleneck_factor"),
            norm=str(model.values.get("norm")),
            act=model.text("act"),
        )

    @property
    def channels(self) -> int:
        return self.audio_channels

    @property
    def outputs(self) -> int:
        return self.num_stems

    @property
    def spectrum_channels(self) -> int:
        """Channels of one stem's spectrogram: audio channel, real and imaginary part, sub-band."""
        return self.audio_channels * 2 * self.num_subbands

    @property
    def widths(self) -> list[int]:
        """The channels of each level, from the input's resolution to the coarsest."""
        return [self.num_channels + level * self.growth for level in range(self.num_scales + 1)]

    @property
    def heights(self) -> list[int]:
        """The frequencies of each level."""
        finest = self.dim_f // self.num_subbands
        return [finest // self.scale[1] ** level for level in range(self.num_scales + 1)]


class Mdx23c(nn.Module):
    """The network. It takes audio of any length, and pads it with silence to a length that the scales divide."""

    def __init__(self, params: Mdx23cParams) -> None:
        super().__init__()
        self.params = params
        self.stft = Stft(params.n_fft, params.hop_samples)
        levels = list(zip(params.widths, params.heights, strict=True))
        width = params.num_channels
        outputs = params.num_stems * params.spectrum_channels
        self.first_conv = pointwise(params.spectrum_channels, width)
        self.encoder_blocks = nn.ModuleList(LevelDown(*level, params) for level in levels[:-1])
        self.bottleneck_block = TfcTdf(levels[-1][0], *levels[-1], params)
        self.decoder_blocks = nn.ModuleList(LevelUp(*level, params) for level in reversed(levels[:-1]))
        self.final_conv = nn.Sequential(
            pointwise(width + params.spectrum_channels, width), make_activation(params.act), pointwise(width, outputs)
        )

    def forward(self, mix: Tensor, stems: Sequence[int] | None = None) -> Tensor:
        """(batch, channels, samples) to (batch, stems, channels, samples). `stems` are the indices of the heads to run."""
        samples = mix.shape[-1]
        spectrum = self._fold(self.stft(F.pad(mix, (0, self._missing_samples(samples)))))
        features = self.first_conv(spectrum)
        features = self._estimate(torch.cat((spectrum, features * self._refine(features)), dim=1), stems)
        estimates: Tensor = self.stft.inverse(self._unfold(features))
        return estimates[..., :samples]

    def _missing_samples(self, samples: int) -> int:
        """The padding to a number of frames that all scales divide, and to the length that reflection needs."""
        hop, multiple = self.params.hop_samples, int(self.params.scale[0] ** self.params.num_scales)
        hops = -(-max(samples, self.params.n_fft // 2 + 1) // hop)
        frames = -(-(hops + 1) // multiple) * multiple
        return (frames - 1) * hop - samples

    def _fold(self, parts: Tensor) -> Tensor:
        """(batch, channels, bins, frames, 2) to (batch, channels * 2 * sub-bands, frames, bins of a sub-band)."""
        bands = torch.unflatten(parts[:, :, : self.params.dim_f], 2, (self.params.num_subbands, -1))
        return bands.permute(0, 1, 5, 2, 4, 3).flatten(1, 3)

    def _unfold(self, features: Tensor) -> Tensor:
        """The reverse of `_fold` for several stems; the bins above the highest sub-band are zero."""
        shape = (-1, self.params.audio_channels, 2, self.params.num_subbands)
        parts = torch.unflatten(features, 1, shape).permute(0, 1, 2, 4, 6, 5, 3).flatten(3, 4)
        return F.pad(parts, (0, 0, 0, 0, 0, self.stft.bins - self.params.dim_f))

    def _refine(self, features: Tensor) -> Tensor:
        """The U-net."""
        skips = []
        for encode in self.encoder_blocks:
            features, skip = encode(features)
            skips.append(skip)
        features = self.bottleneck_block(features)
        for decode in self.decoder_blocks:
            features = decode(features, skips.pop())
        return features

    def _estimate(self, features: Tensor, stems: Sequence[int] | None) -> Tensor:
        narrow, activate, last = cast("tuple[nn.Conv2d, nn.Module, nn.Conv2d]", tuple(self.final_conv))
        heads = torch.unflatten(last.weight, 0, (self.params.num_stems, -1))
        wanted = heads if stems is None else heads[list(stems)]
        return F.conv2d(activate(narrow(features)), wanted.flatten(0, 1))


class LevelDown(nn.Module):
    """One level down. Returns the coarser features, and the finer ones for the way up."""

    def __init__(self, width: int, height: int, params: Mdx23cParams) -> None:
        super().__init__()
        self.tfc_tdf = TfcTdf(width, width, height, params)
        self.downscale = Rescale(nn.Conv2d, width, width + params.growth, params)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        features = self.tfc_tdf(features)
        return self.downscale(features), features


class LevelUp(nn.Module):
    """One level up."""

    def __init__(self, width: int, height: int, params: Mdx23cParams) -> None:
        super().__init__()
        self.upscale = Rescale(nn.ConvTranspose2d, width + params.growth, width, params)
        self.tfc_tdf = TfcTdf(2 * width, width, height, params)

    def forward(self, features: Tensor, skip: Tensor) -> Tensor:
        joined: Tensor = self.tfc_tdf(torch.cat((self.upscale(features), skip), dim=1))
        return joined


class Rescale(nn.Module):
    """Normalise, activate, and change the resolution by a (transposed) convolution without overlap."""

    def __init__(
        self, conv: type[nn.Conv2d | nn.ConvTranspose2d], inputs: int, outputs: int, params: Mdx23cParams
    ) -> None:
        super().__init__()
        change = conv(inputs, outputs, params.scale, params.scale, bias=False)
        self.conv = nn.Sequential(make_norm(params.norm, inputs), make_activation(params.act), change)

    def forward(self, features: Tensor) -> Tensor:
        rescaled: Tensor = self.conv(features)
        return rescaled


class TfcTdf(nn.Module):
    """The blocks of one level; the first one changes the number of channels."""

    def __init__(self, inputs: int, outputs: int, height: int, params: Mdx23cParams) -> None:
        super().__init__()
        narrow = height // params.bottleneck_factor

        def activated(width: int) -> tuple[nn.Module, nn.Module]:
            return make_norm(params.norm, width), make_activation(params.act)

        widths = [inputs] + [outputs] * (params.num_blocks_per_scale - 1)
        self.blocks = nn.ModuleList(TfcTdfBlock(width, outputs, height, narrow, activated) for width in widths)

    def forward(self, features: Tensor) -> Tensor:
        for block in self.blocks:
            features = block(features)
        return features


def make_norm(name: str, width: int) -> nn.Module:
    """The normalisation called `name`. An unknown name means none, as in the program that trained the checkpoints."""
    if name == "InstanceNorm":
        return ChannelNorm(width, affine=True)
    if name == "BatchNorm":
        return nn.BatchNorm2d(width)
    groups = name.removeprefix("GroupNorm")
    return nn.GroupNorm(int(groups), width) if groups != name and groups.isdecimal() else nn.Identity()


def make_activation(name: str) -> nn.Module:
    """`gelu`, `relu`, or `elu` followed by its alpha."""
    if name in ACTIVATIONS:
        return ACTIVATIONS[name]()
    alpha = re.fullmatch(r"elu([0-9]*\.?[0-9]+)", name)
    if alpha is None:
        raise ValueError(f"The configuration's `model.act` must be gelu, relu, or elu with its alpha; it is `{name}`.")
    return nn.ELU(float(alpha[1]))
