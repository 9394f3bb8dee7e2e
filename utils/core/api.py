"""The one interface between the two columns: serving and the command line see the engine as an `EngineApi`.

Requests and replies are values from `utils.core.requests` and `utils.core.replies`. Methods that take a `Job` are jobs
(one at a time, on the main thread); the others may be called from any thread at any time and return at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from utils.core import replies, requests
from utils.core.catalogue import FamilyName
from utils.core.job import Job
from utils.core.settings import Arithmetic, Settings


class Health(NamedTuple):
    """The engine's part of a `Status`; serving adds the queue and the times."""

    model_loaded: str | None
    device: str
    precision: Arithmetic
    threads: int
    cached_models: list[str]
    max_cache_size: int
    memory: replies.Memory
    card: replies.Card | None = None
    attention: str | None = None
    devices: Sequence[replies.DeviceState] = ()  # where there are several


class Readiness(NamedTuple):
    """What an engine reports once it has chosen its device."""

    device: str
    precision: Arithmetic
    threads: int
    max_cached_models: int
    models_dir: str
    card: replies.Card | None = None
    attention: str | None = None
    warnings: Sequence[str] = ()  # about other devices that cannot be used
    devices: Sequence[replies.ReadyDevice] = ()  # where there are several


class KnowsFamilies(Protocol):
    """Who can say which family a model is of."""

    def family_of(self, model: str | None) -> FamilyName | None:
        """The family of the model called `model`; of None, that of the active model. Raises `UnknownModel`."""


class EngineApi(KnowsFamilies, Protocol):
    """Everything about models, audio and files; nothing about JSON."""

    settings: Settings

    def start(self) -> Readiness:
        """Import libraries and choose the device. Raises `DeviceUnavailable`. Called once, before anything else."""

    def close(self) -> None:
        """Release models and device memory."""

    def family_of(self, model: str | None) -> FamilyName:
        """The family of the model called `model`; of None, that of the active model. Raises `UnknownModel`."""

    def is_own_stem(self, path: Path) -> bool:
        """Whether a file says, by its tags, that it is a stem that DSU has made."""

    def ping(self) -> replies.Pong: ...

    def health(self) -> Health: ...

    def list_models(self, request: requests.ListModels) -> replies.Models: ...

    def list_package_models(self) -> replies.PackageModels:
        """The models and ensembles of the audio-separator package."""

    def list_recipes(self, request: requests.ListRecipes) -> replies.Recipes:
        """The recipes for `separate`."""

    def list_cached(self) -> replies.CachedModels: ...

    def clear_cache(self) -> replies.CacheCleared: ...

    def doctor(self, request: requests.Doctor, job: Job) -> replies.Diagnosis:
        """Examine the machine and its devices. Needs no `start`."""

    def set_cache_size(self, size: int) -> replies.CacheSizeUpdated: ...

    def set_storage_type(self, kind: str) -> replies.StorageConfigured: ...

    def load_model(self, request: requests.LoadModel, job: Job) -> replies.ModelLoaded: ...

    def preload_model(self, request: requests.LoadModel, job: Job) -> replies.ModelPreloaded: ...

    def download_model(self, request: requests.DownloadModel, job: Job) -> replies.ModelDownloaded: ...

    def separate(
        self, request: requests.Separate, job: Job, *, track: str | None = None, index: int = 1
    ) -> replies.Done:
        """Separate `request.input`. `track` names the result if several inputs share a file name.

        `index` is the number of the input among many, starting at 1.
        """
