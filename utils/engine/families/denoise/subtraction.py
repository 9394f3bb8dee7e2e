"""Spectral subtraction of noise that gets louder and softer with the song, as a blend of the one row that is the song.

In each bin of an STFT the estimated noise is subtracted from the magnitude, of which a twentieth remains in any case; the
phase stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from utils.engine.families.denoise.follower import Follower
from utils.engine.families.denoise.noise import Noise
from utils.engine.families.denoise.windows import FRAME, HOP, Frames, Levels, levels_of, spectra
from utils.engine.pipeline.blending import Lagging
from utils.engine.pipeline.demix import Stretch

FLOOR = 0.05  # of a magnitude that remains in any case
LEAST_SCALE, MOST_SCALE = 0.1, 10.0  # of the noise that was recorded
SMALLEST_LEVEL = 1e-10  # keeps the scale of silent noise finite
SHARED = FRAME - HOP  # samples of a frame that later ones cover too


class Subtraction:
    """Subtracts the noise from a song of `total` samples as it goes by."""

    def __init__(
        self, noise: Noise, followers: Sequence[Follower], *, factor: float, sample_rate: int, total: int
    ) -> None:
        self._spectrum = noise.spectrum * factor
        self._noise_level = noise.level + SMALLEST_LEVEL
        self._followers = followers
        channels = len(followers)
        self._levels = Levels(sample_rate, channels)
        self._estimates = np.zeros((channels, 0))  # those that are still needed
        self._estimates_from = 0
        self._level_count = levels_of(total, sample_rate)
        self._frames = Frames(channels)
        self._waiting = torch.zeros(channels, 0, FRAME)  # frames whose estimate is not known yet
        self._next_frame = 0
        self._frame_count = 1 + total // HOP
        self._window = torch.hann_window(FRAME)
        self._sum = torch.zeros(channels, SHARED)  # of the frames so far, where later ones are added
        self._weight = torch.zeros(SHARED)
        self._lagging = Lagging(-FRAME // 2)  # the first frame starts before the song

    def push(self, stretch: Stretch) -> Iterator[Stretch]:
        self._lagging.hear(stretch.mix)
        (samples,) = stretch.rows
        levels = self._levels.push(samples).numpy()
        if levels.shape[1]:
            estimates = [
                [follower.push(level) for level in channel]
                for follower, channel in zip(self._followers, levels.tolist(), strict=True)
            ]
            self._estimates = np.concatenate([self._estimates, estimates], axis=1)
        yield from self._advance(self._frames.push(samples))

    def finish(self) -> Iterator[Stretch]:
        yield from self._advance(self._frames.finish())
        rest = self._sum / self._weight.clamp_min(torch.finfo(self._weight.dtype).tiny)
        yield from self._lagging.give(rest[None])

    def _advance(self, frames: Tensor) -> Iterator[Stretch]:
        self._waiting = torch.cat([self._waiting, frames], dim=1)
        scales = self._scales(self._waiting.shape[1])
        count = scales.shape[1]
        if count == 0:
            return
        ready, self._waiting = self._waiting[:, :count], self._waiting[:, count:].clone()
        self._next_frame += count
        spectrum = spectra(ready)
        noise = torch.from_numpy(scales).float()[..., None] * self._spectrum
        kept = 1 - noise / spectrum.abs().clamp_min(torch.finfo(noise.dtype).tiny)
        pieces = torch.fft.irfft(spectrum * kept.clamp_min(FLOOR), n=FRAME) * self._window
        self._sum = _overlapped(self._sum, pieces)
        self._weight = _overlapped(self._weight, self._window.square().expand(count, -1))
        done = count * HOP
        whole = self._sum[:, :done] / self._weight[:done].clamp_min(torch.finfo(self._weight.dtype).tiny)
        self._sum, self._weight = self._sum[:, done:].clone(), self._weight[done:].clone()
        yield from self._lagging.give(whole[None])

    def _scales(self, frames: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        """How loud the noise is in the next frames, as far as that is known: (channels, at most `frames`).

        The levels are spread evenly over the frames, of which there are a few more.
        """
        if self._level_count == 0:  # a song that is too short for a level stays as it is
            return np.zeros((len(self._followers), frames))
        last = self._level_count - 1
        numbers = np.arange(self._next_frame, self._next_frame + frames)
        places = np.minimum(numbers * (last / max(self._frame_count - 1, 1)), last) - self._estimates_from
        known = self._estimates.shape[1]
        places = places[np.ceil(places) < known]
        if len(places) == 0:
            return np.zeros((len(self._followers), 0))
        scales = np.stack([np.interp(places, np.arange(known), channel) for channel in self._estimates])
        past = int(places[-1])
        self._estimates = self._estimates[:, past:]
        self._estimates_from += past
        return np.clip(scales / self._noise_level, LEAST_SCALE, MOST_SCALE)


def _overlapped(before: Tensor, pieces: Tensor) -> Tensor:
    """The sum of (…, frames, FRAME), a hop apart, and of what is there `before`, which reaches into all but the last hop."""
    total = torch.nn.functional.pad(before, (0, pieces.shape[-2] * HOP))
    for number, part in enumerate(torch.unflatten(pieces, -1, (-1, HOP)).unbind(dim=-2)):
        start = number * HOP
        total[..., start : start + pieces.shape[-2] * HOP] += part.flatten(-2)
    return total
