"""Panning as in real mixes.

Bass, lead vocals, kick and snare are in the centre of nearly all music. Other instruments make room for them: they are
panned to a side, double-tracked left and right, or wide by themselves. Training data must show this for a network to
learn it.
"""

from __future__ import annotations

import numpy as np

from training.composing import chance
from training.soundfonts import SAMPLE_RATE, Signal

PLACES = ("as it is", "aside", "doubled", "wide")
ODDS = (0.25, 0.35, 0.2, 0.2)
CHORUS_CENTS = (3.0, 14.0)
LATE_S = (0.008, 0.03)


def spread(layer: Signal, rng: np.random.Generator) -> Signal:
    """A layer of `other` (samples, 2), panned at random."""
    place = str(rng.choice(PLACES, p=ODDS))
    if place == "as it is":
        return layer
    if place == "aside":
        return aside(layer, float(rng.uniform(0.25, 1.0)) * (1 if chance(rng, 0.5) else -1))
    middle = layer.mean(axis=1)
    other = later(middle, float(rng.uniform(*LATE_S))) if place == "doubled" else wavering(middle, rng)
    pair = (middle, other) if chance(rng, 0.5) else (other, middle)
    return np.asarray(np.stack(pair, axis=1), np.float32)


def aside(sound: Signal, place: float) -> Signal:
    """The sound panned between left (-1) and right (1); it keeps its stereo width."""
    return np.asarray(sound * np.array([min(1, 1 - place), min(1, 1 + place)]), np.float32)


def later(sound: Signal, by_s: float) -> Signal:
    """The sound delayed."""
    count = round(by_s * SAMPLE_RATE)
    return np.concatenate([np.zeros(count, sound.dtype), sound[: len(sound) - count]])


def wavering(sound: Signal, rng: np.random.Generator) -> Signal:
    """A chorus: a slowly modulated delay, which detunes the sound by some cents."""
    rate_hz = float(rng.uniform(0.3, 1.5))
    cents = float(rng.uniform(*CHORUS_CENTS))
    swing_s = (2 ** (cents / 1200) - 1) / (2 * np.pi * rate_hz)
    t = np.arange(len(sound)) / SAMPLE_RATE
    delay_s = 0.006 + swing_s * (1 + np.sin(2 * np.pi * (rate_hz * t + float(rng.random()))))
    return np.asarray(np.interp(t - delay_s, t, sound, left=0.0), np.float32)
