"""Blends: what makes stems of the rows that leave the chunk loop, in order and from the start of a song to its end.

Those here are for ensembles: the median, the quietest or the loudest of several networks' stems, per sample or per STFT
bin. Spectral blends lag a little behind their input, since a frame needs its neighbours for overlap-add; they buffer
nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from utils.engine.pipeline.demix import Stretch
from utils.engine.pipeline.song import Samples

# The STFT in which members are compared, with the sizes that other programs use for ensembles.
FRAME = 2048
# Bands need finer bins. Their edges fade over a third of an octave, or over some bins where those are wider.
BANDS_FRAME = 8192
EDGE = 2 ** (1 / 6)
EDGE_BINS = 4

Choose = Callable[[Tensor], Tensor]  # (members, ...) to (...)


class Blend(Protocol):
    """Transforms a stream of stretches."""

    def push(self, stretch: Stretch) -> Iterable[Stretch]:
        """Take the next stretch and return those that it completes."""

    def finish(self) -> Iterable[Stretch]:
        """The remaining stretches at the end of the song."""


class Unblended:
    """Returns stretches unchanged."""

    def push(self, stretch: Stretch) -> Iterable[Stretch]:
        return (stretch,)

    def finish(self) -> Iterable[Stretch]:
        return ()


class Lagging:
    """Puts samples that come out late back in step with the mix, and drops those before and after the song."""

    def __init__(self, first: int) -> None:
        self._position = first  # of the next sample that comes out; it may be before the song
        self._mix: Samples | None = None

    def hear(self, mix: Samples) -> None:
        """The mix at the position of the input."""
        self._mix = mix if self._mix is None else np.concatenate([self._mix, mix], axis=1)

    def give(self, rows: Tensor) -> Iterator[Stretch]:
        """The next samples that come out, as far as they are within the song."""
        start = max(self._position, 0)
        kept = rows[..., start - self._position :]
        self._position += rows.shape[-1]
        if self._mix is not None and (length := min(kept.shape[-1], self._mix.shape[1])) > 0:
            mix, self._mix = np.split(self._mix, [length], axis=1)
            yield Stretch(start, kept[..., :length], mix)


class WaveBlend:
    """Chooses among the members for every sample."""

    def __init__(self, members: int, choose: Choose) -> None:
        self._members = members
        self._choose = choose

    def push(self, stretch: Stretch) -> Iterable[Stretch]:
        stems = self._choose(torch.unflatten(stretch.rows, 0, (self._members, -1)))
        return (Stretch(stretch.start, stems, stretch.mix),)

    def finish(self) -> Iterable[Stretch]:
        return ()


class Average:
    """The members' average."""

    def __init__(self, weights: Sequence[float]) -> None:
        self._weights = torch.tensor(weights) / sum(weights)

    def push(self, stretch: Stretch) -> Iterable[Stretch]:
        rows = torch.tensordot(self._weights, stretch.rows, dims=1)[None]
        return (Stretch(stretch.start, rows, stretch.mix),)

    def finish(self) -> Iterable[Stretch]:
        return ()


class Sum:
    """The members' sum, each with a gain. It is rounded once, so that what is left of a song and what was taken of it sum to
    the song.
    """

    def __init__(self, gains: Sequence[float]) -> None:
        self._gains = torch.tensor(gains, dtype=torch.float64)

    def push(self, stretch: Stretch) -> Iterable[Stretch]:
        rows = torch.tensordot(self._gains, stretch.rows.double(), dims=1).float()[None]
        return (Stretch(stretch.start, rows, stretch.mix),)

    def finish(self) -> Iterable[Stretch]:
        return ()


class QuietestSong:
    """For each channel, the member that is quietest over the whole song. So it holds the song until its end."""

    def __init__(self) -> None:
        self._heard: list[Stretch] = []

    def push(self, stretch: Stretch) -> Iterable[Stretch]:
        self._heard.append(stretch)
        return ()

    def finish(self) -> Iterable[Stretch]:
        if self._heard:
            rows = torch.cat([stretch.rows for stretch in self._heard], dim=-1)
            quietest_member = rows.abs().mean(dim=-1).argmin(dim=0)
            chosen = torch.stack([rows[member, channel] for channel, member in enumerate(quietest_member.tolist())])
            yield Stretch(0, chosen[None], np.concatenate([stretch.mix for stretch in self._heard], axis=1))


# Those that look at each sample alone, so that stretches may come in any order.
LOCAL = (Unblended, WaveBlend, Average)


class SpectrumBlend:
    """Chooses among the members for every bin of an STFT whose frames overlap by half."""

    def __init__(self, members: int, choose: Choose, frame: int = FRAME) -> None:
        self._members = members
        self._choose = choose
        self._frame, self._hop = frame, frame // 2
        self._window = torch.hann_window(frame)
        squares = self._window.square()
        self._norm = squares[: self._hop] + squares[self._hop :]  # two frames cover each sample
        self._buffer: Tensor | None = None  # input samples that later frames still need
        self._pending = torch.zeros(0)  # the second half of the last frame, completed by the next one
        self._lagging = Lagging(-self._hop)  # the first frame starts before the song

    def push(self, stretch: Stretch) -> Iterator[Stretch]:
        if self._buffer is None:
            self._buffer = stretch.rows.new_zeros(*stretch.rows.shape[:-1], self._hop)
        self._buffer = torch.cat([self._buffer, stretch.rows], dim=-1)
        self._lagging.hear(stretch.mix)
        yield from self._advance()

    def finish(self) -> Iterator[Stretch]:
        if self._buffer is not None:
            self._buffer = torch.nn.functional.pad(self._buffer, (0, 2 * self._frame))
            yield from self._advance()

    def _advance(self) -> Iterator[Stretch]:
        if self._buffer is None or self._buffer.shape[-1] < self._frame:
            return
        frames = self._buffer.unfold(-1, self._frame, self._hop)
        self._buffer = self._buffer[..., frames.shape[-2] * self._hop :].clone()
        spectra = torch.fft.rfft(frames * self._window)
        chosen = self._choose(torch.unflatten(spectra, 0, (self._members, -1)))
        halves = torch.unflatten(torch.fft.irfft(chosen, n=self._frame) * self._window, -1, (2, self._hop))
        first, second = halves[..., 0, :], halves[..., 1, :]
        previous = self._pending if self._pending.numel() else torch.zeros_like(second[..., :1, :])
        finished = (first + torch.cat([previous, second[..., :-1, :]], dim=-2)) / self._norm
        self._pending = second[..., -1:, :]
        yield from self._lagging.give(finished.flatten(-2))


# Choosing ---------------------------------------------------------------------------------------------------------


def middle(values: Tensor) -> Tensor:
    """The median of the members; for spectra, of the real and imaginary parts separately."""
    if values.is_complex():
        return torch.view_as_complex(middle(torch.view_as_real(values)))
    ordered = values.sort(dim=0).values
    return (ordered[(len(values) - 1) // 2] + ordered[len(values) // 2]) / 2


def quietest(values: Tensor) -> Tensor:
    """The value of the member nearest to zero."""
    return values.gather(0, values.abs().argmin(dim=0, keepdim=True))[0]


def loudest(values: Tensor) -> Tensor:
    """The value of the member farthest from zero."""
    return values.gather(0, values.abs().argmax(dim=0, keepdim=True))[0]


def crossover(at_hz: Sequence[float], sample_rate: int, frame: int) -> Choose:
    """For each member a band of its own, with soft edges. The bands sum to one in every bin."""
    hertz = torch.fft.rfftfreq(frame, 1 / sample_rate, dtype=torch.float64)
    edges = [torch.ones_like(hertz)]
    for at in at_hz:
        low = min(at / EDGE, at - EDGE_BINS * sample_rate / frame)
        high = max(at * EDGE, at + EDGE_BINS * sample_rate / frame)
        edges.append((1 - torch.cos(torch.pi * ((hertz - low) / (high - low)).clamp(0, 1))) / 2)
    edges.append(torch.zeros_like(hertz))
    shares = torch.stack([lower - upper for lower, upper in pairwise(edges)]).float()
    return lambda values: (values * shares[:, None, None, None, :]).sum(dim=0)


def with_phases(low_hz: float, high_hz: float, sample_rate: int, frame: int) -> Choose:
    """The magnitudes of the first member; its own phases below `low_hz`, those of the second above `high_hz`."""
    hertz = torch.fft.rfftfreq(frame, 1 / sample_rate)
    share = ((hertz - low_hz) / (high_hz - low_hz)).clamp(0, 1)

    def choose(values: Tensor) -> Tensor:
        own, other = values[0], values[1]
        turned = (1 - share) * torch.sgn(own) + share * torch.sgn(other)
        return own.abs() * torch.where(turned.abs() > 0, torch.sgn(turned), torch.sgn(own))

    return choose


CHOICES: dict[str, Choose] = {"median": middle, "min": quietest, "max": loudest}


# Other names of ways to combine.
SAME = {"uvr_max_spec": "max_fft", "uvr_min_spec": "min_fft"}
QUIETEST_SONG = "ensemble_wav"


def combined(algorithm: str, weights: Sequence[float], sample_rate: int) -> Blend:
    """The blend that makes one stem of several, by any of the algorithms."""
    del sample_rate
    if algorithm == QUIETEST_SONG:
        return QuietestSong()
    make = blend_for(SAME.get(algorithm, algorithm), len(weights))
    return Average(weights) if make is None else make()


def blend_for(ensemble_type: str, members: int) -> Callable[[], Blend] | None:
    """A factory for the blend of an ensemble type. None for averages: their lanes are simply summed.

    That includes `avg_fft`, since the STFT is linear.
    """
    how, _, where = ensemble_type.partition("_")
    if how == "avg":
        return None
    kind = SpectrumBlend if where == "fft" else WaveBlend
    return lambda: kind(members, CHOICES[how])
