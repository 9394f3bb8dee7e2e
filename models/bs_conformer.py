"""BS-Conformer: a BS-RoFormer with conformers in place of its transformers."""

from __future__ import annotations

from dataclasses import dataclass

from models.blocks.conformer import ConformerNet, ConformerParams
from models.bs_roformer import BSRoformer, BSRoformerParams


@dataclass(frozen=True, kw_only=True)
class BSConformerParams(ConformerParams, BSRoformerParams):
    """The options of a BS-RoFormer and of its conformers."""


class BSConformer(ConformerNet, BSRoformer):
    """The network with the keys of the program that trains it."""
