"""The engine of `dsu-bsroformer`: one network, or an ensemble of several, over one song that is decoded once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from utils.core import replies, requests
from utils.core.errors import InvalidRequest
from utils.core.job import Job
from utils.core.network_choice import Choice, OwnFiles, choice_of, choices_of, weights_of
from utils.engine import separation
from utils.engine.base import ModelEngine
from utils.engine.blending import blend_for
from utils.engine.chunking import plan_faded
from utils.engine.demix import Compute, Lane
from utils.engine.networks import STEREO, NetworkModel, NetworkView, identifier, load_network
from utils.engine.quality import Effort, effort_of
from utils.engine.resume import ModelStamp, stamp_model
from utils.engine.separation import Loaded, Recipe
from utils.engine.song import UNSCALED, Scale
from utils.engine.stems import Complement, select
from utils.store.network_models import NetworkSource, list_networks, own_network, resolve_network

TEMPLATE = "{track}/{stem}"
SHORTEST_CHUNK_S = 1.0
BUILT_IN = "dsu_mini"
BUILT_IN_USED = (
    f"No model was named, so `{BUILT_IN}` was used, the small one that comes with DSU. Larger ones are far better: "
    "`list_models` or `--list-models` names them, `download_model` or `--download` fetches one."
)
# The ways in which a job with test-time augmentation looks at a song.
PLAIN = ({"swapped": False, "inverted": False},)
AUGMENTED = (*PLAIN, {"swapped": True, "inverted": False}, {"swapped": False, "inverted": True})


@dataclass(frozen=True)
class Member:
    """A network of a job: how much it counts in an average, and which of its stems are the job's, in the job's order."""

    model: NetworkModel
    weight: float
    stems: tuple[int, ...]


class NetworkEngine(ModelEngine[NetworkModel]):
    """Separates with networks of `models/`, from the registry or from the user's files."""

    worker = "bsroformer"

    def list_models(self, request: requests.ListModels) -> replies.Models:
        details = list_networks(self.registry, self.folders, request.model)
        names = [entry.name for entry in details]
        return replies.Models(models=names, details=details) if request.details else replies.Models(models=names)

    def _separate(self, request: requests.Separate, job: Job, *, track: str | None, index: int) -> replies.Done:
        if not isinstance(request, requests.NetworkSeparate):
            raise InvalidRequest("dsu-bsroformer needs a request of its own kind.")
        started = time.perf_counter()
        choices = choices_of(request)
        if choices == [None] and self.cache.active is None:
            job.warn(BUILT_IN_USED)
        sources = [self._source(choice) for choice in choices]
        cached = [self.cache.get(identifier(source)) for source in sources]
        models = [model or self._read(source, job) for source, model in zip(sources, cached, strict=True)]
        self.cache.activate(models[0])
        loaded = Loaded(time.perf_counter() - started, from_cache=None not in cached)
        recipe = self._recipe(request, models, request.chunk_seconds)
        return separation.separate(request, recipe, loaded, job, track=track, index=index)

    def _stamps(self, request: requests.Separate, job: Job) -> list[ModelStamp]:
        choices = choices_of(request) if isinstance(request, requests.NetworkSeparate) else [request.model]
        return [self._stamp(self._source(choice), job) for choice in choices]

    def _stamp(self, source: NetworkSource, job: Job) -> ModelStamp:
        files = (source.checkpoint, source.config)
        told = (source.type, source.stems)
        return stamp_model(source.name, files, source.record, told=told, checkpoint=job.checkpoint)

    # Models ------------------------------------------------------------------------------------------------------

    def _identify(self, request: requests.LoadModel) -> tuple[str, str]:
        source = self._source(_choice(request))
        return source.name, identifier(source)

    def _load(self, request: requests.LoadModel, job: Job) -> NetworkModel:
        job.checkpoint()
        return self._read(self._source(_choice(request)))

    def _source(self, choice: Choice) -> NetworkSource:
        """The files of a network, known to be there."""
        if isinstance(choice, OwnFiles):
            return own_network(
                Path(choice.model_path).expanduser(),
                Path(choice.config_path).expanduser(),
                choice.model_type,
                allow_unsafe=self.settings.allow_unsafe_checkpoints,
            )
        if choice is not None:
            return resolve_network(
                choice,
                registry=self.registry,
                folders=self.folders,
                offline=self.settings.offline,
                allow_unsafe=self.settings.allow_unsafe_checkpoints,
            )
        active = self.cache.active
        if active is not None:
            return active.source
        return resolve_network(BUILT_IN, registry=self.registry, folders=self.folders)

    def _read(self, source: NetworkSource, job: Job | None = None) -> NetworkModel:
        """A network from its files, kept in the cache. A job that needs it says so."""
        if job is not None:
            job.checkpoint()
            job.announce(replies.LoadingModel(model=source.name))
        model = load_network(
            source,
            device=self.device,
            mapped=self.mapped,
            allow_unsafe=self.settings.allow_unsafe_checkpoints,
        )
        self.cache.put(model)
        return model

    # Recipes -----------------------------------------------------------------------------------------------------

    def _recipe(
        self, request: requests.NetworkSeparate, models: Sequence[NetworkModel], chunk_s: float | None
    ) -> Recipe:
        sample_rate = _common_rate(models)
        stems, complement = _offered(models)
        selection = select(
            stems,
            stems=request.stems,
            two_stems=request.two_stems,
            complement=complement,
            with_complement=request.extract_instrumental,
        )
        weights = weights_of(request) or [1.0]
        names = [stems[index] for index in selection.needed]
        members = [
            Member(model, weight, tuple(_index(name, model) for name in names))
            for model, weight in zip(models, weights, strict=True)
        ]
        effort = effort_of(request)
        chunks = [_chunk(model, chunk_s) for model in models]
        blend = blend_for(request.ensemble_type, len(members)) if request.ensemble is not None else None
        batch_size = request.batch_size or (1 if self.device == "cpu" else models[0].numbers.batch_size)

        def shorter() -> Recipe | None:
            half_s = max(chunks) / sample_rate / 2
            return self._recipe(request, models, half_s) if half_s >= SHORTEST_CHUNK_S else None

        return Recipe(
            model="+".join(model.name for model in models),
            sample_rate=sample_rate,
            channels=STEREO,
            selection=selection.narrowed(),
            template=TEMPLATE,
            compute=Compute(
                device=self.device, threads=self.threads, batch_size=batch_size, precision=request.precision
            ),
            lanes=lambda total, scale: _lanes(members, chunks, effort, total, scale, summed=blend is None),
            settings=_settings(request, effort, batch_size, max(chunks) / sample_rate, weights),
            free_memory=lambda: self.cache.keep_only(*(model.identifier for model in models)),
            shorter=shorter,
            blend=blend,
        )


def _choice(request: requests.LoadModel) -> Choice:
    return choice_of(request) if isinstance(request, requests.NetworkLoad) else request.model


def _chunk(model: NetworkModel, chunk_s: float | None) -> int:
    return model.numbers.chunk if chunk_s is None else max(1, round(chunk_s * model.numbers.sample_rate))


def _common_rate(models: Sequence[NetworkModel]) -> int:
    rates = {model.numbers.sample_rate for model in models}
    if len(rates) > 1:
        told = ", ".join(f"`{model.name}` {model.numbers.sample_rate} Hz" for model in models)
        raise InvalidRequest(f"An ensemble needs networks of one sample rate; these have {told}.", field="ensemble")
    return rates.pop()


def _offered(models: Sequence[NetworkModel]) -> tuple[list[str], Complement]:
    """The stems that all networks give, as the first one calls them, and what can be had by subtraction."""
    first = models[0]
    common = [stem for stem in first.stems if all(stem.lower() in _lower(model) for model in models)]
    if not common:
        told = "; ".join(f"`{model.name}` {', '.join(model.stems)}" for model in models)
        raise InvalidRequest(f"The networks of the ensemble have no stem in common: {told}.", field="ensemble")
    without = [first.stems[index] for index in first.complement.without]
    taken = tuple(common.index(stem) for stem in without if stem in common) or tuple(range(len(common)))
    return common, replace(first.complement, without=taken)


def _lower(model: NetworkModel) -> list[str]:
    return [stem.lower() for stem in model.stems]


def _index(stem: str, model: NetworkModel) -> int:
    return _lower(model).index(stem.lower())


def _settings(
    request: requests.NetworkSeparate, effort: Effort, batch_size: int, chunk_s: float, weights: Sequence[float]
) -> dict[str, object]:
    settings: dict[str, object] = {
        "overlap": effort.overlap,
        "chunk_seconds": round(chunk_s, 3),
        "batch_size": batch_size,
        "use_tta": effort.tta,
    }
    if request.quality is not None:
        settings = {"quality": request.quality, **settings}
    if request.ensemble is not None:
        settings["ensemble_type"] = request.ensemble_type
        if request.ensemble_type.startswith("avg"):
            settings["ensemble_weights"] = [round(weight, 4) for weight in weights]
    return settings


def _lanes(
    members: Sequence[Member], chunks: Sequence[int], effort: Effort, total: int, scale: Scale, *, summed: bool
) -> list[Lane]:
    """One lane for each network and each way of looking at the song. Where members are not summed up, each has rows."""
    ways = AUGMENTED if effort.tta else PLAIN
    return [
        Lane(
            NetworkView(member.model, member.stems, **way),
            plan_faded(total, chunk=chunk, overlaps=effort.overlap),
            np.full(len(member.stems), (member.weight if summed else 1.0) / len(ways), dtype=np.float32),
            mirrored=True,
            scale=scale if member.model.numbers.scaled else UNSCALED,
            row=0 if summed else number * len(member.stems),
        )
        for number, (member, chunk) in enumerate(zip(members, chunks, strict=True))
        for way in ways
    ]
