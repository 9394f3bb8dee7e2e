"""The clip that the demo separates: two passages of generated music, as four true stems.

Its drum kit, instruments and voices come from the held-out pool, so training never used them. Only sounds that may be
redistributed under DSU's own terms are used (soundfonts under the MIT licence, voices under similar licences).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from training import bank, effects
from training.clips import levelled
from training.codecs import encode
from training.composing import STEMS, compose, drum_hits, stream
from training.soundfonts import SAMPLE_RATE, Signal, Voice, drum_notes, play
from training.sources import GENERAL_SOUNDFONTS, HELD_OUT

SEEDS = (3_000_012, 3_000_013)  # a pop song and a rock song
PASSAGE_S = 8.5
FADE_S = 0.03
BALANCE_DB = {"drums": 1.0, "bass": -1.0, "other": -2.0, "vocals": 1.0}
PEAK = 0.8
QUALITY = 0.4  # of Ogg Vorbis; the encoded stems are the reference
SOUNDS = replace(HELD_OUT, voices=("flite:rms", "festival:ked_diphone"))


def make_clip(folder: Path, seeds: Sequence[int] = SEEDS) -> None:
    """Write a file for each stem."""
    stems = np.concatenate([passage(seed) for seed in seeds], axis=1)
    stems *= PEAK / np.abs(stems.sum(axis=0)).max()
    folder.mkdir(parents=True, exist_ok=True)
    for name, stem in zip(STEMS, stems, strict=True):
        encode(folder / f"{name}.ogg", stem, "OGG", "VORBIS", compression=1 - QUALITY)


def passage(seed: int) -> Signal:
    """The stems of one song, (stems, samples, 2)."""
    song, rng = compose(seed), stream(seed, "sound")
    drums = play(GENERAL_SOUNDFONTS[0], [Voice(SOUNDS.kit_programs[0], drum_notes(drum_hits(song)))], drums=True)
    others = [make(song, SOUNDS, rng) for make in (bank.bass, bank.other, bank.vocals)]
    samples = round(PASSAGE_S * SAMPLE_RATE)
    stems = [
        effects.decibels(BALANCE_DB[name]) * levelled(clip)[:samples]
        for name, clip in zip(STEMS, (drums, *others), strict=True)
    ]
    stems[-1] = _in_a_room(stems[-1], rng)
    return np.asarray(np.stack(stems) * _fades(samples)[:, None], np.float32)


def _in_a_room(voice: Signal, rng: np.random.Generator) -> Signal:
    size = 1 << (len(voice) + effects.REVERB_SAMPLES - 1).bit_length()
    room = effects.make_reverbs(rng, 1, size)[0]
    spectrum = torch.fft.rfft(torch.from_numpy(voice.T.copy()), size) * (1 + effects.decibels(-12) * room)
    return np.asarray(torch.fft.irfft(spectrum, size)[:, : len(voice)].T.numpy())


def _fades(samples: int) -> Signal:
    """The gain of a fade-in and a fade-out."""
    ramp = np.minimum(np.arange(samples) / (FADE_S * SAMPLE_RATE), 1)
    return np.asarray(ramp * ramp[::-1], np.float32)
