"""What every engine of separation models has in common: its device, its cache, and the answers about both."""

from __future__ import annotations

import gc
import threading
import time
from abc import ABC, abstractmethod
from typing import Generic, TypeVar

import msgspec

from utils import device as devices
from utils.core import replies, requests
from utils.core.api import Health, Readiness
from utils.core.bootstrap import physical_cores
from utils.core.errors import OutputError
from utils.core.job import Job
from utils.core.settings import Settings
from utils.engine import separation
from utils.engine.cache import Loaded, ModelCache
from utils.engine.resume import ModelStamp, Notebook
from utils.store.download import download_files
from utils.store.folders import ModelFolders
from utils.store.records import ModelRecord
from utils.store.registry import Registry

M = TypeVar("M", bound=Loaded)


class ModelEngine(ABC, Generic[M]):
    """Loads models into a cache on one device. Subclasses say what a model is and how a file is separated."""

    worker: str  # whose models these are, in the registry

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folders = ModelFolders(settings.models_dir)
        self.device = "cpu"
        self.threads = settings.threads or physical_cores()
        self.mapped = True
        self._registry: Registry | None = None
        self._registry_lock = threading.Lock()
        self.cache: ModelCache[M] = ModelCache(settings.max_cached_models, 0)

    # What subclasses give ---------------------------------------------------------------------------------------

    @abstractmethod
    def list_models(self, request: requests.ListModels) -> replies.Models: ...

    @abstractmethod
    def _separate(self, request: requests.Separate, job: Job, *, track: str | None, index: int) -> replies.Done:
        """Separate one file, which is known to be audio."""

    @abstractmethod
    def _stamps(self, request: requests.Separate, job: Job) -> list[ModelStamp]:
        """Which models a separation would use, without loading them. What changes its result must change a stamp."""

    @abstractmethod
    def _identify(self, request: requests.LoadModel) -> tuple[str, str]:
        """The name and the cache's identifier of a model, checked to be installed."""

    @abstractmethod
    def _load(self, request: requests.LoadModel, job: Job) -> M:
        """Read a model from disk, wholly, onto the device, and put it into the cache."""

    # Life --------------------------------------------------------------------------------------------------------

    def start(self) -> Readiness:
        self.device = devices.choose(self.settings.device)
        devices.prepare_torch(self.threads)
        gc.freeze()  # what the imports left stays anyway; looking through it would cost the first load a tenth of a second
        self.cache = ModelCache(
            self.settings.max_cached_models,
            devices.model_budget_bytes(self.device),
            self._release_memory,
            device=self.device,
            max_parked_bytes=devices.model_budget_bytes("cpu"),
        )
        return Readiness(
            device=self.device,
            threads=self.threads,
            max_cached_models=self.cache.max_models,
            models_dir=str(self.settings.models_dir),
        )

    def close(self) -> None:
        self.cache.clear()

    @property
    def registry(self) -> Registry:
        """The facts about public models; read when they are first needed."""
        with self._registry_lock:
            if self._registry is None:
                self._registry = Registry.load()
            return self._registry

    # Answers that never wait -------------------------------------------------------------------------------------

    def ping(self) -> replies.Pong:
        return replies.Pong(model_loaded=self._active_name())

    def health(self) -> Health:
        return Health(
            model_loaded=self._active_name(),
            device=self.device,
            threads=self.threads,
            cached_models=[entry.name for entry in self.cache.entries()],
            max_cache_size=self.cache.max_models,
            memory=devices.memory(self.device),
        )

    def list_cached(self) -> replies.CachedModels:
        entries = self.cache.entries()
        return replies.CachedModels(models=entries, count=len(entries), max=self.cache.max_models)

    def clear_cache(self) -> replies.CacheCleared:
        return replies.CacheCleared(models_cleared=self.cache.clear())

    def set_cache_size(self, size: int) -> replies.CacheSizeUpdated:
        self.cache.resize(size)
        return replies.CacheSizeUpdated(max_cached_models=size, cache_enabled=size > 0)

    def set_storage_type(self, kind: str) -> replies.StorageConfigured:
        self.mapped = kind == "ssd"
        return replies.StorageConfigured(type=kind, mmap_enabled=self.mapped, mmap_supported=True)

    # Separating --------------------------------------------------------------------------------------------------

    def separate(
        self, request: requests.Separate, job: Job, *, track: str | None = None, index: int = 1
    ) -> replies.Done:
        """Separate one file. With `resume`, only if the same job has not been done before."""
        path = separation.check_input(request)
        if not request.resume:
            return self._separate(request, job, track=track, index=index)
        notebook = Notebook(request, self._stamps(request, job), track or path.stem, index)
        done = notebook.find()
        if done is not None:
            for warning in done.warnings or ():
                job.warn(warning)
            return done
        earlier = len(job.warnings)
        done = self._separate(request, job, track=track, index=index)
        try:
            notebook.write(msgspec.structs.replace(done, warnings=job.warnings[earlier:]))
        except OutputError as error:
            job.warn(f"This job could not be noted, so `resume` will do it again. {error.message}")
        return done

    # Loading -----------------------------------------------------------------------------------------------------

    def load_model(self, request: requests.LoadModel, job: Job) -> replies.ModelLoaded:
        started = time.perf_counter()
        name, identifier = self._identify(request)
        model = self.cache.get(identifier)
        cached = model is not None
        job.announce(replies.LoadingModel(model=name))
        if model is None:
            model = self._load_and_keep(request, job)
        self.cache.activate(model)
        elapsed = round(time.perf_counter() - started, 3)
        return replies.ModelLoaded(model=name, stems=list(model.stems), cached=cached, elapsed=elapsed)

    def preload_model(self, request: requests.LoadModel, job: Job) -> replies.ModelPreloaded:
        name, identifier = self._identify(request)
        model = self.cache.get(identifier)
        cached = model is not None
        job.announce(replies.PreloadingModel(model=name))
        if model is None:
            model = self._load_and_keep(request, job)
        return replies.ModelPreloaded(
            model=name, stems=list(model.stems), already_cached=cached, cached_count=len(self.cache.entries())
        )

    def download_model(self, request: requests.DownloadModel, job: Job) -> replies.ModelDownloaded:
        record = self._record(request.model)
        download_files(
            self.folders.missing(record),
            folder=self.folders.folder(record.folder),
            model=record.name,
            job=job,
            offline=self.settings.offline,
        )
        paths = [self.folders.find(record, file) or self.folders.path_of(record, file) for file in record.files]
        return replies.ModelDownloaded(
            model=record.name,
            path=str(paths[0]),
            size_bytes=paths[0].stat().st_size,
            sha256=record.files[0].sha256 or "",
            files=[str(path) for path in paths],
        )

    def _record(self, name: str) -> ModelRecord:
        """What is known of a public model. Raises `UnknownModel`."""
        return self.registry.get(name, self.worker)

    def _load_and_keep(self, request: requests.LoadModel, job: Job) -> M:
        job.checkpoint()
        model = self._load(request, job)
        if self.cache.max_models == 0:
            job.warn("The model cache is off (`max_cached_models` is 0), so the model is loaded again for each job.")
        return model

    def _release_memory(self) -> None:
        gc.collect()
        devices.release_unused(self.device)

    def _active_name(self) -> str | None:
        active = self.cache.active
        return active.name if active is not None else None
