"""From several networks' stems to one set: averages, medians, the quieter or the louder, sample by sample or bin by bin.

Stretches come in with the rows of all members and leave with one row for each stem, in order. What is compared bin by bin leaves a
little later than it came, since a bin needs its neighbours in time; nothing else is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from utils.engine.pipeline.demix import Stretch

# Of the spectrum in which members are compared: what ensembles of other programs use.
FRAME = 2048
HOP = FRAME // 2

Choose = Callable[[Tensor], Tensor]  # (members, ...) to (...)


class Blend(Protocol):
    """Turns a stream of stretches into another one."""

    def push(self, stretch: Stretch) -> Iterable[Stretch]:
        """Take the next stretch; what is finished by it."""

    def finish(self) -> Iterable[Stretch]:
        """The rest, once the song has ended."""


class Unblended:
    """Stretches as they are."""

    def push(self, stretch: Stretch) -> Iterable[Stretch]:
        return (stretch,)

    def finish(self) -> Iterable[Stretch]:
        return ()


class WaveBlend:
    """One of the members' values, or something between them, for every sample."""

    def __init__(self, members: int, choose: Choose) -> None:
        self._members = members
        self._choose = choose

    def push(self, stretch: Stretch) -> Iterable[Stretch]:
        stems = self._choose(torch.unflatten(stretch.rows, 0, (self._members, -1)))
        return (Stretch(stretch.start, stems, stretch.mix),)

    def finish(self) -> Iterable[Stretch]:
        return ()


class SpectrumBlend:
    """The same for every bin of a spectrum whose frames overlap by half."""

    def __init__(self, members: int, choose: Choose) -> None:
        self._members = members
        self._choose = choose
        self._window = torch.hann_window(FRAME)
        squares = self._window.square()
        self._norm = squares[:HOP] + squares[HOP:]  # two frames cover each sample
        self._seen: Tensor | None = None  # samples that further frames still need
        self._open = torch.zeros(0)  # the half of the last frame that the next one completes
        self._mix = np.zeros((0, 0), dtype=np.float32)
        self._given = -HOP  # the first frame begins before the song

    def push(self, stretch: Stretch) -> Iterator[Stretch]:
        if self._seen is None:
            self._seen = stretch.rows.new_zeros(*stretch.rows.shape[:-1], HOP)
            self._mix = stretch.mix[:, :0]
        self._seen = torch.cat([self._seen, stretch.rows], dim=-1)
        self._mix = np.concatenate([self._mix, stretch.mix], axis=1)
        yield from self._advance()

    def finish(self) -> Iterator[Stretch]:
        if self._seen is not None:
            self._seen = torch.nn.functional.pad(self._seen, (0, 2 * FRAME))
            yield from self._advance()

    def _advance(self) -> Iterator[Stretch]:
        if self._seen is None or self._seen.shape[-1] < FRAME:
            return
        frames = self._seen.unfold(-1, FRAME, HOP)
        self._seen = self._seen[..., frames.shape[-2] * HOP :].clone()
        halves = torch.unflatten(self._blended(frames), -1, (2, HOP))
        before, after = halves[..., 0, :], halves[..., 1, :]
        previous = self._open if self._open.numel() else torch.zeros_like(after[..., :1, :])
        finished = (before + torch.cat([previous, after[..., :-1, :]], dim=-2)) / self._norm
        self._open = after[..., -1:, :]
        yield from self._within_song(finished.flatten(-2))

    def _blended(self, frames: Tensor) -> Tensor:
        spectra = torch.fft.rfft(frames * self._window)
        chosen = self._choose(torch.unflatten(spectra, 0, (self._members, -1)))
        blended: Tensor = torch.fft.irfft(chosen, n=FRAME) * self._window
        return blended

    def _within_song(self, samples: Tensor) -> Iterator[Stretch]:
        """The samples without what lies before and after the song, together with the mix."""
        start = max(self._given, 0)
        samples = samples[..., start - self._given :][..., : self._mix.shape[1]]
        self._given += HOP if samples.shape[-1] == 0 else samples.shape[-1] + start - self._given
        if samples.shape[-1] > 0:
            mix, self._mix = np.split(self._mix, [samples.shape[-1]], axis=1)
            yield Stretch(start, samples, mix)


# Choosing ---------------------------------------------------------------------------------------------------------


def middle(values: Tensor) -> Tensor:
    """The median of the members; of spectra that of the real and that of the imaginary part."""
    if values.is_complex():
        return torch.view_as_complex(middle(torch.view_as_real(values)))
    ordered = values.sort(dim=0).values
    return (ordered[(len(values) - 1) // 2] + ordered[len(values) // 2]) / 2


def quietest(values: Tensor) -> Tensor:
    """The member's value that is nearest to zero."""
    return values.gather(0, values.abs().argmin(dim=0, keepdim=True))[0]


def loudest(values: Tensor) -> Tensor:
    """The member's value that is farthest from zero."""
    return values.gather(0, values.abs().argmax(dim=0, keepdim=True))[0]


CHOICES: dict[str, Choose] = {"median": middle, "min": quietest, "max": loudest}


def blend_for(ensemble_type: str, members: int) -> Callable[[], Blend] | None:
    """What makes the blend of an ensemble type; None for averages, which need none: lanes are simply added up.

    That also holds for `avg_fft`: a spectrum of a sum is the sum of the spectra.
    """
    how, _, where = ensemble_type.partition("_")
    if how == "avg":
        return None
    kind = SpectrumBlend if where == "fft" else WaveBlend
    return lambda: kind(members, CHOICES[how])
