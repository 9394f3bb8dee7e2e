"""Mel-Band RoFormer: separates stems by masking the mixture's spectrogram.

Like BS-RoFormer, but its bands follow the mel scale and overlap: a bin in several bands gets the mean of their masks.
Every transformer ends in a norm of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.blocks.buffers import Derived
from models.blocks.mel import mel_bands
from models.blocks.roformer import Roformer, RoformerParams, require


@dataclass(frozen=True, kw_only=True)
class MelBandRoformerParams(RoformerParams):
    """The options of a Mel-Band RoFormer, named as in the public configurations.

    The output always has the length of the input, whatever `match_input_audio_length` says. If it is false, the
    training program's samples are the same, only fewer if the length is not a multiple of the hop.
    """

    mask_estimator_depth: int = 1
    num_bands: int = 60
    sample_rate: int = 44100
    match_input_audio_length: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        bands = self.bands()
        require(
            all(band.size for band in bands) and np.unique(np.concatenate(bands)).size == self.bins,
            f"`model.num_bands` of {self.num_bands} does not cover the {self.bins} bins of `stft_n_fft`.",
        )

    def bands(self) -> list[npt.NDArray[np.int64]]:
        """The bins of each band."""
        return mel_bands(self.sample_rate, self.stft_n_fft, self.num_bands)

    @property
    def mask_linears(self) -> int:
        return self.mask_estimator_depth + 1  # the configurations count hidden layers

    @classmethod
    def tiny(cls) -> Self:
        """Small enough for a test."""
        return cls.small(num_bands=6)


class MelBandRoformer(Roformer):
    """The network with the keys of public Mel-Band RoFormer checkpoints."""

    NORM_EACH: ClassVar[bool] = True
    NORM_LAST: ClassVar[bool] = False

    def __init__(self, params: MelBandRoformerParams) -> None:
        bands = params.bands()
        super().__init__(params, [band.size for band in bands])
        self._bins_of_slots = np.concatenate(bands)
        self.slot_tables = Derived(self._slot_tables)

    def _gather_bands(self, spectrum: Tensor) -> Tensor:
        bins, _ = self.slot_tables.get(spectrum.device)
        return spectrum.index_select(2, bins).flatten(-2)

    def _merge_bands(self, mask: Tensor) -> Tensor:
        bins, overlaps = self.slot_tables.get(mask.device)
        slots = torch.unflatten(mask, -1, (len(bins), -1))
        shares = [slots.index_select(2, index) * weight for index, weight in overlaps]
        return sum(shares[1:], shares[0])

    def _slot_tables(self, device: torch.device) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """The bin of each slot, and `overlaps` on the device."""
        tables = [
            (torch.from_numpy(index).to(device), torch.from_numpy(weight).to(device)[:, None])
            for index, weight in overlaps(self._bins_of_slots)
        ]
        return torch.from_numpy(self._bins_of_slots).to(device), tables


def overlaps(bins_of_slots: npt.NDArray[np.int64]) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]:
    """The mean over overlapping bands as a sum of weighted gathers: for the first, second, ... band of each bin, the
    slot to read and its weight. A bin with fewer bands reads any slot with weight zero.
    """
    order = np.argsort(bins_of_slots, kind="stable")
    counts = np.bincount(bins_of_slots)
    starts = np.cumsum(counts) - counts
    return [
        (order[np.where(nth < counts, starts + nth, starts)], ((nth < counts) / counts).astype(np.float32))
        for nth in range(int(counts.max()))
    ]
