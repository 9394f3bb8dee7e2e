"""Training examples: stems out of the bank, changed as on a mixing desk, and their sum. New ones without end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from tools.train_mini import effects
from tools.train_mini.composing import STEMS, chance

ROOMS = 24
FULL_SCALE = 32768.0
RELOAD_EVERY = 64  # examples; the bank may still be growing

# How often each kind of stem gets what.
MISSING = {"drums": 0.1, "bass": 0.1, "other": 0.07, "vocals": 0.15}
REVERBERANT = {"drums": 0.25, "bass": 0.08, "other": 0.35, "vocals": 0.55}
LAYERED = {"drums": 0.12, "bass": 0.0, "other": 0.35, "vocals": 0.15}
LOUDER_DB = {"drums": 1.5, "bass": 1.0, "other": 0.0, "vocals": 1.0}
HIGH_PASSED = {"other": (60.0, 160.0), "vocals": (70.0, 140.0)}  # Hz; the lows are for bass and kick
LOG_SPEED = (-0.3, 0.3)  # pitch and speed together, five semitones either way
EQUALISED, SATURATED, LIMITED = 0.6, 0.2, 0.35


@dataclass(frozen=True)
class Example:
    """One mixture, (channels, samples), and the stems that sum to it, (stems, channels, samples)."""

    mix: Tensor
    stems: Tensor


class Bank:
    """The clips of all shards in a folder, mapped into memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shards: dict[Path, np.ndarray[tuple[int, ...], np.dtype[np.int16]]] = {}
        self.reload()

    def reload(self) -> None:
        """Take in shards that have appeared."""
        for path in sorted(self._folder.glob("shard-*.npy")):
            if path not in self._shards:
                self._shards[path] = np.load(path, mmap_mode="r")
        self._clips = [(shard, row) for _, shard in sorted(self._shards.items()) for row in range(len(shard))]

    def __len__(self) -> int:
        return len(self._clips)

    @property
    def samples(self) -> int:
        return int(self._clips[0][0].shape[2])

    def read(self, song: int, stem: int, start: int, samples: int) -> Tensor:
        """(channels, samples) of one stem of one song."""
        shard, row = self._clips[song]
        clip = np.ascontiguousarray(shard[row, stem, start : start + samples].T)
        return torch.from_numpy(clip).to(torch.float32) / FULL_SCALE


class Mixer:
    """Draws examples of one length from a bank."""

    def __init__(self, bank: Bank, samples: int, seed: int) -> None:
        self._bank = bank
        self._samples = samples
        self._rng = np.random.default_rng(seed)
        self._fft_size = fast_size(samples + effects.REVERB_SAMPLES)  # no reverb wraps around
        self._rooms = effects.make_reverbs(self._rng, ROOMS, self._fft_size)
        self._drawn = 0

    def draw(self) -> Example:
        rng = self._rng
        if self._drawn % RELOAD_EVERY == 0:
            self._bank.reload()
        self._drawn += 1
        song = int(rng.integers(len(self._bank))) if chance(rng, 0.5) else None
        part = (float(rng.random()), self._speed())
        missing = {name for name in STEMS if chance(rng, MISSING[name])}
        stems = [
            torch.zeros(2, self._samples)
            if name in missing and len(missing) < len(STEMS)
            else self._stem(number, song, part)
            for number, name in enumerate(STEMS)
        ]
        return self._mastered(torch.stack(stems))

    def _speed(self) -> float:
        return float(np.exp(self._rng.uniform(*LOG_SPEED))) if chance(self._rng, 0.7) else 1.0

    def _stem(self, number: int, song: int | None, part: tuple[float, float]) -> Tensor:
        """One stem; from the song if there is one, else from anywhere."""
        rng, name = self._rng, STEMS[number]
        stem = self._clip(number, song, part)
        if chance(rng, LAYERED[name]):
            stem = stem + self._clip(number, song=None, part=None) * effects.decibels(float(rng.uniform(-10, 0)))
        stem = effects.widened(stem, rng)
        if chance(rng, SATURATED):
            stem = effects.saturated(stem, float(rng.uniform(0.5, 4)))
        stem = self._coloured(stem, name)
        loudness = LOUDER_DB[name] + float(np.clip(rng.normal(0, 4.5), -14, 9))
        return stem * effects.decibels(loudness)

    def _clip(self, number: int, song: int | None, part: tuple[float, float] | None) -> Tensor:
        rng = self._rng
        place, speed = part or (float(rng.random()), self._speed())
        if song is None:
            song, place, speed = int(rng.integers(len(self._bank))), float(rng.random()), self._speed()
        length = min(round(self._samples * speed), self._bank.samples)
        start = int(place * (self._bank.samples - length))
        return effects.resampled(self._bank.read(song, number, start, length), self._samples)

    def _coloured(self, stem: Tensor, name: str) -> Tensor:
        """Equaliser and reverb, both as one filter."""
        rng = self._rng
        bins = self._fft_size // 2 + 1
        filters: list[Tensor] = []
        if chance(rng, REVERBERANT[name]):
            wet = effects.decibels(float(rng.uniform(-20, -3)))
            filters.append(1 + wet * self._rooms[int(rng.integers(ROOMS))])
        if chance(rng, EQUALISED):
            filters.append(effects.equaliser(rng, bins)[None])
        if name in HIGH_PASSED and chance(rng, 0.85):
            filters.append(effects.high_pass(bins, float(rng.uniform(*HIGH_PASSED[name])))[None])
        if not filters:
            return stem
        spectrum = torch.fft.rfft(stem, self._fft_size)
        for gains in filters:
            spectrum = spectrum * gains
        coloured: Tensor = torch.fft.irfft(spectrum, self._fft_size)[:, : self._samples]
        return coloured

    def _mastered(self, stems: Tensor) -> Example:
        """A common loudness; a limiter moves all stems together, so that they still sum to the mix."""
        rng = self._rng
        level = stems.sum(dim=0).square().mean().sqrt().clamp_min(1e-4)
        stems = stems * (effects.decibels(float(rng.uniform(-24, -11))) / level)
        if chance(rng, LIMITED):
            stems = stems * effects.limiter_gain(stems.sum(dim=0), float(rng.uniform(0.2, 0.6)))
        return Example(stems.sum(dim=0), stems)


def fast_size(least: int) -> int:
    """The next length of which Fourier transforms are fast: a power of two, or three quarters of one."""
    power = 1 << (least - 1).bit_length()
    return power * 3 // 4 if power * 3 // 4 >= least else power


class Examples(IterableDataset[tuple[Tensor, Tensor]]):
    """Batches without end; each process that draws them has a seed of its own."""

    def __init__(self, folder: Path, samples: int, batch_size: int, seed: int) -> None:
        super().__init__()
        self._folder, self._samples, self._batch_size, self._seed = folder, samples, batch_size, seed

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        worker = get_worker_info()
        if worker:
            torch.set_num_threads(1)
        mixer = Mixer(Bank(self._folder), self._samples, self._seed * 1000 + (worker.id if worker else 0))
        while True:
            drawn = [mixer.draw() for _ in range(self._batch_size)]
            yield torch.stack([example.mix for example in drawn]), torch.stack([example.stems for example in drawn])
