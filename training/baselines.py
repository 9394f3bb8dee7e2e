"""Separators without any training, which a trained model must beat.

The best of them splits the spectrogram into a harmonic part (steady over time) and a percussive part (steady over
frequency). The lowest harmonics become the bass, and what is in the centre of the stereo image the vocals.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tools.metrics import Signal
from training.composing import STEMS

N_FFT, HOP = 4096, 1024
SAMPLE_RATE = 44100
FRAMES, BINS = 17, 17  # widths of the median filters
BASS_HZ, VOICE_HZ = 180.0, (160.0, 9000.0)


def mixture(mix: Signal) -> Signal:
    """The mixture itself as every stem: (stems, channels, samples)."""
    return np.stack([mix] * len(STEMS))


def without_learning(mix: Signal) -> Signal:
    """Drums, bass, other and vocals by harmonic-percussive split, low-pass and centre extraction."""
    window = torch.hann_window(N_FFT)
    signal = torch.from_numpy(mix)
    spectrum = torch.stft(signal, N_FFT, HOP, window=window, return_complex=True)
    masks = _masks(spectrum)
    stems = torch.istft((masks * spectrum).flatten(0, 1), N_FFT, HOP, window=window, length=mix.shape[1])
    return np.asarray(torch.unflatten(stems, 0, (len(STEMS), -1)).numpy())


def _masks(spectrum: Tensor) -> Tensor:
    """A mask for each stem, (stems, 1, bins, frames); they sum to one."""
    loudness = spectrum.abs().mean(dim=0)
    steady, sudden = _median_along(loudness, 1, FRAMES), _median_along(loudness, 0, BINS)
    harmonic = steady.square() / (steady.square() + sudden.square() + 1e-12)
    frequencies = torch.linspace(0, SAMPLE_RATE / 2, spectrum.shape[1])[:, None]
    low = torch.sigmoid((BASS_HZ - frequencies) / 20)
    voiced = torch.sigmoid((frequencies - VOICE_HZ[0]) / 20) * torch.sigmoid((VOICE_HZ[1] - frequencies) / 500)
    bass = harmonic * low
    vocals = harmonic * (1 - low) * voiced * _centredness(spectrum)
    return torch.stack([1 - harmonic, bass, harmonic - bass - vocals, vocals])[:, None]


def _centredness(spectrum: Tensor) -> Tensor:
    """From 0 (on one side only) to 1 (equal on both sides)."""
    if len(spectrum) == 1:
        return torch.full(spectrum.shape[1:], 0.5)
    left, right = spectrum[0], spectrum[1]
    return (left - right).abs().square().div((left + right).abs().square() + 1e-12).neg().mul(4).exp()


def _median_along(values: Tensor, dim: int, width: int) -> Tensor:
    """The running median of (bins, frames) along one axis."""
    padding = (width // 2, width // 2, 0, 0) if dim == 1 else (0, 0, width // 2, width // 2)
    padded = functional.pad(values[None, None], padding, mode="reflect")[0, 0]
    return padded.unfold(dim, width, 1).median(dim=-1).values
