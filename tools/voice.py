"""A voice that sings nonsense: pulses with vibrato through the formants of vowels, and consonants of noise before them.

Pure functions of numpy. It is no singer, but has what separators listen for: a fundamental that wavers, partials that
follow the mouth and not the pitch, and hisses in between.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tools.song import BEAT_S, MELODY, SAMPLE_RATE, Signal, faded, pitch_hz, place, time_s

# Frequency, width and strength of what the mouth lets through.
Formants = tuple[tuple[float, float, float], ...]
VOWELS: dict[str, Formants] = {
    "a": ((800, 80, 1.0), (1150, 90, 0.5), (2900, 120, 0.12), (3900, 130, 0.06)),
    "e": ((400, 60, 1.0), (1700, 80, 0.25), (2600, 120, 0.15), (3400, 130, 0.08)),
    "i": ((300, 50, 1.0), (2100, 100, 0.2), (2900, 120, 0.15), (3500, 130, 0.1)),
    "o": ((450, 70, 1.0), (800, 80, 0.4), (2830, 100, 0.1), (3800, 130, 0.05)),
    "u": ((325, 50, 1.0), (700, 60, 0.3), (2700, 170, 0.05), (3800, 180, 0.02)),
}
# Lowest and highest frequency, length in seconds, and strength of a noise. None is a vowel without a consonant.
CONSONANTS: dict[str, tuple[float, float, float, float] | None] = {
    "s": (4500, 10000, 0.10, 0.5),
    "sh": (2000, 6000, 0.10, 0.5),
    "t": (2500, 9000, 0.03, 0.8),
    "k": (1200, 3500, 0.04, 0.7),
    "f": (1500, 9000, 0.08, 0.25),
    "": None,
}
HIGHEST_HZ = 9000.0
VIBRATO_HZ = 5.5
VIBRATO = 0.4  # semitones
VIBRATO_FROM_S = 0.15
LOWEST_TONE_HZ = 220.0  # where the melody's 0 is


class Singer(NamedTuple):
    """What differs between voices: the size of the head, above 1 for a smaller one, and how much breath is heard."""

    size: float = 1.0
    breath: float = 0.02


def sing_phrase(chance: np.random.Generator, singer: Singer) -> Signal:
    """The melody's four bars, with syllables drawn by `chance`. It is silent where the phrase begins and ends."""
    track = np.zeros(round(16 * BEAT_S * SAMPLE_RATE))
    for beat, beats, semitones in MELODY:
        vowel = str(chance.choice(list(VOWELS)))
        consonant = str(chance.choice(list(CONSONANTS)))
        sound = syllable(pitch_hz(semitones, LOWEST_TONE_HZ), beats * BEAT_S, consonant, vowel, singer, chance)
        place(track, sound, beat * BEAT_S, 1.0)
    return track


def syllable(
    frequency_hz: float, duration_s: float, consonant: str, vowel: str, singer: Singer, chance: np.random.Generator
) -> Signal:
    """A consonant and a vowel, together as long as the note."""
    sound = np.zeros(round(duration_s * SAMPLE_RATE))
    noise = CONSONANTS[consonant]
    start_s = 0.0
    if noise is not None:
        lowest_hz, highest_hz, start_s, strength = noise
        hiss = filtered_noise(round(start_s * SAMPLE_RATE), lowest_hz, highest_hz, chance)
        place(sound, hiss * np.hanning(len(hiss)), 0.0, 0.3 * strength)
    tone = sung(frequency_hz, duration_s - start_s, VOWELS[vowel], singer)
    tone += singer.breath * filtered_noise(len(tone), 1000, HIGHEST_HZ, chance)
    place(sound, faded(tone, 0.04, 1.5), start_s, 1.0)
    return sound


def sung(frequency_hz: float, duration_s: float, formants: Formants, singer: Singer) -> Signal:
    """The partials of a tone as the mouth lets them through. The loudest possible sum of them is 1."""
    t = time_s(duration_s)
    held = np.clip((t - VIBRATO_FROM_S) / 0.2, 0, 1)
    bend = 2 ** (VIBRATO / 12 * held * np.sin(2 * np.pi * VIBRATO_HZ * t))
    phase = 2 * np.pi * np.cumsum(frequency_hz * bend) / SAMPLE_RATE
    numbers = np.arange(1.0, int(HIGHEST_HZ / frequency_hz) + 1)
    strengths = mouth(numbers * frequency_hz, formants, singer) / numbers**0.5
    strengths /= strengths.sum()
    sound = np.zeros(len(t))
    for number, strength in zip(numbers, strengths, strict=True):
        sound += strength * np.sin(number * phase)
    return sound


def mouth(frequencies_hz: npt.NDArray[np.floating[Any]], formants: Formants, singer: Singer) -> Signal:
    """How much of each frequency comes through."""
    through = np.full(len(frequencies_hz), 0.01)
    for centre_hz, width_hz, strength in formants:
        through += strength / (1 + ((frequencies_hz - singer.size * centre_hz) / width_hz) ** 2)
    return through


def filtered_noise(samples: int, lowest_hz: float, highest_hz: float, chance: np.random.Generator) -> Signal:
    """Noise of one band, with a deviation of 1."""
    spectrum = np.fft.rfft(chance.standard_normal(samples))
    frequencies = np.fft.rfftfreq(samples, 1 / SAMPLE_RATE)
    spectrum[(frequencies < lowest_hz) | (frequencies > highest_hz)] = 0
    noise = np.fft.irfft(spectrum, samples)
    return np.asarray(noise / max(float(noise.std()), 1e-12))
