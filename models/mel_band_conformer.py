"""Mel-Band Conformer: a Mel-Band RoFormer with conformers in place of its transformers."""

from __future__ import annotations

from dataclasses import dataclass

from models.blocks.conformer import ConformerNet, ConformerParams
from models.mel_band_roformer import MelBandRoformer, MelBandRoformerParams


@dataclass(frozen=True, kw_only=True)
class MelBandConformerParams(ConformerParams, MelBandRoformerParams):
    """The options of a Mel-Band RoFormer and of its conformers."""

    @property
    def mask_linears(self) -> int:
        return self.mask_estimator_depth  # here the configurations do count all layers


class MelBandConformer(ConformerNet, MelBandRoformer):
    """The network with the keys of the program that trains it."""
