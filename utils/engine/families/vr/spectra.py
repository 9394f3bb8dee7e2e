"""Analysis and synthesis between samples and the stacked spectrum of a layout, for stretches of whole frames.

Frame `f` of a stretch is centred on its sample `f * hop`. Samples outside the song count as silence: a `Location` says
where the song starts and ends in a stretch; None stands for a stretch in the middle of the song.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import torch
from torch import Tensor

from utils.engine.families.vr.bands import BandLayout, Matrix, band_gains, stacked_gains
from utils.engine.families.vr.resampling import SINC_FASTEST, Resampler, filter_named

QUIETEST_WINDOW = 1e-8  # below this, no frame contributes and there is nothing to normalise
# Bins between the start of the filter before the network and the part below it that is mirrored to the high end.
MIRROR_GAP = 10


@dataclass(frozen=True)
class Location:
    """The position of a stretch: its start relative to the song, in frames, and the length of the song in samples."""

    frame: int
    samples: int

    def frames(self, hop: int) -> int:
        """The number of frames in the whole song; the last one is centred at or after its end."""
        return song_frames(self.samples, hop)

    def within(self, count: int, hop: int, first: int = 0) -> tuple[int, int]:
        """The range within the song, of `count` frames from frame `first` of the stretch on."""
        start = self.frame + first
        return _clipped(-start, count), _clipped(self.frames(hop) - start, count)


class Analysis(NamedTuple):
    """The stacked spectrum, and the top of the highest band, which the network does not process."""

    spectrum: Tensor  # (..., 2, bins + 1, frames)
    high_end: Tensor  # (..., 2, height, frames)


def song_frames(samples: int, hop: int) -> int:
    return -(-samples // hop) + 1


class Spectra:
    """Analysis and synthesis for one layout, on one device."""

    def __init__(self, layout: BandLayout, device: str) -> None:
        self.layout = layout
        self.device = device
        bands = layout.bands
        count = len(bands)
        self._windows = [torch.hann_window(band.n_fft, device=device) for band in bands]
        self._stacked = torch.from_numpy(stacked_gains(layout)).to(device)[:, None]
        self._gains = [torch.from_numpy(band_gains(layout, index)).to(device)[:, None] for index in range(count)]
        self._down = [_resampler(bands[i + 1].sr, bands[i].sr, bands[i].res_type) for i in range(count - 1)]
        self._up = [_resampler(bands[i].sr, bands[i + 1].sr, None) for i in range(count - 1)]
        start, stop = layout.pre_filter
        top = bands[-1]
        self.high_end = top.n_fft // 2 - top.crop_stop + stop - start  # bins
        self._envelopes: dict[tuple[int, int], Tensor] = {}  # for the middle of a song, where all chunks share them

    @property
    def margin(self) -> int:
        """Frames on either side that the spectrum of a frame depends on."""
        return self._reach(self._down, 0)

    @property
    def tail(self) -> int:
        """Frames on either side that the samples of a frame extend into."""
        return self._reach(self._up, 1)

    def _reach(self, resamplers: list[Resampler | None], side: int) -> int:
        """In frames: half the STFT frame of the widest band, plus the filters between that band and the song."""
        filters, furthest = Fraction(0), Fraction(0)
        for index in reversed(range(len(self.layout.bands))):
            resampler = resamplers[index] if index < len(resamplers) else None
            if resampler is not None:
                filters += resampler.reach * self.layout.ratio(index + 1 - side)
            half = Fraction(self.layout.bands[index].n_fft, 2) * self.layout.ratio(index)
            furthest = max(furthest, filters + half)
        return math.ceil(furthest / self.layout.hop) + 1

    # Analysis ---------------------------------------------------------------------------------------------------

    def analyse(self, samples: Tensor, first: int, count: int, place: Location | None = None) -> Analysis:
        """The spectrum of `count` frames from frame `first` of a stretch (..., 2, samples) on."""
        bands = self.layout.bands
        waves = self._band_waves(samples, place)
        spectra = [self._transform(wave, index, first, count) for index, wave in enumerate(waves)]
        cropped = [
            spectrum[..., band.crop_start : band.crop_stop, :] for spectrum, band in zip(spectra, bands, strict=True)
        ]
        stacked = torch.cat(cropped, dim=-2)
        missing = self.layout.bins + 1 - stacked.shape[-2]
        stacked = torch.nn.functional.pad(stacked, (0, 0, 0, missing)) * self._stacked
        highest = spectra[-1]
        middle = bands[-1].n_fft // 2
        high_end = highest[..., middle - self.high_end : middle, :] if self.high_end > 0 else highest[..., :0, :]
        if place is not None:
            start, stop = place.within(count, self.layout.hop, first)
            stacked[..., :start] = 0
            stacked[..., stop:] = 0
        return Analysis(stacked, high_end)

    def _band_waves(self, samples: Tensor, place: Location | None) -> list[Tensor]:
        """The stretch at the sample rate of each band."""
        waves = [samples]
        for index in reversed(range(len(self.layout.bands) - 1)):
            down = self._down[index]
            wave = waves[0]
            if down is not None:
                wave = down(wave)
                if place is not None:  # the filter rings beyond the ends of the song, where silence is expected
                    start = place.frame * self.layout.bands[index].hl
                    length = math.ceil(place.samples / self.layout.ratio(index))
                    wave[..., : _clipped(-start, wave.shape[-1])] = 0
                    wave[..., _clipped(length - start, wave.shape[-1]) :] = 0
            waves.insert(0, wave)
        return waves

    def _transform(self, wave: Tensor, index: int, first: int, count: int) -> Tensor:
        band = self.layout.bands[index]
        start = first * band.hl - band.n_fft // 2
        part = wave[..., start : start + (count - 1) * band.hl + band.n_fft]
        flat = torch.stft(
            part.reshape(-1, part.shape[-1]),
            band.n_fft,
            band.hl,
            window=self._windows[index],
            center=False,
            return_complex=True,
        )
        spectrum = flat.reshape(*part.shape[:-1], *flat.shape[1:])
        return _mixed(spectrum, self.layout.mixing_of(index)[0])

    # Synthesis --------------------------------------------------------------------------------------------------

    def synthesise(self, spectrum: Tensor, high_end: Tensor | None, place: Location | None = None) -> Tensor:
        """The samples of these frames, from `tail` frames before the first one to `tail` frames after the last one.

        Overlap-adding neighbouring stretches gives the song. `place` is the position of the first frame.
        """
        wave: Tensor | None = None
        offset = 0
        for index, band in enumerate(self.layout.bands):
            part = spectrum.new_zeros(*spectrum.shape[:-2], band.bins, spectrum.shape[-1])
            part[..., band.crop_start : band.crop_stop, :] = spectrum[..., offset : offset + band.height, :]
            offset += band.height
            if index == len(self.layout.bands) - 1 and high_end is not None:
                middle = band.n_fft // 2
                part[..., middle - high_end.shape[-2] : middle, :] = high_end
            band_wave = self._inverse(part * self._gains[index], index, place)
            wave = band_wave if wave is None else wave + band_wave
            up = self._up[index] if index < len(self._up) else None
            wave = up(wave) if up is not None else wave
        return wave if wave is not None else spectrum.new_zeros(())

    def _inverse(self, spectrum: Tensor, index: int, place: Location | None) -> Tensor:
        band, window, tail = self.layout.bands[index], self._windows[index], self.tail
        count = spectrum.shape[-1]
        frames = torch.fft.irfft(spectrum, n=band.n_fft, dim=-2) * window[:, None]
        before = tail * band.hl - band.n_fft // 2
        added = torch.nn.functional.pad(_overlap_added(frames, band.hl), (before, 0))
        length = (count + 2 * tail) * band.hl
        added = torch.nn.functional.pad(added, (0, length - added.shape[-1]))
        wave = added / self._envelope(index, count, place)
        wave = _mixed(wave[..., None, :], self.layout.mixing_of(index)[1])[..., 0, :]
        if place is not None:
            start = max(0, -(place.frame - tail) * band.hl)
            wave[..., :start] = 0
        return wave

    def _envelope(self, index: int, count: int, place: Location | None) -> Tensor:
        """The sum of the squared windows of all frames of the song, over the samples of these frames."""
        if place is not None:
            return self._summed_windows(index, count, place)
        key = (index, count)
        if key not in self._envelopes:
            self._envelopes = {other: kept for other, kept in self._envelopes.items() if other[1] == count}
            self._envelopes[key] = self._summed_windows(index, count, None)
        return self._envelopes[key]

    def _summed_windows(self, index: int, count: int, place: Location | None) -> Tensor:
        band, window, tail = self.layout.bands[index], self._windows[index], self.tail
        neighbours = tail + band.n_fft // (2 * band.hl) + 1  # frames before and after that extend into these samples
        present = torch.ones(count + 2 * neighbours, device=self.device)
        if place is not None:
            start, stop = place.within(len(present), self.layout.hop, -neighbours)
            present[:start] = 0
            present[stop:] = 0
        squares = _overlap_added(window.square()[:, None] * present, band.hl)
        before = (neighbours - tail) * band.hl + band.n_fft // 2
        envelope = squares[before : before + (count + 2 * tail) * band.hl]
        return torch.where(envelope > QUIETEST_WINDOW, envelope, 1.0)


def mirrored_high_end(spectrum: Tensor, high_end: Tensor, pre_filter_start: int) -> Tensor:
    """The high end of a stem: the mirror image of the bins below it, but nowhere louder than the song's high end."""
    stop = pre_filter_start - MIRROR_GAP
    below = spectrum[..., stop - high_end.shape[-2] : stop, :]
    mirror = below.abs().flip(-2)
    magnitude = high_end.abs()
    phase = torch.where(magnitude > 0, high_end / magnitude.clamp_min(torch.finfo(magnitude.dtype).tiny), 1.0)
    return torch.where(magnitude <= mirror, high_end, phase * mirror)


def _resampler(rate: int, target_rate: int, res_type: str | None) -> Resampler | None:
    if rate == target_rate:
        return None
    return Resampler(Fraction(target_rate, rate), SINC_FASTEST if res_type is None else filter_named(res_type))


def _mixed(channels: Tensor, matrix: Matrix) -> Tensor:
    """Mix two channels (..., 2, x, y)."""
    (a, b), (c, d) = matrix
    if (b, c) == (0.0, 0.0):
        return channels
    left, right = channels[..., 0, :, :], channels[..., 1, :, :]
    return torch.stack((a * left + b * right, c * left + d * right), dim=-3)


def _overlap_added(frames: Tensor, hop: int) -> Tensor:
    """Overlap-add frames (..., n_fft, count) with a hop."""
    n_fft, count = frames.shape[-2:]
    length = (count - 1) * hop + n_fft
    flat = frames.reshape(-1, n_fft, count)
    added = torch.nn.functional.fold(flat, (1, length), (1, n_fft), stride=(1, hop))
    return added.reshape(*frames.shape[:-2], length)


def _clipped(value: int, count: int) -> int:
    return min(max(value, 0), count)
