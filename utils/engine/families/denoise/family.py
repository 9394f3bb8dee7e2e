"""The family of `denoise`: a method without a network. Its model stands for the method, and for resuming for the noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from torch import Tensor

from utils.audio.reading import probe
from utils.core import catalogue, replies, requests
from utils.core.errors import InputError
from utils.core.job import Job
from utils.core.settings import Arithmetic
from utils.engine.families.denoise.follower import Follower, Pace, survey_jumps
from utils.engine.families.denoise.noise import measure
from utils.engine.families.denoise.subtraction import Subtraction
from utils.engine.family import Asked, Host, ModelSource
from utils.engine.pipeline.arrangement import Arrangement, Heard
from utils.engine.pipeline.blending import Blend
from utils.engine.pipeline.chunking import plan_triangular
from utils.engine.pipeline.demix import Compute, Lane
from utils.engine.pipeline.outputs import Offer, Selection
from utils.engine.pipeline.track import BLOCK_SAMPLES, Track
from utils.store.listing import list_denoise
from utils.store.plain_files import Warn
from utils.store.records import ModelRecord
from utils.store.registry import unknown_model


@dataclass(frozen=True)
class EnvelopeMatched:
    """The method, and the recording of the noise that a request names."""

    files: tuple[Path, ...] = ()
    family: str = "denoise"
    name: str = catalogue.ENVELOPE_MATCHED
    identifier: str = catalogue.ENVELOPE_MATCHED
    record: ModelRecord | None = None
    traits: object = None


@dataclass(frozen=True)
class Denoiser:
    """What takes the place of a loaded model: nothing is loaded, and the noise is measured for each song."""

    source: ModelSource
    stems: tuple[str, ...] = (catalogue.DENOISED,)

    def size_bytes(self) -> int:
        return 0

    def move(self, device: str) -> None:
        del device

    def prepare(self, precision: Arithmetic) -> None:
        del precision


class Unchanged:
    """A network that gives the song itself: the noise leaves it afterwards, in the blend."""

    def input_length(self, length: int) -> int:
        return length

    def __call__(self, mix: Tensor) -> Tensor:
        return mix[:, None]


class DenoiseFamily:
    """Noise reduction by a recording of the noise."""

    name = "denoise"
    request_types = (requests.Denoise, requests.DenoiseLoad)

    def __init__(self, host: Host) -> None:
        self._host = host

    def list_models(self, request: requests.ListModels, warn: Warn) -> list[replies.ModelDetails]:
        """The method; nothing in `dsu`, which lists what `separate` can use."""
        del warn
        if isinstance(request, requests.DsuListModels):
            return []
        if request.model not in (None, catalogue.ENVELOPE_MATCHED):
            raise unknown_model(request.model, [catalogue.ENVELOPE_MATCHED])
        return list_denoise()

    def record(self, name: str) -> ModelRecord | None:
        del name
        return None

    def claims(self, model: str | None, active: ModelSource | None) -> bool:
        del model, active
        return True

    def resolve(self, request: Asked, active: ModelSource | None, job: Job) -> Sequence[ModelSource]:
        """The method. Raises one of the input errors if the recording of the noise cannot be read."""
        del active, job
        if request.model not in (None, catalogue.ENVELOPE_MATCHED):
            raise unknown_model(request.model, [catalogue.ENVELOPE_MATCHED])
        if not isinstance(request, requests.Denoise):
            return (EnvelopeMatched(),)
        noise = Path(request.noise).expanduser()
        try:
            probe(noise, lowest_rate=self._host.settings.lowest_sample_rate)
        except InputError as error:
            error.field = "noise_profile"
            raise
        return (EnvelopeMatched((noise,)),)

    def load(self, source: EnvelopeMatched, request: Asked, job: Job) -> Denoiser:
        del request, job
        return Denoiser(replace(source, files=()))

    def describe(self, model: Denoiser, request: Asked) -> dict[str, Any]:
        del model, request
        return {}

    def offer(self, model: Denoiser, request: requests.Separate) -> Offer:
        del request
        return Offer(model.stems)

    def arrange(
        self,
        model: Denoiser,
        request: requests.Separate,
        selection: Selection,
        track: Track,
        job: Job,
        *,
        longest_chunk_s: float | None = None,
    ) -> Arrangement:
        del longest_chunk_s
        options = cast(requests.Denoise, request)
        rate = track.info.sample_rate
        channels = track.channels_in(options.audio_format)
        pace = Pace.of(rate, attack_s=options.attack_time, release_s=options.release_s)

        def blend(heard: Heard) -> Blend:
            total = heard.stats.frames
            noise = measure(
                Path(options.noise).expanduser(), sample_rate=rate, longest=total, checkpoint=job.checkpoint
            )
            if noise.level == 0:
                job.warn("The recording of the noise is silent, so the result is the input.")
            followers = [Follower(pace, jump) for jump in heard.surveyed]
            return Subtraction(noise, followers, factor=options.subtraction_factor, sample_rate=rate, total=total)

        def lanes(heard: Heard) -> list[Lane]:
            plan = plan_triangular(heard.stats.frames, chunk=BLOCK_SAMPLES, overlap=0.0)
            return [Lane(Unchanged(), plan, np.ones(1))]

        return Arrangement(
            model=model.source.name,
            sample_rate=rate,
            channels=channels,
            selection=selection,
            main=catalogue.DENOISED,
            survey=lambda blocks, _, job: survey_jumps(blocks, rate, channels, job),
            lanes=lanes,
            blend=blend,
            compute=Compute(device="cpu", threads=self._host.threads),
            settings={
                "mode": options.mode,
                "subtraction_factor": options.subtraction_factor,
                "attack_time": options.attack_time,
                "release_time": options.release_s,
            },
        )
