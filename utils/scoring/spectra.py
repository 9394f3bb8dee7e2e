"""Bleedless and fullness: by how much a mel spectrogram in dB is above that of the truth, and by how much below.

As MSST defines them: 512 mel bands of magnitudes of 4096 samples every 1024, no more than 80 dB below the loudest value of
the whole signal. That value has to be known first, so signals are gone through twice.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from utils.scoring.energies import Signal

FRAME, HOP, BANDS = 4096, 1024, 512
RANGE_DB = 80.0
SMALLEST = 1e-10

Spectrogram = npt.NDArray[np.float32]  # (channels, frames, bands)


def mel_filters(sample_rate: int) -> npt.NDArray[np.float32]:
    """(bins, bands): triangles on Slaney's scale, each with the same area."""
    edges = _hertz(np.linspace(0.0, _mels(sample_rate / 2), BANDS + 2))
    bins = np.fft.rfftfreq(FRAME, 1 / sample_rate)[:, None]
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    triangles = np.maximum(0.0, np.minimum((bins - low) / (middle - low), (high - bins) / (high - middle)))
    filters: npt.NDArray[np.float32] = (triangles * 2 / (high - low)).astype(np.float32)
    return filters


# Slaney's scale: linear up to 1 kHz, where it has 15 of 66.7 Hz each; then a factor of 6.4 every 27.
_LINEAR_HZ, _CORNER_HZ, _STEP = 200 / 3, 1000.0, np.log(6.4) / 27


def _mels(hertz: float) -> float:
    if hertz < _CORNER_HZ:
        return hertz / _LINEAR_HZ
    return float(_CORNER_HZ / _LINEAR_HZ + np.log(hertz / _CORNER_HZ) / _STEP)


def _hertz(mels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    corner = _CORNER_HZ / _LINEAR_HZ
    return np.where(mels < corner, mels * _LINEAR_HZ, _CORNER_HZ * np.exp((mels - corner) * _STEP))


class MelFrames:
    """The mel spectrogram of a signal that comes in blocks, with silence around it so that frames are centred."""

    def __init__(self, filters: npt.NDArray[np.float32], channels: int) -> None:
        self._filters = filters
        self._window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)).astype(np.float32)
        self._waiting = np.zeros((channels, FRAME // 2), np.float32)

    def push(self, block: Signal) -> Iterator[Spectrogram]:
        """The frames that are complete."""
        self._waiting = np.concatenate([self._waiting, block], axis=1)
        count = (self._waiting.shape[1] - FRAME) // HOP + 1
        if count > 0:
            framed = np.lib.stride_tricks.sliding_window_view(self._waiting, FRAME, axis=1)[:, : count * HOP : HOP]
            yield np.abs(np.fft.rfft(framed * self._window)).astype(np.float32) @ self._filters
            self._waiting = self._waiting[:, count * HOP :]

    def finish(self) -> Iterator[Spectrogram]:
        return self.push(np.zeros((len(self._waiting), FRAME // 2), np.float32))


class Differences:
    """What an estimate has more than the truth, and what less, in dB on average."""

    def __init__(self, loudest_truth: float, loudest_estimate: float) -> None:
        self._floors = (_db(np.float32(loudest_truth)) - RANGE_DB, _db(np.float32(loudest_estimate)) - RANGE_DB)
        self._more = self._less = 0.0
        self._more_count = self._less_count = 0

    def add(self, truth: Spectrogram, estimate: Spectrogram) -> None:
        true, other = (np.maximum(_db(one), floor) for one, floor in zip((truth, estimate), self._floors, strict=True))
        more = other - true
        self._more += float(more[more > 0].sum(dtype=np.float64))
        self._less -= float(more[more < 0].sum(dtype=np.float64))
        self._more_count += int((more > 0).sum())
        self._less_count += int((more < 0).sum())

    @property
    def bleedless(self) -> float:
        """100 if nothing is louder than it should be."""
        return 100 / (1 + self._more / max(self._more_count, 1))

    @property
    def fullness(self) -> float:
        """100 if nothing is softer than it should be."""
        return 100 / (1 + self._less / max(self._less_count, 1))


def _db(values: npt.NDArray[np.float32] | np.float32) -> npt.NDArray[np.float32]:
    levels: npt.NDArray[np.float32] = 20 * np.log10(np.maximum(values, np.float32(SMALLEST)))
    return levels
