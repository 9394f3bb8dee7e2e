"""The engine of `dsu-audiosep`: separates what a text describes."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from utils.core import replies, requests
from utils.core.errors import DeviceUnavailable, InvalidRequest
from utils.core.job import Job
from utils.engine import separation
from utils.engine.base import ModelEngine
from utils.engine.named_output import with_format_of_output
from utils.engine.query import QueryModel, load_query, query_recipe
from utils.engine.resume import ModelStamp, stamp_model
from utils.engine.separation import Loaded
from utils.store.audiosep_models import AudioSepSource, NamedParts, list_audiosep, resolve_audiosep

Named = requests.AudioSepLoad | requests.AudioSepSeparate


class AudioSepEngine(ModelEngine[QueryModel]):
    """Separates with networks that are asked in words."""

    worker = "audiosep"

    def list_models(self, request: requests.ListModels) -> replies.Models:
        details = list_audiosep(self.registry, self.folders, request.model)
        names = [entry.name for entry in details]
        return replies.Models(models=names, details=details) if request.details else replies.Models(models=names)

    def _separate(self, request: requests.Separate, job: Job, *, track: str | None, index: int) -> replies.Done:
        request = with_format_of_output(_own(request))
        if request.output_sample_rate is None:
            request = msgspec.structs.replace(request, output_sample_rate="source")
        started = time.perf_counter()
        source = self._source(request)
        cached = self.cache.get(source.identifier)
        if cached is None:
            job.checkpoint()
            job.announce(replies.LoadingModel(model=source.name))
        model = cached if cached is not None else self._read(source, mapped=self.mapped)
        self.cache.activate(model)
        loaded = Loaded(time.perf_counter() - started, from_cache=cached is not None)
        recipe = query_recipe(
            request,
            model,
            job,
            device=self.device,
            threads=self.threads,
            free_memory=lambda: self.cache.keep_only(model.identifier),
        )
        done = separation.separate(request, recipe, loaded, job, track=track, index=index)
        return replies.AudioSepDone(**{**msgspec.structs.asdict(done), "files": list(done.paths.values())})

    def _stamps(self, request: requests.Separate, job: Job) -> list[ModelStamp]:
        source = self._source(_own(request))
        return [stamp_model(source.name, source.files, source.record, checkpoint=job.checkpoint)]

    # Models ------------------------------------------------------------------------------------------------------

    def _identify(self, request: requests.LoadModel) -> tuple[str, str]:
        if isinstance(request, requests.AudioSepLoad):
            self._require_device(request.device)
        source = self._source(request)
        return source.name, source.identifier

    def _load(self, request: requests.LoadModel, job: Job) -> QueryModel:
        job.checkpoint()
        mapped = request.mmap if isinstance(request, requests.AudioSepLoad) else None
        return self._read(self._source(request), mapped=self.mapped if mapped is None else mapped)

    def _source(self, request: requests.LoadModel | requests.AudioSepSeparate) -> AudioSepSource:
        """The parts that a request names, or else those of the model loaded last, or else the public ones."""
        named = _named(request)
        active = self.cache.active
        if active is not None and not named.any and isinstance(request, requests.AudioSepSeparate):
            return active.source
        return resolve_audiosep(named, registry=self.registry, folders=self.folders, offline=self.settings.offline)

    def _read(self, source: AudioSepSource, *, mapped: bool) -> QueryModel:
        model = load_query(
            source,
            device=self.device,
            mapped=mapped,
            allow_unsafe=self.settings.allow_unsafe_checkpoints,
        )
        self.cache.put(model)
        return model

    def _require_device(self, asked: str | None) -> None:
        """A worker has one device for all its life; a request can only agree."""
        if asked not in (None, "auto", self.device, self.device.partition(":")[0]):
            raise DeviceUnavailable(
                f"This worker runs on `{self.device}`, so a model cannot be loaded on `{asked}`.",
                hint=f"Leave `device` out, or start the worker with `--device {asked}`.",
                field="device",
            )


def _own(request: requests.Separate) -> requests.AudioSepSeparate:
    if not isinstance(request, requests.AudioSepSeparate):
        raise InvalidRequest("dsu-audiosep needs a request of its own kind.")
    return request


def _named(request: requests.LoadModel | requests.AudioSepSeparate) -> NamedParts:
    if not isinstance(request, requests.AudioSepLoad | requests.AudioSepSeparate):
        return NamedParts(model=request.model)
    return NamedParts(
        model=request.model,
        config=_path(request.config_path),
        checkpoint=_path(request.checkpoint_path),
        clap=_path(request.clap_checkpoint_path),
        roberta=_path(request.roberta_dir),
    )


def _path(text: str | None) -> Path | None:
    return Path(text).expanduser() if text else None
