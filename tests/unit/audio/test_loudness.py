"""Loudness and true peaks, by the signals with which EBU Tech 3341 tests meters, and beside the standard's own formula."""

import numpy as np
import pytest
from loudness_case import RATE, lufs, true_peak
from scipy import signal

from utils.audio.loudness import LoudnessMeter, TruePeakMeter


def sine(level_db, seconds, rate=RATE, hertz=1000.0, channels=2):
    times = np.arange(round(seconds * rate)) / rate
    return np.tile(10 ** (level_db / 20) * np.sin(2 * np.pi * hertz * times), (channels, 1)).astype(np.float32)


def noise(channels, length):
    """Without the highest frequencies, of which two resamplers keep different shares."""
    white = np.random.default_rng(length).standard_normal((channels, length))
    return signal.sosfilt(signal.butter(8, 0.5, output="sos"), white, axis=1)


def measured(samples, rate=RATE, block=50_001):
    meter = LoudnessMeter(rate, len(samples))
    for start in range(0, samples.shape[1], block):
        meter.add(samples[:, start : start + block])
    return meter.finish()


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([(-23, 20)], -23),
        ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23),
        ([(-26, 20), (-20, 20.1), (-26, 20)], -23),
    ],
)
def test_signals_of_the_ebu_have_their_loudness(parts, expected):
    """Tech 3341, cases 1, 4 and 5: a tone at one level, and parts that do not count because they are too quiet."""
    samples = np.concatenate([sine(level, seconds) for level, seconds in parts], axis=1)
    assert measured(samples) == pytest.approx(expected, abs=0.1)


def test_surround_channels_count_more():
    """Tech 3341, case 6: five channels at different levels, in WAV order without the low frequencies."""
    levels = {"left": -28, "right": -28, "centre": -24, "left behind": -30, "right behind": -30}
    samples = np.concatenate([sine(level, 20, channels=1) for level in levels.values()])
    assert measured(samples) == pytest.approx(-23, abs=0.1)


@pytest.mark.parametrize(("rate", "channels", "block"), [(48000, 2, 999), (44100, 1, 70_000), (41625, 2, 4096)])
def test_music_has_the_loudness_of_the_formula(rate, channels, block):
    """Noise whose level changes, at rates of songs and of pitched ones, in blocks of any length."""
    envelope = np.repeat(10.0 ** np.random.default_rng(rate).uniform(-2.5, -0.5, 8), rate)
    samples = (noise(channels, 8 * rate) * envelope).astype(np.float32)
    assert measured(samples, rate, block) == pytest.approx(lufs(samples, rate), abs=0.1)  # what the EBU allows meters


@pytest.mark.parametrize("samples", [np.zeros((2, RATE)), sine(-20, 0.3), sine(-90, 2), np.zeros((2, 0))])
def test_silence_and_what_is_too_short_have_none(samples):
    """The standard measures over 0.4 s, and counts nothing below -70 LUFS."""
    assert measured(samples.astype(np.float32)) is None


@pytest.mark.parametrize(("divisor", "degrees"), [(4, 0), (4, 45), (6, 60), (8, 67.5)])
def test_true_peaks_between_samples_are_found(divisor, degrees):
    """Tech 3341, cases 15 to 18: tones at fractions of the rate, whose samples miss the peak of -6 dB by up to 3 dB."""
    phase = 2 * np.pi * np.arange(RATE) / divisor + np.radians(degrees)
    fade = np.minimum(1, np.minimum(np.arange(RATE), np.arange(RATE)[::-1]) / 4000)
    samples = (0.5 * np.sin(phase) * fade).astype(np.float32)
    meter = TruePeakMeter(RATE, 1)
    for start in range(0, RATE, 7001):
        meter.add(samples[start : start + 7001, None])
    assert 20 * np.log10(meter.finish()) == pytest.approx(-6.02, abs=0.2)


def test_true_peaks_of_noise_are_those_of_a_finer_signal():
    """As at sixteen times the rate, where next to nothing is missed any more."""
    samples = noise(2, 20_000).astype(np.float32)
    meter = TruePeakMeter(44100, 2)
    meter.add(samples.T)
    assert 20 * np.log10(meter.finish() / true_peak(samples)) == pytest.approx(0, abs=0.3)
