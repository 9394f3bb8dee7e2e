"""BS-RoFormer whose mask estimators are Fourier neural operators: they mix the frames of a chunk, too.

Each band has an operator of its own along time. Between pointwise layers it multiplies the lowest frequencies of each
channel over the whole chunk, which is a smooth filter as long as the chunk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody uses
from torch import Tensor, nn

from models.blocks.buffers import Derived
from models.blocks.stft import complex_product
from models.bs_roformer import BSRoformer, BSRoformerParams

# The sizes of the operators; no public configuration names them.
FREQUENCIES = 33
BLOCKS = 3


@dataclass(frozen=True, kw_only=True)
class BSRoformerFnoParams(BSRoformerParams):
    """The options of a BS-RoFormer. Those of its mask estimators have no effect here."""


class BSRoformerFno(BSRoformer):
    """The network with the keys of the public checkpoint."""

    def _make_mask_estimator(self, widths: Sequence[int]) -> nn.Module:
        return OperatorEstimator(self.params.dim, widths)


class OperatorEstimator(nn.Module):
    """One stem's mask: (batch, frames, bands, dim) to (batch, frames, values of all bands)."""

    def __init__(self, dim: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.to_freqs = nn.ModuleList(
            nn.Sequential(FourierOperator(dim, 2 * width), nn.GLU(dim=-1)) for width in widths
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([operator(x[..., band, :]) for band, operator in enumerate(self.to_freqs)], dim=-1)


class FourierOperator(nn.Module):
    """(batch, frames, dim) to (batch, frames, outputs). The place of a frame in the chunk is one more value of it."""

    def __init__(self, dim: int, outputs: int) -> None:
        super().__init__()
        self.lifting = FramePerceptron(dim + 1, 2 * dim, dim)
        self.fno_blocks = OperatorBlocks(dim)
        self.projection = FramePerceptron(dim, 2 * dim, outputs)

    def forward(self, frames: Tensor) -> Tensor:
        places = torch.arange(frames.shape[1], device=frames.device, dtype=frames.dtype) / frames.shape[1]
        lifted = self.lifting(torch.cat((frames, places[None, :, None].expand(len(frames), -1, 1)), dim=-1))
        projected: Tensor = self.projection(self.fno_blocks(lifted))
        return projected


class OperatorBlocks(nn.Module):
    """Blocks of a filter and a perceptron, with a shortcut around each. The last block has no activation after them."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(ChunkFilter(dim) for _ in range(BLOCKS))
        self.fno_skips = nn.ModuleList(
            nn.ModuleDict({"conv": FrameLinear(dim, dim, bias=False)}) for _ in range(BLOCKS)
        )
        self.channel_mlp = nn.ModuleList(FramePerceptron(dim, round(dim / 2), dim) for _ in range(BLOCKS))
        self.channel_mlp_skips = nn.ModuleList(Gain(dim) for _ in range(BLOCKS))

    def forward(self, frames: Tensor) -> Tensor:
        layers = zip(self.convs, self.fno_skips, self.channel_mlp, self.channel_mlp_skips, strict=True)
        for block, (conv, skip, perceptron, gain) in enumerate(layers):
            activate = F.gelu if block < BLOCKS - 1 else nn.Identity()
            filtered = activate(conv(frames) + skip["conv"](frames))
            frames = activate(perceptron(filtered) + gain(frames))
        return frames


class ChunkFilter(nn.Module):
    """Multiplies the lowest frequencies over time of each channel, drops all others, and adds a bias.

    So few frequencies are kept that a product with their waves takes less than a Fourier transform, and it has no
    trouble with lengths or devices.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        # `torch.randn` would import sympy, which the frozen programs leave out, where there is no data.
        parts = torch.empty(dim, FREQUENCIES, 2).normal_(std=0.5**0.5 / dim)
        self.weight = nn.ParameterDict({"tensor": torch.view_as_complex(parts)})
        self.bias = nn.Parameter(torch.zeros(dim, 1))
        self.waves = Derived(self._waves)
        self.factors = Derived(self._factors)

    def forward(self, frames: Tensor) -> Tensor:
        with torch.autocast(frames.device.type, enabled=False):
            waves, weights = self.waves.get(frames.shape[1]), self.factors.get(frames.shape[1])
            spectrum = torch.matmul(waves.flatten(1).T, frames.float()) / frames.shape[1]
            by_frequency = torch.unflatten(spectrum, 1, (-1, 2)).transpose(2, 3)
            kept = complex_product(by_frequency.contiguous(), weights)
            filtered = torch.matmul(waves.flatten(1), kept.transpose(2, 3).flatten(1, 2))
        return filtered + self.bias[:, 0]

    def _waves(self, length: int) -> Tensor:
        """(frames, frequencies, 2): cosine and negative sine of each frequency that fits the length."""
        times = torch.arange(length, device=self.bias.device)
        numbers = torch.arange(min(FREQUENCIES, length // 2 + 1), device=self.bias.device)
        # Whole turns are taken out while the numbers are exact.
        angles = (times[:, None] * numbers % length).float() * (2 * pi / length)
        return torch.stack((angles.cos(), -angles.sin()), dim=-1)

    def _factors(self, length: int) -> Tensor:
        """(frequencies, dim, 2): the weights, doubled where a frequency also stands for its negative one."""
        numbers = torch.arange(min(FREQUENCIES, length // 2 + 1), device=self.bias.device)
        doubled = 1 + ((numbers > 0) & (2 * numbers < length)).float()
        weights = torch.view_as_real(self.weight["tensor"].resolve_conj())[:, : len(numbers)]
        return (weights * doubled[:, None]).transpose(0, 1).contiguous()


class FramePerceptron(nn.Module):
    """Two linear layers with a GELU between them, on each frame by itself."""

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.fcs = nn.ModuleList((FrameLinear(inputs, hidden), FrameLinear(hidden, outputs)))

    def forward(self, frames: Tensor) -> Tensor:
        widen, narrow = self.fcs
        out: Tensor = narrow(F.gelu(widen(frames)))
        return out


class FrameLinear(nn.Conv1d):
    """A linear layer that checkpoints hold as a convolution of one tap: (..., inputs) to (..., outputs)."""

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True) -> None:
        super().__init__(inputs, outputs, 1, bias=bias)

    def forward(self, frames: Tensor) -> Tensor:
        return F.linear(frames, self.weight[..., 0], self.bias)


class Gain(nn.Module):
    """A factor for each channel."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, dim, 1))

    def forward(self, frames: Tensor) -> Tensor:
        return frames * self.weight[0, :, 0]
