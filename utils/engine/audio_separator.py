"""The engine of `dsu-audio-separator`: VR and MDX models, Apollo restoration, and networks of `dsu-bsroformer`.

Which kind a model is follows from its name: a `.pth` or `.onnx` file is a VR or an MDX model, everything else is asked of
the engine of `dsu-bsroformer`, whose cache and loading are shared.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from utils.core import replies, requests
from utils.core.asked_networks import choice_of
from utils.core.catalogue import AUDIO_SEPARATOR_SUFFIXES
from utils.core.errors import InvalidRequest, ModelNotInstalled
from utils.core.job import Job
from utils.engine import separation
from utils.engine.apollo import ApolloModel, apollo_recipe, load_apollo
from utils.engine.bsroformer import NetworkEngine
from utils.engine.cache import ModelCache
from utils.engine.demix import Compute
from utils.engine.mdx import MdxModel, MdxOptions, load_mdx
from utils.engine.named_output import with_format_of_output
from utils.engine.resume import ModelStamp, stamp_model
from utils.engine.separation import Loaded, Recipe
from utils.engine.vr.model import VrModel, load_vr
from utils.engine.vr.options import VrOptions
from utils.engine.vr_mdx import TEMPLATE, Setting, mdx_recipe, vr_recipe
from utils.store.audio_separator_models import (
    AudioSeparatorSource,
    ModelFields,
    list_audio_separator,
    own_audio_separator,
    resolve_audio_separator,
)
from utils.store.network_models import list_networks, resolve_network
from utils.store.records import ModelRecord

SpectrumRequest = requests.AudioSeparatorLoad | requests.AudioSeparatorSeparate
SpectrumModel = VrModel | MdxModel

APOLLO_TYPE = "apollo"
USUAL_RATE = 44100  # of stems, also of the VR networks that hear less
OTHER_TYPES = ("mdx23c", APOLLO_TYPE)  # what of dsu-bsroformer's models is listed here too


@dataclass(frozen=True)
class ApolloSource:
    """The files of an Apollo network, and the sizes that a request states."""

    name: str
    checkpoint: Path
    config: Path | None
    feature_dim: int | None
    layer: int | None
    record: ModelRecord | None = None  # what the registry knows

    @property
    def identifier(self) -> str:
        stamps = [f"{path.resolve()}@{path.stat().st_mtime_ns}" for path in (self.checkpoint, self.config) if path]
        return f"apollo:{'+'.join(stamps)}:{self.feature_dim}:{self.layer}"

    def stamp(self, job: Job) -> ModelStamp:
        files = [path for path in (self.checkpoint, self.config) if path]
        return stamp_model(self.name, files, self.record, checkpoint=job.checkpoint)


class AudioSeparatorEngine(NetworkEngine):
    """Separates and restores. The cache holds models of every kind."""

    worker = "audio-separator"
    cache: ModelCache[Any]

    def list_models(self, request: requests.ListModels) -> replies.Models:
        networks = list_networks(self.registry, self.folders)
        if request.model is None:
            others = [entry for entry in networks if entry.type in OTHER_TYPES]
            details = [*list_audio_separator(self.registry, self.folders), *others]
        else:
            details = [entry for entry in networks if entry.name == request.model]
            details = details or list_audio_separator(self.registry, self.folders, request.model)
        names = [entry.name for entry in details]
        return replies.Models(models=names, details=details) if request.details else replies.Models(models=names)

    def ping(self) -> replies.Pong:
        active = self.cache.active
        separator = active.name if active is not None else None
        restorers = [entry.name for entry in self.cache.entries() if entry.identifier.startswith("apollo:")]
        return replies.Pong(
            model_loaded=separator, separator_model=separator, apollo_model=restorers[-1] if restorers else None
        )

    def _separate(self, request: requests.Separate, job: Job, *, track: str | None, index: int) -> replies.Done:
        if isinstance(request, requests.Apollo):
            return self._restore(request, job, track=track, index=index)
        if not isinstance(request, requests.AudioSeparatorSeparate):
            raise InvalidRequest("dsu-audio-separator needs a request of its own kind.")
        name = request.model or self._active_separator()
        if Path(name).suffix not in AUDIO_SEPARATOR_SUFFIXES:
            return self._separate_with_network(request, name, job, track=track, index=index)
        started = time.perf_counter()
        source = self._spectrum_source(name, request)
        cached = self.cache.get(source.identifier)
        model = cached if cached is not None else self._read_spectrum(source, job, announce=True)
        self.cache.activate(model)
        if model.sample_rate < USUAL_RATE and request.output_sample_rate is None:
            request = msgspec.structs.replace(request, output_sample_rate=USUAL_RATE)
        loaded = Loaded(time.perf_counter() - started, from_cache=cached is not None)
        return separation.separate(
            request, self._spectrum_recipe(request, model, job), loaded, job, track=track, index=index
        )

    def _stamps(self, request: requests.Separate, job: Job) -> list[ModelStamp]:
        if isinstance(request, requests.Apollo):
            return [self._apollo_source(request).stamp(job)]
        name = request.model or self._active_separator()
        if (
            not isinstance(request, requests.AudioSeparatorSeparate)
            or Path(name).suffix not in AUDIO_SEPARATOR_SUFFIXES
        ):
            return [self._stamp(self._source(name), job)]
        source = self._spectrum_source(name, request)
        told = (source.stems, source.parameters)
        return [stamp_model(source.name, [source.path], source.record, told=told, checkpoint=job.checkpoint)]

    # VR and MDX ------------------------------------------------------------------------------------------------------

    def _spectrum_source(self, name: str, request: SpectrumRequest) -> AudioSeparatorSource:
        """The file of a model: below the directory that the request names, a path of its own, or a name."""
        fields = _fields(request)
        folder = Path(request.model_file_dir).expanduser() if request.model_file_dir else None
        path = folder / name if folder is not None else Path(name).expanduser()
        if folder is not None or path.is_absolute() or path.is_file():
            return own_audio_separator(path, fields)
        return resolve_audio_separator(
            name, registry=self.registry, folders=self.folders, fields=fields, offline=self.settings.offline
        )

    def _read_spectrum(self, source: AudioSeparatorSource, job: Job, *, announce: bool) -> SpectrumModel:
        job.checkpoint()
        if announce:
            job.announce(replies.LoadingModel(model=source.name))
        model: SpectrumModel
        if source.family == "vr":
            allow_unsafe = self.settings.allow_unsafe_checkpoints
            model = load_vr(source, device=self.device, mapped=self.mapped, allow_unsafe=allow_unsafe)
        else:
            model = load_mdx(source, device=self.device, threads=self.threads)
        self.cache.put(model)
        return model

    def _spectrum_recipe(self, request: requests.AudioSeparatorSeparate, model: SpectrumModel, job: Job) -> Recipe:
        setting = Setting(
            request=request,
            compute=self._compute(request),
            job=job,
            free_memory=lambda: self.cache.keep_only(model.identifier),
            single_stem=request.single_stem,
        )
        if isinstance(model, VrModel):
            return vr_recipe(model, _vr_options(request), setting)
        return mdx_recipe(model, _mdx_options(request), setting)

    def _compute(self, request: requests.Separate) -> Compute:
        return Compute(
            device=self.device,
            threads=self.threads,
            batch_size=request.batch_size or 1,
            precision=request.precision,
        )

    def _active_separator(self) -> str:
        active = self.cache.active
        if active is None:
            raise ModelNotInstalled(
                "Name a model in `model`: none is loaded yet that could be meant.",
                hint='{"cmd":"list_models"} lists them.',
                field="model",
            )
        source = active.source
        return str(source.path) if isinstance(source, AudioSeparatorSource) else str(source.name)

    # Networks of dsu-bsroformer --------------------------------------------------------------------------------------

    def _separate_with_network(
        self, request: requests.AudioSeparatorSeparate, name: str, job: Job, *, track: str | None, index: int
    ) -> replies.Done:
        common = {field: getattr(request, field) for field in requests.Separate.__struct_fields__}
        stems = [request.single_stem] if request.single_stem is not None else request.stems
        asked = requests.NetworkSeparate(
            **{**common, "model": name, "stems": stems, "name_template": request.name_template or TEMPLATE}
        )
        return super()._separate(asked, job, track=track, index=index)

    # Loading ---------------------------------------------------------------------------------------------------------

    def load_model(self, request: requests.LoadModel, job: Job) -> replies.ModelLoaded:
        if not isinstance(request, requests.LoadApollo):
            return super().load_model(request, job)
        started = time.perf_counter()
        source = self._apollo_source(request)
        cached = self.cache.get(source.identifier)
        job.announce(replies.LoadingModel(model=source.name))
        model: ApolloModel = cached if cached is not None else self._read_apollo(source, job)
        return replies.ApolloLoaded(
            model=model.name,
            type=APOLLO_TYPE,
            feature_dim=model.sizes.feature_dim,
            layer=model.sizes.layer,
            stems=list(model.stems),
            cached=cached is not None,
            elapsed=round(time.perf_counter() - started, 3),
        )

    def _identify(self, request: requests.LoadModel) -> tuple[str, str]:
        name = request.model or self._active_separator()
        if not isinstance(request, requests.AudioSeparatorLoad) or Path(name).suffix not in AUDIO_SEPARATOR_SUFFIXES:
            return super()._identify(requests.NetworkLoad(model=name))
        source = self._spectrum_source(name, request)
        return source.name, source.identifier

    def _load(self, request: requests.LoadModel, job: Job) -> Any:
        name = request.model or self._active_separator()
        if not isinstance(request, requests.AudioSeparatorLoad) or Path(name).suffix not in AUDIO_SEPARATOR_SUFFIXES:
            return super()._load(requests.NetworkLoad(model=name), job)
        return self._read_spectrum(self._spectrum_source(name, request), job, announce=False)

    def _record(self, name: str) -> ModelRecord:
        """Also of the models that are listed here and belong to dsu-bsroformer."""
        return self.registry.find(name, NetworkEngine.worker) or self.registry.get(name, self.worker)

    # Apollo ----------------------------------------------------------------------------------------------------------

    def _restore(self, request: requests.Apollo, job: Job, *, track: str | None, index: int) -> replies.Done:
        request = with_format_of_output(request)
        started = time.perf_counter()
        source = self._apollo_source(request)
        cached = self.cache.get(source.identifier)
        if cached is None:
            job.announce(replies.LoadingModel(model=source.name))
        model: ApolloModel = cached if cached is not None else self._read_apollo(source, job)
        loaded = Loaded(time.perf_counter() - started, from_cache=cached is not None)
        recipe = apollo_recipe(
            request,
            model,
            device=self.device,
            threads=self.threads,
            free_memory=lambda: self.cache.keep_only(model.identifier),
            chunk_s=request.chunk_seconds,
        )
        done = separation.separate(request, recipe, loaded, job, track=track, index=index)
        fields = msgspec.structs.asdict(done)
        return replies.Restored(**{**fields, "files": list(done.paths.values()), "cached": cached is not None})

    def _apollo_source(self, request: requests.Apollo | requests.LoadApollo) -> ApolloSource:
        """The network's files: those that the request names, or those of a model of the registry."""
        if request.model_path:
            path = Path(request.model_path).expanduser()
            if not path.is_file():
                raise ModelNotInstalled(f"There is no checkpoint `{path}`.", field="model_path")
            config = Path(request.config_path).expanduser() if request.config_path else None
            return ApolloSource(path.stem, path, config, request.feature_dim, request.layer)
        name = choice_of(requests.NetworkLoad(model=request.model, config_path=request.config_path))
        if not isinstance(name, str):
            raise InvalidRequest(
                "`apollo` needs a network: its checkpoint in `model_path`, or its name in `model`.", field="model_path"
            )
        source = resolve_network(name, registry=self.registry, folders=self.folders, offline=self.settings.offline)
        if source.type != APOLLO_TYPE:
            raise InvalidRequest(f"`{name}` is no Apollo network; `separate` takes it.", field="model")
        return ApolloSource(name, source.checkpoint, source.config, request.feature_dim, request.layer, source.record)

    def _read_apollo(self, source: ApolloSource, job: Job) -> ApolloModel:
        job.checkpoint()
        model = load_apollo(
            source.checkpoint,
            source.config,
            name=source.name,
            identifier=source.identifier,
            feature_dim=source.feature_dim,
            layer=source.layer,
            device=self.device,
            mapped=self.mapped,
            allow_unsafe=self.settings.allow_unsafe_checkpoints,
        )
        self.cache.put(model)
        return model


def _fields(request: SpectrumRequest) -> ModelFields:
    """What a request says of a file that is not known."""
    names = [field.name for field in msgspec.structs.fields(ModelFields)]
    return ModelFields(**{name: getattr(request, name, None) for name in names})


def _vr_options(request: requests.AudioSeparatorSeparate) -> VrOptions:
    return VrOptions(
        aggression=request.vr_aggression,
        tta=request.vr_enable_tta,
        high_end=request.vr_high_end_process,
        post_process=request.vr_post_process,
        post_process_threshold=request.vr_post_process_threshold,
        window_size=request.vr_window_size,
    )


def _mdx_options(request: requests.AudioSeparatorSeparate) -> MdxOptions:
    return MdxOptions(
        segment_size=request.mdx_segment_size,
        overlap=request.mdx_overlap,
        denoise=request.mdx_enable_denoise,
        invert_spectrum=request.invert_spect,
    )
