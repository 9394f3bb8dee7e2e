"""What is known of the noise: the mean of its spectrum, and its mean level. Read as a stream, however long the file is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from utils.audio.paths import shown
from utils.audio.reading import open_audio, probe
from utils.core.errors import InputEmpty
from utils.engine.families.denoise.windows import LEVEL_S, Frames, Levels, level_samples, spectra


@dataclass(frozen=True)
class Noise:
    """The noise, measured at the sample rate of the song."""

    spectrum: Tensor  # (bins,), the mean magnitude
    level: float


def measure(path: Path, *, sample_rate: int, longest: int, checkpoint: Callable[[], None]) -> Noise:
    """Measure the mean of all channels. The level is that of `longest` samples, but at least of the shortest that have one.

    Raises one of the input errors.
    """
    frames, levels = Frames(1), Levels(sample_rate, 1)
    magnitudes, levels_found = Mean(), Mean()
    left = max(longest, level_samples(sample_rate) + 1)
    channels = probe(path, lowest_rate=1).channels  # the request's recording was probed before
    with open_audio(path, sample_rate=sample_rate, channels=channels, checkpoint=checkpoint) as reader:
        for block in reader:
            mono = torch.from_numpy(block).mean(dim=0, keepdim=True)
            magnitudes.add(spectra(frames.push(mono)[0]).abs())
            levels_found.add(levels.push(mono[:, :left])[0])
            left = max(0, left - mono.shape[1])
    magnitudes.add(spectra(frames.finish()[0]).abs())
    if levels_found.count == 0:
        raise InputEmpty(
            f"'{shown(path)}' is too short to measure the noise: it must last more than {LEVEL_S} s, ideally two seconds.",
            field="noise_profile",
        )
    return Noise(magnitudes.value.float(), float(levels_found.value))


class Mean:
    """The mean over the first dimension of all that was added."""

    def __init__(self) -> None:
        self.count = 0
        self._sum = torch.zeros((), dtype=torch.float64)

    @property
    def value(self) -> Tensor:
        return self._sum / self.count

    def add(self, values: Tensor) -> None:
        self.count += len(values)
        self._sum = self._sum + values.double().sum(dim=0)
