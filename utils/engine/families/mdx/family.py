"""The MDX family.

Stems equal those of the audio-separator package to 90 dB or better inside a song, with three exceptions. Songs at other
sample rates than the network's are resampled by soxr. Stems keep the level of the song, while the package scales them by
the song's peak. And `invert_spect`, which fails in the package, subtracts the stem from the whole spectrum of the song,
not only from the bins that the network processes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from utils.core import replies, requests
from utils.core.job import Job
from utils.engine.families.mdx.model import (
    InvertedRest,
    MdxModel,
    MdxOptions,
    by_subtraction,
    load_mdx,
    mdx_lanes,
    plan_mdx,
)
from utils.engine.family import Asked, Host, ModelSource, improvements
from utils.engine.pipeline.arrangement import Arrangement
from utils.engine.pipeline.outputs import Offer, Selection
from utils.engine.pipeline.track import Track
from utils.store.audio_separator_models import WORKER, AudioSeparatorSource, requested_audio_separator
from utils.store.plain_files import Warn
from utils.store.records import ModelRecord

SUFFIX = ".onnx"


class MdxFamily:
    """MDX models, named after their files."""

    name = "mdx"
    request_types = (requests.AudioSeparatorSeparate, requests.AudioSeparatorLoad)

    def __init__(self, host: Host) -> None:
        self._host = host

    def list_models(self, request: requests.ListModels, warn: Warn) -> list[replies.ModelDetails]:
        """Nothing: MDX models share a folder with VR models, whose family lists both."""
        del request, warn
        return []

    def record(self, name: str) -> ModelRecord | None:
        return self._host.registry.find(name, WORKER)

    def claims(self, model: str | None, active: ModelSource | None) -> bool:
        return Path(model).suffix == SUFFIX if model else active is not None and active.family == self.name

    def resolve(self, request: Asked, active: ModelSource | None, job: Job) -> Sequence[ModelSource]:
        del job
        if not request.model and active is not None:
            return (active,)
        host = self._host
        asked = cast(requests.AudioSeparatorSeparate, request)
        return (requested_audio_separator(asked, host.registry, host.folders, offline=host.offline),)

    def load(self, source: AudioSeparatorSource, request: Asked, job: Job) -> MdxModel:
        del request, job
        return load_mdx(source, device=self._host.device, threads=self._host.threads)

    def describe(self, model: MdxModel, request: Asked) -> dict[str, Any]:
        del model, request
        return {}

    def offer(self, model: MdxModel, request: requests.Separate) -> Offer:
        del request
        return Offer(model.stems)

    def arrange(
        self,
        model: MdxModel,
        request: requests.Separate,
        selection: Selection,
        track: Track,
        job: Job,
        *,
        longest_chunk_s: float | None = None,
    ) -> Arrangement:
        """Raises `InvalidRequest` for a segment that the model does not support."""
        del track, longest_chunk_s
        asked = cast(requests.AudioSeparatorSeparate, request)
        options = MdxOptions.of(asked)
        parameters = model.parameters
        inverted = options.invert_spectrum and 1 in selection.needed
        frames = options.segment_size or parameters.frames
        plan_mdx(1, n_fft=parameters.n_fft, frames=frames, overlap=options.overlap)
        model.backend(frames)
        if model.warning is not None:
            job.warn(model.warning)
        return Arrangement(
            model=model.source.name,
            sample_rate=model.sample_rate,
            channels=model.channels,
            selection=selection if inverted else by_subtraction(selection, parameters.compensation),
            lanes=lambda heard: mdx_lanes(model, options, samples=heard.stats.frames, peak=heard.stats.peak),
            compute=self._host.compute(request, model.backend(frames)),
            settings={
                "mdx_segment_size": frames,
                "mdx_overlap": options.overlap,
                "mdx_enable_denoise": options.denoise,
                "invert_spect": inverted,
                **improvements(asked),
            },
            normalises=True,  # loud songs are attenuated
            level=request.level,
            blend=(lambda _: InvertedRest(parameters.compensation)) if inverted else None,
        ).pitched(asked.pitch_shift)
