"""Layers part by part, on processors: whole, some take seconds, in which a job could not be cancelled."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody uses
from torch import Tensor, nn

# Of multiplications and additions, without a look whether the job is cancelled. Two cores do some 50 to 100 billion a second in single precision.
MOST_WORK = 25e9


def looked_on(layer: nn.Module, parts: Iterable[Tensor]) -> Iterator[Tensor]:
    """The parts, before each of which those look on that do before the layer."""
    for part in parts:
        for look_on in layer._forward_pre_hooks.values():  # noqa: SLF001
            look_on(layer, (part,))
        yield part


class SquareConv2d(nn.Conv2d):
    """A convolution of 3 x 3 whose output is as large as its input. A large one is computed in stretches of rows."""

    def __init__(self, inputs: int, outputs: int, *, bias: bool = False) -> None:
        super().__init__(inputs, outputs, 3, padding=1, bias=bias)

    def forward(self, features: Tensor) -> Tensor:
        return self.convolved(features, self.weight)

    def convolved(self, features: Tensor, weight: Tensor) -> Tensor:
        """The output with other weights than its own, which may have fewer inputs."""
        rows = features.shape[-2]
        count = math.ceil(2 * weight.numel() * features[:, 0].numel() / MOST_WORK)
        if count <= 1 or features.device.type != "cpu":
            return F.conv2d(features, weight, self.bias, padding=1)
        step = math.ceil(rows / count)
        edged = F.pad(features, (0, 0, 1, 1))
        # Each stretch with a row more on either side.
        parts = (edged[..., start : min(start + step, rows) + 2, :] for start in range(0, rows, step))
        return torch.cat([F.conv2d(part, weight, self.bias, padding=(0, 1)) for part in looked_on(self, parts)], dim=-2)
