"""The bank's clips: 10 s of one stem, normalised in loudness and stored in 16 bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.composing import CLIP_S
from training.soundfonts import SAMPLE_RATE, Signal

CLIP_SAMPLES = round(CLIP_S * SAMPLE_RATE)
LOUDNESS = 0.1  # RMS of each clip over its blocks that are not silent
HIGHEST_PEAK = 0.98

Stored = np.ndarray[tuple[int, ...], np.dtype[np.int16]]


def levelled(clip: Signal) -> Signal:
    """The clip at the common loudness, or as near to it as is possible without clipping."""
    power = np.square(clip.reshape(-1, 2100, 2)).mean(axis=(1, 2))
    sounding = power[power > power.max() * 1e-3]
    loudness = float(np.sqrt(sounding.mean())) if len(sounding) else 0.0
    peak = float(np.abs(clip).max())
    return clip * min(LOUDNESS / max(loudness, 1e-6), HIGHEST_PEAK / max(peak, 1e-6))


def as_stored(clip: Signal) -> Stored:
    return np.round(clip * 32767).astype(np.int16)


def save_clips(path: Path, clips: Stored) -> None:
    """Write the whole file or none: a running training loads every shard that exists."""
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.save(file, clips)
    part.replace(path)
