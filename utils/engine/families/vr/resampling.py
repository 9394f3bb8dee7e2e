"""Resampling by a rational factor, as one matrix product over blocks of samples. No delay, no state.

The filters are those that public VR networks were trained with: scipy's polyphase filter for downsampling, and for
upsampling a Kaiser window fitted to libsamplerate's `sinc_fastest` (to -114 dB).
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


class Filter(NamedTuple):
    """A Kaiser-windowed sinc. Cutoff and reach are relative to the lower of the two rates."""

    cutoff: float
    reach: float
    beta: float
    closed: bool  # include the taps at exactly `reach`


POLYPHASE = Filter(cutoff=1.0, reach=10.0, beta=5.0, closed=True)
SINC_FASTEST = Filter(cutoff=0.83147, reach=19.233, beta=10.079, closed=False)
NAMED = {"polyphase": POLYPHASE}  # all other methods are variants of sinc interpolation


def filter_named(res_type: str) -> Filter:
    return NAMED.get(res_type, SINC_FASTEST)


class Resampler:
    """Converts every `down` samples into `up`, assuming silence beyond the ends of its input."""

    def __init__(self, ratio: Fraction, kind: Filter) -> None:
        self.up, self.down = ratio.numerator, ratio.denominator
        taps = _taps(max(self.up, self.down), kind) * self.up
        half = len(taps) // 2
        first = -(half // self.up)
        last = ((self.up - 1) * self.down + half) // self.up
        self._before = -first
        self._width = last - first + 1
        inputs, outputs = np.arange(first, last + 1)[:, None], np.arange(self.up)[None, :]
        indices = outputs * self.down - inputs * self.up + half
        valid = (indices >= 0) & (indices < len(taps))
        matrix = np.where(valid, taps[np.clip(indices, 0, len(taps) - 1)], 0.0)
        self._matrix = torch.from_numpy(matrix.astype(np.float32))

    @property
    def reach(self) -> int:
        """Input samples on either side that an output can depend on."""
        return self._width

    def __call__(self, samples: Tensor) -> Tensor:
        """(..., n) to (..., n * up / down); n must be a multiple of `down`."""
        blocks = samples.shape[-1] // self.down
        after = (blocks - 1) * self.down + self._width - self._before - samples.shape[-1]
        padded = torch.nn.functional.pad(samples, (self._before, max(0, after)))
        self._matrix = self._matrix.to(samples.device)
        windows = padded.unfold(-1, self._width, self.down)[..., :blocks, :]
        return (windows @ self._matrix).flatten(-2)


def _taps(scale: int, kind: Filter) -> npt.NDArray[np.float64]:
    """The filter at a common multiple of both rates, normalised to sum to one."""
    half = int(np.floor(kind.reach * scale)) if not kind.closed else int(kind.reach) * scale
    times = np.arange(-half, half + 1) / scale
    envelope = np.sqrt(np.maximum(0.0, 1 - (times / kind.reach) ** 2))
    taps = np.sinc(kind.cutoff * times) * np.i0(kind.beta * envelope)
    return np.asarray(taps / taps.sum())
