"""What a band-split network needs before it can be trained: all weights within reach, and a better start.

The networks keep stacked copies of their layers, which is right for separating: gradients do not reach the weights
through them, and they go stale when weights change. So training takes each band's own layer.

The start is each stem's best constant mask, as the bias of the layer that writes masks: a network that must first find
out that the bass is low spends many steps on it. The masks come from the training bank and are one gain for each bin
and stem, the same in every frame of every song.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from models.blocks.bands import BandSplit, MaskEstimator
from models.blocks.roformer import Roformer
from tools.train_mini.mixing import Mixer

EXAMPLES = 96
LEAST, MOST = 0.02, 0.98
QUIETED = 0.1  # what is left of the random weights of the layer, so that its bias decides at first
VALUES_OF_BIN = 4  # real and imaginary part of two channels


def use_own_layers(net: nn.Module) -> None:
    """From now on the network computes each band with that band's own layer."""
    if isinstance(net, Roformer):
        setattr(net.band_split, "forward", partial(_split_bands, net.band_split))  # noqa: B010 - mypy forbids the other
        for estimator in net.mask_estimators:
            setattr(estimator, "forward", cast("MaskEstimator", estimator).one_by_one)  # noqa: B010


def _split_bands(bands: BandSplit, x: Tensor) -> Tensor:
    """(..., values of all bands) to (..., bands, dim)."""
    layers = cast("Iterable[tuple[nn.Module, nn.Linear]]", bands.to_features)
    parts = zip(layers, torch.split(x, [linear.in_features for _, linear in layers], dim=-1), strict=True)
    return torch.stack([linear(norm(part)) for (norm, linear), part in parts], dim=-2)


def constant_masks(net: Roformer, mixer: Mixer) -> Tensor:
    """(stems, bins): the gains that come nearest to the stems of `EXAMPLES` examples."""
    shared = torch.zeros(net.params.num_stems, net.params.bins)
    energy = torch.zeros(net.params.bins)
    for _ in range(EXAMPLES):
        example = mixer.draw()
        mix, stems = (net.stft(signal / example.mix.std()) for signal in (example.mix, example.stems))
        shared += (stems * mix).sum(dim=(1, 3, 4))
        energy += mix.square().sum(dim=(0, 2, 3))
    return (shared / energy.clamp_min(1e-9)).clamp(LEAST, MOST)


@torch.no_grad()
def start_from_masks(net: nn.Module, mixer: Mixer) -> None:
    """Give a band-split network its start; other networks keep theirs."""
    if not isinstance(net, Roformer):
        return
    for estimator, mask in zip(net.mask_estimators, constant_masks(net, mixer), strict=True):
        _set_masks(cast("nn.ModuleList", estimator.to_freqs), mask)


def _set_masks(bands: nn.ModuleList, mask: Tensor) -> None:
    first = 0
    for band in bands:
        last = [layer for layer in band.modules() if isinstance(layer, nn.Linear)][-1]
        values = last.out_features // 2  # the other half are gates
        bins = values // VALUES_OF_BIN
        last.weight.mul_(QUIETED)
        last.bias.zero_()
        # An open half of the gate doubles what stands before it; imaginary parts stay zero.
        last.bias[:values].view(bins, 2, 2)[..., 0] = 2 * mask[first : first + bins, None]
        first += bins
