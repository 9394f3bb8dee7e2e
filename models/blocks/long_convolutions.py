"""Transposed convolutions over waveforms, on processors part by part.

For some lengths of hundreds of thousands of samples, oneDNN takes half a minute before it begins to compute. A part has a
length for which it does not, and the same one for nearly all parts.
"""

from __future__ import annotations

from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn import functional

PART = 1 << 16  # positions of the input


def in_parts(net: nn.Module) -> None:
    """Let the transposed convolutions of a network compute part by part from now on. Their tensors and keys stay."""
    for layer in net.modules():
        if type(layer) is nn.ConvTranspose1d and layer.padding == layer.output_padding == (0,):
            layer.__class__ = LongConvTranspose1d


class LongConvTranspose1d(nn.ConvTranspose1d):
    """One without padding. Where the outputs of two parts meet, they add up."""

    def forward(self, features: Tensor, output_size: list[int] | None = None) -> Tensor:
        length = features.shape[-1]
        if length <= PART or features.device.type != "cpu" or output_size is not None:
            return super().forward(features, output_size)
        (stride,), (kernel,), (dilation,) = self.stride, self.kernel_size, self.dilation
        parts = torch.split(features, PART, dim=-1)
        outputs = (self._output(part) for part in parts)
        first = next(outputs)
        whole = first.new_zeros(*first.shape[:-1], (length - 1) * stride + dilation * (kernel - 1) + 1)
        if self.bias is not None:
            whole += self.bias[:, None]
        for number, output in enumerate(chain([first], outputs)):
            start = number * PART * stride
            whole[..., start : start + output.shape[-1]] += output
        return whole

    def _output(self, part: Tensor) -> Tensor:
        for look_on in self._forward_pre_hooks.values():  # a part takes as long as other layers
            look_on(self, (part,))
        return functional.conv_transpose1d(
            part, self.weight, None, self.stride, groups=self.groups, dilation=self.dilation
        )
