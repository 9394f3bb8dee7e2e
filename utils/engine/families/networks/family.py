"""The separation networks of `models/`: from the registry, the models directory, or files that a request names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from utils.core import catalogue, replies, requests
from utils.core.asked_networks import Choice, OwnFiles, choice_of, choices_of
from utils.core.catalogue import AUDIO_SEPARATOR_SUFFIXES
from utils.core.job import Job
from utils.core.package_request import PackageRequest, PackageSeparate
from utils.engine.families.networks.effort import effort_of
from utils.engine.families.networks.network import NetworkModel, load_network, network_lanes
from utils.engine.families.networks.package import overlaps_of, package_lanes, package_offer
from utils.engine.family import Asked, Host, ModelSource, improvements
from utils.engine.pipeline.arrangement import Arrangement
from utils.engine.pipeline.outputs import Offer, Selection
from utils.engine.pipeline.track import STEREO, Track
from utils.store.network_models import WORKER, NetworkSource, list_networks, own_network, resolve_network
from utils.store.plain_files import Warn
from utils.store.records import ModelRecord

BUILT_IN_USED = (
    f"No model was named, so the small built-in model `{catalogue.DEFAULT_NETWORK}` was used. Larger models are far better. "
    'Send {"cmd":"list_models"} for their names.'
)


class NetworksFamily:
    """Separation networks. This family also resolves the names of Apollo networks, which share the same folder."""

    name = "networks"
    request_types = (
        requests.NetworkSeparate,
        requests.NetworkLoad,
        requests.AudioSeparatorSeparate,
        requests.AudioSeparatorLoad,
    )

    def __init__(self, host: Host) -> None:
        self._host = host

    def list_models(self, request: requests.ListModels, warn: Warn) -> list[replies.ModelDetails]:
        details = list_networks(self._host.registry, self._host.folders, request.model, warn)
        listed = self._host.listed_networks
        return [entry for entry in details if request.model is not None or listed is None or entry.type in listed]

    def record(self, name: str) -> ModelRecord | None:
        return self._host.registry.find(name, WORKER)

    def claims(self, model: str | None, active: ModelSource | None) -> bool:
        return Path(model).suffix not in AUDIO_SEPARATOR_SUFFIXES if model else _is_network(active)

    def resolve(self, request: Asked, active: ModelSource | None, job: Job) -> Sequence[ModelSource]:
        if isinstance(request, PackageRequest) and request.model:
            return [self._package_source(request.model)]
        choices: list[Choice] = [request.model or None]
        if isinstance(request, requests.NetworkSeparate):
            choices = choices_of(request)
        elif isinstance(request, requests.NetworkLoad):
            choices = [choice_of(request)]
        if choices == [None] and not _is_network(active) and isinstance(request, requests.Separate):
            job.warn(BUILT_IN_USED)
        return [self._source(choice, active) for choice in choices]

    def _package_source(self, name: str) -> ModelSource:
        """The network of a name or of a file, beside which a YAML file of the same name describes it."""
        host = self._host
        if host.registry.find(name, WORKER) is None:
            for path in (Path(name).expanduser(), *(place / name for place in host.folders.places(WORKER))):
                configs = [path.with_suffix(suffix) for suffix in (".yaml", ".yml")]
                if path.is_file() and (config := next((each for each in configs if each.is_file()), None)):
                    return own_network(path, config, None, allow_unsafe=host.allow_unsafe)
        return self._source(name, None)

    def _source(self, choice: Choice, active: ModelSource | None) -> ModelSource:
        if isinstance(choice, OwnFiles):
            return own_network(
                Path(choice.model_path).expanduser(),
                Path(choice.config_path).expanduser(),
                choice.model_type,
                allow_unsafe=self._host.allow_unsafe,
            )
        if choice is None and active is not None and _is_network(active):
            return active
        return resolve_network(
            choice or catalogue.DEFAULT_NETWORK,
            registry=self._host.registry,
            folders=self._host.folders,
            offline=self._host.offline,
            allow_unsafe=self._host.allow_unsafe,
        )

    def load(self, source: NetworkSource, request: Asked, job: Job) -> NetworkModel:
        del request
        network = load_network(source, mapped=self._host.mapped, allow_unsafe=self._host.allow_unsafe)
        with job.step("move"):
            network.move(self._host.device)
        return network

    def describe(self, model: NetworkModel, request: Asked) -> dict[str, Any]:
        del model, request
        return {}

    def offer(self, model: NetworkModel, request: requests.Separate) -> Offer:
        if isinstance(request, PackageSeparate):
            return package_offer(model, request)
        return Offer(model.stems, model.complement, with_complement=_as_networks(request).extract_instrumental)

    def arrange(
        self,
        model: NetworkModel,
        request: requests.Separate,
        selection: Selection,
        track: Track,
        job: Job,
        *,
        longest_chunk_s: float | None = None,
    ) -> Arrangement:
        del job
        if isinstance(request, PackageSeparate):
            return self._package_arrangement(model, request, selection)
        options = _as_networks(request)
        effort = effort_of(options)
        inference = model.inference
        chunk = inference.chunk
        if options.chunk_seconds is not None:
            chunk = max(1, round(options.chunk_seconds * inference.sample_rate))
        if longest_chunk_s is not None:
            chunk = max(1, min(chunk, round(longest_chunk_s * inference.sample_rate)))
        mono = model.channels == 1
        compute = self._host.compute(
            options, model.backend, batch_size=1 if self._host.device == "cpu" else inference.batch_size
        )
        quality = {} if options.quality is None else {"quality": options.quality}
        return Arrangement(
            model=model.source.name,
            sample_rate=inference.sample_rate,
            # A mono network processes the channels of the song one by one.
            channels=min(track.channels_in(options.audio_format), STEREO) if mono else STEREO,
            selection=selection.narrowed(),
            lanes=lambda heard: network_lanes(
                model.backend,
                heard,
                effort,
                chunk=chunk,
                scaled=inference.scaled,
                stems=len(model.stems),
                needed=selection.needed,
                mono=mono,
            ),
            compute=compute,
            normalises=inference.scaled,
            settings={
                **quality,
                "overlap": effort.overlap,
                "chunk_seconds": round(chunk / inference.sample_rate, 3),
                "batch_size": compute.batch_size,
                "use_tta": effort.tta,
                **improvements(options),
            },
            chunk_s=chunk / inference.sample_rate,
        ).pitched(options.pitch_shift)

    def _package_arrangement(self, model: NetworkModel, request: PackageSeparate, selection: Selection) -> Arrangement:
        inference = model.inference
        compute = self._host.compute(
            request, model.backend, batch_size=1 if self._host.device == "cpu" else inference.batch_size
        )
        return Arrangement(
            model=model.source.name,
            sample_rate=inference.sample_rate,
            channels=STEREO,
            selection=selection.narrowed(),
            lanes=lambda heard: package_lanes(model, heard, request, needed=selection.needed, mono=model.channels == 1),
            compute=compute,
            settings={
                "mdxc_overlap": overlaps_of(inference, request),
                "mdxc_pitch_shift": request.mdxc_pitch_shift,
                "batch_size": compute.batch_size,
            },
            level=request.level,
        ).pitched(request.mdxc_pitch_shift + request.pitch_shift)


def _is_network(source: ModelSource | None) -> bool:
    return source is not None and source.family in ("networks", "apollo")


def _as_networks(request: requests.Separate) -> requests.NetworkSeparate:
    """The request as one of this family. Options that dsu-audio-separator requests lack have their defaults."""
    if isinstance(request, requests.NetworkSeparate):
        return request
    names = (*requests.Separate.__struct_fields__, "bigshifts", "pitch_shift")
    return requests.NetworkSeparate(**{name: getattr(request, name) for name in names})
