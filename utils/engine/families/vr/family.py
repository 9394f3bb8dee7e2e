"""The VR family.

Stems equal those of the audio-separator package to 90 dB or better inside a song, except that the last partial frame is
not cut off, and that songs at other sample rates than the network's are resampled by soxr.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from utils.core import replies, requests
from utils.core.errors import ModelNotInstalled
from utils.core.job import Job
from utils.engine.families.vr.lanes import geometry_of, loudest_bin, vr_lanes
from utils.engine.families.vr.model import VrModel, load_vr
from utils.engine.families.vr.options import VrOptions
from utils.engine.family import Asked, Host, ModelSource, improvements
from utils.engine.pipeline.arrangement import Arrangement
from utils.engine.pipeline.outputs import Offer, Selection
from utils.engine.pipeline.track import Track
from utils.store.audio_separator_models import (
    WORKER,
    AudioSeparatorSource,
    list_audio_separator,
    requested_audio_separator,
)
from utils.store.plain_files import Warn
from utils.store.records import ModelRecord

SUFFIX = ".pth"
USUAL_RATE = 44100  # of stems, even if the network's own rate is lower


class VrFamily:
    """VR models, named after their files."""

    name = "vr"
    request_types = (requests.AudioSeparatorSeparate, requests.AudioSeparatorLoad)

    def __init__(self, host: Host) -> None:
        self._host = host

    def list_models(self, request: requests.ListModels, warn: Warn) -> list[replies.ModelDetails]:
        """Includes MDX models, which share a folder with VR models."""
        return list_audio_separator(self._host.registry, self._host.folders, request.model, warn)

    def record(self, name: str) -> ModelRecord | None:
        return self._host.registry.find(name, WORKER)

    def claims(self, model: str | None, active: ModelSource | None) -> bool:
        return Path(model).suffix == SUFFIX if model else active is not None and active.family == self.name

    def resolve(self, request: Asked, active: ModelSource | None, job: Job) -> Sequence[ModelSource]:
        del job
        if not request.model:
            if active is None or active.family != self.name:  # nobody claims the request
                raise ModelNotInstalled(
                    "Name a model in `model`: no model is loaded yet.",
                    hint='{"cmd":"list_models"} lists them.',
                    field="model",
                )
            return (active,)
        host = self._host
        asked = cast(requests.AudioSeparatorSeparate, request)
        return (requested_audio_separator(asked, host.registry, host.folders, offline=host.offline),)

    def load(self, source: AudioSeparatorSource, request: Asked, job: Job) -> VrModel:
        del request, job
        host = self._host
        return load_vr(source, device=host.device, mapped=host.mapped, allow_unsafe=host.allow_unsafe)

    def describe(self, model: VrModel, request: Asked) -> dict[str, Any]:
        del model, request
        return {}

    def offer(self, model: VrModel, request: requests.Separate) -> Offer:
        del request
        return Offer(model.stems)

    def arrange(
        self,
        model: VrModel,
        request: requests.Separate,
        selection: Selection,
        track: Track,
        job: Job,
        *,
        longest_chunk_s: float | None = None,
    ) -> Arrangement:
        """Raises `InvalidRequest` for a window that the network does not support."""
        del track, job, longest_chunk_s
        asked = cast(requests.AudioSeparatorSeparate, request)
        options = VrOptions.of(asked)
        geometry_of(model, options)
        return Arrangement(
            model=model.source.name,
            sample_rate=model.sample_rate,
            channels=model.channels,
            selection=selection.narrowed(),
            survey=lambda blocks, samples, job: (loudest_bin(model, blocks, samples, job.checkpoint),),
            lanes=lambda heard: vr_lanes(
                model,
                options,
                samples=heard.stats.frames,
                loudest=heard.surveyed[0],
                needed=selection.needed,
            ),
            compute=self._host.compute(request, model.backend),
            settings={
                "vr_aggression": options.aggression,
                "vr_window_size": options.window_size,
                "vr_enable_tta": options.tta,
                "vr_high_end_process": options.high_end,
                "vr_post_process": options.post_process,
                **improvements(asked),
            },
            file_rate=USUAL_RATE if model.sample_rate < USUAL_RATE else None,
        ).pitched(asked.pitch_shift)
