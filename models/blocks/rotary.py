"""Rotary positions: pairs of neighbouring values of a head are rotated by an angle that grows with the position."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.blocks.buffers import Derived
from models.blocks.stft import complex_product

BASE = 10000.0


class RotaryEmbedding(nn.Module):
    """The angles of one axis. The frequencies are in checkpoints (key `freqs`), the table is computed."""

    def __init__(self, dim_head: int) -> None:
        super().__init__()
        self.freqs = nn.Parameter(BASE ** (-torch.arange(0, dim_head, 2) / dim_head))
        self.table = Derived(self._table)

    def forward(self, length: int) -> Tensor:
        """(length, dim_head / 2, 2): cosine and sine of each position's angles."""
        return self.table.get(length)

    def _table(self, length: int) -> Tensor:
        positions = torch.arange(length, device=self.freqs.device, dtype=torch.float32)
        angles = positions[:, None] * self.freqs.float()
        return torch.stack((angles.cos(), angles.sin()), dim=-1)


def rotate(x: Tensor, table: Tensor) -> Tensor:
    """Rotate (..., dim_head) by a table that broadcasts against its pairs. Computes in single precision, keeps the type."""
    pairs = torch.unflatten(x.float(), -1, (-1, 2))
    return complex_product(pairs, table).flatten(-2).type_as(x)
