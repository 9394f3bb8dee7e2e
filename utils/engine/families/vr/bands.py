"""The bands of a VR network: the sample rates, STFT sizes and bins that make up its input, and their gains. Pure numbers.

A layout stacks the cropped spectra of several bands, lowest first. In the synthesis, each band fades out where the next
one takes over. Networks before and from version 5.1 differ in their fades and in how they mix channels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Meta

from utils.core.errors import ConfigInvalid
from utils.core.typed import convert

Gains = npt.NDArray[np.float32]
Matrix = tuple[tuple[float, float], tuple[float, float]]

IDENTITY: Matrix = ((1.0, 0.0), (0.0, 1.0))

# How left and right are mixed for the network, and how they are recovered. Some pairs are only approximate inverses;
# networks were trained with these values.
MIXING: dict[str, tuple[Matrix, Matrix]] = {
    "mid_side": (((0.5, 0.5), (1.0, -1.0)), ((1.0, 0.5), (1.0, -0.5))),
    "mid_side_b2": (((0.5, 1.0), (1.0, -0.5)), ((0.4, 1 / 1.25), (1 / 1.25, -0.4))),
    "mid_side_c": (((1.0, 0.25), (-0.25, 1.0)), ((1 / 1.0625, -1 / 4.25), (1 / 4.25, 1 / 1.0625))),
    "stereo_n": (((1 / 0.9375, 0.25 / 0.9375), (0.25 / 0.9375, 1 / 0.9375)), ((1.0, -0.25), (-0.25, 1.0))),
}
OF_SONG = ("mid_side", "mid_side_b2")  # before 5.1: one for all bands
OF_BAND = ("mid_side", "mid_side_c", "stereo_n")  # from 5.1 on: one per band


LARGEST = 1 << 20  # neither sample rates nor numbers of samples or bins are larger
MOST_BANDS = 16
Count = Annotated[int, Meta(ge=1, le=LARGEST)]
Number = Annotated[str, Meta(pattern="^[0-9]{1,3}$")]


class VrBand(msgspec.Struct, frozen=True, kw_only=True):
    """One band, as in parameter files. `crop_*` and the edges of the filters are bins of its own spectrum."""

    sr: Count
    hl: Count
    n_fft: Count
    crop_start: int
    crop_stop: int
    lpf_start: int = -1
    lpf_stop: int = -1
    hpf_start: int = -1
    hpf_stop: int = -1
    res_type: str = "polyphase"
    convert_channels: str | None = None

    @property
    def bins(self) -> int:
        return self.n_fft // 2 + 1

    @property
    def height(self) -> int:
        """How many of its bins the network gets."""
        return self.crop_stop - self.crop_start


class Correction(msgspec.Struct, frozen=True):
    """What some layouts add to the aggression for each channel."""

    left: float = 0.0
    right: float = 0.0


class _File(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter file; fields not listed here matter only for training."""

    sr: Count
    band: Annotated[dict[Number, VrBand], Meta(max_length=MOST_BANDS)]
    bins: Count | None = None
    n_bins: Count | None = None
    pre_filter_start: int = -1
    pre_filter_stop: int = -1
    mid_side: bool = False
    mid_side_b2: bool = False
    reverse: bool = False
    aggr_correction: Correction | None = None


@dataclass(frozen=True)
class BandLayout:
    """All bands, lowest first, for a network of one generation."""

    name: str
    bins: int  # of the stacked spectrum; the network adds one more
    bands: tuple[VrBand, ...]
    pre_filter: tuple[int, int]
    mixing: str | None  # of the whole song
    correction: Correction
    modern: bool  # version 5.1 or later

    @property
    def sample_rate(self) -> int:
        return self.bands[-1].sr

    @property
    def hop(self) -> int:
        """Samples from one frame to the next, at the layout's sample rate."""
        return self.bands[-1].hl

    @property
    def split_bin(self) -> int:
        """Below this bin, aggression has a third of its effect."""
        return self.bands[0].crop_stop

    def ratio(self, index: int) -> Fraction:
        """Samples of the song per sample of a band."""
        return Fraction(self.sample_rate, self.bands[index].sr)

    def mixing_of(self, index: int) -> tuple[Matrix, Matrix]:
        """How the channels of a band are mixed for the network, and back."""
        name = self.bands[index].convert_channels if self.modern else self.mixing
        return MIXING.get(name or "", (IDENTITY, IDENTITY))


def read_layout(params: Mapping[str, Any], name: str, *, modern: bool) -> BandLayout:
    """The layout in a parameter file. Raises `ConfigInvalid`."""
    try:
        file = convert(params, _File)
    except (msgspec.ValidationError, RecursionError) as error:
        raise ConfigInvalid(f"The band parameters `{name}` are malformed: {error}.") from error
    bins = file.n_bins or file.bins
    bands = tuple(file.band[key] for key in sorted(file.band, key=int))
    if bins is None or not bands:
        raise ConfigInvalid(f"The band parameters `{name}` lack bins or bands.")
    if file.reverse and not modern:
        raise ConfigInvalid(
            f"The band parameters `{name}` process a song backwards from its end, which a stream does not support.",
            hint="No known public model needs this.",
        )
    mixing = next((flag for flag in OF_SONG if getattr(file, flag)), None)
    layout = BandLayout(
        name=name,
        bins=bins,
        bands=bands,
        pre_filter=(file.pre_filter_start, file.pre_filter_stop),
        mixing=mixing,
        correction=file.aggr_correction or Correction(),
        modern=modern,
    )
    problem = next(_problems(layout), None)
    if problem is not None:
        raise ConfigInvalid(f"The band parameters `{name}` are inconsistent: {problem}.")
    return layout


def _problems(layout: BandLayout) -> Iterator[str]:
    for index, band in enumerate(layout.bands):
        which = f"band {index + 1}"
        if min(band.sr, band.hl) < 1 or not 0 <= band.crop_start < band.crop_stop <= band.bins:
            yield f"{which} has no such bins"
        elif band.hl > band.n_fft:
            yield f"{which} has gaps between its frames"
        elif band.hl * layout.ratio(index) != layout.hop:
            yield f"{which} has frames of another duration than the highest band"
        if layout.modern and band.convert_channels not in (None, *OF_BAND):
            yield f"{which} has an unknown `convert_channels`, `{band.convert_channels}`"
        if index < len(layout.bands) - 1 and not 0 < band.lpf_start <= band.lpf_stop <= band.bins:
            yield f"{which} does not fade out"
        if index > 0 and not 0 < band.hpf_stop <= band.hpf_start <= band.bins - 2:
            yield f"{which} does not fade in"
    if sum(band.height for band in layout.bands) > layout.bins:
        yield "the bands have more bins than the network"
    if layout.modern and layout.pre_filter[0] > layout.pre_filter[1]:
        yield "the filter before the network ends before it begins"


# Gains of bins ------------------------------------------------------------------------------------------------------


def stacked_gains(layout: BandLayout) -> Gains:
    """The gains of the stacked spectrum, before the network."""
    start, stop = layout.pre_filter
    count = layout.bins + 1
    if start <= 0:
        gains = np.ones(count)
    elif layout.modern:
        gains = _falling(count, start, stop)
    elif len(layout.bands) == 1:
        gains = _stepping_down(count, start, stop)
    else:
        gains = _rolled_off(count, start, stop)
    return gains.astype(np.float32)


def band_gains(layout: BandLayout, index: int) -> Gains:
    """The gains of one band in the synthesis: it fades where its neighbours take over."""
    band = layout.bands[index]
    highest = index == len(layout.bands) - 1
    gains = np.ones(band.bins)
    if band.hpf_start > 0 and (index > 0 or highest):
        rising = _rising if layout.modern else _stepping_up
        gains *= rising(band.bins, band.hpf_start, band.hpf_stop - 1)
    if not highest:
        falling = _falling if layout.modern else _stepping_down
        gains *= falling(band.bins, band.lpf_start, band.lpf_stop)
    return gains.astype(np.float32)


def _falling(count: int, start: int, stop: int) -> npt.NDArray[np.float64]:
    """One up to `start`, zero from `stop` on, a linear ramp in between."""
    return np.concatenate([np.ones(start - 1), np.linspace(1, 0, stop - start + 1), np.zeros(count - stop)])


def _rising(count: int, start: int, stop: int) -> npt.NDArray[np.float64]:
    """Zero up to `stop`, one after `start`, a linear ramp in between; `stop` is below `start`."""
    return np.concatenate([np.zeros(stop + 1), np.linspace(0, 1, 1 + start - stop), np.ones(count - start - 2)])


def _stepping_down(count: int, start: int, stop: int) -> npt.NDArray[np.float64]:
    """Like `_falling`, but the ramp starts one step lower; a sharp edge if `stop` is below `start`."""
    gains = np.ones(count)
    steps = stop - start
    if steps > 0:
        gains[start:stop] = 1 - np.arange(1, steps + 1) / steps
    gains[stop:] = 0
    return gains


def _stepping_up(count: int, start: int, stop: int) -> npt.NDArray[np.float64]:
    """Like `_rising`, but the ramp ends one step lower."""
    gains = np.ones(count)
    steps = start - stop
    if steps > 0:
        gains[stop + 1 : start + 1] = np.arange(0, steps) / steps
    gains[: stop + 1] = 0
    return gains


def _rolled_off(count: int, start: int, stop: int) -> npt.NDArray[np.float64]:
    """A roll-off between the two, where each gain depends on the one before; bins from `stop` on are unchanged."""
    gains = np.ones(count)
    last = 1.0
    for index in range(start + 1, stop):
        last = math.pow(10, -(index - start) * (3.5 - last) / 20)
        gains[index] = last
    return gains
