"""BS-PolarFormer: a BS-RoFormer with polar positions.

The values of a query or key are magnitudes, and their angles depend on the position alone, instead of being turned by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi, sqrt
from typing import ClassVar

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody uses
from torch import Tensor, nn

from models.blocks.buffers import Derived
from models.blocks.roformer import require
from models.blocks.rotary import BASE
from models.blocks.transformer import Heads, Positions
from models.bs_roformer import BSRoformer, BSRoformerParams


@dataclass(frozen=True, kw_only=True)
class BSPolarFormerParams(BSRoformerParams):
    """The options of a BS-RoFormer, and `use_pope`, by which public configurations tell this network from it."""

    use_pope: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.use_pope, "Without `model.use_pope`, the network is of the type `bs_roformer`.")


class BSPolarFormer(BSRoformer):
    """The network with the keys of public checkpoints."""

    def _make_positions(self, heads: Heads) -> Positions:
        return PolarPositions(heads)


class PolarPositions(Positions):
    """Values become magnitudes at angles: the position's, which keys are ahead of by a learned angle for each value."""

    KEY: ClassVar[str] = "pope_embed"

    def __init__(self, heads: Heads) -> None:
        super().__init__()
        self.register_buffer("inv_freqs", BASE ** (-torch.arange(heads.dim_head) / heads.dim_head))
        self.inv_freqs: Tensor
        self.bias = nn.Parameter(torch.zeros(heads.count, heads.dim_head))
        self.tables = Derived(self._tables)

    def place(self, queries_and_keys: Tensor) -> tuple[Tensor, Tensor]:
        for_queries, for_keys = self.tables.get(queries_and_keys.shape[1])
        queries, keys = F.softplus(queries_and_keys.float())[..., None].unbind(2)
        placed = (queries * for_queries, keys * for_keys)
        query, key = (each.flatten(-2).type_as(queries_and_keys).transpose(1, 2) for each in placed)
        return query, key

    def _tables(self, length: int) -> tuple[Tensor, Tensor]:
        """Cosine and sine of each angle: (length, 1, dim_head, 2) and (length, heads, dim_head, 2)."""
        positions = torch.arange(length, device=self.bias.device, dtype=torch.float32)
        angles = positions[:, None, None] * self.inv_freqs.float()
        ahead = angles + self.bias.float().clamp(-2 * pi, 0)
        # Attention divides by the root of a width that is doubled here.
        return sqrt(2) * _directions(angles), _directions(ahead)


def _directions(angles: Tensor) -> Tensor:
    return torch.stack((angles.cos(), angles.sin()), dim=-1)
