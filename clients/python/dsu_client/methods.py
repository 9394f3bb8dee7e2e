"""A method for each command, for programs that wait and for asyncio.

Written by `python -m clients.python.generate_protocol` from the types in utils/core. Do not edit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, Unpack, cast

from .protocol import (
    ApolloLoaded,
    ApolloOptions,
    BatchDone,
    BatchOptions,
    CacheCleared,
    CachedModels,
    CacheSizeUpdated,
    ClearCacheOptions,
    Denoised,
    DenoiseOptions,
    DescribeOptions,
    Description,
    Diagnosis,
    DoctorOptions,
    Done,
    Downloading,
    DownloadModelOptions,
    GetStatusOptions,
    ListCachedOptions,
    ListModelsOptions,
    ListRecipesOptions,
    LoadApolloOptions,
    LoadModelOptions,
    ManyDone,
    ModelDownloaded,
    ModelLoaded,
    ModelPreloaded,
    Models,
    PackageListModelsOptions,
    PackageLoadModelOptions,
    PackageModelLoaded,
    PackageModels,
    PackageSeparateOptions,
    PingOptions,
    Pong,
    PreloadModelOptions,
    Progress,
    Recipes,
    Restored,
    SeekOptions,
    SeekRequested,
    SetCacheSizeOptions,
    SetStorageTypeOptions,
    Status,
    StorageConfigured,
)

OnProgress: TypeAlias = Callable[[Progress | Downloading], object]


class Commands(ABC):
    """Commands that return their replies."""

    @abstractmethod
    def _command(self, cmd: str, options: Mapping[str, Any], on_progress: OnProgress | None) -> Any: ...

    def ping(self, **options: Unpack[PingOptions]) -> Pong:
        """Check that the worker is alive, and which model is active."""
        return cast("Pong", self._command("ping", options, None))

    def get_status(self, **options: Unpack[GetStatusOptions]) -> Status:
        """Report the device, queue, cache, memory and counters."""
        return cast("Status", self._command("get_status", options, None))

    def seek(self, **options: Unpack[SeekOptions]) -> SeekRequested:
        """Let a job that was sent with `start_at` go on at another place of its song."""
        return cast("SeekRequested", self._command("seek", options, None))

    def describe(self, **options: Unpack[DescribeOptions]) -> Description:
        """Return the protocol of this worker as JSON Schemas."""
        return cast("Description", self._command("describe", options, None))

    def doctor(self, on_progress: OnProgress | None = None, **options: Unpack[DoctorOptions]) -> Diagnosis:
        """Examine this machine: its disks, codecs and limits, and how each device computes, in a child process. What was found best for a graphics card is remembered, and is what `auto` precision means from the next start on."""
        return cast("Diagnosis", self._command("doctor", options, on_progress))

    def list_models(self, **options: Unpack[ListModelsOptions]) -> Models:
        """Send `list_models`; docs/protocol.md says what it does in each worker."""
        return cast("Models", self._command("list_models", options, None))

    def load_model(self, on_progress: OnProgress | None = None, **options: Unpack[LoadModelOptions]) -> ModelLoaded:
        """Send `load_model`; docs/protocol.md says what it does in each worker."""
        return cast("ModelLoaded", self._command("load_model", options, on_progress))

    def preload_model(
        self, on_progress: OnProgress | None = None, **options: Unpack[PreloadModelOptions]
    ) -> ModelPreloaded:
        """Send `preload_model`; docs/protocol.md says what it does in each worker."""
        return cast("ModelPreloaded", self._command("preload_model", options, on_progress))

    def download_model(
        self, on_progress: OnProgress | None = None, **options: Unpack[DownloadModelOptions]
    ) -> ModelDownloaded:
        """Download a model's files into the models directory and check their size and SHA-256."""
        return cast("ModelDownloaded", self._command("download_model", options, on_progress))

    def list_cached(self, **options: Unpack[ListCachedOptions]) -> CachedModels:
        """List the loaded models."""
        return cast("CachedModels", self._command("list_cached", options, None))

    def clear_cache(self, **options: Unpack[ClearCacheOptions]) -> CacheCleared:
        """Unload all models. A running job keeps its model until it ends."""
        return cast("CacheCleared", self._command("clear_cache", options, None))

    def set_cache_size(self, **options: Unpack[SetCacheSizeOptions]) -> CacheSizeUpdated:
        """Set how many models stay loaded. 0 turns the cache off."""
        return cast("CacheSizeUpdated", self._command("set_cache_size", options, None))

    def set_storage_type(self, **options: Unpack[SetStorageTypeOptions]) -> StorageConfigured:
        """Set the kind of disk that holds the models: checkpoints on an `ssd` are memory-mapped, on an `hdd` read as a whole."""
        return cast("StorageConfigured", self._command("set_storage_type", options, None))

    def batch(self, on_progress: OnProgress | None = None, **options: Unpack[BatchOptions]) -> BatchDone:
        """Run several jobs and answer once. The `input` of a job may be a stem of an earlier one: `{"from": INDEX, "stem": NAME}`."""
        return cast("BatchDone", self._command("batch", options, on_progress))

    def apollo(self, on_progress: OnProgress | None = None, **options: Unpack[ApolloOptions]) -> Restored | ManyDone:
        """Restore a file that lossy compression has damaged; the result goes to the file `output` or into the directory `output_dir`."""
        return cast("Restored | ManyDone", self._command("apollo", options, on_progress))

    def load_apollo(self, on_progress: OnProgress | None = None, **options: Unpack[LoadApolloOptions]) -> ApolloLoaded:
        """Load an Apollo network in advance, so that the first `apollo` starts sooner."""
        return cast("ApolloLoaded", self._command("load_apollo", options, on_progress))

    def package_list_models(self, **options: Unpack[PackageListModelsOptions]) -> PackageModels:
        """List models and ensembles under the names of the audio-separator package, and your own models in the models directory."""
        return cast("PackageModels", self._command("package_list_models", options, None))

    def package_load_model(
        self, on_progress: OnProgress | None = None, **options: Unpack[PackageLoadModelOptions]
    ) -> PackageModelLoaded:
        """Load a model for `package_separate` and report its kind and its stems. The active model stays the same."""
        return cast("PackageModelLoaded", self._command("package_load_model", options, on_progress))

    def package_separate(
        self, on_progress: OnProgress | None = None, **options: Unpack[PackageSeparateOptions]
    ) -> Done | ManyDone:
        """Separate one file (`input`) or many (`inputs`) into `OUTPUT/TRACK_(STEM)_MODEL.wav`, as the audio-separator package does. With a VR, MDX, MDXC, RoFormer or Demucs model, or with several."""
        return cast("Done | ManyDone", self._command("package_separate", options, on_progress))

    def denoise(self, on_progress: OnProgress | None = None, **options: Unpack[DenoiseOptions]) -> Denoised | ManyDone:
        """Reduce noise that gets louder and softer with the recording, using a recording of the noise alone. The result goes to the file `output` or into the directory `output_dir`; without either, it is `TRACK_denoised.wav` next to the input."""
        return cast("Denoised | ManyDone", self._command("denoise", options, on_progress))

    def list_recipes(self, **options: Unpack[ListRecipesOptions]) -> Recipes:
        """List the recipes for `separate`: those that come with DSU, and your own in the folder `recipes_dir`."""
        return cast("Recipes", self._command("list_recipes", options, None))


class AsyncCommands(ABC):
    """Commands whose replies are awaited."""

    @abstractmethod
    async def _command(self, cmd: str, options: Mapping[str, Any], on_progress: OnProgress | None) -> Any: ...

    async def ping(self, **options: Unpack[PingOptions]) -> Pong:
        """Check that the worker is alive, and which model is active."""
        return cast("Pong", await self._command("ping", options, None))

    async def get_status(self, **options: Unpack[GetStatusOptions]) -> Status:
        """Report the device, queue, cache, memory and counters."""
        return cast("Status", await self._command("get_status", options, None))

    async def seek(self, **options: Unpack[SeekOptions]) -> SeekRequested:
        """Let a job that was sent with `start_at` go on at another place of its song."""
        return cast("SeekRequested", await self._command("seek", options, None))

    async def describe(self, **options: Unpack[DescribeOptions]) -> Description:
        """Return the protocol of this worker as JSON Schemas."""
        return cast("Description", await self._command("describe", options, None))

    async def doctor(self, on_progress: OnProgress | None = None, **options: Unpack[DoctorOptions]) -> Diagnosis:
        """Examine this machine: its disks, codecs and limits, and how each device computes, in a child process. What was found best for a graphics card is remembered, and is what `auto` precision means from the next start on."""
        return cast("Diagnosis", await self._command("doctor", options, on_progress))

    async def list_models(self, **options: Unpack[ListModelsOptions]) -> Models:
        """Send `list_models`; docs/protocol.md says what it does in each worker."""
        return cast("Models", await self._command("list_models", options, None))

    async def load_model(
        self, on_progress: OnProgress | None = None, **options: Unpack[LoadModelOptions]
    ) -> ModelLoaded:
        """Send `load_model`; docs/protocol.md says what it does in each worker."""
        return cast("ModelLoaded", await self._command("load_model", options, on_progress))

    async def preload_model(
        self, on_progress: OnProgress | None = None, **options: Unpack[PreloadModelOptions]
    ) -> ModelPreloaded:
        """Send `preload_model`; docs/protocol.md says what it does in each worker."""
        return cast("ModelPreloaded", await self._command("preload_model", options, on_progress))

    async def download_model(
        self, on_progress: OnProgress | None = None, **options: Unpack[DownloadModelOptions]
    ) -> ModelDownloaded:
        """Download a model's files into the models directory and check their size and SHA-256."""
        return cast("ModelDownloaded", await self._command("download_model", options, on_progress))

    async def list_cached(self, **options: Unpack[ListCachedOptions]) -> CachedModels:
        """List the loaded models."""
        return cast("CachedModels", await self._command("list_cached", options, None))

    async def clear_cache(self, **options: Unpack[ClearCacheOptions]) -> CacheCleared:
        """Unload all models. A running job keeps its model until it ends."""
        return cast("CacheCleared", await self._command("clear_cache", options, None))

    async def set_cache_size(self, **options: Unpack[SetCacheSizeOptions]) -> CacheSizeUpdated:
        """Set how many models stay loaded. 0 turns the cache off."""
        return cast("CacheSizeUpdated", await self._command("set_cache_size", options, None))

    async def set_storage_type(self, **options: Unpack[SetStorageTypeOptions]) -> StorageConfigured:
        """Set the kind of disk that holds the models: checkpoints on an `ssd` are memory-mapped, on an `hdd` read as a whole."""
        return cast("StorageConfigured", await self._command("set_storage_type", options, None))

    async def batch(self, on_progress: OnProgress | None = None, **options: Unpack[BatchOptions]) -> BatchDone:
        """Run several jobs and answer once. The `input` of a job may be a stem of an earlier one: `{"from": INDEX, "stem": NAME}`."""
        return cast("BatchDone", await self._command("batch", options, on_progress))

    async def apollo(
        self, on_progress: OnProgress | None = None, **options: Unpack[ApolloOptions]
    ) -> Restored | ManyDone:
        """Restore a file that lossy compression has damaged; the result goes to the file `output` or into the directory `output_dir`."""
        return cast("Restored | ManyDone", await self._command("apollo", options, on_progress))

    async def load_apollo(
        self, on_progress: OnProgress | None = None, **options: Unpack[LoadApolloOptions]
    ) -> ApolloLoaded:
        """Load an Apollo network in advance, so that the first `apollo` starts sooner."""
        return cast("ApolloLoaded", await self._command("load_apollo", options, on_progress))

    async def package_list_models(self, **options: Unpack[PackageListModelsOptions]) -> PackageModels:
        """List models and ensembles under the names of the audio-separator package, and your own models in the models directory."""
        return cast("PackageModels", await self._command("package_list_models", options, None))

    async def package_load_model(
        self, on_progress: OnProgress | None = None, **options: Unpack[PackageLoadModelOptions]
    ) -> PackageModelLoaded:
        """Load a model for `package_separate` and report its kind and its stems. The active model stays the same."""
        return cast("PackageModelLoaded", await self._command("package_load_model", options, on_progress))

    async def package_separate(
        self, on_progress: OnProgress | None = None, **options: Unpack[PackageSeparateOptions]
    ) -> Done | ManyDone:
        """Separate one file (`input`) or many (`inputs`) into `OUTPUT/TRACK_(STEM)_MODEL.wav`, as the audio-separator package does. With a VR, MDX, MDXC, RoFormer or Demucs model, or with several."""
        return cast("Done | ManyDone", await self._command("package_separate", options, on_progress))

    async def denoise(
        self, on_progress: OnProgress | None = None, **options: Unpack[DenoiseOptions]
    ) -> Denoised | ManyDone:
        """Reduce noise that gets louder and softer with the recording, using a recording of the noise alone. The result goes to the file `output` or into the directory `output_dir`; without either, it is `TRACK_denoised.wav` next to the input."""
        return cast("Denoised | ManyDone", await self._command("denoise", options, on_progress))

    async def list_recipes(self, **options: Unpack[ListRecipesOptions]) -> Recipes:
        """List the recipes for `separate`: those that come with DSU, and your own in the folder `recipes_dir`."""
        return cast("Recipes", await self._command("list_recipes", options, None))
