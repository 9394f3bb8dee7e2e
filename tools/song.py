"""A short synthetic song: drums, bass, chords and a lead, the same samples every time. Pure functions of numpy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Signal = npt.NDArray[np.float64]

SAMPLE_RATE = 44100
BEAT_S = 0.5
BEATS_IN_BAR = 4
# One chord for each bar, as semitones above A2 (110 Hz): Am, F, C, G.
CHORDS = ((0, 3, 7), (-4, 0, 3), (3, 7, 10), (-2, 2, 5))
# The lead: beat in the phrase of four bars, length in beats, semitones above A4.
MELODY = ((0, 2, 0), (2, 1, 3), (3, 1, 2), (4, 3, -4), (8, 2, 7), (10, 1, 3), (11, 1, 5), (12, 3, -2))


def pitch_hz(semitones: float, base_hz: float) -> float:
    return float(base_hz * 2 ** (semitones / 12))


def time_s(duration_s: float) -> Signal:
    return np.arange(round(duration_s * SAMPLE_RATE)) / SAMPLE_RATE


def faded(signal: Signal, attack_s: float, decay_s: float) -> Signal:
    """A linear attack, then an exponential decay to silence at the very end."""
    t = time_s(len(signal) / SAMPLE_RATE)[: len(signal)]
    envelope = np.minimum(t / attack_s, 1.0) * np.exp(-t / decay_s)
    return np.asarray(signal * envelope * np.minimum((t[-1] - t) / 0.01, 1.0))


def harmonics(frequency_hz: float, duration_s: float, count: int) -> Signal:
    """A saw-like tone of `count` partials."""
    phase = 2 * np.pi * frequency_hz * time_s(duration_s)
    tones = [np.sin(k * phase) / k for k in range(1, count + 1)]
    return np.asarray(np.sum(tones, axis=0))


def kick() -> Signal:
    t = time_s(0.3)
    return faded(np.sin(2 * np.pi * (50 * t + 6 * (1 - np.exp(-t / 0.03)))), 0.002, 0.1)


def snare(noise: np.random.Generator) -> Signal:
    t = time_s(0.2)
    return faded(0.5 * noise.standard_normal(len(t)) + 0.5 * np.sin(2 * np.pi * 190 * t), 0.001, 0.06)


def hat(noise: np.random.Generator) -> Signal:
    """White noise with its low part taken away by a difference."""
    return faded(np.diff(noise.standard_normal(round(0.06 * SAMPLE_RATE) + 1)), 0.001, 0.015)


def place(track: Signal, sound: Signal, at_s: float, gain: float) -> None:
    """Add a sound to a track in place; what lies beyond its end is cut."""
    start = round(at_s * SAMPLE_RATE)
    length = max(0, min(len(sound), len(track) - start))
    track[start : start + length] += gain * sound[:length]


def drums(duration_s: float) -> Signal:
    noise = np.random.default_rng(7)
    track = np.zeros(round(duration_s * SAMPLE_RATE))
    for beat in range(int(duration_s / BEAT_S)):
        place(track, kick() if beat % 2 == 0 else snare(noise), beat * BEAT_S, 0.8)
        for half in (0.0, 0.5):
            place(track, hat(noise), (beat + half) * BEAT_S, 0.15)
    return track


def bass(duration_s: float) -> Signal:
    track = np.zeros(round(duration_s * SAMPLE_RATE))
    for eighth in range(int(2 * duration_s / BEAT_S)):
        root = CHORDS[eighth // (2 * BEATS_IN_BAR) % len(CHORDS)][0]
        place(track, faded(harmonics(pitch_hz(root, 55.0), 0.24, 5), 0.005, 0.2), eighth * BEAT_S / 2, 0.35)
    return track


def chords(duration_s: float) -> Signal:
    track = np.zeros(round(duration_s * SAMPLE_RATE))
    bar_s = BEATS_IN_BAR * BEAT_S
    for bar in range(int(duration_s / bar_s)):
        for semitones in CHORDS[bar % len(CHORDS)]:
            for detune in (-0.06, 0.06):
                tone = harmonics(pitch_hz(semitones + detune, 220.0), bar_s, 8)
                place(track, faded(tone, 0.05, 1.5), bar * bar_s, 0.05)
    return track


def lead(duration_s: float) -> Signal:
    """A sung-like line: three partials with vibrato."""
    track = np.zeros(round(duration_s * SAMPLE_RATE))
    phrase_s = 4 * BEATS_IN_BAR * BEAT_S
    for phrase in range(int(np.ceil(duration_s / phrase_s))):
        for beat, beats, semitones in MELODY:
            t = time_s(beats * BEAT_S)
            phase = 2 * np.pi * pitch_hz(semitones, 440.0) * t + 0.4 * np.sin(2 * np.pi * 5.5 * t)
            tone = np.sin(phase) + 0.4 * np.sin(2 * phase) + 0.2 * np.sin(3 * phase)
            place(track, faded(tone, 0.06, 1.2), phrase * phrase_s + beat * BEAT_S, 0.2)
    return track


def song(duration_s: float = 12.0) -> npt.NDArray[np.float32]:
    """The mix as (samples, 2): bass and lead in the middle, drums nearly so, chords wide; its peak is 0.8."""
    beat, low, wide, tune = drums(duration_s), bass(duration_s), chords(duration_s), lead(duration_s)
    left = beat + low + tune + 1.3 * wide
    right = 0.9 * beat + low + tune + 0.7 * np.roll(wide, 200)
    mix = np.stack([left, right], axis=1)
    return np.asarray(0.8 * mix / np.abs(mix).max(), dtype=np.float32)
