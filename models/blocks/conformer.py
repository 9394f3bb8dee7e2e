"""Conformers in place of a band-split network's transformers: attention between two halves of a feed-forward network,
and a convolution along the sequence after it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from torch import Tensor, nn

from models.blocks.norms import RMSNorm
from models.blocks.roformer import Roformer, RoformerParams, require
from models.blocks.transformer import FeedForward, InBlocks


@dataclass(frozen=True, kw_only=True)
class ConformerParams(RoformerParams):
    """The options of conformers. Configurations call the depths `time_conformer_depth` and so on."""

    ff_mult: int = 4
    conv_expansion_factor: int = 2
    conv_kernel_size: int = 31

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.conv_kernel_size % 2 == 1, "`model.conv_kernel_size` must be odd, so that it has a middle.")

    @classmethod
    def option(cls, name: str) -> str:
        return name.replace("_transformer_", "_conformer_")


class ConformerNet(Roformer):
    """A band-split network with conformers along time and along the bands. No block ends in a norm of its own."""

    NORM_EACH = False

    def _make_block(self, depth: int, attention: Callable[[], nn.Module]) -> nn.Module:
        return Conformer(cast("ConformerParams", self.params), depth, attention)


class Conformer(InBlocks):
    """`depth` blocks along one axis."""

    def __init__(self, params: ConformerParams, depth: int, make_attention: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.layers = nn.Sequential(*[ConformerBlock(params, make_attention()) for _ in range(depth)])

    def _transform(self, x: Tensor) -> Tensor:
        refined: Tensor = self.layers(x)
        return refined


class ConformerBlock(nn.Module):
    """Half a feed-forward step, attention, convolution and another half step, each added to its input; then a norm."""

    def __init__(self, params: ConformerParams, attention: nn.Module) -> None:
        super().__init__()
        self.ff1, self.ff2 = (nn.ModuleDict({"ff": FeedForward(params.dim, params.ff_mult)}) for _ in range(2))
        self.attn = attention
        self.conv = SequenceConvolution(params)
        self.out_norm = RMSNorm(params.dim)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.ff1["ff"](x) / 2
        x = x + self.attn(x)
        x = x + self.conv(x)
        x = x + self.ff2["ff"](x) / 2
        normed: Tensor = self.out_norm(x)
        return normed


class SequenceConvolution(nn.Module):
    """A gated convolution of each channel along the sequence: (sequences, length, dim) to the same."""

    def __init__(self, params: ConformerParams) -> None:
        super().__init__()
        inner, taps = params.dim * params.conv_expansion_factor, params.conv_kernel_size
        self.net = nn.Sequential(
            RMSNorm(params.dim),
            Transposed(),
            nn.Conv1d(params.dim, 2 * inner, 1),
            nn.GLU(dim=1),
            nn.Conv1d(inner, inner, taps, padding=taps // 2, groups=inner),
            nn.BatchNorm1d(inner),
            nn.SiLU(),
            nn.Conv1d(inner, params.dim, 1),
            Transposed(),
        )

    def forward(self, x: Tensor) -> Tensor:
        refined: Tensor = self.net(x)
        return refined


class Transposed(nn.Module):
    """The last two axes change places."""

    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2)
