"""Singing made from speech: the vocoder's frames are stretched to the notes and get the notes' pitch.

A syllable is a peak of the voiced loudness. Its vowel is held for the length of the note; consonants keep their speed.
The bandwidth of the speech is half that of music, so the highs are extrapolated: the spectral envelope keeps falling
steadily and gets noisier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyworld  # type: ignore[import-not-found]  # a dependency of training only
from scipy.ndimage import gaussian_filter1d  # type: ignore[import-untyped]  # the package has no types
from scipy.signal import find_peaks  # type: ignore[import-untyped]

from training.composing import CLIP_S, Note
from training.soundfonts import SAMPLE_RATE
from training.speech import RATE

FRAME_S = 0.005
FFT_SIZE = 1024  # of the analysis; twice the size at twice the rate gives the same bin width
QUIET = 1e-12

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Speech:
    """The vocoder's analysis of a recording, one row per frame, with bins up to the full rate's Nyquist frequency."""

    pitch_hz: Doubles
    envelope: Doubles
    noisiness: Doubles

    def __len__(self) -> int:
        return len(self.pitch_hz)


@dataclass(frozen=True)
class Singer:
    """The properties of one singing voice."""

    formants: float  # factor; above 1 for a smaller head
    vibrato_hz: float
    vibrato_depth: float  # semitones
    glide_s: float
    unsteadiness: float  # semitones
    breath: float
    brightness: float


def random_singer(rng: np.random.Generator) -> Singer:
    return Singer(
        formants=float(np.exp(rng.normal(0, 0.09))),
        vibrato_hz=float(rng.uniform(4.5, 6.8)),
        vibrato_depth=float(rng.choice([0.0, rng.uniform(0.1, 0.6)])),
        glide_s=float(rng.uniform(0.015, 0.07)),
        unsteadiness=float(rng.uniform(0.03, 0.2)),
        breath=float(rng.choice([0.0, rng.uniform(0, 0.5)])),
        brightness=float(rng.uniform(0.4, 1.3)),
    )


def analyse(sound: Doubles) -> Speech:
    """Pitch, envelope and noisiness of speech sampled at `RATE`."""
    rough, times = pyworld.dio(sound, RATE, frame_period=FRAME_S * 1000)
    pitch_hz = pyworld.stonemask(sound, rough, times, RATE)
    envelope = pyworld.cheaptrick(sound, pitch_hz, times, RATE, fft_size=FFT_SIZE)
    noisiness = pyworld.d4c(sound, pitch_hz, times, RATE, fft_size=FFT_SIZE)
    wide, airy = _widened(envelope, noisiness, _band_edge(envelope))
    return Speech(pitch_hz, np.maximum(wide, _least_highs(wide) * (pitch_hz > 0)[:, None]), airy)


def _band_edge(envelope: Doubles) -> int:
    """The bin above which the recording has almost no energy."""
    level = np.log(envelope.mean(axis=0) + QUIET)
    loud = np.flatnonzero(level > level[20:200].max() - 13)
    return int(np.clip(loud[-1] if len(loud) else 300, 300, FFT_SIZE // 2 - 24))


def _widened(envelope: Doubles, noisiness: Doubles, edge: int) -> tuple[Doubles, Doubles]:
    """Extended to twice the bandwidth: above `edge` the envelope falls steadily and is all noise."""
    bins = np.arange(FFT_SIZE + 1)
    at_edge = envelope[:, edge - 16 : edge].mean(axis=1)
    beyond = np.maximum(bins - edge, 0) / edge
    wide = np.empty((len(envelope), FFT_SIZE + 1))
    wide[:, :edge] = envelope[:, :edge]
    wide[:, edge:] = at_edge[:, None] * np.exp(-2.2 * beyond[None, edge:])
    airy = np.ones_like(wide)
    airy[:, :edge] = np.maximum(noisiness[:, :edge], np.clip((bins[:edge] - 250) / 450, 0, 0.7))
    return wide, airy


def _least_highs(envelope: Doubles) -> Doubles:
    """The least envelope of voiced frames: falling 14 dB per octave from the level around 3 kHz."""
    bins = np.arange(FFT_SIZE + 1)
    return np.asarray(envelope[:, 95:190].mean(axis=1)[:, None] * (0.3 * (np.maximum(bins, 140) / 140.0) ** -4.6))


def sing(speech: Speech, notes: Sequence[Note], singer: Singer, rng: np.random.Generator) -> Doubles:
    """A mono clip that sings the speech's syllables on the notes, one after the other."""
    frames = round(CLIP_S / FRAME_S)
    source = np.full(frames, -1)
    pitch = np.zeros(frames)
    loudness = np.zeros(frames)
    syllables = find_syllables(speech)
    first = int(rng.integers(len(syllables)))
    for number, note in enumerate(notes):
        start, end = (round(max(0.0, t) / FRAME_S) for t in (note.start_s, note.start_s + note.length_s))
        end = min(end, frames)
        if end - start < 8:  # noqa: PLR2004 - 40 ms are too short to sing
            continue
        source[start:end] = stretch(syllables[(first + number) % len(syllables)], end - start, rng)
        pitch[start:end] = note.pitch
        loudness[start:end] = note.velocity
    return _synthesise(speech, source, _sung_pitch(pitch, source >= 0, singer, rng), loudness, singer)


def rap(speech: Speech, singer: Singer, rng: np.random.Generator) -> Doubles:
    """A mono clip of the speech at another pitch and speed, repeated to fill the clip."""
    frames = round(CLIP_S / FRAME_S)
    speed = float(rng.uniform(0.8, 1.3))
    source = (np.arange(frames) * speed).astype(int) % len(speech)
    voiced = speech.pitch_hz[speech.pitch_hz > 0]
    middle = float(np.median(voiced)) if len(voiced) else 120.0
    shift = float(rng.uniform(-4, 9))
    pitch = 69 + 12 * np.log2(np.maximum(speech.pitch_hz[source], middle / 2) / 440) + shift
    return _synthesise(speech, source, pitch, np.ones(frames), singer)


def find_syllables(speech: Speech) -> list[tuple[int, int, int]]:
    """The start, vowel centre and end of each syllable, in frames."""
    voiced = (speech.pitch_hz > 0) * np.sqrt(speech.envelope[:, 5:200].sum(axis=1))
    swelling = gaussian_filter1d(voiced, 5)
    peaks, _ = find_peaks(swelling, distance=16, height=0.15 * swelling.max())
    if not len(peaks):
        return [(0, len(speech) // 2, len(speech))]
    between = [int(low + np.argmin(swelling[low:high])) for low, high in pairwise(peaks)]
    edges = [max(0, int(peaks[0]) - 25), *between, min(len(speech), int(peaks[-1]) + 25)]
    return [(edges[i], int(peak), edges[i + 1]) for i, peak in enumerate(peaks)]


def stretch(syllable: tuple[int, int, int], frames: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """For each of `frames` output frames the frame of the speech to use: the vowel is held, wavering a little."""
    start, middle, end = syllable
    before = min(middle - start, int(frames * 0.45))
    after = min(end - middle, int(frames * 0.35))
    held = frames - before - after
    waver = np.cumsum(rng.normal(0, 0.35, held))
    room = max(1, min(middle - start, end - middle) // 2)
    vowel = middle + np.round((waver + room) % (4 * room) - room).astype(int)
    vowel = middle + room - np.abs(vowel - middle - room)
    whole = np.concatenate([np.arange(middle - before, middle), vowel, np.arange(middle, middle + after)])
    return np.asarray(np.clip(whole, start, end - 1))


def _sung_pitch(steps: Doubles, sounding: npt.NDArray[np.bool_], singer: Singer, rng: np.random.Generator) -> Doubles:
    """The sung pitch: glides between notes, vibrato on held ones, and a slow drift."""
    held = steps.copy()
    known = np.flatnonzero(sounding)
    if len(known):
        held = np.interp(np.arange(len(steps)), known, steps[known])
    pitch = gaussian_filter1d(held, singer.glide_s / FRAME_S)
    since = np.arange(len(steps)) - np.maximum.accumulate(
        np.where(np.diff(held, prepend=held[0]) != 0, np.arange(len(steps)), 0)
    )
    vibrato = singer.vibrato_depth * np.clip(since * FRAME_S / 0.4 - 0.4, 0, 1)
    rate_hz = singer.vibrato_hz * (1 + 0.05 * gaussian_filter1d(rng.standard_normal(len(steps)), 40) * 8)
    drift = gaussian_filter1d(rng.standard_normal(len(steps)), 12) * singer.unsteadiness * 5
    return np.asarray(pitch + vibrato * np.sin(2 * np.pi * np.cumsum(rate_hz) * FRAME_S) + drift)


def _synthesise(
    speech: Speech, source: npt.NDArray[np.int64], pitch: Doubles, loudness: Doubles, singer: Singer
) -> Doubles:
    silent = source < 0
    index = np.maximum(source, 0)
    voiced = (speech.pitch_hz[index] > 0) & ~silent
    pitch_hz = np.where(voiced, 440 * 2 ** ((pitch - 69) / 12), 0.0)
    level = gaussian_filter1d(np.where(silent, 0.0, 0.3 + 0.7 * loudness), 2)
    envelope = _shifted(speech.envelope[index], singer) * np.square(level)[:, None] + QUIET
    noisiness = np.clip(speech.noisiness[index] + singer.breath * np.linspace(0, 1, FFT_SIZE + 1) ** 0.5, 0.0, 1.0)
    sound: Doubles = pyworld.synthesize(
        np.ascontiguousarray(pitch_hz), np.ascontiguousarray(envelope), np.ascontiguousarray(noisiness),
        SAMPLE_RATE, FRAME_S * 1000,
    )  # fmt: skip
    return sound[: round(CLIP_S * SAMPLE_RATE)]


def _shifted(envelope: Doubles, singer: Singer) -> Doubles:
    """With the singer's formants and brightness."""
    bins = np.arange(FFT_SIZE + 1)
    positions = np.clip(np.round(bins / singer.formants).astype(int), 0, FFT_SIZE)
    tilt = np.maximum(bins, 8) ** (0.8 * (singer.brightness - 0.8))
    return np.asarray(envelope[:, positions] * (tilt / tilt[100]))
