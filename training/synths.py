"""Synthesised basses, leads, plucks and pads with random settings for each clip, and an overdriven amplifier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import signal as filters  # type: ignore[import-untyped]  # the package has no types

from training.composing import CLIP_S, Note
from training.soundfonts import SAMPLE_RATE, Signal

Doubles = np.ndarray[tuple[int], np.dtype[np.float64]]


def time_s(duration_s: float) -> Doubles:
    return np.arange(round(duration_s * SAMPLE_RATE), dtype=np.float64) / SAMPLE_RATE


def noise_burst(
    rng: np.random.Generator, duration_s: float, decay_s: float, *, high_pass: float, attack_s: float = 0.0005
) -> Signal:
    """High-passed noise with an attack and an exponential decay."""
    t = time_s(duration_s)
    noise = filters.sosfilt(_butter(high_pass, "highpass"), rng.standard_normal(len(t)))
    return np.asarray(noise * np.minimum(t / attack_s, 1) * np.exp(-t / decay_s), np.float32)


def _butter(frequency_hz: float, kind: str, order: int = 2) -> Doubles:
    return np.asarray(filters.butter(order, min(frequency_hz, 20000.0), kind, fs=SAMPLE_RATE, output="sos"))


@dataclass(frozen=True)
class Patch:
    """The settings of one synthesiser for one clip."""

    wave: str  # sine, triangle, saw, square, fm, string
    attack_s: float
    decay_s: float  # large for organ-like tones
    release_s: float
    detune: float  # semitones between unison voices
    unison: int
    cutoff: float  # of the low-pass filter, as a multiple of the fundamental
    sweep: float  # relative increase of the cutoff at the attack
    drive: float
    vibrato: float
    ratio: float  # of FM
    index: float


def random_patch(rng: np.random.Generator, kind: str) -> Patch:
    """Settings for a `bass`, a `lead`, a `pluck` or a `pad`."""
    waves = {
        "bass": ["sine", "triangle", "saw", "saw", "square", "fm", "string"],
        "lead": ["triangle", "saw", "saw", "square", "fm", "sine"],
        "pluck": ["saw", "square", "fm", "string", "string", "triangle"],
        "pad": ["saw", "saw", "triangle", "square", "fm"],
    }
    slow, short = kind == "pad", kind == "pluck"
    wide = kind in {"lead", "pad"}
    return Patch(
        wave=str(rng.choice(waves[kind])),
        attack_s=float(rng.uniform(0.05, 0.6) if slow else rng.uniform(0.001, 0.02)),
        decay_s=float(rng.uniform(0.1, 0.5) if short else rng.choice([0.4, 1.0, 3.0, 30.0])),
        release_s=float(rng.uniform(0.2, 0.8) if slow else rng.uniform(0.02, 0.12)),
        detune=float(rng.uniform(0.03, 0.25)),
        unison=int(rng.choice([1, 2, 3, 5])) if wide else int(rng.choice([1, 1, 2])),
        cutoff=float(np.exp(rng.uniform(np.log(2), np.log(12 if kind == "bass" else 30)))),
        sweep=float(rng.choice([0.0, rng.uniform(0, 8)])),
        drive=float(rng.choice([0.0, 0.0, rng.uniform(1, 6)])),
        vibrato=float(rng.choice([0.0, rng.uniform(0.05, 0.3)])) if kind == "lead" else 0.0,
        ratio=float(rng.choice([0.5, 1, 1, 2, 3, 3.5, 7])),
        index=float(rng.uniform(0.5, 5)),
    )


def perform(notes: Sequence[Note], patch: Patch, rng: np.random.Generator) -> Signal:
    """A clip (samples, 2) of these notes."""
    track = np.zeros((round(CLIP_S * SAMPLE_RATE), 2))
    for note in notes:
        start = round(note.start_s * SAMPLE_RATE)
        if not 0 <= start < len(track):
            continue
        tone = _tone(note, patch, rng)[: len(track) - start]
        track[start : start + len(tone)] += tone * (0.2 * note.velocity)
    driven = np.tanh(track * (1 + patch.drive) * 2) / 2 if patch.drive else track
    return np.asarray(driven, np.float32)


def _tone(note: Note, patch: Patch, rng: np.random.Generator) -> Doubles:
    """One note (samples, 2), its unison voices spread from left to right."""
    t = time_s(min(note.length_s + patch.release_s, CLIP_S))
    spread = np.linspace(-1, 1, patch.unison) if patch.unison > 1 else np.zeros(1)
    tone = np.zeros((len(t), 2))
    for place in spread:
        frequency = 440 * 2 ** ((note.pitch - 69 + place * patch.detune) / 12)
        voice = _wave(t, frequency, patch, float(rng.uniform(0, 1)))
        tone += voice[:, None] * np.array([1 - 0.7 * place, 1 + 0.7 * place]) / patch.unison
    return np.asarray(tone * _envelope(t, note.length_s, patch)[:, None])


def _envelope(t: Doubles, length_s: float, patch: Patch) -> Doubles:
    rising = np.minimum(t / patch.attack_s, 1)
    falling = np.clip((length_s + patch.release_s - t) / patch.release_s, 0, 1)
    return np.asarray(rising * np.exp(-t / patch.decay_s) * falling)


def _wave(t: Doubles, frequency_hz: float, patch: Patch, turn: float) -> Doubles:
    late = np.clip(t / 0.3 - 0.5, 0, 1)
    bend = patch.vibrato / 12 * np.log(2) / (2 * np.pi * 5.5) * np.sin(2 * np.pi * 5.5 * t) * late
    cycles = frequency_hz * (t + bend) + turn
    makers: dict[str, Callable[[], Doubles]] = {
        "sine": lambda: np.sin(2 * np.pi * cycles),
        "fm": lambda: np.sin(
            2 * np.pi * cycles + patch.index * np.exp(-t * 3) * np.sin(2 * np.pi * patch.ratio * cycles)
        ),
        "string": lambda: _plucked(len(t), frequency_hz, patch, turn),
    }
    if patch.wave in makers:
        return makers[patch.wave]()
    return _partials(t, cycles, frequency_hz, patch)


def _partials(t: Doubles, cycles: Doubles, frequency_hz: float, patch: Patch) -> Doubles:
    """A band-limited wave through a low-pass filter that closes after the attack.

    It is a crossfade between two wavetables, a bright and a dark one.
    """
    bright = _table(patch.wave, frequency_hz, patch.cutoff * (1 + patch.sweep))
    if not patch.sweep:
        return _looked_up(bright, cycles)
    dark = _table(patch.wave, frequency_hz, patch.cutoff)
    closing = np.exp(-t / 0.15)
    return np.asarray(_looked_up(bright, cycles) * closing + _looked_up(dark, cycles) * (1 - closing))


def _table(wave: str, frequency_hz: float, cutoff: float) -> Doubles:
    size = 2048
    count = int(np.clip(18000 / frequency_hz, 1, size // 2 - 1))
    k = np.arange(1, count + 1)
    loudness = {"saw": 1 / k, "square": (k % 2) / k, "triangle": (k % 2) / k**2 * np.where(k // 2 % 2, -1, 1)}[wave]
    spectrum = np.zeros(size // 2 + 1, np.complex128)
    spectrum[1 : count + 1] = -1j * loudness / np.sqrt(1 + (k / cutoff) ** 4)
    return np.asarray(np.fft.irfft(spectrum, size) * size / 2)


def _looked_up(table: Doubles, cycles: Doubles) -> Doubles:
    position = (cycles % 1) * len(table)
    index = position.astype(np.int64)
    part = position - index
    return np.asarray(table[index % len(table)] * (1 - part) + table[(index + 1) % len(table)] * part)


def _plucked(samples: int, frequency_hz: float, patch: Patch, turn: float) -> Doubles:
    """A plucked string by Karplus-Strong synthesis: noise in a feedback delay with a low-pass filter."""
    period = max(2, round(SAMPLE_RATE / frequency_hz))
    excitation = np.zeros(samples)
    count = min(period, samples)
    excitation[:count] = np.random.default_rng(int(turn * 2**31)).uniform(-1, 1, count)
    darkness = float(np.clip(1 / patch.cutoff, 0.05, 0.5))
    feedback = np.zeros(period + 2)
    feedback[0] = 1
    feedback[period], feedback[period + 1] = -0.996 * (1 - darkness), -0.996 * darkness
    return np.asarray(filters.lfilter([1.0], feedback, excitation))


def darkened(sound: Signal, frequency_hz: float) -> Signal:
    """The sound after a low-pass filter."""
    return np.asarray(filters.sosfilt(_butter(frequency_hz, "lowpass"), sound, axis=0), np.float32)


def driven(sound: Signal, rng: np.random.Generator) -> Signal:
    """The sound of an overdriven amplifier: saturation, then a loudspeaker without highs or lows."""
    loudness = float(np.sqrt(np.square(sound).mean())) + 1e-9
    pushed = np.tanh(sound / loudness * float(rng.uniform(0.7, 8)) + float(rng.uniform(-0.2, 0.2)))
    speaker = _butter(float(rng.uniform(3000, 7000)), "lowpass", 4)
    rumble = _butter(float(rng.uniform(70, 130)), "highpass")
    return np.asarray(filters.sosfilt(rumble, filters.sosfilt(speaker, pushed, axis=0), axis=0), np.float32)
