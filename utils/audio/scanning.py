"""One cheap pass over a file, for what must be known before the work starts: length, mean, deviation and peak."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from utils.audio.channels import Block
from utils.audio.paths import shown
from utils.audio.reading import open_audio
from utils.core.errors import InputEmpty


@dataclass(frozen=True)
class AudioStats:
    """`mean` and `std` are of the mean over the channels; `std` divides by n - 1 and is 0 for a single sample."""

    frames: int
    source_frames: int
    mean: float
    std: float
    peak: float


class Moments:
    """Count, mean and standard deviation of a stream, merged block by block, which stays exact over hours."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = 0.0
        self._squares = 0.0

    def add(self, values: NDArray[np.float64]) -> None:
        if not len(values):
            return
        mean = float(values.mean())
        deviations = values - mean
        total = self.count + len(values)
        difference = mean - self.mean
        self._squares += float(deviations @ deviations) + difference * difference * self.count * len(values) / total
        self.mean += difference * len(values) / total
        self.count = total

    @property
    def std(self) -> float:
        return math.sqrt(self._squares / (self.count - 1)) if self.count > 1 else 0.0

    @property
    def population_std(self) -> float:
        """The standard deviation of these values alone: it divides by n."""
        return math.sqrt(self._squares / self.count) if self.count else 0.0


def scan(
    path: Path,
    *,
    sample_rate: int,
    channels: int,
    start_s: float = 0.0,
    duration_s: float | None = None,
    checkpoint: Callable[[], None] | None = None,
    on_progress: Callable[[float], None] | None = None,
    keep: Callable[[Block], None] | None = None,
) -> AudioStats:
    """Read the file, or a part of it, as `open_audio` with the same arguments does. `keep` gets every block."""
    moments, peak = Moments(), 0.0
    with open_audio(
        path,
        sample_rate=sample_rate,
        channels=channels,
        start_s=start_s,
        duration_s=duration_s,
        checkpoint=checkpoint,
    ) as reader:
        for block in reader:
            moments.add(block.mean(axis=0, dtype=np.float64))
            peak = max(peak, float(np.abs(block).max()))
            if keep is not None:
                keep(block)
            if on_progress and reader.expected_frames:
                on_progress(min(moments.count / reader.expected_frames, 1.0))
    if moments.count == 0:
        raise InputEmpty(f"'{shown(path)}' is too short: at {sample_rate} Hz it has no samples.")
    if on_progress:
        on_progress(1.0)
    return AudioStats(moments.count, reader.source_frames, moments.mean, moments.std, peak)
