"""An engine without models for tests of the command line: it writes empty stems, or does what the test tells it."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

from utils.core import replies, requests
from utils.core.api import Health, Readiness
from utils.core.errors import UnknownModel
from utils.core.job import Job

MEMORY = replies.Memory(rss_mb=1.0, device_allocated_mb=None, device_free_mb=None)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class ScriptedEngine:
    """Knows the models `ready`, `absent` and `mine`, which is not public; `act` is called before stems are written."""

    def __init__(self, act: Callable[[requests.Separate, Job], None] = lambda request, job: None) -> None:
        self.act = act
        self.requests: list[requests.Separate] = []
        self.listed: list[requests.ListModels] = []
        self.downloaded: list[str] = []
        self.stems: set[str] = set()  # names of files that are results of an earlier run
        self.warnings: list[str] = []  # about devices
        self.started = self.closed = False

    def start(self) -> Readiness:
        self.started = True
        return Readiness("cpu", "fp32", 1, 1, "/models", warnings=self.warnings)

    def close(self) -> None:
        self.closed = True

    def list_models(self, request: requests.ListModels) -> replies.Models:
        self.listed.append(request)
        known = [
            details("ready", installed=True),
            details("absent", installed=bool(self.downloaded)),
            details("mine", installed=True),
        ]
        found = [entry for entry in known if request.model in (None, entry.name)]
        if not found:
            raise UnknownModel(
                f"There is no model `{request.model}`. Did you mean: ready?",
                hint='Send {"cmd":"list_models"} for the names of all models.',
                field="model",
            )
        return replies.Models(models=[entry.name for entry in found], details=found)

    def download_model(self, request: requests.DownloadModel, job: Job) -> replies.ModelDownloaded:
        if request.model == "mine":
            raise UnknownModel("There is no model `mine`.")
        self.downloaded.append(request.model)
        for received in (0, 10):
            job.announce(
                replies.Downloading(
                    model=request.model,
                    file="net.th",
                    percent=10.0 * received,
                    received_bytes=received,
                    total_bytes=10,
                    eta=0.0,
                )
            )
        return replies.ModelDownloaded(model=request.model, path="/m", size_bytes=10_000_000, sha256="", files=["/m"])

    def separate(
        self, request: requests.Separate, job: Job, *, track: str | None = None, index: int = 1
    ) -> replies.Done:
        self.requests.append(request)
        job.checkpoint()
        self.act(request, job)
        folder = Path(request.folder) / (track or Path(request.input or "").stem)
        folder.mkdir(parents=True, exist_ok=True)
        paths = {stem: str(folder / f"{stem}.{request.format}") for stem in ("drums", "vocals")}
        for path in paths.values():
            Path(path).touch()
        return _done(request, folder, paths)

    def is_own_stem(self, path: Path) -> bool:
        return path.stem in self.stems

    def ping(self) -> replies.Pong:
        return replies.Pong(model_loaded=None)

    def health(self) -> Health:
        return Health(None, "cpu", "fp32", 1, [], 1, MEMORY)

    def list_package_models(self) -> replies.PackageModels:
        return replies.PackageModels(models=[], presets={})

    def list_cached(self) -> replies.CachedModels:
        return replies.CachedModels(models=[], count=0, max=1)

    def clear_cache(self) -> replies.CacheCleared:
        return replies.CacheCleared(models_cleared=0)

    def set_cache_size(self, size: int) -> replies.CacheSizeUpdated:
        return replies.CacheSizeUpdated(max_cached_models=size, cache_enabled=size > 0)

    def set_storage_type(self, kind: str) -> replies.StorageConfigured:
        return replies.StorageConfigured(type=kind, mmap_enabled=True, mmap_supported=True)

    def load_model(self, request: requests.LoadModel, job: Job) -> replies.ModelLoaded:
        return replies.ModelLoaded(model=request.model or "ready", stems=["drums"], cached=True, elapsed=0.0)

    def preload_model(self, request: requests.LoadModel, job: Job) -> replies.ModelPreloaded:
        return replies.ModelPreloaded(model="ready", stems=["drums"], already_cached=True, cached_count=1)


def details(name: str, *, installed: bool = True) -> replies.ModelDetails:
    return replies.ModelDetails(
        name=name,
        type="demucs",
        stems=["drums", "vocals"],
        description="",
        installed=installed,
        size_bytes=10_000_000,
        sdr=None,
        license=None,
    )


def _done(request: requests.Separate, folder: Path, paths: dict[str, str]) -> replies.Done:
    return replies.Done(
        elapsed=1.0,
        output_dir=str(folder),
        files=[Path(path).name for path in paths.values()],
        stems=list(paths),
        paths=paths,
        duration=2.0,
        speed=2.0,
        sample_rate=44100,
        model=request.model or "ready",
        device="cpu",
        model_from_cache=True,
        timing=replies.Timing(load=0.0, decode=0.1, infer=0.8, encode=0.1),
        settings={"shifts": 1},
    )
