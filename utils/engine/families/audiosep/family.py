"""The AudioSep family: separates sounds described by text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from utils.core import catalogue, replies, requests
from utils.core.errors import DeviceUnavailable
from utils.core.job import Job
from utils.engine.families.audiosep.network import (
    AudioSepModel,
    AudioSepView,
    Rates,
    lengths_of,
    load_audiosep,
)
from utils.engine.family import Asked, Host, ModelSource
from utils.engine.pipeline.arrangement import Arrangement, Heard
from utils.engine.pipeline.demix import Lane
from utils.engine.pipeline.outputs import Complement, Offer, Selection
from utils.engine.pipeline.track import Track
from utils.store.audiosep_models import WORKER, AudioSepSource, NamedParts, list_audiosep, resolve_audiosep
from utils.store.plain_files import Warn
from utils.store.records import ModelRecord


class AudioSepFamily:
    """Networks that are queried by text."""

    name = "audiosep"
    request_types = (requests.AudioSepSeparate, requests.AudioSepLoad)

    def __init__(self, host: Host) -> None:
        self._host = host

    def list_models(self, request: requests.ListModels, warn: Warn) -> list[replies.ModelDetails]:
        del warn
        return list_audiosep(self._host.registry, self._host.folders, request.model)

    def record(self, name: str) -> ModelRecord | None:
        return self._host.registry.find(name, WORKER)

    def claims(self, model: str | None, active: ModelSource | None) -> bool:
        del model, active
        return True

    def resolve(self, request: Asked, active: ModelSource | None, job: Job) -> Sequence[ModelSource]:
        """The files that the request names, otherwise the active model, otherwise the public model."""
        del job
        options = cast(requests.AudioSepSeparate | requests.AudioSepLoad, request)
        if isinstance(options, requests.AudioSepLoad):
            device = self._host.device
            if options.device not in (None, "auto", device, device.partition(":")[0]):
                raise DeviceUnavailable(
                    f"This worker runs on `{device}`, so it cannot load a model on `{options.device}`.",
                    hint=f"Leave out `device`, or start the worker with `--device {options.device}`.",
                    field="device",
                )
        named = NamedParts(
            model=options.model,
            config=_path(options.config_path),
            checkpoint=_path(options.checkpoint_path),
            clap=_path(options.clap_checkpoint_path),
            roberta=_path(options.roberta_dir),
        )
        if (
            active is not None
            and active.family == self.name
            and not named.any
            and (isinstance(options, requests.Separate) or self._host.unnamed_is_active)
        ):
            return (active,)
        host = self._host
        return (resolve_audiosep(named, registry=host.registry, folders=host.folders, offline=host.offline),)

    def load(self, source: AudioSepSource, request: Asked, job: Job) -> AudioSepModel:
        mapped = request.mmap if isinstance(request, requests.AudioSepLoad) else None
        model = load_audiosep(
            source,
            mapped=self._host.mapped if mapped is None else mapped,
            allow_unsafe=self._host.allow_unsafe,
        )
        with job.step("move"):
            model.move(self._host.device)
        return model

    def describe(self, model: AudioSepModel, request: Asked) -> dict[str, Any]:
        del model, request
        return {}

    def offer(self, model: AudioSepModel, request: requests.Separate) -> Offer:
        """One stem per text, named after the text."""
        del model
        options = cast(requests.AudioSepSeparate, request)
        stems = tuple(options.queries)
        residual = Complement(catalogue.RESIDUAL, tuple(range(len(stems))))
        return Offer(stems, residual, with_complement=options.residual)

    def arrange(
        self,
        model: AudioSepModel,
        request: requests.Separate,
        selection: Selection,
        track: Track,
        job: Job,
        *,
        longest_chunk_s: float | None = None,
    ) -> Arrangement:
        del job
        options = cast(requests.AudioSepSeparate, request)
        queries = options.queries
        rates = Rates.of(track.info.sample_rate, model.sample_rate)
        lengths = lengths_of(options, longest_chunk_s)
        device = self._host.device

        def lanes(heard: Heard) -> list[Lane]:
            conditions = model.conditions([queries[index] for index in selection.needed])
            view = AudioSepView(model.backend, conditions, rates, together=device != "cpu")
            return [Lane(view, lengths.plan(heard.stats.frames, rates), np.ones(len(conditions)), bounded=True)]

        compute = self._host.compute(options, model.backend)
        return Arrangement(
            model=model.source.name,
            sample_rate=rates.song,
            channels=track.channels_in(options.audio_format),
            selection=selection.narrowed(),
            main=queries[0] if len(queries) == 1 else None,
            lanes=lanes,
            compute=compute,
            settings={
                "use_chunk": options.use_chunk,
                "chunk_seconds": lengths.chunk_s,
                "batch_size": compute.batch_size,
            },
            file_rate="source",
            chunk_s=lengths.chunk_s,
        )


def _path(text: str | None) -> Path | None:
    return Path(text).expanduser() if text else None
