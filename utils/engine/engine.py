"""The engine. Every request of every family takes the same path: resolve, lease, arrangement, run, done."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET

from utils import cards
from utils import device as devices
from utils.audio.formats import DJ_STEMS, check_stems
from utils.audio.frames import FrameReader
from utils.audio.reading import require_rate
from utils.audio.tagging import is_own_stem
from utils.core import catalogue, replies, requests
from utils.core.api import Health, Readiness
from utils.core.asked_networks import weights_of
from utils.core.bootstrap import default_threads
from utils.core.choosing import chosen
from utils.core.errors import DsuError, InvalidRequest, LoadTimeout, OutOfMemory, OutputError, UnknownModel
from utils.core.failures import is_out_of_memory
from utils.core.job import Job, working_on
from utils.core.package_request import (
    DEFAULT_MODEL,
    PackageLoad,
    PackageRequest,
    PackageSeparate,
    common_names,
    in_order_of_files,
)
from utils.core.path_fields import require_paths
from utils.core.recipe_checks import check_recipe, described
from utils.core.recipes import Recipe, read_recipe
from utils.core.settings import Arithmetic, Settings
from utils.doctor.diagnosis import diagnose, precision_of
from utils.engine.cache import Lease, ModelCache
from utils.engine.family import Asked, Family, Host, Model, ModelSource
from utils.engine.pipeline.arrangement import Arrangement
from utils.engine.pipeline.ensemble import Member, chorus, common_offer, ensemble
from utils.engine.pipeline.files import ModelLoad, write_stems
from utils.engine.pipeline.outputs import Selection
from utils.engine.pipeline.received import ArrivingTrack, arriving, must_be_recorded
from utils.engine.pipeline.track import Track
from utils.engine.recipe_run import RecipeRun
from utils.engine.resume import Halfway, Notebook, stamp_model
from utils.store.download import download_files
from utils.store.package_catalogue import complete, kind_of, known_name, package_models, presets
from utils.store.plain_files import Warn, ignore
from utils.store.recipes import find_recipe, readable_recipes

SHORTEST_CHUNK_S = 1.0
SUFFIXES_OF_WEIGHTS = frozenset({".ckpt", ".th", ".pth", ".pt", ".bin", ".safetensors", ".onnx"})

MakeFamily = Callable[[Host], Family]


class Engine:
    """Loads models of its families into one cache on one device, and separates with them."""

    def __init__(
        self,
        program: str,
        settings: Settings,
        families: Mapping[str, MakeFamily],
        *,
        for_package: Mapping[str, MakeFamily] | None = None,
        listed_networks: frozenset[str] | None = None,
        names_restorer: bool = False,
        unnamed_is_active: bool = False,
        defaults: Mapping[str, object] | None = None,
    ) -> None:
        self.program = program
        self._defaults = defaults or {}
        self.settings = settings
        self.host = Host(
            settings,
            "cpu",
            settings.threads or default_threads(),
            listed_networks,
            unnamed_is_active=unnamed_is_active,
        )
        self.families = {name: make(self.host) for name, make in families.items()}
        self._for_package = for_package or {}
        self.cache = ModelCache(settings.max_cached_models, 0)
        self._card: replies.Card | None = None
        self._attention: str | None = None
        self._names_restorer = names_restorer

    @cached_property
    def _package_families(self) -> dict[str, Family]:
        """Those that requests of the audio-separator package go to first. Only such requests need them."""
        return {name: self.families.get(name) or make(self.host) for name, make in self._for_package.items()}

    def family(self, name: str) -> Family:
        """The family with this name of ours."""
        return self.families.get(name) or self._package_families[name]

    # Life --------------------------------------------------------------------------------------------------------

    def start(self) -> Readiness:
        self.host.device, warnings = cards.choose(self.settings.device)
        self._card = cards.describe(self.host.device)
        default = self.settings.default_precision
        if default == "auto":
            examined = precision_of(self.settings.models_dir, self.host.device)
            default = examined or devices.fastest_precision(self.host.device)
        self.host.precision = default
        self._attention = devices.attention_kernel(self.host.device, default)
        devices.prepare_torch(self.host.threads)
        gc.freeze()  # objects made by imports stay anyway; scanning them would cost the first load 0.1 s
        self.cache = ModelCache(
            self.settings.max_cached_models,
            devices.model_budget_bytes(self.host.device),
            self._release_memory,
            device=self.host.device,
            max_parked_bytes=devices.model_budget_bytes("cpu"),
        )
        return Readiness(
            device=self.host.device,
            card=self._card,
            precision=self.host.precision,
            attention=self._attention,
            threads=self.host.threads,
            max_cached_models=self.cache.max_models,
            models_dir=str(self.settings.models_dir),
            warnings=warnings,
        )

    def close(self) -> None:
        self.cache.clear()

    # Answers that never wait -------------------------------------------------------------------------------------

    def ping(self) -> replies.Pong:
        active = self.cache.active
        loaded = active.name if active is not None else None
        if not self._names_restorer:
            return replies.Pong(model_loaded=loaded)
        restorers = [source.name for source in self.cache.sources() if source.family == "apollo"]
        return replies.Pong(
            model_loaded=loaded, separator_model=loaded, apollo_model=restorers[-1] if restorers else None
        )

    def health(self) -> Health:
        active = self.cache.active
        return Health(
            model_loaded=active.name if active is not None else None,
            device=self.host.device,
            card=self._card,
            precision=self.host.precision,
            attention=self._attention,
            threads=self.host.threads,
            cached_models=[entry.name for entry in self.cache.entries()],
            max_cache_size=self.cache.max_models,
            memory=devices.memory(self.host.device),
        )

    def list_models(self, request: requests.ListModels) -> replies.Models:
        warnings: list[str] = []
        details = chosen(self._details(request, warnings.append), request)
        return replies.Models(
            models=[entry.name for entry in details],
            details=details if request.details else UNSET,
            warnings=warnings or UNSET,
        )

    def _details(self, request: requests.ListModels, warn: Warn = ignore) -> list[replies.ModelDetails]:
        errors: list[UnknownModel] = []
        found: list[replies.ModelDetails] = []
        for family in self.families.values():
            try:
                found += family.list_models(request, warn)
            except UnknownModel as error:
                errors.append(error)
        if request.model is not None and not found:
            if len(errors) == 1:
                raise errors[0]
            everything = self._details(msgspec.structs.replace(request, model=None), warn)
            raise self.host.registry.unknown(request.model, [entry.name for entry in everything])
        return found

    def _models_of(self, recipe: Recipe) -> list[replies.ModelDetails]:
        """Those that a recipe names, since there are hundreds of others. Only where one does not exist are they needed, to suggest some."""
        names = {step.model for step in recipe.model_steps.values() if step.model is not None}
        try:
            return [entry for name in sorted(names) for entry in self._details(requests.ListModels(model=name))]
        except UnknownModel:
            return self._details(requests.ListModels())

    def family_of(self, model: str | None) -> catalogue.FamilyName:
        """The family of a model, by the name that clients use."""
        if model is None:
            active = self.cache.active
            return catalogue.family_of(active.family) if active is not None else "networks"
        if Path(model).suffix in catalogue.AUDIO_SEPARATOR_SUFFIXES:
            return "audio-separator"
        return catalogue.family_of(self._details(requests.ListModels(model=model))[0].type)

    def is_own_stem(self, path: Path) -> bool:
        return is_own_stem(path)

    def list_package_models(self) -> replies.PackageModels:
        return replies.PackageModels(models=package_models(self.settings.models_dir), presets=presets())

    def list_recipes(self, request: requests.ListRecipes) -> replies.Recipes:
        warnings: list[str] = []
        known = self._details(requests.ListModels(), warnings.append)
        if request.recipe is not None:
            checked = check_recipe(find_recipe(request.recipe, self.settings), known)
            return replies.Recipes(recipes=[described(checked)], warnings=warnings or UNSET)
        found: list[replies.RecipeDetails] = []
        for recipe in readable_recipes(self.settings, warnings.append):
            try:
                found.append(described(check_recipe(recipe, known)))
            except DsuError as error:
                warnings.append(f"The recipe `{recipe.name}` is left out. {error.message}")
        return replies.Recipes(recipes=found, warnings=warnings or UNSET)

    def doctor(self, request: requests.Doctor, job: Job) -> replies.Diagnosis:
        return diagnose(self.settings, self.host.threads, request.device, job)

    def list_cached(self) -> replies.CachedModels:
        entries = self.cache.entries()
        return replies.CachedModels(models=entries, count=len(entries), max=self.cache.max_models)

    def clear_cache(self) -> replies.CacheCleared:
        return replies.CacheCleared(models_cleared=self.cache.clear())

    def set_cache_size(self, size: int) -> replies.CacheSizeUpdated:
        self.cache.resize(size)
        return replies.CacheSizeUpdated(max_cached_models=size, cache_enabled=size > 0)

    def set_storage_type(self, kind: str) -> replies.StorageConfigured:
        self.host.mapped = kind == "ssd"
        return replies.StorageConfigured(type=kind, mmap_enabled=self.host.mapped, mmap_supported=True)

    # Models ------------------------------------------------------------------------------------------------------

    def load_model(self, request: requests.LoadModel, job: Job) -> replies.ModelLoaded:
        started = time.perf_counter()
        require_paths(request)
        if isinstance(request, PackageLoad):
            name = known_name(request.model or DEFAULT_MODEL, self.settings.models_dir)
            request = msgspec.structs.replace(request, model=name)
        (source,) = self.resolve(request, job)
        kind = LOADED.get(type(request), replies.ModelLoaded)
        with self.cache.lease() as lease:
            job.announce(replies.LoadingModel(model=source.name))
            model = lease.get(source)
            cached = model is not None
            model = model if model is not None else self.load(source, request, lease, job)
            if kind is replies.ModelLoaded:
                self.cache.activate(model)
            stems, more = list(model.stems), self.family(source.family).describe(model, request)
            if isinstance(request, PackageLoad):
                offer = self.family(source.family).offer(model, PackageSeparate())
                stems = offer.select(stems=None, two_stems=None).names
                more = {"kind": kind_of(source.family)}
            elapsed = round(time.perf_counter() - started, 3)
            return kind(model=source.name, stems=stems, cached=cached, elapsed=elapsed, **more)

    def preload_model(self, request: requests.LoadModel, job: Job) -> replies.ModelPreloaded:
        (source,) = self.resolve(request, job)
        with self.cache.lease() as lease:
            job.announce(replies.PreloadingModel(model=source.name))
            model = lease.get(source)
            cached = model is not None
            model = model if model is not None else self.load(source, request, lease, job)
        return replies.ModelPreloaded(
            model=source.name,
            stems=list(model.stems),
            already_cached=cached,
            cached_count=len(self.cache.entries()),
        )

    def download_model(self, request: requests.DownloadModel, job: Job) -> replies.ModelDownloaded:
        families = chain(self.families.values(), (self.family(name) for name in self._for_package))
        found = (family.record(request.model) for family in families)
        record = next((record for record in found if record is not None), None)
        if record is None:
            raise self.host.registry.unknown(
                request.model, [entry.name for entry in self._details(requests.ListModels())]
            )
        folders = self.host.folders
        download_files(
            folders.missing(record),
            folder=folders.folder(record.folder),
            model=record.name,
            job=job,
            offline=self.settings.offline,
            largest_bytes=self.settings.max_download_bytes,
        )
        paths = [folders.find(record, file) or folders.path_of(record, file) for file in record.files]
        return replies.ModelDownloaded(
            model=record.name,
            path=str(paths[0]),
            size_bytes=paths[0].stat().st_size,
            sha256=record.files[0].sha256 or "",
            files=[str(path) for path in paths],
        )

    # Separating --------------------------------------------------------------------------------------------------

    def separate(
        self, request: requests.Separate, job: Job, *, track: str | None = None, index: int = 1
    ) -> replies.Done:
        """Separate one file. With `resume`, a job that was done before is skipped."""
        piped = request.input
        if isinstance(piped, requests.PipedInput):
            # As below: before anything is read.
            _ = request.audio_format, request.report_look, request.streaming, request.asked_loudness
            with arriving(piped, job) as frames:
                return self._separate_piped(request, piped, frames, job, track or piped.name, index)
        request = self._completed(request)
        with working_on(job):
            song = Track.of(request, name=track, index=index, lowest_rate=self.settings.lowest_sample_rate)
        return self._separate_song(request, song, job)

    def _separate_piped(
        self,
        request: requests.Separate,
        piped: requests.PipedInput,
        frames: FrameReader,
        job: Job,
        name: str,
        index: int,
    ) -> replies.Done:
        # Without a folder, a result would lie next to the temporary file.
        place = {} if request.output else {"output_dir": request.folder}
        request = self._completed(msgspec.structs.replace(request, **place))
        song = ArrivingTrack.named(request.track_name(name), index, piped, frames)
        require_rate(song.info, self.settings.lowest_sample_rate)
        is_recipe = isinstance(request, requests.DsuSeparate) and request.recipe is not None
        if not (is_recipe or must_be_recorded(piped, request)):
            return self._separate_song(request, song, job)
        with song.recorded(request, job) as whole:
            return self._separate_song(request, whole, job)

    def _completed(self, request: requests.Separate) -> requests.Separate:
        """The request with what this program and the package take for what it does not say."""
        unsaid = {name: value for name, value in self._defaults.items() if getattr(request, name, value) is None}
        request = msgspec.structs.replace(request, **unsaid)
        require_paths(request)
        if isinstance(request, PackageSeparate):
            request = complete(request, self.settings.models_dir)
        return request

    def _separate_song(self, request: requests.Separate, song: Track, job: Job) -> replies.Done:
        # What is wrong with these raises here, before a model is loaded.
        _ = request.audio_format, request.template_of(None), request.report_look
        _ = request.streaming, request.asked_loudness
        request.check_sharing()
        earlier = len(job.warnings)
        recipe: RecipeRun | None = None
        if isinstance(request, requests.DsuSeparate) and request.recipe is not None:
            recipe = self._recipe(request, song, job)
            request = msgspec.structs.replace(request, recipe=recipe.document)  # whatever its name means
            sources: Sequence[ModelSource] = list(recipe.sources.values())
            separate: Callable[[], replies.Done] = recipe.separate
        else:
            sources = self.resolve(request, job)
            self._check_likely_stems(request, sources)
            separate = partial(self._separate, request, song, sources, job)
        if not request.resume:
            return separate()
        stamps = [stamp_model(source, job.checkpoint) for source in sources]
        # What `auto` means differs between devices, and so do the samples.
        precise = msgspec.structs.replace(request, precision=self.host.precision_for(request))
        notebook = Notebook(precise, stamps, song.name, song.index)
        done = notebook.find()
        if done is not None:
            for warning in done.warnings or ():
                job.warn(warning)
            return done
        done = separate() if recipe is None else recipe.separate(Halfway(notebook))
        try:
            notebook.write(msgspec.structs.replace(done, warnings=job.warnings[earlier:]))
        except OutputError as error:
            job.warn(f"This job could not be recorded, so `resume` will repeat it. {error.message}")
        return done

    def _recipe(self, request: requests.DsuSeparate, track: Track, job: Job) -> RecipeRun:
        """The recipe of a request, checked, with its models present."""
        asked = request.recipe
        recipe = find_recipe(asked, self.settings) if isinstance(asked, str) else read_recipe(asked, "recipe")
        checked = check_recipe(recipe, self._models_of(recipe), policy=request.policy)
        check_stems(request.audio_format, len(checked.recipe.outputs), self._models_for_djs)
        return RecipeRun(self, checked, request, track, job)

    def _separate(
        self, request: requests.Separate, track: Track, sources: Sequence[ModelSource], job: Job
    ) -> replies.Done:
        kind = type(request)
        started = time.perf_counter()
        with self.cache.lease() as lease, working_on(job), ExitStack() as stack:
            models: list[Model] = []
            from_cache = True
            for source in sources:  # one by one, so that a model that is named twice is loaded once
                model = lease.get(source)
                from_cache = from_cache and model is not None
                models.append(model if model is not None else self.load(source, request, lease, job, announced=True))
            size_bytes = sum(model.size_bytes() for model in models)
            if kind not in WITHOUT_ACTIVATION:
                self.cache.activate(models[0])
            with self._in_time(sources[0], job):  # networks of a bag are read when they are needed
                arrangement = self._arrange(request, models, track, lease, job)
            check_stems(request.audio_format, len(arrangement.selection.names), self._models_for_djs)
            grown = sum(model.size_bytes() for model in models) > size_bytes
            loaded = ModelLoad(time.perf_counter() - started, from_cache=from_cache and not grown)
            if isinstance(track, ArrivingTrack):
                is_along = arrangement.goes_along
                track = track.heard_by(arrangement) if is_along else stack.enter_context(track.recorded(request, job))
            while True:
                job.announce(EVENTS.get(kind, replies.Separating)(input=track.title))
                try:
                    done = write_stems(request, arrangement, track, loaded, job)
                    break
                except OutOfMemory:
                    if arrangement.chunk_s is None or arrangement.chunk_s / 2 < SHORTEST_CHUNK_S:
                        raise
                    if request.share is not None:  # the other shares have longer chunks
                        raise
                    if isinstance(track, ArrivingTrack):  # what has come does not come again
                        raise
                job.warn("Memory ran out; the separation restarted with chunks half as long.")
                arrangement = self._arrange(request, models, track, lease, job, longest_chunk_s=arrangement.chunk_s / 2)
        return ANSWERS[kind](done) if kind in ANSWERS else done

    def _check_likely_stems(self, request: requests.Separate, sources: Sequence[ModelSource]) -> None:
        """Raise before a model is loaded where it is known that the format cannot hold what this request gives."""
        first = sources[0]
        rest = 1  # some requests give what is left of the mix as well
        if request.wanted_two_stems is not None:
            stems, rest = 2, 0
        elif request.wanted_stems is not None:
            stems = len({stem.lower() for stem in request.wanted_stems})
        elif first.record is not None and not isinstance(request, requests.AudioSepSeparate):
            stems = len(first.record.stems)
        else:
            return
        check_stems(request.audio_format, stems, self._models_for_djs, more=rest)

    def _models_for_djs(self) -> list[str]:
        return [entry.name for entry in self._details(requests.ListModels()) if len(entry.stems) == DJ_STEMS]

    def _arrange(
        self,
        request: requests.Separate,
        models: Sequence[Model],
        track: Track,
        lease: Lease,
        job: Job,
        *,
        longest_chunk_s: float | None = None,
    ) -> Arrangement:
        """How the models carry out a request, with chunks of at most `longest_chunk_s` after memory ran out."""
        if isinstance(request, PackageSeparate) and request.ensemble:
            return self._chorus(request, models, track, lease, job)
        families = [self.family(model.source.family) for model in models]
        offers = [family.offer(model, request) for family, model in zip(families, models, strict=True)]
        offer = offers[0] if len(offers) == 1 else common_offer(offers, [model.source.name for model in models])
        selection = offer.select(stems=request.wanted_stems, two_stems=request.wanted_two_stems)
        if isinstance(request, PackageSeparate):
            selection = _as_files(selection, families[0])
        if len(models) == 1:
            arrangement = families[0].arrange(
                models[0], request, selection, track, job, longest_chunk_s=longest_chunk_s
            )
        else:
            if not isinstance(request, requests.NetworkSeparate):
                raise InvalidRequest("Only requests of dsu-bsroformer can name several models.", field="ensemble")
            # Each model gives the requested stems, in the order of the first model.
            stems = [offer.stems[index] for index in selection.needed]
            selections = [
                Selection((), tuple(index for stem in stems if (index := each.index_of(stem)) is not None))
                for each in offers
            ]
            arrangements = [
                family.arrange(model, request, own, track, job, longest_chunk_s=longest_chunk_s)
                for family, model, own in zip(families, models, selections, strict=True)
            ]
            weights = weights_of(request) or [1.0] * len(arrangements)
            arrangement = ensemble(arrangements, selection, kind=request.ensemble_type, weights=weights)
        self.cache.trim()  # a model that is read in parts may have grown
        return replace(arrangement, free_memory=lease.release_others)

    def _chorus(
        self, request: PackageSeparate, models: Sequence[Model], track: Track, lease: Lease, job: Job
    ) -> Arrangement:
        """The arrangement of an ensemble of the audio-separator package, whose models may be of several families."""
        members = []
        weights = request.ensemble_weights or [1.0] * len(models)
        for model, weight in zip(models, weights, strict=True):
            family = self.family(model.source.family)
            selection = _as_files(family.offer(model, request).select(stems=None, two_stems=None), family)
            arrangement = family.arrange(model, request, selection, track, job)
            arrangement = replace(arrangement, free_memory=lease.release_others)
            members.append(Member(arrangement, common_names(selection.names), weight))
        self.cache.trim()
        return chorus(members, request.ensemble_algorithm or "avg_wave", request.wanted_stems)

    def resolve(self, request: Asked, job: Job) -> Sequence[ModelSource]:
        """The models that a request refers to."""
        if isinstance(request, PackageSeparate) and request.ensemble:
            alone = [msgspec.structs.replace(request, model=name, ensemble=None) for name in request.ensemble]
            return [source for each in alone for source in self.resolve(each, job)]
        active = self.cache.active
        first = self._package_families if isinstance(request, PackageRequest) else {}
        taking = [family for family in {**first, **self.families}.values() if isinstance(request, family.request_types)]
        if not taking:
            raise InvalidRequest(f"{self.program} does not support this type of request.")
        claiming = [family for family in taking if family.claims(request.model, active)]
        if not (claiming or request.model) and isinstance(request, NAMED_BY_PACKAGE) and not request.model_file_dir:
            return self.resolve(msgspec.structs.replace(request, model=DEFAULT_MODEL), job)
        with working_on(job):
            return [*claiming, *taking][0].resolve(request, active, job)

    def load(self, source: ModelSource, request: Asked, lease: Lease, job: Job, *, announced: bool = False) -> Model:
        """Read a model and lease it. `announced` tells the client that its job first has to load the model."""
        job.checkpoint()
        self._require_small(source, sum(map(_bytes_of_weights, source.files)), lease)
        if announced:
            job.announce(replies.LoadingModel(model=source.name))
        while True:
            try:
                with job.step("load"), working_on(job), self._in_time(source, job):
                    model = self.family(source.family).load(source, request, job)
                    self._require_small(source, model.size_bytes(), lease)
                    with job.step("move"):
                        model.prepare(self._precision_of(request))
                break
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                if not lease.release_others():
                    raise OutOfMemory(
                        f"{devices.out_of_memory(self.host.device)} is not enough memory to load `{source.name}`.",
                        hint="Close other programs, use a smaller model, or run on the CPU with `--device cpu`.",
                    ) from error
                job.warn("Memory ran out; the other cached models were released.")
        lease.put(model)
        if self.cache.max_models == 0 and not announced:
            job.warn("The model cache is off (`max_cached_models` is 0), so the model is loaded again for each job.")
        return model

    def _require_small(self, source: ModelSource, size_bytes: int, lease: Lease) -> None:
        """Raise `OutOfMemory` if the models of a job would take too much with one of this size."""
        others_bytes = sum(model.size_bytes() for model in lease.models.values())
        largest_bytes = self.settings.max_model_bytes
        if others_bytes + size_bytes > largest_bytes:
            beside = f" beside {others_bytes / 1e6:.0f} MB of the job's other models" if others_bytes else ""
            raise OutOfMemory(
                f"`{source.name}` has {size_bytes / 1e6:.0f} MB of weights{beside}, and the models of one job may have "
                f"{largest_bytes / 1e6:.0f} MB.",
                hint="`max_model_bytes` sets the limit.",
            )

    def _in_time(self, source: ModelSource, job: Job) -> AbstractContextManager[None]:
        seconds = self.settings.max_load_seconds
        error = LoadTimeout(
            f"Reading `{source.name}` took more than {seconds} s, so it was given up.",
            hint="Is its disk slow, or is it not a usual model? `max_load_seconds` sets the limit.",
        )
        return job.within(seconds, error)

    def _precision_of(self, request: Asked) -> Arithmetic:
        return self.host.precision_for(request) if isinstance(request, requests.Separate) else self.host.precision

    def _release_memory(self) -> None:
        gc.collect()
        devices.release_unused(self.host.device)


def _bytes_of_weights(path: Path) -> int:
    """The size of a file, if it holds the weights of a network."""
    return path.stat().st_size if path.suffix in SUFFIXES_OF_WEIGHTS and path.is_file() else 0


def _as_files(selection: Selection, family: Family) -> Selection:
    """The outputs in the order in which the audio-separator package writes them."""
    outputs = {output.name: output for output in selection.outputs}
    return replace(selection, outputs=tuple(outputs[name] for name in in_order_of_files(list(outputs), family.name)))


# How commands differ in their events and replies ---------------------------------------------------------------------

# Commands beside `separate` that do not change which model `separate` uses.
WITHOUT_ACTIVATION = frozenset({requests.Apollo, requests.Denoise, PackageSeparate})
# Requests whose default is that of the audio-separator package.
NAMED_BY_PACKAGE = (requests.AudioSeparatorLoad, requests.AudioSeparatorSeparate)
LOADED: dict[type[Asked], type[replies.ModelLoaded]] = {
    requests.LoadApollo: replies.ApolloLoaded,
    PackageLoad: replies.PackageModelLoaded,
}
EVENTS: dict[type[Asked], type[replies.Separating | replies.Restoring | replies.Denoising]] = {
    requests.Apollo: replies.Restoring,
    requests.Denoise: replies.Denoising,
}


def _with_absolute_files(kind: type[replies.Done], done: replies.Done, **more: Any) -> replies.Done:
    fields = msgspec.structs.asdict(done)
    return kind(**{**fields, "files": list(dict.fromkeys(done.paths.values())), **more})


ANSWERS: dict[type[Asked], Callable[[replies.Done], replies.Done]] = {
    requests.Apollo: lambda done: _with_absolute_files(replies.Restored, done, cached=done.model_from_cache),
    requests.Denoise: lambda done: _with_absolute_files(replies.Denoised, done),
    requests.AudioSepSeparate: lambda done: _with_absolute_files(replies.AudioSepDone, done),
}
