"""What training wants: each stem's error, told from the spectra alone.

A share of the mix's spectrum is compared with the stem's own. Within a band all bins have one share, so the energies
of a band are summed before there is a share to compare: no waveform and no full spectrum is ever made of an estimate.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from models.mask_unet import MaskUnet, dot

QUIET = 1e-7
SOFT_SOUNDS = 0.15  # how much they weigh beyond their energy
LEAST_ERROR = 1e-5  # as a part of the mix's energy; the root of less is no longer steep


class Energies(NamedTuple):
    """(batch, frames, rows, channels) of the mix; (batch, frames, rows, stems, channels) of the stems and of what
    they share with the mix.
    """

    mix: Tensor
    stems: Tensor
    shared: Tensor

    def errors(self, shares: Tensor) -> Tensor:
        """The energy of each stem's error, as (batch, frames, rows, stems, channels)."""
        missed = shares.square() * self.mix[:, :, :, None] - 2 * shares * self.shared + self.stems
        return missed.clamp_min(0)


def energies(net: MaskUnet, mix: Tensor, stems: Tensor) -> Energies:
    """From spectra: the mix's (batch, channels, bins, frames, 2) and the stems', which have an axis more."""
    own, shared = net.rows(dot(stems, stems)), net.rows(dot(stems, mix[:, None]))
    return Energies(
        net.rows(dot(mix, mix)).permute(0, 3, 2, 1), own.permute(0, 4, 3, 1, 2), shared.permute(0, 4, 3, 1, 2)
    )


def loss_of(shares: Tensor, wanted: Energies) -> Tensor:
    """The root of each stem's part of wrong energy and, weighing less, its part of wrong amplitude; the mean over stems.

    The first is what an SDR counts, and is decided by the loudest sounds; the second hears the soft ones too, but asks
    for harder masks than an SDR likes. Both are parts of the mix's, so that examples count the same, and silence is
    rewarded nowhere.
    """
    errors = wanted.errors(shares)
    whole = wanted.mix.sum(dim=(1, 2, 3))[:, None] + QUIET
    energy = (errors.sum(dim=(1, 2, 4)) / whole + LEAST_ERROR).sqrt()
    amplitude = (errors + QUIET).sqrt().sum(dim=(1, 2, 4)) / (wanted.mix + QUIET).sqrt().sum(dim=(1, 2, 3))[:, None]
    return ((1 - SOFT_SOUNDS) * energy + SOFT_SOUNDS * amplitude).mean()


def without_parts(values: Tensor, merged: Tensor, dim: int) -> Tensor:
    """Stems or their shares, with all but the voice as one `other` in the examples of which no more is known."""
    *parts, vocals = values.unbind(dim)
    one = torch.stack(
        [torch.zeros_like(vocals), torch.zeros_like(vocals), torch.stack(parts).sum(dim=0), vocals], dim=dim
    )
    return torch.where(merged.view(-1, *[1] * (values.dim() - 1)), one, values)
