"""The training loss: the error of each stem, computed from energies of spectra.

The network predicts a share of the mix for each stem, one per band. The energies of a band can therefore be summed
before the shares are known, and the estimates are never needed as spectra or waveforms.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from models.mask_unet import MaskUnet, dot

QUIET = 1e-7
AMPLITUDE_WEIGHT = 0.15  # of the amplitude term, against the energy term
LEAST_ERROR = 1e-5  # relative to the mix's energy; keeps the gradient of the root bounded


class Energies(NamedTuple):
    """Energies of the mix (batch, frames, rows, channels), of the stems (batch, frames, rows, stems, channels), and the
    inner products of each stem with the mix.
    """

    mix: Tensor
    stems: Tensor
    shared: Tensor

    def errors(self, shares: Tensor) -> Tensor:
        """The energy of each stem's error, (batch, frames, rows, stems, channels)."""
        missed = shares.square() * self.mix[:, :, :, None] - 2 * shares * self.shared + self.stems
        return missed.clamp_min(0)


def energies(net: MaskUnet, mix: Tensor, stems: Tensor) -> Energies:
    """From the spectra of the mix (batch, channels, bins, frames, 2) and the stems (batch, stems, channels, ...)."""
    own, shared = net.rows(dot(stems, stems)), net.rows(dot(stems, mix[:, None]))
    return Energies(
        net.rows(dot(mix, mix)).permute(0, 3, 2, 1), own.permute(0, 4, 3, 1, 2), shared.permute(0, 4, 3, 1, 2)
    )


def loss_of(shares: Tensor, wanted: Energies) -> Tensor:
    """The mean over stems of a weighted sum: root of the relative error energy, and relative error amplitude.

    The energy term is what SDR measures and is dominated by loud sounds; the amplitude term gives soft sounds weight,
    but prefers harder masks than SDR does. Both are relative to the mix, so that every example counts the same, and
    predicting silence is never rewarded.
    """
    errors = wanted.errors(shares)
    whole = wanted.mix.sum(dim=(1, 2, 3))[:, None] + QUIET
    energy = (errors.sum(dim=(1, 2, 4)) / whole + LEAST_ERROR).sqrt()
    amplitude = (errors + QUIET).sqrt().sum(dim=(1, 2, 4)) / (wanted.mix + QUIET).sqrt().sum(dim=(1, 2, 3))[:, None]
    return ((1 - AMPLITUDE_WEIGHT) * energy + AMPLITUDE_WEIGHT * amplitude).mean()


def without_parts(values: Tensor, merged: Tensor, dim: int) -> Tensor:
    """Stems or shares, with drums and bass added to `other` in the merged examples."""
    *parts, vocals = values.unbind(dim)
    one = torch.stack(
        [torch.zeros_like(vocals), torch.zeros_like(vocals), torch.stack(parts).sum(dim=0), vocals], dim=dim
    )
    return torch.where(merged.view(-1, *[1] * (values.dim() - 1)), one, values)
