"""Apollo: restores music that lossy compression has damaged. It writes a new spectrogram, one band at a time.

Every band of a frame becomes a token. Each layer first lets the bands of a frame attend to each other, then runs
convolutions along time for each band. Audio channels are restored independently of each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody uses
from torch import Tensor, nn

from models.blocks.attention import attend
from models.blocks.buffers import Derived
from models.blocks.sections import Section
from models.blocks.stft import Stft
from models.blocks.transformer import in_blocks

BANDS = 80
HEADS = 8
POSITIONS = 100  # rows of the stored rotary tables; only the first BANDS are used
TAPS = 7
NORM_EPSILON = 1e-5
POWER_EPSILON = torch.finfo(torch.float32).eps


@dataclass(frozen=True)
class ApolloNetworkParams:
    """The `model` section of a public configuration. `win` is the window's length in milliseconds."""

    sr: int = 44100
    win: float = 20
    feature_dim: int = 256
    layer: int = 6

    def __post_init__(self) -> None:
        if self.feature_dim % (2 * HEADS):
            raise ValueError(f"`model.feature_dim` must be a multiple of {2 * HEADS}; it is {self.feature_dim}.")
        if self.window_samples // 160 < 1 or min(self.band_widths) < 1:
            raise ValueError("`model.win` is too short for the bands at this `model.sr`.")

    @classmethod
    def tiny(cls) -> ApolloNetworkParams:
        """Small enough for a test: one narrow layer at a low sample rate."""
        return cls(sr=8000, feature_dim=16, layer=1)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> ApolloNetworkParams:
        """The parameters that a public configuration describes."""
        model = Section(config, "model")
        model.reject_unknown(("sr", "win", "feature_dim", "layer"))
        return cls(
            sr=model.integer("sr"),
            win=model.number("win"),
            feature_dim=model.integer("feature_dim"),
            layer=model.integer("layer"),
        )

    @property
    def outputs(self) -> int:
        return 1

    @property
    def window_samples(self) -> int:
        return int(self.sr * self.win // 1000)

    @property
    def band_widths(self) -> list[int]:
        """The bins of each band: all are as narrow as possible, and the last has the rest."""
        narrow = self.window_samples // 160
        return [narrow] * (BANDS - 1) + [self.window_samples // 2 + 1 - narrow * (BANDS - 1)]


class Affine(NamedTuple):
    """The weights (bands, inputs, outputs) and biases (bands, 1, outputs) of neighbouring bands of one width."""

    weight: Tensor
    bias: Tensor


class ApolloNetwork(nn.Module):
    """The network. Features are (signals, frames, bands, width); a signal is one audio channel of one example."""

    def __init__(self, params: ApolloNetworkParams) -> None:
        super().__init__()
        width = params.feature_dim
        self.params = params
        self.stft = Stft(params.window_samples, params.window_samples // 2)
        self.BN = nn.ModuleList(BandLayer(2 * bins + 1, width) for bins in params.band_widths)
        self.net = nn.Sequential(*(ApolloLayer(width) for _ in range(params.layer)))
        self.output = nn.ModuleList(BandLayer(width, 4 * bins) for bins in params.band_widths)
        self.inward = Derived(partial(stack_bands, self.BN))
        self.outward = Derived(partial(stack_bands, self.output))

    def forward(self, mix: Tensor, stems: Sequence[int] | None = None) -> Tensor:
        """(batch, channels, samples) to (batch, 1, channels, samples). `stems` may only be [0]."""
        if stems is not None and list(stems) != [0]:
            raise ValueError(f"This network has only output 0; {list(stems)} were requested.")
        samples = mix.shape[-1]
        # Reflection needs more samples than half a window.
        signals = F.pad(mix, (0, max(0, self.params.window_samples // 2 + 1 - samples))).flatten(0, 1)
        parts = self.stft(signals).transpose(1, 2)
        restored = self._project(self.net(self._embed(parts))).transpose(1, 2)
        estimates: Tensor = self.stft.inverse(restored, signals.shape[-1])
        return torch.unflatten(estimates[:, :samples], 0, mix.shape[:2]).unsqueeze(1)

    def _embed(self, parts: Tensor) -> Tensor:
        """(signals, frames, bins, 2) to features."""
        narrow, *_, last = self.params.band_widths
        bins = parts.flatten(0, 1)
        split = bins.shape[1] - last
        groups = (torch.unflatten(bins[:, :split], 1, (-1, narrow)), bins[:, None, split:])
        described = [describe_bands(group).transpose(0, 1) for group in groups]
        embedded = [affine(group, weights) for group, weights in zip(described, self.inward.get(), strict=True)]
        return torch.unflatten(torch.cat(embedded).transpose(0, 1), 0, parts.shape[:2]).contiguous()

    def _project(self, features: Tensor) -> Tensor:
        """Features to (signals, frames, bins, 2)."""
        groups = torch.split(unit_rms(features).flatten(0, 1).transpose(0, 1), [BANDS - 1, 1])
        projected = [F.glu(affine(group, weights)) for group, weights in zip(groups, self.outward.get(), strict=True)]
        bins = [torch.unflatten(group, -1, (2, -1)).permute(1, 0, 3, 2).flatten(1, 2) for group in projected]
        return torch.unflatten(torch.cat(bins, dim=1), 0, features.shape[:2])


# Bands: one layer per band in the checkpoint, two batched products here -----------------------------------------------


class BandLayer(nn.Sequential):
    """The layer of one band, as in checkpoints. It is never called by itself: see `stack_bands`."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(RmsNorm(inputs), Pointwise(inputs, outputs))

    def folded(self) -> Affine:
        """The layer with the weights of its norm folded into the linear part."""
        norm, linear = cast("tuple[RmsNorm, Pointwise]", tuple(self))
        return Affine(norm.weight[:, None] * linear.weight[..., 0].T, cast("Tensor", linear.bias)[None])


def stack_bands(layers: nn.ModuleList) -> tuple[Affine, Affine]:
    """All narrow bands, which are equally wide, and the last one."""
    folded = [cast("BandLayer", layer).folded() for layer in layers]
    return stack(folded[:-1]), stack(folded[-1:])


def stack(bands: Sequence[Affine]) -> Affine:
    return Affine(torch.stack([band.weight for band in bands]), torch.stack([band.bias for band in bands]))


def affine(features: Tensor, weights: Affine) -> Tensor:
    """Apply each band's layer to (bands, frames, inputs)."""
    return torch.baddbmm(weights.bias, features, weights.weight)


def describe_bands(parts: Tensor) -> Tensor:
    """(…, bins, 2) to the shape and the level of the band (…, 2 * bins + 1), with a mean square of 1."""
    power = (parts.square().sum((-2, -1), keepdim=True) + POWER_EPSILON).sqrt()
    shape = (parts / power).transpose(-2, -1).flatten(-2)
    return unit_rms(torch.cat((shape, power.squeeze(-1).log()), dim=-1))


def unit_rms(features: Tensor) -> Tensor:
    return F.rms_norm(features, features.shape[-1:], eps=NORM_EPSILON)


# Layers -----------------------------------------------------------------------------------------------------------


class RmsNorm(nn.RMSNorm):
    """Scales to a mean square of 1 over the last axis, then by the weights."""

    def __init__(self, width: int) -> None:
        super().__init__(width, eps=NORM_EPSILON)

    def forward(self, features: Tensor) -> Tensor:
        # The fused kernels need weights of the same precision as the features.
        return F.rms_norm(features, features.shape[-1:], self.weight.to(features.dtype), NORM_EPSILON)


class Pointwise(nn.Conv1d):
    """A 1x1 convolution in the checkpoint, a linear layer over the last axis here."""

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True) -> None:
        super().__init__(inputs, outputs, 1, bias=bias)

    def forward(self, features: Tensor) -> Tensor:
        return F.linear(features, self.weight.squeeze(-1), self.bias)


class ApolloLayer(nn.Module):
    """Attention across the bands, then convolutions along time."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.band_net = BandAttention(width)
        self.seq_net = TimeConvolutions(width)

    def forward(self, features: Tensor) -> Tensor:
        refined: Tensor = self.seq_net(in_blocks(self.band_net, features))
        return refined


class BandAttention(nn.Module):
    """A transformer block over the bands of each frame. Its rotary tables are part of the checkpoint."""

    cos_freq: Tensor
    sin_freq: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.input_norm = RmsNorm(width)
        self.weight = Pointwise(width, 3 * width, bias=False)
        self.output = Pointwise(width, width, bias=False)
        self.MLP = nn.Sequential(RmsNorm(width), Pointwise(width, 8 * width, bias=False), nn.SiLU(inplace=True))
        self.MLP_output = Pointwise(4 * width, width, bias=False)
        cos, sin = rotary_tables(width // HEADS)
        self.register_buffer("cos_freq", cos)
        self.register_buffer("sin_freq", sin)

    def forward(self, features: Tensor) -> Tensor:
        tokens = features.flatten(0, 1)
        tokens = tokens + self._attend(self.input_norm(tokens))
        hidden: Tensor = self.MLP(tokens)
        gate, value = torch.split(hidden, hidden.shape[-1] // 2, dim=-1)
        # In place, since nothing else in the network is as large as these.
        change: Tensor = self.MLP_output(F.silu(gate, inplace=True).mul_(value))
        return (tokens + change).view_as(features)

    def _attend(self, normed: Tensor) -> Tensor:
        heads = torch.unflatten(self.weight(normed), -1, (HEADS, 3, -1))
        query, key = self._rotate(heads[..., :2, :]).unbind(-2)
        value = heads[..., 2, :]
        attended = attend(query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2))
        output: Tensor = self.output(attended.transpose(1, 2).flatten(2))
        return output

    def _rotate(self, heads: Tensor) -> Tensor:
        """Rotate neighbouring pairs of (frames, bands, heads, 2, values) by an angle that grows with the band's index."""
        cos, sin = (table[:BANDS, None, None].to(heads.dtype) for table in (self.cos_freq, self.sin_freq))
        signed_sin = torch.stack((-sin[..., ::2], sin[..., 1::2]), dim=-1).flatten(-2)
        swapped = torch.unflatten(heads, -1, (-1, 2)).flip(-1).flatten(-2)
        return torch.addcmul(heads * cos, swapped, signed_sin)


def rotary_tables(width: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine of each position's angles; each angle occurs twice, once per value of its pair."""
    frequencies = 10000.0 ** (-torch.arange(0, width, 2) / width)
    angles = torch.outer(torch.arange(POSITIONS), frequencies).repeat_interleave(2, dim=-1)
    return angles.cos(), angles.sin()


class TimeConvolutions(nn.Module):
    """Three residual blocks that convolve along time, each band by itself."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(TimeBlock(width) for _ in range(3))

    def forward(self, features: Tensor) -> Tensor:
        for block in self.blocks:
            features = features + block(features)
        return features


class TimeBlock(nn.Module):
    """A convolution that keeps channels apart, then a fully connected layer that mixes them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            TimeConv(width),
            RmsNorm(width),
            Pointwise(width, 4 * width),
            nn.SiLU(inplace=True),
            Pointwise(4 * width, width),
        )

    def forward(self, features: Tensor) -> Tensor:
        return in_blocks(self.conv[1:], self.conv[0](features))


class TimeConv(nn.Conv1d):
    """A depthwise convolution along the frames. It takes features as an image in channels-last order."""

    def __init__(self, width: int) -> None:
        super().__init__(width, width, TAPS, padding=TAPS // 2, groups=width)

    def forward(self, features: Tensor) -> Tensor:
        image = features.permute(0, 3, 1, 2)
        convolved = F.conv2d(image, self.weight[..., None], self.bias, padding=(TAPS // 2, 0), groups=self.groups)
        return convolved.permute(0, 2, 3, 1)
