"""A VR network as the chunk loop calls it: from samples to stems, through spectra and masks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from utils.engine.families.vr.masks import Sharpness, mend
from utils.engine.families.vr.model import VrModel
from utils.engine.families.vr.options import VrOptions
from utils.engine.families.vr.patches import Geometry, geometry, plans
from utils.engine.families.vr.spectra import Analysis, Location, Spectra, mirrored_high_end, song_frames
from utils.engine.pipeline.demix import Lane
from utils.engine.pipeline.song import SongBuffer

PRIMARY = 0
CHANNELS = 2
MEASURED_FRAMES = 512  # per step of the survey


def vr_lanes(
    model: VrModel,
    options: VrOptions,
    *,
    samples: int,
    loudest: float,
    needed: Sequence[int],
) -> list[Lane]:
    """The lanes of a song, which sum up to its stems.

    Args:
        samples: length of the song at the model's rate.
        loudest: the result of `loudest_bin`.
        needed: indices of the needed stems, in order.
    """
    spectra = model.spectra
    sizes = geometry_of(model, options)
    gains = np.ones(len(needed))
    return [
        Lane(VrView(model, spectra, sizes, options, loudest, tuple(needed), place), plan, gains)
        for plan, place in plans(sizes, samples)
    ]


def geometry_of(model: VrModel, options: VrOptions) -> Geometry:
    """The geometry of a model's chunks with these options. Raises `InvalidRequest`."""
    return geometry(
        options,
        hop=model.layout.hop,
        offset=model.offset,
        multiple=model.window_multiple,
        tail=model.spectra.tail,
        margin=model.spectra.margin,
    )


def loudest_bin(
    model: VrModel,
    blocks: Iterable[npt.NDArray[np.float32]],
    samples: int,
    checkpoint: Callable[[], None] = lambda: None,
) -> float:
    """The largest magnitude in the spectrum of the whole song, by which the network's input is normalised."""
    spectra, hop = model.spectra, model.layout.hop
    song = SongBuffer(iter(blocks), channels=CHANNELS, total=samples)
    found = 0.0
    for frame in range(0, song_frames(samples, hop), MEASURED_FRAMES):
        checkpoint()
        place = Location(frame - spectra.margin, samples)
        length = (MEASURED_FRAMES + 2 * spectra.margin) * hop
        stretch = torch.from_numpy(song.read(place.frame * hop, length)).to(spectra.device)
        with torch.inference_mode():
            analysis = spectra.analyse(stretch, spectra.margin, MEASURED_FRAMES, place)
            found = max(found, float(analysis.spectrum.abs().max()))
        song.forget_before(place.frame * hop)
    return found


class VrView:
    """The network for one kind of chunk: the one at `place` near an end of the song or, if None, all in its middle."""

    def __init__(
        self,
        model: VrModel,
        spectra: Spectra,
        sizes: Geometry,
        options: VrOptions,
        loudest: float,
        needed: tuple[int, ...],
        place: Location | None,
    ) -> None:
        self._model = model
        self._spectra = spectra
        self._sizes = sizes
        self._options = options
        self._sharpness = Sharpness.of(options.aggression, model.stems[PRIMARY], model.layout)
        self._scale = 1.0 / loudest if loudest > 0 else 1.0
        self._needed = needed
        self._place = place

    def input_length(self, length: int) -> int:  # noqa: ARG002  # chunks are never cut off
        return self._sizes.input_samples

    def __call__(self, mix: Tensor) -> Tensor:
        sizes = self._sizes
        frames = sizes.core + 2 * (sizes.halo + sizes.shift + sizes.offset)
        with torch.autocast(mix.device.type, enabled=False):
            analysis = self._spectra.analyse(mix.to(self._spectra.device), self._first, frames, self._place)
            magnitude = analysis.spectrum.abs() * self._scale
        mask = self._mask(magnitude)
        with torch.autocast(mix.device.type, enabled=False):
            start = sizes.context - self._first
            core = Analysis(*(part[..., start : start + sizes.core] for part in analysis))
            mask = self._processed(mask)[..., sizes.halo : sizes.halo + sizes.core]
            stems = torch.stack([self._stem(mask, core, index == PRIMARY) for index in self._needed], dim=1)
        padding = (sizes.context - sizes.tail) * sizes.hop
        return torch.nn.functional.pad(stems, (padding, padding)).to(mix.device)

    # Steps ------------------------------------------------------------------------------------------------------

    @property
    def _first(self) -> int:
        """The first frame of the chunk's input that the network gets."""
        return self._sizes.context - self._sizes.halo - self._sizes.shift - self._sizes.offset

    def _mask(self, magnitude: Tensor) -> Tensor:
        """The mask of the core and the halo around it."""
        sizes = self._sizes
        count = sizes.core + 2 * sizes.halo
        mask = self._patches(magnitude, sizes.shift, count // sizes.patch)
        if sizes.shift:
            second = self._patches(magnitude, 0, count // sizes.patch + 1)
            mask = (mask + second[..., sizes.shift : sizes.shift + count]) / 2
        return mask

    def _patches(self, magnitude: Tensor, start: int, count: int) -> Tensor:
        """The masks of `count` patches in a row; the window of the first starts at frame `start`."""
        sizes, masks = self._sizes, []
        song_start, song_stop = self._within_song(magnitude.shape[-1], self._first)
        for number in range(count):
            first = start + number * sizes.patch
            middle = first + sizes.offset
            if middle + sizes.patch <= song_start or middle >= song_stop:
                masks.append(magnitude[..., : sizes.patch])  # a placeholder outside the song, never used
                continue
            window = magnitude[..., first : first + sizes.window].to(self._model.device)
            masks.append(self._model.mask(window).to(magnitude.device))
        return torch.cat(masks, dim=-1)

    def _processed(self, mask: Tensor) -> Tensor:
        """The mask, sharpened and post-processed as requested."""
        if self._sharpness is not None:
            mask = self._sharpness.apply(mask)
        if self._options.post_process:
            within = self._within_song(mask.shape[-1], self._sizes.context - self._sizes.halo)
            mask = mend(mask, self._options.post_process_threshold, within)
        return mask

    def _within_song(self, count: int, first: int) -> tuple[int, int]:
        """The range within the song, of `count` frames from frame `first` of the chunk's input on."""
        return (0, count) if self._place is None else self._place.within(count, self._sizes.hop, first)

    def _stem(self, mask: Tensor, core: Analysis, is_primary: bool) -> Tensor:
        spectrum = (mask if is_primary else 1 - mask) * core.spectrum
        parts = torch.view_as_real(spectrum)
        spectrum = torch.view_as_complex(torch.nan_to_num(parts, nan=0.0, posinf=0.0, neginf=0.0))
        high_end = None
        if self._options.high_end and core.high_end.shape[-2] > 0:
            high_end = mirrored_high_end(spectrum, core.high_end, self._model.layout.pre_filter[0])
        place = None
        if self._place is not None:
            place = Location(self._place.frame + self._sizes.context, self._place.samples)
        return self._spectra.synthesise(spectrum, high_end, place)
