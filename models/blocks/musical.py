"""Overlapping bands of equal musical width: centres at equal intervals, each band reaching one interval to either side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.blocks.sections import require_few_bands

A4_HZ, A4_NOTE = 440.0, 69.0


def musical_bands(sample_rate: int, n_fft: int, num_bands: int) -> list[range]:
    """The bins of each band. The first band begins at the lowest bin and the last one ends at the highest.

    Edges may fall exactly on bins. So that they are rounded as in training, centres are computed in (MIDI) notes.
    """
    require_few_bands(num_bands, n_fft)
    bin_hz, bins = sample_rate / n_fft, n_fft // 2 + 1
    lowest, highest = note_of(bin_hz), note_of(sample_rate / 2)
    centres_hz = hz_of(np.linspace(max(0.0, lowest), highest, num_bands))
    reach = np.power(2.0, np.log2(sample_rate / 2 / bin_hz) / num_bands)
    starts = np.floor(centres_hz / reach / bin_hz).astype(int)
    stops = np.minimum(np.ceil(centres_hz * reach / bin_hz).astype(int) + 1, bins)
    starts[0], stops[-1] = 0, bins
    return [range(start, stop) for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)]


def note_of(hz: float) -> float:
    return float(12.0 * (np.log2(hz) - np.log2(A4_HZ)) + A4_NOTE)


def hz_of(notes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return A4_HZ * 2.0 ** ((notes - A4_NOTE) / 12.0)


def shares_of_bins(bands: Sequence[range]) -> list[npt.NDArray[np.float32]]:
    """The weight of each band in each of its bins: every bin is shared equally among its bands."""
    counts = np.bincount(np.concatenate(bands))
    return [(1.0 / counts[band.start : band.stop]).astype(np.float32) for band in bands]
