"""The one seam between the two columns: serving and the command line call an `Engine`; engines implement it.

Requests and replies are values from `utils.core.requests` and `utils.core.replies`. Methods that take a `Job` are jobs
(one at a time, on the main thread); the others may be called from any thread at any moment and answer at once.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from utils.core import replies, requests
from utils.core.job import Job


class Health(NamedTuple):
    """What an engine knows of itself; the loop adds its own part to make a `Status`."""

    model_loaded: str | None
    device: str
    threads: int
    cached_models: list[str]
    max_cache_size: int
    memory: replies.Memory


class Readiness(NamedTuple):
    """What an engine can say once it has chosen its device."""

    device: str
    threads: int
    max_cached_models: int
    models_dir: str


class Engine(Protocol):
    """Models, audio and files; no JSON."""

    def start(self) -> Readiness:
        """Import what is needed and choose the device. Raises `DeviceUnavailable`. Called once, before the rest."""

    def close(self) -> None:
        """Release models and device memory."""

    def ping(self) -> replies.Pong: ...

    def health(self) -> Health: ...

    def list_models(self, request: requests.ListModels) -> replies.Models: ...

    def list_cached(self) -> replies.CachedModels: ...

    def clear_cache(self) -> replies.CacheCleared: ...

    def set_cache_size(self, size: int) -> replies.CacheSizeUpdated: ...

    def set_storage_type(self, kind: str) -> replies.StorageConfigured: ...

    def load_model(self, request: requests.LoadModel, job: Job) -> replies.ModelLoaded: ...

    def preload_model(self, request: requests.LoadModel, job: Job) -> replies.ModelPreloaded: ...

    def download_model(self, request: requests.DownloadModel, job: Job) -> replies.ModelDownloaded: ...

    def separate(
        self, request: requests.Separate, job: Job, *, track: str | None = None, index: int = 1
    ) -> replies.Done:
        """Separate `request.input`. `track` names the result where two inputs share a file name.

        `index` is the number of the input among many, from 1.
        """
