"""A VR network as the chunk loop runs it: samples in, the stems' samples out, by way of spectra and masks."""

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
from utils.engine.families.vr.spectra import Location, Seen, Spectra, mirrored_high_end, song_frames
from utils.engine.pipeline.demix import Lane
from utils.engine.pipeline.song import SongBuffer

PRIMARY = 0
CHANNELS = 2
MEASURED_FRAMES = 512  # at a time, when a song is measured


def vr_lanes(
    model: VrModel,
    options: VrOptions,
    *,
    samples: int,
    loudest: float,
    needed: Sequence[int],
    checkpoint: Callable[[], None] = lambda: None,
) -> list[Lane]:
    """The lanes of a song of so many samples, to be added up.

    Args:
        samples: of the song, at the model's rate.
        loudest: what `loudest_bin` found.
        needed: which of the model's stems are wanted, in order.
        checkpoint: called between patches; what it raises ends the job.
    """
    spectra = model.spectra
    sizes = geometry_of(model, options)
    gains = np.ones(len(needed))
    return [
        Lane(VrView(model, spectra, sizes, options, loudest, tuple(needed), place, checkpoint), plan, gains)
        for plan, place in plans(sizes, samples)
    ]


def geometry_of(model: VrModel, options: VrOptions) -> Geometry:
    """How a model looks at songs with these options. Raises `InvalidRequest`."""
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
    """The largest magnitude in the whole song's spectrum: networks see it as one. A cheap pass over the song."""
    spectra, hop = model.spectra, model.layout.hop
    song = SongBuffer(iter(blocks), channels=CHANNELS, total=samples)
    found = 0.0
    for frame in range(0, song_frames(samples, hop), MEASURED_FRAMES):
        checkpoint()
        place = Location(frame - spectra.margin, samples)
        length = (MEASURED_FRAMES + 2 * spectra.margin) * hop
        stretch = torch.from_numpy(song.read(place.frame * hop, length)).to(spectra.device)
        with torch.inference_mode():
            seen = spectra.analyse(stretch, spectra.margin, MEASURED_FRAMES, place)
            found = max(found, float(seen.spectrum.abs().max()))
        song.forget_before(place.frame * hop)
    return found


class VrView:
    """One sort of chunk: those of which `place` says where they are, or all in the middle of the song."""

    def __init__(
        self,
        model: VrModel,
        spectra: Spectra,
        sizes: Geometry,
        options: VrOptions,
        loudest: float,
        needed: tuple[int, ...],
        place: Location | None,
        checkpoint: Callable[[], None],
    ) -> None:
        self._model = model
        self._spectra = spectra
        self._sizes = sizes
        self._options = options
        self._sharpness = Sharpness.of(options.aggression, model.stems[PRIMARY], model.layout)
        self._scale = 1.0 / loudest if loudest > 0 else 1.0
        self._needed = needed
        self._place = place
        self._checkpoint = checkpoint

    def input_length(self, length: int) -> int:  # noqa: ARG002  # chunks are never cut
        return self._sizes.seen_samples

    def __call__(self, mix: Tensor) -> Tensor:
        sizes = self._sizes
        with torch.autocast(mix.device.type, enabled=False):
            seen = self._seen(mix.to(self._spectra.device))
            magnitude = seen.spectrum.abs() * self._scale
        mask = self._mask(magnitude)
        with torch.autocast(mix.device.type, enabled=False):
            core = self._core_of(seen)
            part = self._treated(mask)[..., sizes.halo : sizes.halo + sizes.core]
            stems = torch.stack([self._stem(part, core, index == PRIMARY) for index in self._needed], dim=1)
        before = (sizes.around - sizes.tail) * sizes.hop
        return torch.nn.functional.pad(stems, (before, before)).to(mix.device)

    # Steps ------------------------------------------------------------------------------------------------------

    @property
    def _first(self) -> int:
        """The first frame, of those that the chunk could see, that the network is shown."""
        return self._sizes.around - self._sizes.halo - self._sizes.shift - self._sizes.offset

    def _seen(self, mix: Tensor) -> Seen:
        sizes = self._sizes
        count = sizes.core + 2 * (sizes.halo + sizes.shift + sizes.offset)
        return self._spectra.analyse(mix, self._first, count, self._place)

    def _mask(self, magnitude: Tensor) -> Tensor:
        """The mask of the core and of the halo around it."""
        sizes = self._sizes
        count = sizes.core + 2 * sizes.halo
        mask = self._patches(magnitude, sizes.shift, count // sizes.patch)
        if sizes.shift:
            second = self._patches(magnitude, 0, count // sizes.patch + 1)
            mask = (mask + second[..., sizes.shift : sizes.shift + count]) / 2
        return mask

    def _patches(self, magnitude: Tensor, start: int, count: int) -> Tensor:
        """The masks of `count` patches, one after another, the first of which looks at frames from `start` on."""
        sizes, masks = self._sizes, []
        song_start, song_stop = self._of_song(magnitude.shape[-1], self._first)
        for number in range(count):
            self._checkpoint()
            first = start + number * sizes.patch
            middle = first + sizes.offset
            if middle + sizes.patch <= song_start or middle >= song_stop:
                masks.append(magnitude[..., : sizes.patch])  # nobody looks at it
                continue
            window = magnitude[..., first : first + sizes.window].to(self._model.device)
            masks.append(self._model.mask(window).to(magnitude.device))
        return torch.cat(masks, dim=-1)

    def _treated(self, mask: Tensor) -> Tensor:
        if self._sharpness is not None:
            mask = self._sharpness.apply(mask)
        if self._options.post_process:
            within = self._of_song(mask.shape[-1], self._sizes.around - self._sizes.halo)
            mask = mend(mask, self._options.post_process_threshold, within)
        return mask

    def _of_song(self, count: int, first: int) -> tuple[int, int]:
        """Which of `count` frames, from frame `first` that the chunk could see on, are the song's."""
        return (0, count) if self._place is None else self._place.within(count, self._sizes.hop, first)

    def _core_of(self, seen: Seen) -> Seen:
        start = self._sizes.around - self._first
        frames = slice(start, start + self._sizes.core)
        return Seen(seen.spectrum[..., frames], seen.high_end[..., frames])

    def _stem(self, mask: Tensor, seen: Seen, primary: bool) -> Tensor:
        spectrum = (mask if primary else 1 - mask) * seen.spectrum
        parts = torch.view_as_real(spectrum)
        spectrum = torch.view_as_complex(torch.nan_to_num(parts, nan=0.0, posinf=0.0, neginf=0.0))
        high_end = None
        if self._options.high_end and seen.high_end.shape[-2] > 0:
            high_end = mirrored_high_end(spectrum, seen.high_end, self._model.layout.pre_filter[0])
        return self._spectra.synthesise(spectrum, high_end, self._core_place())

    def _core_place(self) -> Location | None:
        if self._place is None:
            return None
        return Location(self._place.frame + self._sizes.around, self._place.samples)
