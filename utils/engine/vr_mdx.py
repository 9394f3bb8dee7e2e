"""How a request is carried out with a VR or an MDX model: the recipes for `utils.engine.separation`.

Stems are those that the audio-separator package gives, to 90 dB or better inside a song, but for this: the last part of
a frame is not cut off; songs of another sample rate than the network's are resampled by soxr; a song is not made louder
or quieter than it is, where the package scales MDX stems by the song's peak; and `invert_spect`, which fails there with
MDX networks, takes the stem from the whole song, not just from the bins that the network knows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils.audio.reading import AudioReader, open_audio
from utils.core.errors import InvalidRequest
from utils.core.job import Job
from utils.core.requests import Separate
from utils.engine.demix import Compute, Lane
from utils.engine.mdx import InvertedRest, MdxModel, MdxOptions, by_subtraction, mdx_lanes, plan_mdx
from utils.engine.separation import Recipe
from utils.engine.song import Scale
from utils.engine.stems import Selection, select
from utils.engine.vr.model import VrModel
from utils.engine.vr.options import VrOptions
from utils.engine.vr.separating import geometry_of, loudest_bin, vr_lanes

TEMPLATE = "{track}_({stem})"


@dataclass(frozen=True)
class Setting:
    """What a job gives to every recipe."""

    request: Separate
    compute: Compute
    job: Job
    free_memory: Callable[[], bool]
    single_stem: str | None = None  # another way to name the only stem that is wanted


def vr_recipe(model: VrModel, options: VrOptions, setting: Setting) -> Recipe:
    """Raises `InvalidRequest` for stems or a window that the model does not have."""
    selection = _selection(model.stems, setting)
    geometry_of(model, options)

    def lanes(samples: int, _: Scale) -> list[Lane]:
        with _song(setting, model.sample_rate, model.channels) as reader:
            loudest = loudest_bin(model, reader, samples, setting.job.checkpoint)
        return vr_lanes(
            model,
            options,
            samples=samples,
            loudest=loudest,
            needed=selection.needed,
            checkpoint=setting.job.checkpoint,
        )

    return Recipe(
        model=model.name,
        sample_rate=model.sample_rate,
        channels=model.channels,
        selection=selection.narrowed(),
        template=TEMPLATE,
        compute=setting.compute,
        lanes=lanes,
        settings={
            "vr_aggression": options.aggression,
            "vr_window_size": options.window_size,
            "vr_enable_tta": options.tta,
            "vr_high_end_process": options.high_end,
            "vr_post_process": options.post_process,
        },
        free_memory=setting.free_memory,
        shorter=lambda: None,  # a chunk is as long as the network's window
    )


def mdx_recipe(model: MdxModel, options: MdxOptions, setting: Setting) -> Recipe:
    """Raises `InvalidRequest` for stems or a segment that the model does not have."""
    compensation = model.parameters.compensation
    selection = _selection(model.stems, setting)
    inverted = options.invert_spectrum and 1 in selection.needed
    frames = options.segment_size or model.parameters.frames
    plan_mdx(1, n_fft=model.parameters.n_fft, frames=frames, overlap=options.overlap)
    model.session(frames)
    if model.warning is not None:
        setting.job.warn(model.warning)

    def lanes(samples: int, _: Scale) -> list[Lane]:
        with _song(setting, model.sample_rate, model.channels) as reader:
            peak = max((float(np.abs(block).max(initial=0.0)) for block in reader), default=0.0)
        return mdx_lanes(model, options, samples=samples, peak=peak)

    return Recipe(
        model=model.name,
        sample_rate=model.sample_rate,
        channels=model.channels,
        selection=selection if inverted else by_subtraction(selection, compensation),
        template=TEMPLATE,
        compute=setting.compute,
        lanes=lanes,
        settings={
            "mdx_segment_size": frames,
            "mdx_overlap": options.overlap,
            "mdx_enable_denoise": options.denoise,
            "invert_spect": inverted,
        },
        free_memory=setting.free_memory,
        shorter=lambda: None,  # a chunk is as long as the network's window
        blend=(lambda: InvertedRest(compensation)) if inverted else None,
    )


def _selection(model_stems: tuple[str, str], setting: Setting) -> Selection:
    request = setting.request
    if setting.single_stem is None:
        return select(model_stems, stems=request.stems, two_stems=request.two_stems)
    if request.stems is not None or request.two_stems is not None:
        raise InvalidRequest("Ask for either `single_stem`, `stems` or `two_stems`.", field="single_stem")
    return select(model_stems, stems=[setting.single_stem], two_stems=None)


def _song(setting: Setting, sample_rate: int, channels: int) -> AudioReader:
    """The part of the input that is separated."""
    preview = setting.request.preview
    return open_audio(
        Path(setting.request.input or "").expanduser(),
        sample_rate=sample_rate,
        channels=channels,
        start_s=preview.start if preview else 0.0,
        duration_s=preview.duration if preview else None,
        checkpoint=setting.job.checkpoint,
    )
