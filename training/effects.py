"""The effects of a mixing desk, on tensors (channels, samples), with settings drawn from a random generator."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from training.composing import chance

SAMPLE_RATE = 44100
CURVE_POINTS = 400
REVERB_SAMPLES = round(1.5 * SAMPLE_RATE)


def decibels(gain_db: float) -> float:
    return float(10 ** (gain_db / 20))


def equaliser(rng: np.random.Generator, bins: int) -> Tensor:
    """Gains for the bins of a spectrum: a few broad bumps, sometimes a low or high cut."""
    frequencies = np.geomspace(1, SAMPLE_RATE / 2, CURVE_POINTS)
    octaves = np.log2(frequencies / 20)
    gain_db = np.zeros(CURVE_POINTS)
    for _ in range(int(rng.integers(1, 4))):
        centre, width = rng.uniform(1, 10), rng.uniform(0.4, 2.5)
        gain_db += rng.normal(0, 5) * np.exp(-0.5 * ((octaves - centre) / width) ** 2)
    gains = 10 ** (gain_db / 20)
    if chance(rng, 0.25):
        gains /= np.sqrt(1 + (rng.uniform(40, 160) / frequencies) ** 4)
    if chance(rng, 0.2):
        gains /= np.sqrt(1 + (frequencies / np.exp(rng.uniform(np.log(5000), np.log(16000)))) ** 6)
    return torch.from_numpy(np.interp(np.linspace(1, SAMPLE_RATE / 2, bins), frequencies, gains).astype(np.float32))


def high_pass(bins: int, frequency_hz: float) -> Tensor:
    """Gains of a high-pass filter with 24 dB per octave."""
    frequencies = np.linspace(1, SAMPLE_RATE / 2, bins)
    return torch.from_numpy((1 / np.sqrt(1 + (frequency_hz / frequencies) ** 8)).astype(np.float32))


def make_reverbs(rng: np.random.Generator, count: int, fft_size: int) -> Tensor:
    """Transfer functions of `count` rooms, (count, 2, bins): decaying noise, its highs faster than its lows."""
    t = np.arange(REVERB_SAMPLES) / SAMPLE_RATE
    rooms = []
    for _ in range(count):
        decay_s = np.exp(rng.uniform(np.log(0.15), np.log(2.2)))
        noise = rng.standard_normal((2, len(t)))
        dark = np.cumsum(noise, axis=1) * 0.15
        dark -= np.concatenate([np.zeros((2, 200)), dark[:, :-200]], axis=1)
        room = noise * 10 ** (-3 * t / (decay_s * rng.uniform(0.3, 0.8))) + dark * 10 ** (-3 * t / decay_s)
        early = round(rng.uniform(0.0, 0.04) * SAMPLE_RATE)
        room = np.concatenate([np.zeros((2, early)), room], axis=1)[:, : len(t)]
        room /= np.sqrt(np.square(room).sum(axis=1, keepdims=True))
        rooms.append(torch.fft.rfft(torch.from_numpy(room.astype(np.float32)), fft_size))
    return torch.stack(rooms)


def widened(stem: Tensor, rng: np.random.Generator, width: tuple[float, float], aside: float) -> Tensor:
    """Random stereo width and panning (standard deviation `aside`); left and right are swapped half the time."""
    middle, side = stem.mean(dim=0), (stem[0] - stem[1]) / 2
    side = side * float(rng.uniform(*width))
    if chance(rng, 0.5):
        side = -side
    place = float(np.clip(rng.normal(0, aside), -0.5, 0.5))
    return torch.stack([(middle + side) * (1 - place), (middle - side) * (1 + place)])


def saturated(stem: Tensor, drive: float) -> Tensor:
    """Soft clipping that keeps the loudness."""
    loudness = stem.square().mean().sqrt() + 1e-6
    bent = torch.tanh(stem * (drive * 0.25 / loudness))
    return bent * (loudness / (bent.square().mean().sqrt() + 1e-6))


def limiter_gain(mix: Tensor, threshold: float) -> Tensor:
    """A limiter's gain over time, (1, samples), to be applied to all stems of the mix alike."""
    hop = 1024
    level = torch.nn.functional.max_pool1d(mix.abs().amax(dim=0)[None, None], 4 * hop, hop, padding=2 * hop)
    gain = (threshold / level.clamp_min(1e-4)).clamp_max(1.0) ** 0.7
    gain = torch.nn.functional.avg_pool1d(gain, 5, 1, padding=2, count_include_pad=False)
    return torch.nn.functional.interpolate(gain, size=mix.shape[-1], mode="linear", align_corners=True)[0]


def resampled(stem: Tensor, samples: int) -> Tensor:
    """Played faster or slower, so that it is `samples` long."""
    if stem.shape[-1] == samples:
        return stem
    return torch.nn.functional.interpolate(stem[None], size=samples, mode="linear", align_corners=True)[0]
