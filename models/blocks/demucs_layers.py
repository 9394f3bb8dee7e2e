"""Layers of Demucs networks, on processors part by part: whole, they take seconds for a chunk of 44 s."""

from __future__ import annotations

from itertools import chain

import torch
from demucs.demucs import LocalState
from torch import Tensor, nn
from torch.nn import functional

from models.blocks.parts import looked_on

# For some lengths of hundreds of thousands of samples, oneDNN takes half a minute before it begins to compute. A part has a
# length for which it does not, and the same one for nearly all parts.
POSITIONS = 1 << 16
QUERIES = 256
SEQUENCES = 12


def in_parts(net: nn.Module) -> None:
    """Let the longest layers of a network compute part by part from now on. Their tensors and keys stay."""
    for layer in net.modules():
        layer.__class__ = LONG.get(type(layer), type(layer))


class LongConvTranspose1d(nn.ConvTranspose1d):
    """Where the outputs of two parts meet, they add up."""

    def forward(self, features: Tensor, output_size: list[int] | None = None) -> Tensor:
        length = features.shape[-1]
        is_padded = output_size is not None or self.padding != (0,) or self.output_padding != (0,)
        if length <= POSITIONS or is_padded or features.device.type != "cpu":
            return super().forward(features, output_size)
        (stride,), (kernel,), (dilation,) = self.stride, self.kernel_size, self.dilation
        parts = looked_on(self, torch.split(features, POSITIONS, dim=-1))
        outputs = (
            functional.conv_transpose1d(
                part, self.weight, None, self.stride, groups=self.groups, dilation=self.dilation
            )
            for part in parts
        )
        first = next(outputs)
        whole = first.new_zeros(*first.shape[:-1], (length - 1) * stride + dilation * (kernel - 1) + 1)
        if self.bias is not None:
            whole += self.bias[:, None]
        for number, output in enumerate(chain([first], outputs)):
            start = number * POSITIONS * stride
            whole[..., start : start + output.shape[-1]] += output
        return whole


class LongLocalState(LocalState):
    """Attention to all other positions; to those further away the less, each query and head by its own measure.

    The package's own holds several tables of all pairs of positions, a gigabyte for a chunk of 44 s.
    """

    def forward(self, features: Tensor) -> Tensor:
        length = features.shape[-1]
        if length == 1 or self.nfreqs or not self.ndecay or features.device.type != "cpu":
            return super().forward(features)  # type: ignore[no-any-return, no-untyped-call]
        query, key, value = (
            torch.unflatten(layer(features), 1, (self.heads, -1)).transpose(2, 3)
            for layer in (self.query, self.key, self.content)
        )
        shares = torch.unflatten(self.query_decay(features).float().sigmoid(), 1, (self.heads, -1))
        # The kernels of the package decay by 1, 2, 3, … and their shares add up.
        rates = torch.arange(1, self.ndecay + 1, dtype=torch.float32) / (2 * self.ndecay**0.5)
        slopes = -(shares * rates[:, None]).sum(dim=2).unsqueeze(-1)
        positions = torch.arange(length, dtype=torch.float32)
        mixed = []
        for part in looked_on(self, torch.split(positions, QUERIES)):
            start, end = int(part[0]), int(part[-1]) + 1
            bias = slopes[:, :, start:end] * (part[:, None] - positions).abs()
            bias.diagonal(start, -2, -1).fill_(-torch.inf)  # not to itself
            mixed.append(
                functional.scaled_dot_product_attention(query[:, :, start:end], key, value, bias.to(query.dtype))
            )
        projected: Tensor = self.proj(torch.cat(mixed, dim=2).transpose(2, 3).flatten(1, 2))
        return features + projected


class LongLstm(nn.LSTM):
    """Sequences do not see each other. Demucs networks keep none of their states: (length, sequences, dim)."""

    def forward(self, sequences: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        if sequences.device.type != "cpu":
            return super().forward(sequences)[0], None
        parts = looked_on(self, torch.split(sequences, SEQUENCES, dim=1))
        return torch.cat([super(LongLstm, self).forward(part)[0] for part in parts], dim=1), None


LONG: dict[type[nn.Module], type[nn.Module]] = {
    nn.ConvTranspose1d: LongConvTranspose1d,
    LocalState: LongLocalState,
    nn.LSTM: LongLstm,
}
