"""Per-band layers: a spectrum's bands to tokens, and tokens to the bands of a mask.

Checkpoints hold one small layer per band. Neighbouring bands of equal width are run as one batched product if that is
faster; the parameters keep their own keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody uses
from torch import Tensor, nn

from models.blocks.buffers import Derived
from models.blocks.norms import SMALLEST_LENGTH, RMSNorm


@dataclass(frozen=True)
class BandRun:
    """Neighbouring bands of one width: bands `first` to `last` (exclusive), from value `start` on."""

    first: int
    last: int
    width: int
    start: int

    @property
    def stop(self) -> int:
        return self.start + (self.last - self.first) * self.width


def runs_of_equal_width(widths: Sequence[int]) -> tuple[BandRun, ...]:
    """Bands grouped without changing their order."""
    runs: list[BandRun] = []
    for width, members in groupby(widths):
        first, start = (runs[-1].last, runs[-1].stop) if runs else (0, 0)
        runs.append(BandRun(first, first + len(list(members)), width, start))
    return tuple(runs)


@dataclass(frozen=True)
class Stacked:
    """The linear layers of several bands: weight (bands, in, out), bias (bands, 1, out)."""

    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """(bands, tokens, in) to (bands, tokens, out)."""
        return torch.baddbmm(self.bias, x, self.weight)


def stack_linears(linears: Sequence[nn.Linear], *, share: bool = False) -> Stacked:
    """Linear layers of one shape as one. With `share`, their parameters become views of it and take no extra memory."""
    weight = torch.stack([linear.weight for linear in linears])
    bias = torch.stack([linear.bias for linear in linears])
    if share:
        for linear, own_weight, own_bias in zip(linears, weight, bias, strict=True):
            linear.weight.data, linear.bias.data = own_weight, own_bias
    return Stacked(weight.transpose(1, 2), bias[:, None])


class BandSplit(nn.Module):
    """(..., values of all bands) to (..., bands, dim)."""

    def __init__(self, dim: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.runs = runs_of_equal_width(widths)
        self.to_features = nn.ModuleList(nn.Sequential(RMSNorm(width), nn.Linear(width, dim)) for width in widths)
        self.stacked = Derived(self._stack)

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(0, -2)
        bands = [
            layer(_unit(_values_by_band(flat, run)) * gamma)
            for run, (gamma, layer) in zip(self.runs, self.stacked.get(), strict=True)
        ]
        return torch.unflatten(torch.cat(bands).transpose(0, 1), 0, x.shape[:-1])

    def _stack(self) -> list[tuple[Tensor, Stacked]]:
        return [_stack_features(cast(Iterable[_Feature], self.to_features[run.first : run.last])) for run in self.runs]


class MaskEstimator(nn.Module):
    """One stem's mask: (..., bands, dim) to (..., values of all bands)."""

    def __init__(self, dim: int, widths: Sequence[int], *, hidden: int, linears: int) -> None:
        super().__init__()
        self.runs = runs_of_equal_width(widths)
        sizes = [(dim, *[hidden] * (linears - 1), 2 * width) for width in widths]
        self.to_freqs = nn.ModuleList(nn.Sequential(_perceptron(band), nn.GLU(dim=-1)) for band in sizes)
        self.stacked = Derived(self._stack)

    def forward(self, x: Tensor) -> Tensor:
        # On a CPU, the products of one band keep all cores busy, and the weights can stay memory-mapped.
        return self.one_by_one(x) if x.device.type == "cpu" else self.all_at_once(x)

    def one_by_one(self, x: Tensor) -> Tensor:
        """Band after band."""
        return torch.cat([band(x[..., index, :]) for index, band in enumerate(self.to_freqs)], dim=-1)

    def all_at_once(self, x: Tensor) -> Tensor:
        """One product per layer for all bands, and in the last layer one per run of equal bands."""
        inner, last = self.stacked.get()
        hidden = x.flatten(0, -3).transpose(0, 1)
        for layer in inner:
            hidden = layer(hidden).tanh()
        parts = [layer(hidden[run.first : run.last]) for run, layer in zip(self.runs, last, strict=True)]
        masks = [F.glu(part, dim=-1).transpose(0, 1).flatten(1) for part in parts]
        return torch.unflatten(torch.cat(masks, dim=-1), 0, x.shape[:-2])

    def _stack(self) -> tuple[list[Stacked], list[Stacked]]:
        bands = [[layer for layer in band if isinstance(layer, nn.Linear)] for band, _ in cast(_Heads, self.to_freqs)]
        *inner, last = zip(*bands, strict=True)
        runs = [stack_linears(last[run.first : run.last], share=True) for run in self.runs]
        return [stack_linears(layers, share=True) for layers in inner], runs


# The items of the module lists, which torch types as plain modules.
_Feature = tuple[RMSNorm, nn.Linear]
_Heads = Iterable[tuple[Iterable[nn.Module], nn.GLU]]


def _values_by_band(flat: Tensor, run: BandRun) -> Tensor:
    """The values of a run's bands: (tokens, all values) to (bands, tokens, width)."""
    return torch.unflatten(flat[:, run.start : run.stop], -1, (-1, run.width)).transpose(0, 1)


def _unit(x: Tensor) -> Tensor:
    return F.rms_norm(x, x.shape[-1:], eps=SMALLEST_LENGTH**2 / x.shape[-1])


def _stack_features(bands: Iterable[_Feature]) -> tuple[Tensor, Stacked]:
    norms, linears = zip(*bands, strict=True)
    return torch.stack([norm.gamma for norm in norms])[:, None], stack_linears(linears)


def _perceptron(sizes: Sequence[int]) -> nn.Sequential:
    """Linear layers with a tanh between them; they have the even indices."""
    linears = [nn.Linear(before, after) for before, after in pairwise(sizes)]
    return nn.Sequential(*[layer for linear in linears for layer in (linear, nn.Tanh())][:-1])
