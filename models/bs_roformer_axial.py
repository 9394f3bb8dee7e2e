"""BS-RoFormer whose mask estimators begin with transformers of their own, along time and along the bands in turn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Self, cast

from torch import Tensor, nn

from models.blocks.bands import MaskEstimator
from models.blocks.norms import RMSNorm
from models.blocks.roformer import require
from models.blocks.transformer import Attention, Heads, RotaryPositions, Transformer
from models.bs_roformer import BSRoformer, BSRoformerParams


@dataclass(frozen=True, kw_only=True)
class BSRoformerAxialParams(BSRoformerParams):
    """The options of a BS-RoFormer, and those of the transformers in its mask estimators, which are the same in all public
    models and named in none.
    """

    axial_refiner_depth: int = 4
    axial_refiner_heads: int = 8
    axial_refiner_dim_head: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.axial_refiner_dim_head % 2 == 0, "`model.axial_refiner_dim_head` must be even.")

    @classmethod
    def tiny(cls) -> Self:
        """Small enough for a test."""
        return replace(super().tiny(), axial_refiner_depth=1, axial_refiner_heads=2, axial_refiner_dim_head=4)


class BSRoformerAxial(BSRoformer):
    """The network with the keys of public checkpoints."""

    def _make_mask_estimator(self, widths: Sequence[int]) -> nn.Module:
        params = cast("BSRoformerAxialParams", self.params)
        return AxialEstimator(
            Heads(params.dim, params.axial_refiner_heads, params.axial_refiner_dim_head),
            widths,
            hidden=params.dim * params.mlp_expansion_factor,
            linears=params.mask_linears,
            depth=params.axial_refiner_depth,
        )


class AxialEstimator(MaskEstimator):
    """A mask estimator that refines its tokens first."""

    def __init__(self, heads: Heads, widths: Sequence[int], *, hidden: int, linears: int, depth: int) -> None:
        super().__init__(heads.dim, widths, hidden=hidden, linears=linears)
        # All layers share the positions of an axis.
        axes = [partial(Attention, heads, RotaryPositions(heads.dim_head)) for _ in ("time", "bands")]
        self.layers = nn.ModuleList(
            nn.ModuleList(Transformer(heads.dim, 1, attention, norm_output=False) for attention in axes)
            for _ in range(depth)
        )
        self.norm = RMSNorm(heads.dim)

    def forward(self, x: Tensor) -> Tensor:
        for along_time, along_bands in cast("Iterable[tuple[nn.Module, nn.Module]]", self.layers):
            x = along_bands(along_time(x.transpose(1, 2)).transpose(1, 2))
        return super().forward(self.norm(x))
