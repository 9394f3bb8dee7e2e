"""BS-RoFormer with the first generation of HyperACE: its U-net keeps all bands, and has a simpler head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from models.blocks.hyperace import UnetGeneration, plain_head
from models.bs_roformer_hyperace import BSRoformerHyperAce, BSRoformerHyperAceParams


@dataclass(frozen=True, kw_only=True)
class BSRoformerHyperAceV1Params(BSRoformerHyperAceParams):
    """The options of the second generation."""


class BSRoformerHyperAceV1(BSRoformerHyperAce):
    """The network with the keys of public checkpoints."""

    GENERATION: ClassVar[UnetGeneration] = UnetGeneration(
        coarse_strides=(2, 1), hyperedges=16, wide_branches=3, narrow_branches=2, make_head=plain_head
    )
