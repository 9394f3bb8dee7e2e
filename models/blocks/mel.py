"""Mel bands on Slaney's scale: linear below 1 kHz, logarithmic above; triangles between neighbouring centres."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from models.blocks.sections import require_few_bands

HZ_PER_MEL = 200.0 / 3.0
BREAK_HZ = 1000.0
BREAK_MEL = BREAK_HZ / HZ_PER_MEL
LOG_STEP = math.log(6.4) / 27.0


def mel_from_hz(hz: float) -> float:
    if hz < BREAK_HZ:
        return hz / HZ_PER_MEL
    return BREAK_MEL + math.log(hz / BREAK_HZ) / LOG_STEP


def hz_from_mel(mels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    above = BREAK_HZ * np.exp(LOG_STEP * (np.maximum(mels, BREAK_MEL) - BREAK_MEL))
    return np.where(mels < BREAK_MEL, mels * HZ_PER_MEL, above)


def mel_filters(sample_rate: int, n_fft: int, num_bands: int) -> npt.NDArray[np.float32]:
    """Triangular filters (bands, bins) of equal area, in single precision."""
    require_few_bands(num_bands, n_fft)
    bins_hz = np.linspace(0.0, sample_rate / 2, n_fft // 2 + 1)
    corners_hz = hz_from_mel(np.linspace(0.0, mel_from_hz(sample_rate / 2), num_bands + 2))
    low, centre, high = corners_hz[:-2, None], corners_hz[1:-1, None], corners_hz[2:, None]
    rising = (bins_hz - low) / (centre - low)
    falling = (high - bins_hz) / (high - centre)
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return (triangles * 2.0 / (high - low)).astype(np.float32)


def mel_bands(sample_rate: int, n_fft: int, num_bands: int) -> list[npt.NDArray[np.int64]]:
    """The bins of each band. The first band always has the first bin, and the last band the last one."""
    inside = mel_filters(sample_rate, n_fft, num_bands) > 0
    inside[0, 0] = inside[-1, -1] = True
    return [np.flatnonzero(band) for band in inside]
