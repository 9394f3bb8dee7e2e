"""What workers answer, as frozen types: events while a job runs, and the reply that ends a request.

The `id` of the request and the `warnings` are added by the loop; an engine leaves them out.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from utils.core.requests import RequestId


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """One line to the client."""

    id: RequestId | UnsetType = UNSET
    warnings: list[str] | UnsetType = UNSET


class Event(Reply, frozen=True, kw_only=True):
    """A line that a job sends before its last one."""


# The worker's own life --------------------------------------------------------------------------------------------


class Loading(Reply, frozen=True, kw_only=True, tag_field="status", tag="loading"):
    """The first line, before anything heavy is imported."""

    message: str
    worker: str
    version: str
    pid: int


class Ready(Reply, frozen=True, kw_only=True, tag_field="status", tag="ready"):
    """The worker answers commands now."""

    device: Annotated[str, Meta(description="`cpu`, `cuda`, `cuda:N` or `mps`.")]
    threads: Annotated[int, Meta(description="CPU threads in use: the physical cores, or what was asked for.")]
    cache_enabled: bool
    max_cached_models: int
    models_dir: str
    version: str
    protocol: int


class Exiting(Reply, frozen=True, kw_only=True, tag_field="status", tag="exiting"):
    """The last line after `exit`."""


class Shutdown(Reply, frozen=True, kw_only=True, tag_field="status", tag="shutdown"):
    """The last line when the worker goes for another reason."""

    detail: Annotated[
        str, Meta(description="`SIGTERM`, `SIGINT`, `SIGBREAK`, `SIGHUP`, `parent_died` or `output_closed`.")
    ]
    reason: str = "signal_or_parent_died"


class Error(Reply, frozen=True, kw_only=True, tag_field="status", tag="error"):
    """A request failed. The worker is as able as before."""

    message: str
    code: str
    hint: str | UnsetType = UNSET
    suggestions: list[str] | UnsetType = UNSET
    field: str | UnsetType = UNSET
    traceback: str | UnsetType = UNSET


class Cancelled(Reply, frozen=True, kw_only=True, tag_field="status", tag="cancelled"):
    """A job was cancelled. It left no file but those of its parts that were finished."""

    message: str = "The job was cancelled. No file was written."
    results: (
        Annotated[list[dict[str, Any]], Meta(description="Of many files or jobs: what was answered until then.")]
        | UnsetType
    ) = UNSET


class CancelRequested(Reply, frozen=True, kw_only=True, tag_field="status", tag="cancel_requested"):
    """Answers `cancel` itself."""

    found: bool


# Events of a job --------------------------------------------------------------------------------------------------


class LoadingModel(Event, frozen=True, kw_only=True, tag_field="status", tag="loading_model"):
    model: str


class PreloadingModel(Event, frozen=True, kw_only=True, tag_field="status", tag="preloading_model"):
    model: str


class Separating(Event, frozen=True, kw_only=True, tag_field="status", tag="separating"):
    input: Annotated[str, Meta(description="The file's name.")]


class Restoring(Event, frozen=True, kw_only=True, tag_field="status", tag="restoring"):
    input: Annotated[str, Meta(description="The file's name.")]


class Progress(Event, frozen=True, kw_only=True, tag_field="status", tag="progress"):
    percent: Annotated[float, Meta(ge=0, le=100)]
    stage: str
    eta: Annotated[float | None, Meta(description="Seconds left, as far as can be told.")]
    index: Annotated[int, Meta(description="Of many files or jobs: the one at work, from 0.")] | UnsetType = UNSET
    count: Annotated[int, Meta(description="How many there are.")] | UnsetType = UNSET
    part_percent: Annotated[float, Meta(description="How far the one at work is.")] | UnsetType = UNSET
    part_stage: Annotated[str, Meta(description="What is done to it.")] | UnsetType = UNSET


class Downloading(Event, frozen=True, kw_only=True, tag_field="status", tag="downloading"):
    model: str
    file: str
    percent: float
    received_bytes: int
    total_bytes: int | None
    eta: float | None


class FileDone(Event, frozen=True, kw_only=True, tag_field="status", tag="file_done"):
    """One file of `inputs` is finished, well or badly."""

    input: str
    index: int
    ok: bool
    output_dir: str | UnsetType = UNSET
    files: list[str] | UnsetType = UNSET
    stems: list[str] | UnsetType = UNSET
    paths: dict[str, str] | UnsetType = UNSET
    error: dict[str, str] | UnsetType = UNSET
    skipped: Annotated[bool, Meta(description="With `resume`: nothing was to be done.")] | UnsetType = UNSET
    model: str | UnsetType = UNSET
    elapsed: Annotated[float, Meta(description="Seconds spent on this file now.")] | UnsetType = UNSET


# Replies to control commands --------------------------------------------------------------------------------------


class Pong(Reply, frozen=True, kw_only=True, tag_field="status", tag="pong"):
    model_loaded: str | None
    separator_model: Annotated[str | None, Meta(description="dsu-audio-separator: what separates.")] | UnsetType = UNSET
    apollo_model: Annotated[str | None, Meta(description="dsu-audio-separator: what restores.")] | UnsetType = UNSET


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    rss_mb: float
    device_allocated_mb: float | None
    device_free_mb: float | None


class Status(Reply, frozen=True, kw_only=True, tag_field="status", tag="status"):
    model_loaded: str | None
    device: str
    ready: bool
    busy: bool
    queued: int
    cached_models: list[str]
    cache_size: int
    max_cache_size: int
    threads: int
    memory: Memory
    uptime: float
    jobs_done: int
    jobs_failed: int


class ModelDetails(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    type: str
    stems: list[str]
    description: str
    installed: bool
    size_bytes: int | None
    sdr: dict[str, float] | None
    license: str | None


class Models(Reply, frozen=True, kw_only=True, tag_field="status", tag="models"):
    models: list[str]
    details: list[ModelDetails] | UnsetType = UNSET


class CachedModel(msgspec.Struct, frozen=True, kw_only=True):
    identifier: str
    name: str
    stems: list[str]
    active: bool
    size_mb: float


class CachedModels(Reply, frozen=True, kw_only=True, tag_field="status", tag="cached_models"):
    models: list[CachedModel]
    count: int
    max: int


class CacheCleared(Reply, frozen=True, kw_only=True, tag_field="status", tag="cache_cleared"):
    models_cleared: int


class CacheSizeUpdated(Reply, frozen=True, kw_only=True, tag_field="status", tag="cache_size_updated"):
    max_cached_models: int
    cache_enabled: bool


class StorageConfigured(Reply, frozen=True, kw_only=True, tag_field="status", tag="storage_configured"):
    type: str
    mmap_enabled: bool
    mmap_supported: bool


class Description(Reply, frozen=True, kw_only=True, tag_field="status", tag="description"):
    protocol: int
    worker: str
    version: str
    commands: Annotated[dict[str, Any], Meta(description="Command name to its request and response schemas.")]
    events: Annotated[dict[str, Any], Meta(description="Status name to the schema of the lines jobs send meanwhile.")]
    definitions: Annotated[dict[str, Any], Meta(description="What the schemas refer to.")]


# Replies to jobs --------------------------------------------------------------------------------------------------


class ModelLoaded(Reply, frozen=True, kw_only=True, tag_field="status", tag="model_loaded"):
    model: str
    stems: list[str]
    cached: bool
    elapsed: float


class ApolloLoaded(ModelLoaded, frozen=True, kw_only=True, tag_field="status", tag="model_loaded"):
    type: str
    feature_dim: int
    layer: int


class ModelPreloaded(Reply, frozen=True, kw_only=True, tag_field="status", tag="model_preloaded"):
    model: str
    stems: list[str]
    already_cached: bool
    cached_count: int


class ModelDownloaded(Reply, frozen=True, kw_only=True, tag_field="status", tag="model_downloaded"):
    """`path`, `size_bytes` and `sha256` are those of the first file; `files` holds all of a bag's."""

    model: str
    path: str
    size_bytes: int
    sha256: str
    files: list[str]


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds spent on each part."""

    load: float
    decode: float
    infer: float
    encode: float
    survey: (
        Annotated[float, Meta(description="Of VR models: the pass over the song that finds its loudest bin.")]
        | UnsetType
    ) = UNSET


class Done(Reply, frozen=True, kw_only=True, tag_field="status", tag="done"):
    """A separation succeeded. `warnings` is always there."""

    warnings: list[str] | UnsetType = []
    elapsed: Annotated[float, Meta(description="Seconds the separation itself took.")]
    output_dir: str
    files: Annotated[list[str], Meta(description="Names inside `output_dir`.")]
    stems: list[str]
    paths: Annotated[dict[str, str], Meta(description="Absolute path of each stem.")]
    duration: Annotated[float, Meta(description="Seconds of audio.")]
    speed: Annotated[float, Meta(description="Times realtime.")]
    sample_rate: int
    model: str
    device: str
    model_from_cache: bool
    timing: Timing
    gain: Annotated[float, Meta(description="The one gain applied to all stems against clipping; 1 if none.")] = 1.0
    settings: Annotated[dict[str, Any], Meta(description="The numbers that were used: shifts, overlap, …")] = {}
    report: Annotated[str, Meta(description="Absolute path of the picture, where one was asked for.")] | UnsetType = (
        UNSET
    )
    skipped: (
        Annotated[bool, Meta(description="With `resume`: nothing was to be done. All else is as it was answered then.")]
        | UnsetType
    ) = UNSET


class Restored(Done, frozen=True, kw_only=True, tag_field="status", tag="done"):
    """A restoration succeeded. `files` holds absolute paths."""

    cached: Annotated[bool, Meta(description="The network was loaded already.")]


class AudioSepDone(Done, frozen=True, kw_only=True, tag_field="status", tag="done"):
    """What a text describes was separated. Stems are called as the texts."""

    files: Annotated[list[str], Meta(description="Absolute paths.")]


class ManyDone(Reply, frozen=True, kw_only=True, tag_field="status", tag="done"):
    """`separate` with `inputs` ended; at least one file succeeded."""

    elapsed: float
    results: Annotated[list[dict[str, Any]], Meta(description="The `done` or `error` of each file, in order.")]
    succeeded: int
    failed: int
    skipped: Annotated[int, Meta(description="How many of those that succeeded were there already.")] = 0
    files: Annotated[list[str], Meta(description="Absolute paths of everything written.")]


class BatchDone(Reply, frozen=True, kw_only=True, tag_field="status", tag="done"):
    """Every job of a batch succeeded."""

    results: list[dict[str, Any]]
    message: str
    elapsed: float


class BatchFailed(Reply, frozen=True, kw_only=True, tag_field="status", tag="error"):
    """A job of a batch failed. `results` holds what was answered until then."""

    results: list[dict[str, Any]]
    message: str
    code: str
    elapsed: float
