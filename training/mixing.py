"""An endless supply of training examples: stems from the bank with random effects, and their sum."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from training import effects
from training.clips import Stored
from training.composing import STEMS, chance

ROOMS = 24
FULL_SCALE = 32768.0
RELOAD_EVERY = 64  # examples, since the bank may still be growing

# Probabilities and ranges of the effects for each stem.
MISSING = {"drums": 0.1, "bass": 0.1, "other": 0.07, "vocals": 0.15}
REVERBERANT = {"drums": 0.4, "bass": 0.08, "other": 0.35, "vocals": 0.55}
WET_DB = {"drums": (-22, -8), "bass": (-20, -8), "other": (-20, -3), "vocals": (-22, -4)}  # of reverb
LAYERED = {"drums": 0.12, "bass": 0.0, "other": 0.35, "vocals": 0.15}
WIDTH = {"drums": (0.5, 1.8), "bass": (0.0, 0.3), "other": (0.3, 1.3), "vocals": (0.0, 1.2)}  # gain of the side signal
ASIDE = {"drums": 0.03, "bass": 0.02, "other": 0.1, "vocals": 0.03}  # standard deviation of the panning
PLACED = 0.5  # probability of these; otherwise ANYWHERE holds for every stem
ANYWHERE = (0.0, 1.5), 0.12
LOUDER_DB = {"drums": 1.5, "bass": 1.0, "other": 0.0, "vocals": 1.0}
HIGH_PASSED = {"other": (60.0, 160.0), "vocals": (70.0, 140.0)}  # Hz; leaves the lows to bass and kick
LOG_SPEED = (-0.3, 0.3)  # changes pitch too, by up to five semitones either way
EQUALISED, SATURATED, LIMITED = 0.6, 0.2, 0.35
RECORDED_GUITAR = 0.12  # in `other`
RECORDED_BACKING, BACKING_DB = 0.1, 4.0  # instead of drums, bass and other


@dataclass(frozen=True)
class Example:
    """A mix (channels, samples) and the stems that sum to it, (stems, channels, samples).

    In a `merged` example drums, bass and other are not known apart: `other` holds all three.
    """

    mix: Tensor
    stems: Tensor
    merged: bool = False


def recordings_path(folder: Path, kind: str) -> Path:
    """The file with the clips of one kind of recording, beside the shards."""
    return folder / f"{kind}.npy"


class Bank:
    """The clips of all shards in a folder, and the recordings if there are any, memory-mapped."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shards: dict[Path, Stored] = {}
        paths = {kind: recordings_path(folder, kind) for kind in ("guitar", "backing")}
        self._recordings = {kind: np.load(path, mmap_mode="r") for kind, path in paths.items() if path.exists()}
        self.reload()

    def reload(self) -> None:
        """Map the shards that are new."""
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
        """An excerpt of one stem of one song, (channels, samples)."""
        shard, row = self._clips[song]
        return _as_signal(shard[row, stem, start : start + samples])

    def recordings(self, kind: str) -> int:
        """The number of clips of a kind of recording."""
        return len(self._recordings.get(kind, ()))

    def read_recording(self, kind: str, clip: int, start: int, samples: int) -> Tensor:
        return _as_signal(self._recordings[kind][clip, start : start + samples])


def _as_signal(clip: Stored) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(clip.T)).to(torch.float32) / FULL_SCALE


class Mixer:
    """Draws examples of a fixed length from a bank. Without `places` the panning says nothing about the stem."""

    def __init__(self, bank: Bank, samples: int, seed: int, *, places: bool = True) -> None:
        self._bank = bank
        self._samples = samples
        self._places = places
        self._rng = np.random.default_rng(seed)
        self._fft_size = fast_size(samples + effects.REVERB_SAMPLES)  # long enough that reverb does not wrap around
        self._bins = self._fft_size // 2 + 1
        self._rooms = effects.make_reverbs(self._rng, ROOMS, self._fft_size)
        self._drawn = 0

    def draw(self) -> Example:
        rng = self._rng
        if self._drawn % RELOAD_EVERY == 0:
            self._bank.reload()
        self._drawn += 1
        if self._bank.recordings("backing") and chance(rng, RECORDED_BACKING):
            return self._backed()
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

    def _backed(self) -> Example:
        """Vocals over recorded music."""
        silence = torch.zeros(2, self._samples)
        music = effects.widened(self._recording("backing"), self._rng, (0.8, 1.2), 0.03)
        if chance(self._rng, EQUALISED):
            music = self._filtered(music, [effects.equaliser(self._rng, self._bins)[None]])
        music = music * effects.decibels(BACKING_DB + self._loudness_db())
        vocals = silence if chance(self._rng, MISSING["vocals"]) else self._stem(STEMS.index("vocals"), None, None)
        return replace(self._mastered(torch.stack([silence, silence, music, vocals])), merged=True)

    def _speed(self) -> float:
        return float(np.exp(self._rng.uniform(*LOG_SPEED))) if chance(self._rng, 0.7) else 1.0

    def _stem(self, number: int, song: int | None, part: tuple[float, float] | None) -> Tensor:
        """One stem with its effects, from the given song or from a random one."""
        rng, name = self._rng, STEMS[number]
        stem = self._clip(number, song, part)
        if name == "other" and self._bank.recordings("guitar") and chance(rng, RECORDED_GUITAR):
            stem = self._recording("guitar") + stem * (chance(rng, 0.5) * effects.decibels(float(rng.uniform(-10, 0))))
        if chance(rng, LAYERED[name]):
            stem = stem + self._clip(number, song=None, part=None) * effects.decibels(float(rng.uniform(-10, 0)))
        stem = self._placed(stem, name)
        if chance(rng, SATURATED):
            stem = effects.saturated(stem, float(rng.uniform(0.5, 4)))
        stem = self._coloured(stem, name)
        return stem * effects.decibels(LOUDER_DB[name] + self._loudness_db())

    def _loudness_db(self) -> float:
        return float(np.clip(self._rng.normal(0, 4.5), -14, 9))

    def _placed(self, stem: Tensor, name: str) -> Tensor:
        """Panned as usual for this stem, or anywhere."""
        if self._places and chance(self._rng, PLACED):
            return effects.widened(stem, self._rng, WIDTH[name], ASIDE[name])
        return effects.widened(stem, self._rng, *ANYWHERE)

    def _clip(self, number: int, song: int | None, part: tuple[float, float] | None) -> Tensor:
        rng = self._rng
        place, speed = part or (float(rng.random()), self._speed())
        if song is None:
            song, place, speed = int(rng.integers(len(self._bank))), float(rng.random()), self._speed()
        start, length = self._within(place, speed)
        return effects.resampled(self._bank.read(song, number, start, length), self._samples)

    def _recording(self, kind: str) -> Tensor:
        """An excerpt of a random recording."""
        clip = int(self._rng.integers(self._bank.recordings(kind)))
        start, length = self._within(float(self._rng.random()), self._speed())
        return effects.resampled(self._bank.read_recording(kind, clip, start, length), self._samples)

    def _within(self, place: float, speed: float) -> tuple[int, int]:
        """The start and length of an excerpt of a clip."""
        length = min(round(self._samples * speed), self._bank.samples)
        return int(place * (self._bank.samples - length)), length

    def _coloured(self, stem: Tensor, name: str) -> Tensor:
        """With equaliser, high-pass and reverb, applied as one filter."""
        rng = self._rng
        filters: list[Tensor] = []
        if chance(rng, REVERBERANT[name]):
            wet = effects.decibels(float(rng.uniform(*WET_DB[name])))
            filters.append(1 + wet * self._rooms[int(rng.integers(ROOMS))])
        if chance(rng, EQUALISED):
            filters.append(effects.equaliser(rng, self._bins)[None])
        if name in HIGH_PASSED and chance(rng, 0.85):
            filters.append(effects.high_pass(self._bins, float(rng.uniform(*HIGH_PASSED[name])))[None])
        return self._filtered(stem, filters) if filters else stem

    def _filtered(self, stem: Tensor, filters: Sequence[Tensor]) -> Tensor:
        spectrum = torch.fft.rfft(stem, self._fft_size)
        for gains in filters:
            spectrum = spectrum * gains
        filtered: Tensor = torch.fft.irfft(spectrum, self._fft_size)[:, : self._samples]
        return filtered

    def _mastered(self, stems: Tensor) -> Example:
        """At a random loudness, sometimes limited. All stems get the same gain, so they still sum to the mix."""
        rng = self._rng
        level = stems.sum(dim=0).square().mean().sqrt().clamp_min(1e-4)
        stems = stems * (effects.decibels(float(rng.uniform(-24, -11))) / level)
        if chance(rng, LIMITED):
            stems = stems * effects.limiter_gain(stems.sum(dim=0), float(rng.uniform(0.2, 0.6)))
        return Example(stems.sum(dim=0), stems)


def fast_size(least: int) -> int:
    """The next larger FFT size that is a power of two, or three quarters of one."""
    power = 1 << (least - 1).bit_length()
    return power * 3 // 4 if power * 3 // 4 >= least else power


class Examples(IterableDataset[tuple[Tensor, Tensor]]):
    """Endless batches: stems, and which examples are merged. Every loader process has its own seed."""

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
            yield torch.stack([example.stems for example in drawn]), torch.tensor([example.merged for example in drawn])
