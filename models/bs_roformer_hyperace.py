"""BS-RoFormer with the second generation of HyperACE: a U-net over bands and frames adds to each stem's mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self, cast

from torch import nn

from models.blocks.hyperace import GROWTH, LEVELS, BandImageNet, HyperAceEstimator, UnetGeneration, refining_head
from models.blocks.roformer import require
from models.bs_roformer import BSRoformer, BSRoformerParams


@dataclass(frozen=True, kw_only=True)
class BSRoformerHyperAceParams(BSRoformerParams):
    """The options of a BS-RoFormer. The U-net's channels are the same in all public models, which do not name them."""

    unet_channels: tuple[int, ...] = (64, 256, 384, 512, 768)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.stereo, "`model.stereo` must be true: the U-net makes masks for two channels.")
        require(
            len(self.unet_channels) == len(LEVELS) + 1 and all(each % GROWTH == 0 for each in self.unet_channels[1:]),
            f"`model.unet_channels` must be {len(LEVELS) + 1} numbers; all but the first are multiples of {GROWTH}.",
        )

    @classmethod
    def tiny(cls) -> Self:
        """Small enough for a test."""
        return replace(super().tiny(), unet_channels=(8, 16, 16, 16, 32))


class BSRoformerHyperAce(BSRoformer):
    """The network with the keys of public checkpoints."""

    GENERATION: ClassVar[UnetGeneration] = UnetGeneration(
        coarse_strides=(2, 2), hyperedges=32, wide_branches=2, narrow_branches=1, make_head=refining_head
    )

    def _make_mask_estimator(self, widths: Sequence[int]) -> nn.Module:
        params = cast("BSRoformerHyperAceParams", self.params)
        return HyperAceEstimator(
            params.dim,
            widths,
            hidden=params.dim * params.mlp_expansion_factor,
            linears=params.mask_linears,
            segm=BandImageNet(params.dim, len(widths), params.bins, params.unet_channels, self.GENERATION),
        )
