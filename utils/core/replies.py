"""The lines that workers send, as frozen types: events while a job runs, and the reply that ends a request.

Engines leave out `id` and `warnings`; serving adds them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from utils.core.catalogue import Grade, Purpose, ScoredOn, Speed
from utils.core.package_request import EnsembleAlgorithm
from utils.core.requests import RequestId
from utils.core.settings import Arithmetic

PackageKind = Literal["VR", "MDX", "Demucs", "MDXC"]


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """One line to the client."""

    id: RequestId | UnsetType = UNSET
    warnings: list[str] | UnsetType = UNSET


class Event(Reply, frozen=True, kw_only=True):
    """A line that a job sends before its last one."""


# Life cycle of the worker --------------------------------------------------------------------------------------------


class Loading(Reply, frozen=True, kw_only=True, tag_field="status", tag="loading"):
    """The first line, before anything heavy is imported."""

    message: str
    worker: str
    version: str
    pid: int


class MachineFinding(msgspec.Struct, frozen=True, kw_only=True):
    """What one check of the machine has found."""

    check: str
    state: Literal["good", "warning", "problem"]
    message: str
    hint: str | UnsetType = UNSET


class PrecisionFinding(msgspec.Struct, frozen=True, kw_only=True):
    """How a device computes in one precision."""

    lowest_db: Annotated[
        float | None,
        Meta(description="How far the error lies below the output, of the network where it is largest; 200 is exact."),
    ]
    lowest_of: Annotated[str, Meta(description="That network.")]
    faults: Annotated[dict[str, str], Meta(description="The networks that do not compute as they should, and why.")]


class DeviceFinding(msgspec.Struct, frozen=True, kw_only=True):
    """What a device makes of small networks of every kind, beside the processor in single precision."""

    device: str
    card: Card | UnsetType = UNSET
    fault: Annotated[str, Meta(description="Why it cannot be used.")] | UnsetType = UNSET
    precision: (
        Annotated[Arithmetic, Meta(description="The fastest precision in which every network came out right.")]
        | UnsetType
    ) = UNSET
    precisions: dict[Arithmetic, PrecisionFinding] = {}
    spectrum_db: (
        Annotated[float | None, Meta(description="How exactly a spectrum becomes the signal again.")] | UnsetType
    ) = UNSET
    attention: Annotated[list[str], Meta(description="The kernels for attention that run here.")] = []
    mdx: (
        Annotated[str | None, Meta(description="What onnxruntime computes MDX models with; null if it does not run.")]
        | UnsetType
    ) = UNSET
    free_mb: Annotated[float, Meta(description="Free memory, before the examination.")] | UnsetType = UNSET
    driver_needed: (
        Annotated[int | None, Meta(description="NVIDIA: the oldest driver for which this build is made.")] | UnsetType
    ) = UNSET
    warnings: Annotated[list[str], Meta(description="What is not as it should be, but works.")] = []
    speed: (
        Annotated[
            float | None,
            Meta(description="Seconds of audio that a fixed network does in a second, to compare machines with."),
        ]
        | UnsetType
    ) = UNSET
    memory_left_mb: Annotated[float, Meta(description="Memory that was not returned afterwards.")] | UnsetType = UNSET


class Diagnosis(Reply, frozen=True, kw_only=True, tag_field="status", tag="diagnosis"):
    """What the doctor has found."""

    healthy: Annotated[bool, Meta(description="No problem was found; there may be warnings.")]
    version: str
    system: str
    findings: list[MachineFinding]
    devices: list[DeviceFinding]
    elapsed: float


AttentionKernel = Annotated[
    str,
    Meta(
        description="The kernel for attention in this precision: `flash`, `efficient`, `cudnn`, … or `math`, the slowest."
    ),
]


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """The graphics card that computes."""

    name: str
    memory_mb: int
    capability: Annotated[str | None, Meta(description="NVIDIA: the compute capability, such as `8.9`.")] = None
    driver_cuda: Annotated[str | None, Meta(description="NVIDIA: the version of CUDA that the driver knows.")] = None
    driver: Annotated[str | None, Meta(description="NVIDIA: the number of the driver, such as `580.65.06`.")] = None
    uuid: Annotated[
        str | None, Meta(description="NVIDIA: what `CUDA_VISIBLE_DEVICES` may call it, whatever its number.")
    ] = None
    build: Annotated[str, Meta(description="The version of torch, which says what it was built for.")]


class ReadyDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A device that is ready."""

    device: str
    card: Card | UnsetType = UNSET
    precision: Arithmetic
    threads: int
    attention: AttentionKernel | UnsetType = UNSET


class Ready(Reply, frozen=True, kw_only=True, tag_field="status", tag="ready"):
    """The worker is ready for commands."""

    device: Annotated[
        str, Meta(description="`cpu`, `cuda`, `cuda:N`, `xpu`, `xpu:N` or `mps`; of several devices the first.")
    ]
    devices: (
        Annotated[list[ReadyDevice], Meta(description="With the setting `devices`: those that work.")] | UnsetType
    ) = UNSET
    card: Card | UnsetType = UNSET
    precision: Annotated[Arithmetic, Meta(description='What `"precision":"auto"` of a request means here.')]
    attention: AttentionKernel | UnsetType = UNSET
    threads: Annotated[
        int,
        Meta(
            description="Number of CPU threads in use: the one set for the worker, or else the number of physical cores."
        ),
    ]
    cache_enabled: bool
    max_cached_models: int
    models_dir: str
    version: str
    protocol: int
    warnings: (
        Annotated[list[str], Meta(description="Other devices that cannot be used, and what to do about it.")]
        | UnsetType
    ) = UNSET


class Exiting(Reply, frozen=True, kw_only=True, tag_field="status", tag="exiting"):
    """The last line after `exit`."""


class Shutdown(Reply, frozen=True, kw_only=True, tag_field="status", tag="shutdown"):
    """The last line when the worker shuts down for another reason than `exit` or the end of its input."""

    detail: Annotated[
        str,
        Meta(description="`SIGTERM`, `SIGINT`, `SIGBREAK`, `SIGHUP`, `parent_died`, `output_closed` or `device_lost`."),
    ]
    reason: str = "signal_or_parent_died"


class Error(Reply, frozen=True, kw_only=True, tag_field="status", tag="error"):
    """A request failed. The worker can still be used, unless the code is `device_lost`."""

    message: str
    code: str
    hint: str | UnsetType = UNSET
    suggestions: list[str] | UnsetType = UNSET
    field: str | UnsetType = UNSET
    step: Annotated[str, Meta(description="The step of a recipe that failed.")] | UnsetType = UNSET
    traceback: str | UnsetType = UNSET


class Cancelled(Reply, frozen=True, kw_only=True, tag_field="status", tag="cancelled"):
    """A job was cancelled. It leaves no files except those of parts that were complete, which `results` lists."""

    message: str = "The job was cancelled. No file was written."
    results: (
        Annotated[
            list[dict[str, Any]], Meta(description="Many files or a batch: the replies of the parts that had ended.")
        ]
        | UnsetType
    ) = UNSET


class CancelRequested(Reply, frozen=True, kw_only=True, tag_field="status", tag="cancel_requested"):
    """Answers `cancel` itself; the cancelled job has a reply of its own."""

    found: Annotated[bool, Meta(description="Whether there was such a job.")]


class SeekRequested(Reply, frozen=True, kw_only=True, tag_field="status", tag="seek_requested"):
    """Answers `seek` itself; the job goes on there as soon as the chunk that runs is done."""

    found: Annotated[bool, Meta(description="Whether there was such a job.")]


# Events of a job --------------------------------------------------------------------------------------------------


class LoadingModel(Event, frozen=True, kw_only=True, tag_field="status", tag="loading_model"):
    """A model is being loaded."""

    model: str


class PreloadingModel(Event, frozen=True, kw_only=True, tag_field="status", tag="preloading_model"):
    """A model is being loaded without becoming the active one."""

    model: str


class Separating(Event, frozen=True, kw_only=True, tag_field="status", tag="separating"):
    """The separation of a file has begun."""

    input: Annotated[str, Meta(description="File name without its folder.")]


class Restoring(Event, frozen=True, kw_only=True, tag_field="status", tag="restoring"):
    """The restoration of a file has begun."""

    input: Annotated[str, Meta(description="File name without its folder.")]


class Denoising(Event, frozen=True, kw_only=True, tag_field="status", tag="denoising"):
    """The noise reduction of a file has begun."""

    input: Annotated[str, Meta(description="File name without its folder.")]


class Progress(Event, frozen=True, kw_only=True, tag_field="status", tag="progress"):
    """How far a job is."""

    percent: Annotated[float, Meta(ge=0, le=100)]
    stage: str
    eta: Annotated[float | None, Meta(description="Estimated seconds left.")]
    index: (
        Annotated[int, Meta(description="Many files or a batch: index of the current file or job, starting at 0.")]
        | UnsetType
    ) = UNSET
    count: Annotated[int, Meta(description="Number of files or jobs.")] | UnsetType = UNSET
    part_percent: Annotated[float, Meta(description="How far the current file or job is.")] | UnsetType = UNSET
    part_stage: Annotated[str, Meta(description="Stage of the current file or job.")] | UnsetType = UNSET


class Downloading(Event, frozen=True, kw_only=True, tag_field="status", tag="downloading"):
    """How far the download of a model's file is."""

    model: str
    file: str
    percent: float
    received_bytes: int
    total_bytes: int | None
    eta: float | None
    connecting: (
        Annotated[str, Meta(description="While its answer is awaited: the server that was asked.")] | UnsetType
    ) = UNSET


class StreamBegun(Event, frozen=True, kw_only=True, tag_field="status", tag="streaming"):
    """The stems of a file are about to be told in `segment` lines. If it comes again, they begin anew."""

    input: Annotated[str, Meta(description="File name without its folder.")]
    stems: Annotated[
        dict[str, str | None],
        Meta(
            description="Each stem, and the WAV file of 32-bit floats that grows while the job runs; null where samples go to a pipe. It has a temporary name, and in the end that of the stem, or none any more."
        ),
    ]
    sample_rate: int
    channels: int
    frames: Annotated[
        int | None,
        Meta(description="Number of samples that each channel will have; null where the end of a song is yet to come."),
    ]


class Segment(Event, frozen=True, kw_only=True, tag_field="status", tag="segment"):
    """A stretch of all stems is finished, and can be read."""

    start: Annotated[int, Meta(description="Where it begins, in samples.")]
    frames: Annotated[int, Meta(description="Number of samples of each channel.")]
    sample_rate: int
    stems: Annotated[dict[str, str | None], Meta(description="Each stem, and the file that grows.")]


class FileDone(Event, frozen=True, kw_only=True, tag_field="status", tag="file_done"):
    """One file of `inputs` has succeeded or failed."""

    input: str
    index: Annotated[int, Meta(description="Index of the file, starting at 0.")]
    ok: bool
    output_dir: str | UnsetType = UNSET
    files: list[str] | UnsetType = UNSET
    stems: list[str] | UnsetType = UNSET
    paths: dict[str, str] | UnsetType = UNSET
    error: dict[str, str] | UnsetType = UNSET
    skipped: Annotated[bool, Meta(description="With `resume`: the file was already done.")] | UnsetType = UNSET
    model: str | UnsetType = UNSET
    elapsed: Annotated[float, Meta(description="Seconds spent on this file in this run.")] | UnsetType = UNSET


# Replies to control commands --------------------------------------------------------------------------------------


class Pong(Reply, frozen=True, kw_only=True, tag_field="status", tag="pong"):
    """The worker is alive."""

    model_loaded: str | None
    separator_model: (
        Annotated[str | None, Meta(description="dsu-audio-separator: the active model for `separate`.")] | UnsetType
    ) = UNSET
    apollo_model: (
        Annotated[str | None, Meta(description="dsu-audio-separator: the active model for `apollo`.")] | UnsetType
    ) = UNSET


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    rss_mb: float
    device_allocated_mb: float | None
    device_free_mb: float | None


class WorkerLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much a worker accepts: the settings of these names."""

    max_queued_jobs: int
    max_queued_bytes: int
    max_line_bytes: int
    max_model_bytes: int
    max_load_seconds: int
    max_download_bytes: int
    lowest_sample_rate: int


class DeviceState(msgspec.Struct, frozen=True, kw_only=True):
    """One of several devices, and the process that works on it."""

    device: str
    pid: int | None
    ready: bool
    busy: bool
    restarts: Annotated[int, Meta(description="How often its process was started again.")]
    fault: Annotated[str, Meta(description="Why it is not ready.")] | UnsetType = UNSET
    model_loaded: str | None = None
    cached_models: list[str] = []
    memory: Memory | None = None
    card: Card | UnsetType = UNSET
    attention: AttentionKernel | UnsetType = UNSET


class Status(Reply, frozen=True, kw_only=True, tag_field="status", tag="status"):
    model_loaded: str | None
    device: str
    precision: Arithmetic
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
    card: Card | UnsetType = UNSET
    attention: AttentionKernel | UnsetType = UNSET
    devices: (
        Annotated[
            list[DeviceState],
            Meta(
                description="With the setting `devices`: each of them. The fields beside this one are their sums and unions."
            ),
        ]
        | UnsetType
    ) = UNSET
    limits: Annotated[WorkerLimits, Meta(description="What this worker accepts; settings change it.")] | UnsetType = (
        UNSET
    )


HashKnowledge = Literal["known", "remembered", "none"]


class ModelDetails(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    type: str
    stems: list[str]
    description: str
    installed: bool
    size_bytes: int | None
    sdr: dict[str, float] | None
    license: str | None
    networks: Annotated[int, Meta(description="Bags of Demucs networks: how many there are.")] | UnsetType = UNSET
    members: Annotated[list[str], Meta(description="Public bags: the signatures of their networks.")] | UnsetType = (
        UNSET
    )
    aliases: Annotated[list[str], Meta(description="Other names that mean this model.")] | UnsetType = UNSET
    hash: Annotated[
        HashKnowledge,
        Meta(
            description="What the model's checkpoints are compared with: `known`, the SHA-256 that DSU comes with; `remembered`, that "
            "of the first download; `none`, nothing."
        ),
    ] = "none"
    purposes: Annotated[list[Purpose], Meta(description="What it is good for.")] | UnsetType = UNSET
    recommended: (
        Annotated[
            dict[Purpose, Grade],
            Meta(description="What it is recommended for, and how much that asks of the machine."),
        ]
        | UnsetType
    ) = UNSET
    speed: Annotated[Speed, Meta(description="How long it takes, estimated by its kind and its size.")] | UnsetType = (
        UNSET
    )
    author: str | UnsetType = UNSET
    year: Annotated[int, Meta(description="Of its publication.")] | UnsetType = UNSET
    commercial_use: (
        Annotated[bool | None, Meta(description="Whether its licence allows commercial use; null if that is unknown.")]
        | UnsetType
    ) = UNSET
    license_source: Annotated[str, Meta(description="Who states the licence.")] | UnsetType = UNSET
    sdr_on: Annotated[ScoredOn, Meta(description="What the SDR was measured on.")] | UnsetType = UNSET
    sdr_source: Annotated[str, Meta(description="Who publishes the SDR.")] | UnsetType = UNSET
    bleedless: Annotated[dict[str, float], Meta(description="Published scores; more is less bleed.")] | UnsetType = (
        UNSET
    )
    fullness: Annotated[dict[str, float], Meta(description="Published scores; more is fuller.")] | UnsetType = UNSET
    bleedless_source: Annotated[str, Meta(description="Who publishes these two.")] | UnsetType = UNSET
    downloadable: (
        Annotated[
            bool, Meta(description="Whether `download_model` can fetch it: whether addresses of all files are known.")
        ]
        | UnsetType
    ) = UNSET
    notes: list[str] | UnsetType = UNSET


class PackageModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model as the audio-separator package lists it."""

    file: str
    kind: Annotated[PackageKind, Meta(description="What the package calls the type of its network.")]
    name: str
    config: Annotated[str | None, Meta(description="The file that describes its network.")] = None
    stems: tuple[str, ...] = ()
    instruments: Annotated[
        tuple[str, ...],
        Meta(description="The stems as they appear in file names, if its configuration here has other names."),
    ] = ()
    target_stem: Annotated[str | None, Meta(description="The stem that it was made for.")] = None
    sdr: Annotated[dict[str, float], Meta(description="Median SDR of each stem, in dB.")] = {}


class EnsemblePreset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An ensemble with a name."""

    name: Annotated[str, Meta(description="Name for display.")]
    description: str
    models: tuple[str, ...]
    algorithm: EnsembleAlgorithm


class PackageModels(Reply, frozen=True, kw_only=True, tag_field="status", tag="package_models"):
    models: list[PackageModel]
    presets: dict[str, EnsemblePreset]


class Models(Reply, frozen=True, kw_only=True, tag_field="status", tag="models"):
    models: list[str]
    details: list[ModelDetails] | UnsetType = UNSET


class RecipeModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model as a recipe uses it."""

    model: str
    installed: bool
    size_bytes: int | None
    license: str | None


class RecipeDetails(msgspec.Struct, frozen=True, kw_only=True):
    """A recipe for `separate`."""

    name: str
    description: str
    steps: Annotated[list[str], Meta(description="The names of its steps, each after those whose stems it needs.")]
    stems: Annotated[list[str], Meta(description="What it writes.")]
    models: list[RecipeModel]
    installed: Annotated[bool, Meta(description="Whether all of its models are.")]
    commercial: Annotated[bool, Meta(description="Whether the licences of all of its models allow commercial use.")]


class Recipes(Reply, frozen=True, kw_only=True, tag_field="status", tag="recipes"):
    recipes: list[RecipeDetails]


class CachedModel(msgspec.Struct, frozen=True, kw_only=True):
    identifier: str
    name: str
    stems: list[str]
    active: bool
    size_mb: float
    device: Annotated[str, Meta(description="With the setting `devices`: where it is loaded.")] | UnsetType = UNSET


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
    commands: Annotated[dict[str, Any], Meta(description="The request and response schemas of each command.")]
    events: Annotated[dict[str, Any], Meta(description="The schema of each event, by its status.")]
    definitions: Annotated[dict[str, Any], Meta(description="The types that the schemas refer to.")]


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


class PackageModelLoaded(ModelLoaded, frozen=True, kw_only=True, tag_field="status", tag="model_loaded"):
    """A model was loaded for `package_separate`. `stems` are those of its files."""

    kind: PackageKind


class ModelPreloaded(Reply, frozen=True, kw_only=True, tag_field="status", tag="model_preloaded"):
    model: str
    stems: list[str]
    already_cached: bool
    cached_count: int


class ModelDownloaded(Reply, frozen=True, kw_only=True, tag_field="status", tag="model_downloaded"):
    """A model was downloaded. `path`, `size_bytes` and `sha256` are those of the first file; `files` lists all."""

    model: str
    path: str
    size_bytes: int
    sha256: str
    files: list[str]


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds spent on each step."""

    load: float
    decode: float
    infer: float
    encode: float
    survey: (
        Annotated[
            float,
            Meta(
                description="VR models and `denoise`: a pass over the song that finds its loudest bin, or how its level changes."
            ),
        ]
        | UnsetType
    ) = UNSET


class Done(Reply, frozen=True, kw_only=True, tag_field="status", tag="done"):
    """A separation succeeded. `warnings` is always present."""

    warnings: list[str] | UnsetType = []
    elapsed: Annotated[float, Meta(description="Seconds spent on the separation itself.")]
    output_dir: str
    files: Annotated[list[str], Meta(description="File names in `output_dir`.")]
    stems: list[str]
    paths: Annotated[dict[str, str], Meta(description="Absolute path of each stem.")]
    duration: Annotated[float, Meta(description="Length of the audio in seconds.")]
    speed: Annotated[float, Meta(description="Speed as a multiple of real time.")]
    sample_rate: int
    model: str
    device: str
    model_from_cache: bool
    timing: Timing
    gain: Annotated[
        float,
        Meta(
            description="Gain that was applied to all stems, for `loudness` or against clipping; 1 if none was needed."
        ),
    ] = 1.0
    settings: Annotated[dict[str, Any], Meta(description="Settings that were used, such as shifts and overlap.")] = {}
    report: Annotated[str, Meta(description="Absolute path of `report.png`, if it was requested.")] | UnsetType = UNSET
    report_html: (
        Annotated[str, Meta(description="Absolute path of `report.html`, if it was requested.")] | UnsetType
    ) = UNSET
    skipped: (
        Annotated[
            bool,
            Meta(description="With `resume`: the file was already done, and the other fields are those of that job."),
        ]
        | UnsetType
    ) = UNSET


class Restored(Done, frozen=True, kw_only=True, tag_field="status", tag="done"):
    """A restoration succeeded. `files` holds absolute paths."""

    cached: Annotated[bool, Meta(description="Whether the network was already loaded.")]


class Denoised(Done, frozen=True, kw_only=True, tag_field="status", tag="done"):
    """Noise was reduced. `files` holds absolute paths."""


class AudioSepDone(Done, frozen=True, kw_only=True, tag_field="status", tag="done"):
    """The sounds that a text describes were separated. Each stem is named after its text."""

    files: Annotated[list[str], Meta(description="Absolute paths.")]


class ManyDone(Reply, frozen=True, kw_only=True, tag_field="status", tag="done"):
    """A request with `inputs` ended, and at least one file succeeded."""

    elapsed: float
    results: Annotated[list[dict[str, Any]], Meta(description="The `done` or `error` of each file, in order.")]
    succeeded: int
    failed: int
    skipped: Annotated[int, Meta(description="How many of the files that succeeded were already done.")] = 0
    files: Annotated[list[str], Meta(description="Absolute paths of all stems.")]


class BatchDone(Reply, frozen=True, kw_only=True, tag_field="status", tag="done"):
    """Every job of a batch succeeded."""

    results: list[dict[str, Any]]
    message: str
    elapsed: float


class BatchFailed(Reply, frozen=True, kw_only=True, tag_field="status", tag="error"):
    """A job of a batch failed. `results` holds the replies up to then."""

    results: list[dict[str, Any]]
    message: str
    code: str
    elapsed: float
