"""Lossy compression as augmentation: it removes highs, and soft sounds masked by loud ones."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import soundfile

from training.composing import chance
from training.soundfonts import SAMPLE_RATE, Signal

CODED = 0.2  # probability
FORMATS = (("MP3", "MPEG_LAYER_III"), ("OGG", "VORBIS"))
COMPRESSION = (0.5, 0.9)  # libsndfile's level from 0 to 1; about 50 to 170 kbit/s
BLOCK = 1 << 16  # Vorbis's encoder overflows its stack on long writes


def perhaps_coded(clip: Signal, rng: np.random.Generator) -> Signal:
    """The clip (samples, 2), with a probability of `CODED` encoded and decoded."""
    if not chance(rng, CODED):
        return clip
    return coded(clip, *FORMATS[int(rng.integers(len(FORMATS)))], compression=float(rng.uniform(*COMPRESSION)))


def coded(clip: Signal, form: str, subtype: str, *, compression: float) -> Signal:
    """The clip encoded and decoded, with its length unchanged."""
    memory = io.BytesIO()
    encode(memory, clip, form, subtype, compression=compression)
    memory.seek(0)
    decoded, _ = soundfile.read(memory, dtype="float32", always_2d=True)
    result = np.zeros_like(clip)
    result[: len(decoded)] = decoded[: len(clip)]
    return result


def encode(target: Path | io.BytesIO, sound: Signal, form: str, subtype: str, *, compression: float) -> None:
    """Write (samples, channels); `compression` is 0 for the best quality and 1 for the smallest file."""
    with soundfile.SoundFile(
        target, "w", SAMPLE_RATE, sound.shape[1], format=form, subtype=subtype, compression_level=compression
    ) as file:
        for start in range(0, len(sound), BLOCK):
            file.write(sound[start : start + BLOCK])
