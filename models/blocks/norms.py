"""Normalisation by the root of the mean square, as the band-split transformers store it."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody uses
from torch import Tensor, nn

SMALLEST_LENGTH = 1e-12


class RMSNorm(nn.Module):
    """x / max(|x|, 1e-12) * sqrt(size) * gamma over the last axis; key `gamma`."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(size))
        self.eps = SMALLEST_LENGTH**2 / size  # only so that zero stays zero

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.gamma.shape, self.gamma, self.eps)
