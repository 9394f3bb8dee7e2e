"""The block of TFC-TDF networks: small convolutions over time and frequency, and a fully connected layer along frequency."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F  # noqa: N812 - the name everybody uses
from torch import Tensor, nn

from models.blocks.parts import SquareConv2d


class TfcTdfBlock(nn.Module):
    """Convolution, fully connected layer along frequency, convolution; with a shortcut around all three.

    `narrow` is the size in the middle of the fully connected layer, and `activated` makes the normalisation and the
    activation that come before each layer, given its channels.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        height: int,
        narrow: int,
        activated: Callable[[int], tuple[nn.Module, nn.Module]],
    ) -> None:
        super().__init__()
        self.tfc1 = nn.Sequential(*activated(inputs), SquareConv2d(inputs, outputs))
        self.tdf = nn.Sequential(
            *activated(outputs), nn.Linear(height, narrow, bias=False),
            *activated(outputs), nn.Linear(narrow, height, bias=False),
        )  # fmt: skip
        self.tfc2 = nn.Sequential(*activated(outputs), SquareConv2d(outputs, outputs))
        self.shortcut = pointwise(inputs, outputs)

    def forward(self, features: Tensor) -> Tensor:
        mixed: Tensor = self.tfc1(features)
        mixed = mixed + self.tdf(mixed)
        refined: Tensor = self.tfc2(mixed) + self.shortcut(features)
        return refined


def pointwise(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 1, bias=False)


class ChannelNorm(nn.InstanceNorm2d):
    """Instance normalisation. On the CPU, torch computes it several times faster as a group norm of single channels."""

    def forward(self, features: Tensor) -> Tensor:
        if features.device.type == "cpu":
            return F.group_norm(features, self.num_features, self.weight, self.bias, self.eps)
        normed: Tensor = super().forward(features)
        return normed
