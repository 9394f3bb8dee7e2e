"""A stream of samples cut into overlapping windows, and the level of each. The same for songs and for the noise."""

from __future__ import annotations

import torch
from torch import Tensor

FRAME = 2048  # of the STFT
HOP = 512  # between the starts of windows of any kind
LEVEL_S = 0.05  # over which a level is measured


class Windows:
    """Cuts (channels, samples), block by block, into windows that start every `HOP` samples. What they share is kept."""

    def __init__(self, length: int, channels: int, *, lead: int = 0) -> None:
        """`lead` is the length of the silence before the first sample."""
        self._length = length
        self._kept = torch.zeros(channels, lead)

    def push(self, samples: Tensor) -> Tensor:
        """The windows that the samples complete, as (channels, windows, length)."""
        joined = torch.cat([self._kept, samples], dim=-1)
        if joined.shape[-1] < self._length:
            self._kept = joined
            return joined.new_zeros(len(joined), 0, self._length)
        windows = joined.unfold(-1, self._length, HOP)
        self._kept = joined[:, windows.shape[1] * HOP :].clone()
        return windows


class Frames:
    """The frames of an STFT, each centred on a multiple of `HOP`. The song is surrounded by silence."""

    def __init__(self, channels: int) -> None:
        self._windows = Windows(FRAME, channels, lead=FRAME // 2)
        self._channels = channels

    def push(self, samples: Tensor) -> Tensor:
        """The frames that the samples complete, as (channels, frames, FRAME)."""
        return self._windows.push(samples)

    def finish(self) -> Tensor:
        """The frames at the end."""
        return self._windows.push(torch.zeros(self._channels, FRAME // 2))


class Levels:
    """The root mean square of every stretch of `LEVEL_S` with at least one more sample behind it."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._windows = Windows(level_samples(sample_rate) + 1, channels)

    def push(self, samples: Tensor) -> Tensor:
        """The levels that the samples complete, as (channels, levels)."""
        return self._windows.push(samples)[..., :-1].double().square().mean(dim=-1).sqrt()


def level_samples(sample_rate: int) -> int:
    """The number of samples over which a level is measured."""
    return int(LEVEL_S * sample_rate)


def levels_of(samples: int, sample_rate: int) -> int:
    """How many levels a song has."""
    return max(0, -((level_samples(sample_rate) - samples) // HOP))


def spectra(frames: Tensor) -> Tensor:
    """The spectrum of each frame; there may be none, which the transform does not take."""
    if frames.numel() == 0:
        return torch.zeros(*frames.shape[:-1], FRAME // 2 + 1, dtype=torch.complex64)
    found: Tensor = torch.fft.rfft(frames * torch.hann_window(FRAME))
    return found
