"""The formulas of `denoise` over a whole song at once, in plain NumPy: what the streaming engine is compared with."""

from __future__ import annotations

import numpy as np

FRAME, HOP = 2048, 512
WINDOW = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)
RELEASES = {"default": 0.1, "drums": 0.3, "slow": 0.5}


def denoised(song, noise, rate, *, factor=0.9, attack=0.01, release=0.1):
    """One channel without the noise, which is one channel too; float64."""
    length = int(0.05 * rate)
    levels = level_curve(song, length)
    if not len(levels):
        return song
    estimate = followed(levels, rate, attack, release)
    spectra = stft(song)
    places = np.linspace(0, len(levels) - 1, len(spectra))
    estimate = np.interp(places, np.arange(len(levels)), estimate)
    scale = np.clip(estimate / (level_curve(noise[: len(song)], length).mean() + 1e-10), 0.1, 10.0)
    magnitude = np.abs(spectra)
    wanted = magnitude - factor * scale[:, None] * np.abs(stft(noise)).mean(axis=0)
    return inverse(np.maximum(wanted, 0.05 * magnitude) * np.exp(1j * np.angle(spectra)), len(song))


def level_curve(signal, length):
    starts = range(0, len(signal) - length, HOP)
    return np.array([np.sqrt(np.mean(signal[start : start + length] ** 2)) for start in starts])


def followed(levels, rate, attack, release):
    """Smoothed, and held back after jumps."""
    steps = {name: max(1, int(value * rate / HOP)) for name, value in zip("arh", (attack, release, 0.05), strict=True)}
    changes = np.diff(levels, prepend=levels[0])
    held = np.zeros(len(levels), dtype=bool)
    for jump in np.flatnonzero(changes > 2 * np.std(changes)):
        held[jump : jump + steps["h"]] = True
    smooth = [levels[0]]
    for level in levels[1:]:
        part = 1 / steps["a" if level > smooth[-1] else "r"]
        smooth.append(part * level + (1 - part) * smooth[-1])
    result = np.array(smooth)
    for index in np.flatnonzero(held):
        first = index
        while held[first - 1] and first > 0:
            first -= 1
        result[index] = min(smooth[index], 1.5 * smooth[max(first - 1, 0)])
    return result


def stft(signal):
    """(frames, bins), each frame centred on a multiple of the hop."""
    padded = np.pad(signal.astype(np.float64), FRAME // 2)
    starts = range(0, len(signal) + 1, HOP)
    return np.array([np.fft.rfft(WINDOW * padded[start : start + FRAME]) for start in starts])


def inverse(spectra, length):
    total = np.zeros(FRAME + HOP * len(spectra))
    weight = np.zeros_like(total)
    for index, spectrum in enumerate(spectra):
        place = slice(index * HOP, index * HOP + FRAME)
        total[place] += WINDOW * np.fft.irfft(spectrum, FRAME)
        weight[place] += WINDOW**2
    middle = slice(FRAME // 2, FRAME // 2 + length)
    return total[middle] / weight[middle]


def drums(rate, seconds, *, channels=1, seed=0):
    """Decaying beats in hiss that is as loud as they are, as (samples, channels)."""
    random = np.random.default_rng(seed)
    time = np.arange(int(rate * seconds)) / rate
    shape = (len(time), channels)
    beats = np.exp(-6 * (time[:, None] % (0.4 + 0.1 * np.arange(channels))))
    tone = np.sin(2 * np.pi * 180 * time)[:, None]
    return (0.3 * beats * (tone + 0.2 * random.standard_normal(shape)) + 0.01 * random.standard_normal(shape)).astype(
        np.float32
    )


def hiss(rate, seconds, *, channels=1, seed=1):
    """Noise alone, as (samples, channels)."""
    return (0.02 * np.random.default_rng(seed).standard_normal((int(rate * seconds), channels))).astype(np.float32)


def agreement_db(found, expected):
    """How far the difference is below the signal."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    return 10 * np.log10(np.sum(np.square(expected)) / max(np.sum(np.square(found - expected)), 1e-300))
