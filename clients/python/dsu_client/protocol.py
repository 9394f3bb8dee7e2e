"""The protocol: options, replies and events, and the tables that the client reads.

Written by `python -m clients.python.generate_protocol` from the types in utils/core. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, Required, TypeAlias, TypedDict

PROTOCOL_VERSION = 1

WorkerKind: TypeAlias = Literal["demucs", "bsroformer", "audio-separator", "audiosep", "denoise", "dsu"]

# The name of each program, and its script in a checkout.
WORKERS: dict[str, tuple[str, str]] = {
    "demucs": ("dsu-demucs", "workers/demucs_worker.py"),
    "bsroformer": ("dsu-bsroformer", "workers/bsroformer_worker.py"),
    "audio-separator": ("dsu-audio-separator", "workers/audio_separator_worker.py"),
    "audiosep": ("dsu-audiosep", "workers/audiosep_worker.py"),
    "denoise": ("dsu-denoise", "workers/denoise_worker.py"),
    "dsu": ("dsu", "workers/dsu_worker.py"),
}

# For each command the statuses that end it, besides `error`.
ENDS: dict[str, list[str]] = {
    "ping": ["pong"],
    "get_status": ["status"],
    "cancel": ["cancel_requested"],
    "seek": ["seek_requested"],
    "describe": ["description"],
    "doctor": ["diagnosis", "cancelled"],
    "exit": ["exiting"],
    "list_models": ["models"],
    "load_model": ["model_loaded", "cancelled"],
    "preload_model": ["model_preloaded", "cancelled"],
    "download_model": ["model_downloaded", "cancelled"],
    "separate": ["done", "cancelled"],
    "list_cached": ["cached_models"],
    "clear_cache": ["cache_cleared"],
    "set_cache_size": ["cache_size_updated"],
    "set_storage_type": ["storage_configured"],
    "batch": ["done", "cancelled"],
    "apollo": ["done", "cancelled"],
    "load_apollo": ["model_loaded", "cancelled"],
    "package_list_models": ["package_models"],
    "package_load_model": ["model_loaded", "cancelled"],
    "package_separate": ["done", "cancelled"],
    "denoise": ["done", "cancelled"],
    "list_recipes": ["recipes"],
}

# Statuses of lines that end nothing.
EVENTS = frozenset(
    [
        "denoising",
        "downloading",
        "file_done",
        "loading",
        "loading_model",
        "preloading_model",
        "progress",
        "ready",
        "restoring",
        "segment",
        "separating",
        "shutdown",
        "streaming",
    ]
)

# For each code the class of its errors, in errors.py.
FAMILIES: dict[str, str] = {
    "invalid_request": "RequestError",
    "invalid_json": "RequestError",
    "unknown_command": "RequestError",
    "busy": "RequestError",
    "unknown_model": "ModelError",
    "model_not_installed": "ModelError",
    "config_invalid": "ModelError",
    "checkpoint_invalid": "ModelError",
    "checkpoint_unsafe": "ModelError",
    "checkpoint_mismatch": "ModelError",
    "load_timeout": "ModelError",
    "download_failed": "ModelError",
    "checksum_mismatch": "ModelError",
    "input_unreadable": "InputError",
    "input_not_found": "InputError",
    "input_empty": "InputError",
    "output_not_writable": "OutputError",
    "unsupported_format": "OutputError",
    "disk_full": "OutputError",
    "device_unavailable": "DeviceError",
    "out_of_memory": "DeviceError",
    "device_lost": "DeviceError",
    "internal": "DSUError",
}


class PipedInput(TypedDict):
    """Samples that come through a pipe instead of a file. docs/live.md says how they are written."""

    pipe: int | str
    """The number of a descriptor that the worker inherited, the path of a FIFO or of a Unix socket that listens, or the name of a named pipe of Windows."""
    sample_rate: int
    """Sample rate in Hz."""
    channels: int
    """Number of channels."""
    frames: NotRequired[int | None]
    """Number of samples of each channel, where it is known beforehand."""
    name: NotRequired[str]
    """What the results are named after."""
    statistics_s: NotRequired[float]
    """Models that scale a song by its loudness take that of its first seconds, so many, and wait for them."""
    record_first: NotRequired[bool]
    """Separate only when the whole song has come, in exactly the same way as a file. Some models always do."""
    wait_s: NotRequired[float]
    """How long to wait until somebody opens the other end of the pipe."""


class Preview(TypedDict):
    """An excerpt of the input, in seconds."""

    start: NotRequired[float]
    """Where the excerpt begins."""
    duration: NotRequired[float]
    """Length of the excerpt."""


class Streaming(TypedDict):
    """How stems are told and given while a job runs."""

    every_s: NotRequired[float]
    """A `segment` line tells of at least so many seconds, but for the last one."""
    pipe: NotRequired[int | str | None]
    """Write the samples to this pipe, instead of letting files grow: the number of a descriptor that the worker inherited, the path of a FIFO or of a Unix socket that listens, or the name of a named pipe of Windows. docs/live.md says what comes through it."""
    wait_s: NotRequired[float]
    """How long to wait until somebody opens the other end of the pipe."""
    files: NotRequired[bool]
    """Also write the files of the stems; without them, nothing is written to the disk."""


class SongShare(TypedDict):
    """One of the equal parts of a song that several workers separate together."""

    number: int
    """Which of them; the first is 1."""
    of: int
    """How many there are."""


class NetworkMember(TypedDict):
    """Your own network as a member of an ensemble."""

    model_path: str
    """Checkpoint of the network."""
    config_path: str
    """YAML configuration of the network."""
    model_type: NotRequired[str | None]
    """Type of the network in `model_path`; detected automatically by default."""


class PingOptions(TypedDict, total=False):
    """What `ping` takes."""

    strict: bool
    """Treat unknown fields as errors instead of warning about them."""
    debug: bool
    """Add a traceback to errors."""


class GetStatusOptions(TypedDict, total=False):
    """What `get_status` takes."""

    strict: bool
    """Treat unknown fields as errors instead of warning about them."""
    debug: bool
    """Add a traceback to errors."""


class SeekOptions(TypedDict, total=False):
    """What `seek` takes."""

    strict: bool
    """Treat unknown fields as errors instead of warning about them."""
    debug: bool
    """Add a traceback to errors."""
    job: str | int | float | None
    """Its id. By default the job with the `id` of this request, or else the running one."""
    position: Required[float]
    """Where the listener is, in seconds."""


class DescribeOptions(TypedDict, total=False):
    """What `describe` takes."""

    strict: bool
    """Treat unknown fields as errors instead of warning about them."""
    debug: bool
    """Add a traceback to errors."""


class DoctorOptions(TypedDict, total=False):
    """What `doctor` takes."""

    strict: bool
    """Treat unknown fields as errors instead of warning about them."""
    debug: bool
    """Add a traceback to errors."""
    device: str | None
    """Examine only this device: `cpu`, `cuda`, `cuda:N`, …; by default all."""
    progress: bool
    """Send `progress` lines."""


class ListModelsOptions(TypedDict, total=False):
    """What `list_models` takes."""

    strict: bool
    """Treat unknown fields as errors instead of warning about them."""
    debug: bool
    """Add a traceback to errors."""
    details: bool
    """Also describe each model."""
    model: str | None
    """List only this model; the signature of a network in a bag works too."""
    purpose: (
        Literal[
            "anything",
            "bass",
            "bleed",
            "breath",
            "center",
            "crowd",
            "denoise",
            "dereverb",
            "drumkit",
            "drums",
            "film",
            "guitar",
            "instrumental",
            "instruments",
            "karaoke",
            "piano",
            "restore",
            "speech",
            "stems",
            "vocals",
            "voices",
        ]
        | None
    )
    """Only models that are good for this, those with the best published scores first."""
    installed: bool | None
    """Only models that are installed, or only the others."""
    commercial_use: bool
    """Only models whose licence is known to allow commercial use."""
    speed: Literal["fast", "medium", "slow"] | None
    """Only models that are at least as fast as this."""
    max_size_bytes: int | None
    """Only models whose files are known to be no larger than this together."""
    repo: str | None
    """Folder of local models to list as well."""
    family: Literal["apollo", "audio-separator", "audiosep", "demucs", "networks"] | None
    """Only models of this family."""


class LoadModelOptions(TypedDict, total=False):
    """What `load_model` takes."""

    strict: bool
    """Treat unknown fields as errors instead of warning about them."""
    debug: bool
    """Add a traceback to errors."""
    model: str | None
    """Name of the model; by default the worker's default model."""
    repo: str | None
    """Folder of local models."""
    model_path: str | None
    """Checkpoint of your own network, instead of `model`."""
    config_path: str | None
    """YAML configuration of the network in `model_path`."""
    model_type: str | None
    """Type of the network in `model_path`; detected automatically by default."""
    model_file_dir: str | None
    """Directory of the model file; by default the models directory."""
    checkpoint_path: str | None
    """Checkpoint of the separation network; by default the model's file in the models directory."""
    clap_checkpoint_path: str | None
    """CLAP checkpoint, for its text encoder; by default the one in the models directory."""
    roberta_dir: str | None
    """Folder with the vocabulary of roberta-base; by default the one in the models directory."""
    device: str | None
    """Device of the model: the one the worker was started with, or `auto`."""
    mmap: bool | None
    """Memory-map the checkpoint instead of reading it as a whole; by default as set by `set_storage_type`."""
    use_torch_stft: bool | str | None
    """Accepted for compatibility; has no effect, because the STFT always runs on the device."""
    auto_stft_seconds: float | None
    """Accepted for compatibility; has no effect."""
    family: Literal["apollo", "audio-separator", "audiosep", "demucs", "networks"] | None
    """The family of the model; without it, the model's name and the other fields decide."""


class PreloadModelOptions(TypedDict, total=False):
    """What `preload_model` takes."""

    strict: bool
    """Treat unknown fields as errors instead of warning about them."""
    debug: bool
    """Add a traceback to errors."""
    model: str | None
    """Name of the model; by default the worker's default model."""
    repo: str | None
    """Folder of local models."""
    model_path: str | None
    """Checkpoint of your own network, instead of `model`."""
    config_path: str | None
    """YAML configuration of the network in `model_path`."""
    model_type: str | None
    """Type of the network in `model_path`; detected automatically by default."""
    model_file_dir: str | None
    """Directory of the model file; by default the models directory."""
    checkpoint_path: str | None
    """Checkpoint of the separation network; by default the model's file in the models directory."""
    clap_checkpoint_path: str | None
    """CLAP checkpoint, for its text encoder; by default the one in the models directory."""
    roberta_dir: str | None
    """Folder with the vocabulary of roberta-base; by default the one in the models directory."""
    device: str | None
    """Device of the model: the one the worker was started with, or `auto`."""
    mmap: bool | None
    """Memory-map the checkpoint instead of reading it as a whole; by default as set by `set_storage_type`."""
    use_torch_stft: bool | str | None
    """Accepted for compatibility; has no effect, because the STFT always runs on the device."""
    auto_stft_seconds: float | None
    """Accepted for compatibility; has no effect."""
    family: Literal["apollo", "audio-separator", "audiosep", "demucs", "networks"] | None
    """The family of the model; without it, the model's name and the other fields decide."""


class DownloadModelOptions(TypedDict, total=False):
    """What `download_model` takes."""

    strict: bool
    """Treat unknown fields as errors instead of warning about them."""
    debug: bool
    """Add a traceback to errors."""
    model: Required[str]
    """Name of the model."""


class SeparateOptions(TypedDict, total=False):
    """What `separate` takes."""

    strict: bool
    """Treat unknown fields as errors instead of warning about them."""
    debug: bool
    """Add a traceback to errors."""
    model: str | None
    """Name of the model; by default the worker's default model."""
    format: Literal["aiff", "flac", "m4a", "mka", "mp3", "ogg", "opus", "stem.m4a", "wav"]
    """File format of the stems. With `stem.m4a` (for four stems) and `mka`, one file holds the mix and all stems."""
    pcm_type: Literal["FLOAT", "PCM_16", "PCM_24", "PCM_32", "source"] | None
    """Sample type of the stems; `source` keeps the depth of the input, as far as the format supports it; default `PCM_16`. It makes `stem.m4a` lossless."""
    subtype: Literal["FLOAT", "PCM_16", "PCM_24", "PCM_32", "source"] | None
    """Another name for `pcm_type`."""
    bitrate: int | None
    """Bit rate of lossy formats, in kbit/s, for each track of a file. It makes `mka` lossy."""
    stems: Sequence[str] | None
    """Write only these stems."""
    two_stems: str | None
    """Write only this stem, and everything else as `no_STEM`."""
    output_sample_rate: int | Literal["source"] | None
    """Sample rate of the stems in Hz; `source` keeps the rate of the input, as far as the format supports it; by default the model's own rate."""
    clip: Literal["clamp", "none", "rescale", "rescale_each"]
    """What to do if stems would clip: `rescale` lowers all of them by the same gain, so that they still sum to the song; `rescale_each` lowers each by its own gain, as the demucs package does; `clamp` limits their samples; `none` leaves them as they are."""
    loudness: float | Literal["input"] | None
    """Give all stems one gain, so that they still sum: the one that brings the song to this loudness in LUFS (ITU-R BS.1770-4); or, with `input`, the one with which the stems that are written are together as loud as the song."""
    true_peak: float | None
    """The highest true peak of any stem, in dB below full scale (dBTP). If one were above it, all are lowered by the same gain."""
    overwrite: bool
    """Replace existing files; if false, an existing file is an error."""
    resume: bool
    """Skip files that an earlier job with `resume` has finished and that have not changed since."""
    progress: bool
    """Send `progress` lines."""
    report: bool
    """Also write `report.png` with waveforms and spectrograms of the mix and the stems."""
    report_html: bool
    """Also write `report.html`, a page that shows the same and plays the stems in step."""
    report_theme: Literal["dark", "light"] | None
    """Colours of `report.png`; default `light`."""
    report_scale: int | None
    """Size of `report.png`: 2 is twice as wide and high; default 1."""
    batch_size: int | None
    """Number of chunks that run through the network together."""
    precision: Literal["auto", "bf16", "fp16", "fp32"]
    """The precision in which the network computes. `auto` is the fastest on this device (shown by `ready`), but `fp32` if `quality` is `best`."""
    seed: int
    """Seed of the random shifts."""
    preview: Preview | None
    """Separate only an excerpt."""
    name_template: str | None
    """Template for file names, with `{track}`, `{stem}`, `{model}` and `{index}`; `/` makes folders."""
    channels: Literal["model", "source"]
    """`source` keeps the stems of a mono song mono, even if the model outputs two channels."""
    stream: bool | Streaming
    """Tell of stems while the job runs: a `streaming` line, then a `segment` line for each finished stretch. By default in WAV files that can be played while they grow."""
    start_at: float | None
    """With `stream`: begin at this second, go on to the end and then from the beginning. `seek` moves the work while it runs. The samples stay the same. Stretches then come in another order than in the song, at the model's sample rate."""
    share: SongShare | None
    """Separate only this part of the song, with the samples that it has when the whole is separated, into WAV files of 32-bit floats at the model's rate. So several workers can share a long song; `shares` joins what they write. Not for recipes, nor for models that go through a song from its start to its end."""
    shares: Sequence[Mapping[str, str]] | None
    """The `paths` of the `done` lines of all shares of the song, in order. Their samples become the stems that this request asks for; the networks do not run. With the same versions and devices everywhere, each file is the one that a single worker writes."""
    shifts: int | None
    """Number of random time shifts to average over; default 1, or 0 for quantized bags."""
    overlap: float | int | None
    """Overlap of adjacent segments, as a fraction."""
    segment: float | None
    """Length of a segment in seconds; by default the model's own."""
    segments: float | None
    """Another name for `segment`."""
    jobs: int
    """On the CPU: number of segments that run in parallel, each in its own thread."""
    repo: str | None
    """Folder of local models: `.th` files, and `.yaml` files for bags."""
    split: bool
    """Separate in segments; if false, the whole song at once, if the network and the memory allow it."""
    bigshifts: int
    """Average over so many separations whose chunks begin at different places, evenly spaced; takes so many times as long."""
    pitch_shift: float
    """Let the network hear the song so many semitones higher (lower if negative) and so much faster; the stems are as before. For voices that are higher or lower than it knows. What is raised loses its highest frequencies: +12 leaves half the band."""
    other_method: Literal["add", "minus", "none"] | None
    """How `two_stems` makes `no_STEM`: as the mix `minus` the stem, as the sum of the other stems (`add`), or not at all (`none`); default `add` in dsu-demucs, `minus` in dsu."""
    rest_name: str | None
    """Name of the stem that `two_stems` makes of everything else; default `no_STEM`."""
    model_path: str | None
    """Checkpoint of your own network, instead of `model`."""
    config_path: str | None
    """YAML configuration of the network in `model_path`."""
    model_type: str | None
    """Type of the network in `model_path`; detected automatically by default."""
    quality: Literal["balanced", "best", "fast"] | None
    """Preset for `overlap` and `use_tta`; either of them overrides it."""
    num_overlap: int | None
    """Another name for `overlap`."""
    chunk_seconds: float | None
    """Length of a window in seconds; by default set by the model's configuration."""
    use_fast: bool
    """Accepted for compatibility; has no effect."""
    use_tta: bool | None
    """Average with separations of swapped channels and of inverted polarity; takes 3 times as long."""
    extract_instrumental: bool
    """Also write `instrumental`: the mix minus the vocals."""
    ensemble: Sequence[str | NetworkMember] | None
    """Several networks instead of `model`, given by name or by their files."""
    ensemble_type: Literal[
        "avg_fft", "avg_wave", "max_fft", "max_wave", "median_fft", "median_wave", "min_fft", "min_wave"
    ]
    """How the members' results are combined, as waveforms or as spectrograms."""
    ensemble_weights: Sequence[float] | None
    """Weight of each member in an average."""
    model_file_dir: str | None
    """Directory of the model file; by default the models directory."""
    single_stem: str | None
    """Write only this stem."""
    invert_spect: bool
    """MDX: subtract the stem from the mix as a spectrogram instead of as a waveform."""
    vr_aggression: int
    """VR: how aggressively the primary stem is cut out; typically 5."""
    vr_enable_tta: bool
    """VR: run the network a second time with shifted windows; takes twice as long."""
    vr_high_end_process: bool
    """VR: mirror the network's frequency range into the range above it."""
    vr_post_process: bool
    """VR: in passages where nearly everything belongs to the primary stem, give it everything."""
    vr_post_process_threshold: float
    """VR: `vr_post_process` applies to passages in which the whole mask is above this value."""
    vr_window_size: int
    """VR: frames per window; 320 is slower and slightly better than 512."""
    mdx_segment_size: int | None
    """MDX: frames per segment; by default the model's own."""
    mdx_overlap: float
    """MDX: overlap of adjacent chunks, as a fraction."""
    mdx_enable_denoise: bool
    """MDX: run the network twice so that its own noise cancels out; takes twice as long."""
    primary_stem: str | None
    """For an unknown model file: the stem that its network outputs."""
    secondary_stem: str | None
    """For an unknown model file: the stem that remains when the primary one is removed."""
    vr_model_param: str | Mapping[str, Any] | None
    """For an unknown VR file: its band parameters, by name (`4band_v3`) or as an object."""
    nout: int | None
    """For an unknown VR 5.1 file: its number of output channels."""
    nout_lstm: int | None
    """For an unknown VR 5.1 file: the number of output channels of its LSTM."""
    mdx_n_fft_scale_set: int | None
    """For an unknown MDX file: its FFT size."""
    mdx_dim_f_set: int | None
    """For an unknown MDX file: its number of frequency bins."""
    mdx_dim_t_set: int | None
    """For an unknown MDX file: its number of frames, as an exponent of 2."""
    compensate: float | None
    """For an unknown MDX file: the gain of its stem before it is subtracted from the mix."""
    text: str | None
    """Description in English of the sounds to separate; default `speech`."""
    texts: Sequence[str] | None
    """Several descriptions; each gets a file of its own."""
    residual: bool
    """Also write `residual`: the input without everything that was separated."""
    use_chunk: bool | Literal["auto"]
    """Split a long input into short chunks (`auto`, true) or a few long ones (false); the result is the same."""
    checkpoint_path: str | None
    """Checkpoint of the separation network; by default the model's file in the models directory."""
    clap_checkpoint_path: str | None
    """CLAP checkpoint, for its text encoder; by default the one in the models directory."""
    roberta_dir: str | None
    """Folder with the vocabulary of roberta-base; by default the one in the models directory."""
    family: Literal["apollo", "audio-separator", "audiosep", "demucs", "networks"] | None
    """The family of the model; without it, the model's name and the other fields decide."""
    recipe: str | Mapping[str, Any] | None
    """Instead of a model: several, on the song and on each other's stems. The name of a recipe (`list_recipes`), or a recipe itself: an object with `steps` and `outputs` (docs/recipes.md)."""
    policy: Literal["commercial"] | None
    """With `recipe`: `commercial` refuses models whose licence does not allow that, or is not known."""


class ListCachedOptions(TypedDict, total=False):
    """What `list_cached` takes."""

    strict: bool
    """Treat unknown fields as errors instead of warning about them."""
    debug: bool
    """Add a traceback to errors."""


class ClearCacheOptions(TypedDict, total=False):
    """What `clear_cache` takes."""

    strict: bool
    """Treat unknown fields as errors instead of warning about them."""
    debug: bool
    """Add a traceback to errors."""


class SetCacheSizeOptions(TypedDict, total=False):
    """What `set_cache_size` takes."""

    strict: bool
    """Treat unknown fields as errors instead of warning about them."""
    debug: bool
    """Add a traceback to errors."""
    n: int | None
    """Number of models."""
    max_cached_models: int | None
    """Another name for `n`."""


class SetStorageTypeOptions(TypedDict, total=False):
    """What `set_storage_type` takes."""

    strict: bool
    """Treat unknown fields as errors instead of warning about them."""
    debug: bool
    """Add a traceback to errors."""
    type: Required[Literal["hdd", "ssd"]]
    """Kind of disk."""


class BatchOptions(TypedDict, total=False):
    """What `batch` takes."""

    strict: bool
    """Treat unknown fields as errors instead of warning about them."""
    debug: bool
    """Add a traceback to errors."""
    jobs: Required[Sequence[Mapping[str, Any]]]
    """The jobs, each written like a request of its own."""
    continue_on_error: bool
    """Go on after a job has failed."""
    group_by_model: bool
    """Run jobs that use the same model one after another; the results keep the order of `jobs`."""
    resume: bool
    """Default of `resume` for all jobs."""
    progress: bool
    """Send `progress` lines for the batch."""


class ApolloOptions(TypedDict, total=False):
    """What `apollo` takes."""

    strict: bool
    """Treat unknown fields as errors instead of warning about them."""
    debug: bool
    """Add a traceback to errors."""
    input: str | PipedInput | None
    """Audio file to separate, or samples that come through a pipe, which are separated while they come."""
    inputs: Sequence[str] | None
    """Several files and folders to separate: one `file_done` line for each file, then `done`."""
    output: str | None
    """File to write; its extension determines the format."""
    output_dir: str | None
    """Directory for `TRACK_(STEM).wav`, instead of `output`."""
    model: str | None
    """Name of the model; by default the worker's default model."""
    format: Literal["aiff", "flac", "m4a", "mka", "mp3", "ogg", "opus", "stem.m4a", "wav"]
    """File format of the stems. With `stem.m4a` (for four stems) and `mka`, one file holds the mix and all stems."""
    pcm_type: Literal["FLOAT", "PCM_16", "PCM_24", "PCM_32", "source"] | None
    """Sample type of the stems; `source` keeps the depth of the input, as far as the format supports it; default `PCM_16`. It makes `stem.m4a` lossless."""
    subtype: Literal["FLOAT", "PCM_16", "PCM_24", "PCM_32", "source"] | None
    """Another name for `pcm_type`."""
    bitrate: int | None
    """Bit rate of lossy formats, in kbit/s, for each track of a file. It makes `mka` lossy."""
    stems: Sequence[str] | None
    """Write only these stems."""
    two_stems: str | None
    """Write only this stem, and everything else as `no_STEM`."""
    output_sample_rate: int | Literal["source"] | None
    """Sample rate of the stems in Hz; `source` keeps the rate of the input, as far as the format supports it; by default the model's own rate."""
    clip: Literal["clamp", "none", "rescale", "rescale_each"]
    """What to do if stems would clip: `rescale` lowers all of them by the same gain, so that they still sum to the song; `rescale_each` lowers each by its own gain, as the demucs package does; `clamp` limits their samples; `none` leaves them as they are."""
    loudness: float | Literal["input"] | None
    """Give all stems one gain, so that they still sum: the one that brings the song to this loudness in LUFS (ITU-R BS.1770-4); or, with `input`, the one with which the stems that are written are together as loud as the song."""
    true_peak: float | None
    """The highest true peak of any stem, in dB below full scale (dBTP). If one were above it, all are lowered by the same gain."""
    overwrite: bool
    """Replace existing files; if false, an existing file is an error."""
    resume: bool
    """Skip files that an earlier job with `resume` has finished and that have not changed since."""
    progress: bool
    """Send `progress` lines."""
    report: bool
    """Also write `report.png` with waveforms and spectrograms of the mix and the stems."""
    report_html: bool
    """Also write `report.html`, a page that shows the same and plays the stems in step."""
    report_theme: Literal["dark", "light"] | None
    """Colours of `report.png`; default `light`."""
    report_scale: int | None
    """Size of `report.png`: 2 is twice as wide and high; default 1."""
    batch_size: int | None
    """Number of chunks that run through the network together."""
    precision: Literal["auto", "bf16", "fp16", "fp32"]
    """The precision in which the network computes. `auto` is the fastest on this device (shown by `ready`), but `fp32` if `quality` is `best`."""
    seed: int
    """Seed of the random shifts."""
    preview: Preview | None
    """Separate only an excerpt."""
    name_template: str | None
    """Template for file names, with `{track}`, `{stem}`, `{model}` and `{index}`; `/` makes folders."""
    channels: Literal["model", "source"]
    """`source` keeps the stems of a mono song mono, even if the model outputs two channels."""
    stream: bool | Streaming
    """Tell of stems while the job runs: a `streaming` line, then a `segment` line for each finished stretch. By default in WAV files that can be played while they grow."""
    start_at: float | None
    """With `stream`: begin at this second, go on to the end and then from the beginning. `seek` moves the work while it runs. The samples stay the same. Stretches then come in another order than in the song, at the model's sample rate."""
    share: SongShare | None
    """Separate only this part of the song, with the samples that it has when the whole is separated, into WAV files of 32-bit floats at the model's rate. So several workers can share a long song; `shares` joins what they write. Not for recipes, nor for models that go through a song from its start to its end."""
    shares: Sequence[Mapping[str, str]] | None
    """The `paths` of the `done` lines of all shares of the song, in order. Their samples become the stems that this request asks for; the networks do not run. With the same versions and devices everywhere, each file is the one that a single worker writes."""
    model_path: str | None
    """Checkpoint of your own network, instead of `model`."""
    config_path: str | None
    """YAML configuration of the network in `model_path`."""
    feature_dim: int | None
    """Feature dimension of the network; by default read from its configuration or checkpoint."""
    layer: int | None
    """Number of layers of the network; by default read from its configuration or checkpoint."""
    chunk_seconds: float
    """Length of a chunk in seconds."""
    chunk_overlap: float
    """Length of the cross-fade between chunks, in seconds."""
    addition: bool
    """Also write `addition`: what the restoration added."""


class LoadApolloOptions(TypedDict, total=False):
    """What `load_apollo` takes."""

    strict: bool
    """Treat unknown fields as errors instead of warning about them."""
    debug: bool
    """Add a traceback to errors."""
    model: str | None
    """Name of the model; by default the worker's default model."""
    model_path: str | None
    """Checkpoint of your own network, instead of `model`."""
    config_path: str | None
    """YAML configuration of the network in `model_path`."""
    feature_dim: int | None
    """Feature dimension of the network; by default read from its configuration or checkpoint."""
    layer: int | None
    """Number of layers of the network; by default read from its configuration or checkpoint."""


class PackageListModelsOptions(TypedDict, total=False):
    """What `package_list_models` takes."""

    strict: bool
    """Treat unknown fields as errors instead of warning about them."""
    debug: bool
    """Add a traceback to errors."""


class PackageLoadModelOptions(TypedDict, total=False):
    """What `package_load_model` takes."""

    strict: bool
    """Treat unknown fields as errors instead of warning about them."""
    debug: bool
    """Add a traceback to errors."""
    model: str | None
    """Name of the model's file in the package; default `model_bs_roformer_ep_317_sdr_12.9755.ckpt`."""
    model_file_dir: str | None
    """VR and MDX: directory of the model's file; by default the models directory."""


class PackageSeparateOptions(TypedDict, total=False):
    """What `package_separate` takes."""

    strict: bool
    """Treat unknown fields as errors instead of warning about them."""
    debug: bool
    """Add a traceback to errors."""
    input: str | PipedInput | None
    """Audio file to separate, or samples that come through a pipe, which are separated while they come."""
    inputs: Sequence[str] | None
    """Several files and folders to separate: one `file_done` line for each file, then `done`."""
    output: str | None
    """Directory for the results; by default `output` in the worker's working directory."""
    output_dir: str | None
    """Another name for `output`."""
    model: str | None
    """Name of the model's file in the package; default `model_bs_roformer_ep_317_sdr_12.9755.ckpt`."""
    format: Literal["aiff", "flac", "m4a", "mka", "mp3", "ogg", "opus", "stem.m4a", "wav"]
    """File format of the stems. With `stem.m4a` (for four stems) and `mka`, one file holds the mix and all stems."""
    pcm_type: Literal["FLOAT", "PCM_16", "PCM_24", "PCM_32"] | None
    """Sample type of the stems; by default as deep as the input, as far as the format supports it."""
    subtype: Literal["FLOAT", "PCM_16", "PCM_24", "PCM_32", "source"] | None
    """Another name for `pcm_type`."""
    bitrate: int | None
    """Bit rate of lossy formats, in kbit/s, for each track of a file. It makes `mka` lossy."""
    stems: Sequence[str] | None
    """Write only these stems."""
    two_stems: str | None
    """Write only this stem, and everything else as `no_STEM`."""
    output_sample_rate: int | Literal["source"] | None
    """Sample rate of the stems in Hz; `source` keeps the rate of the input, as far as the format supports it; by default the model's own rate."""
    clip: Literal["clamp", "none", "rescale", "rescale_each"]
    """What to do if stems would clip: `rescale` lowers all of them by the same gain, so that they still sum to the song; `rescale_each` lowers each by its own gain, as the demucs package does; `clamp` limits their samples; `none` leaves them as they are."""
    loudness: float | Literal["input"] | None
    """Give all stems one gain, so that they still sum: the one that brings the song to this loudness in LUFS (ITU-R BS.1770-4); or, with `input`, the one with which the stems that are written are together as loud as the song."""
    true_peak: float | None
    """The highest true peak of any stem, in dB below full scale (dBTP). If one were above it, all are lowered by the same gain."""
    overwrite: bool
    """Replace existing files; if false, an existing file is an error."""
    resume: bool
    """Skip files that an earlier job with `resume` has finished and that have not changed since."""
    progress: bool
    """Send `progress` lines."""
    report: bool
    """Also write `report.png` with waveforms and spectrograms of the mix and the stems."""
    report_html: bool
    """Also write `report.html`, a page that shows the same and plays the stems in step."""
    report_theme: Literal["dark", "light"] | None
    """Colours of `report.png`; default `light`."""
    report_scale: int | None
    """Size of `report.png`: 2 is twice as wide and high; default 1."""
    batch_size: int | None
    """Number of chunks that run through the network together."""
    precision: Literal["auto", "bf16", "fp16", "fp32"]
    """The precision in which the network computes. `auto` is the fastest on this device (shown by `ready`), but `fp32` if `quality` is `best`."""
    seed: int
    """Seed of the random shifts."""
    preview: Preview | None
    """Separate only an excerpt."""
    name_template: str | None
    """Template for file names, with `{track}`, `{stem}`, `{model}` and `{index}`; `/` makes folders."""
    channels: Literal["model", "source"]
    """`source` keeps the stems of a mono song mono, even if the model outputs two channels."""
    stream: bool | Streaming
    """Tell of stems while the job runs: a `streaming` line, then a `segment` line for each finished stretch. By default in WAV files that can be played while they grow."""
    start_at: float | None
    """With `stream`: begin at this second, go on to the end and then from the beginning. `seek` moves the work while it runs. The samples stay the same. Stretches then come in another order than in the song, at the model's sample rate."""
    share: SongShare | None
    """Separate only this part of the song, with the samples that it has when the whole is separated, into WAV files of 32-bit floats at the model's rate. So several workers can share a long song; `shares` joins what they write. Not for recipes, nor for models that go through a song from its start to its end."""
    shares: Sequence[Mapping[str, str]] | None
    """The `paths` of the `done` lines of all shares of the song, in order. Their samples become the stems that this request asks for; the networks do not run. With the same versions and devices everywhere, each file is the one that a single worker writes."""
    model_file_dir: str | None
    """VR and MDX: directory of the model's file; by default the models directory."""
    single_stem: str | None
    """Write only this stem."""
    invert_spect: bool
    """MDX: subtract the stem from the mix as a spectrogram instead of as a waveform."""
    vr_aggression: int
    """VR: how aggressively the primary stem is cut out; typically 5."""
    vr_enable_tta: bool
    """VR: run the network a second time with shifted windows; takes twice as long."""
    vr_high_end_process: bool
    """VR: mirror the network's frequency range into the range above it."""
    vr_post_process: bool
    """VR: in passages where nearly everything belongs to the primary stem, give it everything."""
    vr_post_process_threshold: float
    """VR: `vr_post_process` applies to passages in which the whole mask is above this value."""
    vr_window_size: int
    """VR: frames per window; 320 is slower and slightly better than 512."""
    mdx_segment_size: int
    """MDX: frames per segment."""
    mdx_overlap: float
    """MDX: overlap of adjacent chunks, as a fraction."""
    mdx_enable_denoise: bool
    """MDX: run the network twice so that its own noise cancels out; takes twice as long."""
    bigshifts: int
    """MDX and Demucs: average over so many separations whose chunks begin at different places."""
    pitch_shift: float
    """Let the network hear the song so many semitones higher (lower if negative) and so much faster; the stems are as before. For voices that are higher or lower than it knows. What is raised loses its highest frequencies: +12 leaves half the band."""
    primary_stem: str | None
    """For an unknown model file: the stem that its network outputs."""
    secondary_stem: str | None
    """For an unknown model file: the stem that remains when the primary one is removed."""
    vr_model_param: str | Mapping[str, Any] | None
    """For an unknown VR file: its band parameters, by name (`4band_v3`) or as an object."""
    nout: int | None
    """For an unknown VR 5.1 file: its number of output channels."""
    nout_lstm: int | None
    """For an unknown VR 5.1 file: the number of output channels of its LSTM."""
    mdx_n_fft_scale_set: int | None
    """For an unknown MDX file: its FFT size."""
    mdx_dim_f_set: int | None
    """For an unknown MDX file: its number of frequency bins."""
    mdx_dim_t_set: int | None
    """For an unknown MDX file: its number of frames, as an exponent of 2."""
    compensate: float | None
    """For an unknown MDX file: the gain of its stem before it is subtracted from the mix."""
    normalization: float
    """Highest peak of songs and stems; louder ones are lowered to it."""
    amplification: float
    """Lowest peak of songs and stems; quieter ones are raised to it."""
    custom_output_names: Mapping[str, str] | None
    """File names, by stem."""
    label: str | None
    """The end of the file names; by default made from the names of the models."""
    mdxc_segment_size: int
    """MDXC: frames per window, for short songs or with `mdxc_override_model_segment_size`."""
    mdxc_override_model_segment_size: bool
    """MDXC: use `mdxc_segment_size` for long songs as well, instead of the model's own."""
    mdxc_overlap: int | None
    """MDXC: number of windows that cover each sample; by default the model's own, or else 8."""
    mdxc_pitch_shift: int
    """MDXC: raise the pitch of the song by this many semitones for the network."""
    demucs_segment_s: float | None
    """Demucs: length of a segment in seconds; by default the model's own."""
    demucs_split: bool
    """Demucs: separate in segments; if false, the whole song at once, if possible."""
    demucs_shifts: int
    """Demucs: random time shifts to average over."""
    demucs_overlap: float
    """Demucs: overlap of adjacent segments, as a fraction."""
    ensemble: Sequence[str] | None
    """Several models of any kind, instead of `model`."""
    ensemble_preset: str | None
    """A named ensemble; it sets the models, unless the request names others."""
    ensemble_algorithm: (
        Literal[
            "avg_fft",
            "avg_wave",
            "ensemble_wav",
            "max_fft",
            "max_wave",
            "median_fft",
            "median_wave",
            "min_fft",
            "min_wave",
            "uvr_max_spec",
            "uvr_min_spec",
        ]
        | None
    )
    """How the results of several models are combined; by default as in `ensemble_preset`, or else `avg_wave`."""
    ensemble_weights: Sequence[float] | None
    """Weight of each model in an average."""


class DenoiseOptions(TypedDict, total=False):
    """What `denoise` takes."""

    strict: bool
    """Treat unknown fields as errors instead of warning about them."""
    debug: bool
    """Add a traceback to errors."""
    input: str | PipedInput | None
    """Audio file to separate, or samples that come through a pipe, which are separated while they come."""
    inputs: Sequence[str] | None
    """Several files and folders to separate: one `file_done` line for each file, then `done`."""
    output: str | None
    """File to write; its extension determines the format. By default, `TRACK_denoised.wav` next to the input."""
    output_dir: str | None
    """Directory for `TRACK_denoised.wav`, instead of `output`."""
    model: str | None
    """`envelope_matched`, the only method."""
    format: Literal["aiff", "flac", "m4a", "mka", "mp3", "ogg", "opus", "stem.m4a", "wav"]
    """File format of the stems. With `stem.m4a` (for four stems) and `mka`, one file holds the mix and all stems."""
    pcm_type: Literal["FLOAT", "PCM_16", "PCM_24", "PCM_32", "source"] | None
    """Sample type of the stems; `source` keeps the depth of the input, as far as the format supports it; default `PCM_16`. It makes `stem.m4a` lossless."""
    subtype: Literal["FLOAT", "PCM_16", "PCM_24", "PCM_32", "source"] | None
    """Another name for `pcm_type`."""
    bitrate: int | None
    """Bit rate of lossy formats, in kbit/s, for each track of a file. It makes `mka` lossy."""
    stems: Sequence[str] | None
    """Write only these stems."""
    two_stems: str | None
    """Write only this stem, and everything else as `no_STEM`."""
    output_sample_rate: int | Literal["source"] | None
    """Sample rate of the result in Hz; by default the input's."""
    clip: Literal["clamp", "none", "rescale", "rescale_each"]
    """What to do if stems would clip: `rescale` lowers all of them by the same gain, so that they still sum to the song; `rescale_each` lowers each by its own gain, as the demucs package does; `clamp` limits their samples; `none` leaves them as they are."""
    loudness: float | Literal["input"] | None
    """Give all stems one gain, so that they still sum: the one that brings the song to this loudness in LUFS (ITU-R BS.1770-4); or, with `input`, the one with which the stems that are written are together as loud as the song."""
    true_peak: float | None
    """The highest true peak of any stem, in dB below full scale (dBTP). If one were above it, all are lowered by the same gain."""
    overwrite: bool
    """Replace existing files; if false, an existing file is an error."""
    resume: bool
    """Skip files that an earlier job with `resume` has finished and that have not changed since."""
    progress: bool
    """Send `progress` lines."""
    report: bool
    """Also write `report.png` with waveforms and spectrograms of the mix and the stems."""
    report_html: bool
    """Also write `report.html`, a page that shows the same and plays the stems in step."""
    report_theme: Literal["dark", "light"] | None
    """Colours of `report.png`; default `light`."""
    report_scale: int | None
    """Size of `report.png`: 2 is twice as wide and high; default 1."""
    batch_size: int | None
    """Number of chunks that run through the network together."""
    precision: Literal["auto", "bf16", "fp16", "fp32"]
    """The precision in which the network computes. `auto` is the fastest on this device (shown by `ready`), but `fp32` if `quality` is `best`."""
    seed: int
    """Seed of the random shifts."""
    preview: Preview | None
    """Separate only an excerpt."""
    name_template: str | None
    """Template for file names, with `{track}`, `{stem}`, `{model}` and `{index}`; `/` makes folders."""
    channels: Literal["model", "source"]
    """`source` keeps the stems of a mono song mono, even if the model outputs two channels."""
    stream: bool | Streaming
    """Tell of stems while the job runs: a `streaming` line, then a `segment` line for each finished stretch. By default in WAV files that can be played while they grow."""
    start_at: float | None
    """With `stream`: begin at this second, go on to the end and then from the beginning. `seek` moves the work while it runs. The samples stay the same. Stretches then come in another order than in the song, at the model's sample rate."""
    share: SongShare | None
    """Separate only this part of the song, with the samples that it has when the whole is separated, into WAV files of 32-bit floats at the model's rate. So several workers can share a long song; `shares` joins what they write. Not for recipes, nor for models that go through a song from its start to its end."""
    shares: Sequence[Mapping[str, str]] | None
    """The `paths` of the `done` lines of all shares of the song, in order. Their samples become the stems that this request asks for; the networks do not run. With the same versions and devices everywhere, each file is the one that a single worker writes."""
    noise_profile: str | None
    """Audio file that contains only the noise, ideally two seconds of it or more."""
    noise_path: str | None
    """Another name for `noise_profile`."""
    mode: Literal["default", "drums", "slow"]
    """Preset for `release_time`: 0.1 s for voices and melodies, 0.3 s for `drums`, and 0.5 s (`slow`) for sustained sounds."""
    subtraction_factor: float
    """How much of the estimated noise is subtracted; 1 is all of it."""
    attack_time: float
    """How fast the noise estimate follows a rising level, in seconds."""
    release_time: float | None
    """How fast the noise estimate follows a falling level, in seconds; by default set by `mode`."""


class ListRecipesOptions(TypedDict, total=False):
    """What `list_recipes` takes."""

    strict: bool
    """Treat unknown fields as errors instead of warning about them."""
    debug: bool
    """Add a traceback to errors."""
    recipe: str | None
    """List only this recipe."""


class Loading(TypedDict):
    """The first line, before anything heavy is imported."""

    status: Literal["loading"]
    id: NotRequired[str | int | float]
    warnings: NotRequired[list[str]]
    message: str
    worker: str
    version: str
    pid: int


class Ready(TypedDict):
    """The worker is ready for commands."""

    status: Literal["ready"]
    id: NotRequired[str | int | float]
    warnings: NotRequired[list[str]]
    """Other devices that cannot be used, and what to do about it."""
    device: str
    """`cpu`, `cuda`, `cuda:N`, `xpu`, `xpu:N` or `mps`; of several devices the first."""
    devices: NotRequired[list[ReadyDevice]]
    """With the setting `devices`: those that work."""
    card: NotRequired[Card]
    precision: Literal["bf16", "fp16", "fp32"]
    """What `"precision":"auto"` of a request means here."""
    attention: NotRequired[str]
    """The kernel for attention in this precision: `flash`, `efficient`, `cudnn`, … or `math`, the slowest."""
    threads: int
    """Number of CPU threads in use: the one set for the worker, or else the number of physical cores."""
    cache_enabled: bool
    max_cached_models: int
    models_dir: str
    version: str
    protocol: int


class ReadyDevice(TypedDict):
    """A device that is ready."""

    device: str
    card: NotRequired[Card]
    precision: Literal["bf16", "fp16", "fp32"]
    threads: int
    attention: NotRequired[str]
    """The kernel for attention in this precision: `flash`, `efficient`, `cudnn`, … or `math`, the slowest."""


class Card(TypedDict):
    """The graphics card that computes."""

    name: str
    memory_mb: int
    capability: str | None
    """NVIDIA: the compute capability, such as `8.9`."""
    driver_cuda: str | None
    """NVIDIA: the version of CUDA that the driver knows."""
    driver: str | None
    """NVIDIA: the number of the driver, such as `580.65.06`."""
    uuid: str | None
    """NVIDIA: what `CUDA_VISIBLE_DEVICES` may call it, whatever its number."""
    build: str
    """The version of torch, which says what it was built for."""


class Shutdown(TypedDict):
    """The last line when the worker shuts down for another reason than `exit` or the end of its input."""

    status: Literal["shutdown"]
    id: NotRequired[str | int | float]
    warnings: NotRequired[list[str]]
    detail: str
    """`SIGTERM`, `SIGINT`, `SIGBREAK`, `SIGHUP`, `parent_died`, `output_closed` or `device_lost`."""
    reason: str


class Denoising(TypedDict):
    """The noise reduction of a file has begun."""

    status: Literal["denoising"]
    id: NotRequired[str | int | float]
    warnings: NotRequired[list[str]]
    input: str
    """File name without its folder."""


class Downloading(TypedDict):
    """How far the download of a model's file is."""

    status: Literal["downloading"]
    id: NotRequired[str | int | float]
    warnings: NotRequired[list[str]]
    model: str
    file: str
    percent: float
    received_bytes: int
    total_bytes: int | None
    eta: float | None
    connecting: NotRequired[str]
    """While its answer is awaited: the server that was asked."""


class FileDone(TypedDict):
    """One file of `inputs` has succeeded or failed."""

    status: Literal["file_done"]
    id: NotRequired[str | int | float]
    warnings: NotRequired[list[str]]
    input: str
    index: int
    """Index of the file, starting at 0."""
    ok: bool
    output_dir: NotRequired[str]
    files: NotRequired[list[str]]
    stems: NotRequired[list[str]]
    paths: NotRequired[dict[str, str]]
    error: NotRequired[dict[str, str]]
    skipped: NotRequired[bool]
    """With `resume`: the file was already done."""
    model: NotRequired[str]
    elapsed: NotRequired[float]
    """Seconds spent on this file in this run."""


class LoadingModel(TypedDict):
    """A model is being loaded."""

    status: Literal["loading_model"]
    id: NotRequired[str | int | float]
    warnings: NotRequired[list[str]]
    model: str


class PreloadingModel(TypedDict):
    """A model is being loaded without becoming the active one."""

    status: Literal["preloading_model"]
    id: NotRequired[str | int | float]
    warnings: NotRequired[list[str]]
    model: str


class Progress(TypedDict):
    """How far a job is."""

    status: Literal["progress"]
    id: NotRequired[str | int | float]
    warnings: NotRequired[list[str]]
    percent: float
    stage: str
    eta: float | None
    """Estimated seconds left."""
    index: NotRequired[int]
    """Many files or a batch: index of the current file or job, starting at 0."""
    count: NotRequired[int]
    """Number of files or jobs."""
    part_percent: NotRequired[float]
    """How far the current file or job is."""
    part_stage: NotRequired[str]
    """Stage of the current file or job."""


class Restoring(TypedDict):
    """The restoration of a file has begun."""

    status: Literal["restoring"]
    id: NotRequired[str | int | float]
    warnings: NotRequired[list[str]]
    input: str
    """File name without its folder."""


class Segment(TypedDict):
    """A stretch of all stems is finished, and can be read."""

    status: Literal["segment"]
    id: NotRequired[str | int | float]
    warnings: NotRequired[list[str]]
    start: int
    """Where it begins, in samples."""
    frames: int
    """Number of samples of each channel."""
    sample_rate: int
    stems: dict[str, str | None]
    """Each stem, and the file that grows."""


class Separating(TypedDict):
    """The separation of a file has begun."""

    status: Literal["separating"]
    id: NotRequired[str | int | float]
    warnings: NotRequired[list[str]]
    input: str
    """File name without its folder."""


class StreamBegun(TypedDict):
    """The stems of a file are about to be told in `segment` lines. If it comes again, they begin anew."""

    status: Literal["streaming"]
    id: NotRequired[str | int | float]
    warnings: NotRequired[list[str]]
    input: str
    """File name without its folder."""
    stems: dict[str, str | None]
    """Each stem, and the WAV file of 32-bit floats that grows while the job runs; null where samples go to a pipe. It has a temporary name, and in the end that of the stem, or none any more."""
    sample_rate: int
    channels: int
    frames: int | None
    """Number of samples that each channel will have; null where the end of a song is yet to come."""


class Pong(TypedDict):
    """The worker is alive."""

    status: Literal["pong"]
    id: NotRequired[str | int | float]
    warnings: NotRequired[list[str]]
    model_loaded: str | None
    separator_model: NotRequired[str | None]
    """dsu-audio-separator: the active model for `separate`."""
    apollo_model: NotRequired[str | None]
    """dsu-audio-separator: the active model for `apollo`."""


class ErrorReply(TypedDict):
    """A request failed. The worker can still be used, unless the code is `device_lost`."""

    status: Literal["error"]
    id: NotRequired[str | int | float]
    warnings: NotRequired[list[str]]
    message: str
    code: str
    hint: NotRequired[str]
    suggestions: NotRequired[list[str]]
    field: NotRequired[str]
    step: NotRequired[str]
    """The step of a recipe that failed."""
    traceback: NotRequired[str]


class Status(TypedDict):
    status: Literal["status"]
    id: NotRequired[str | int | float]
    warnings: NotRequired[list[str]]
    model_loaded: str | None
    device: str
    precision: Literal["bf16", "fp16", "fp32"]
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
    card: NotRequired[Card]
    attention: NotRequired[str]
    """The kernel for attention in this precision: `flash`, `efficient`, `cudnn`, … or `math`, the slowest."""
    devices: NotRequired[list[DeviceState]]
    """With the setting `devices`: each of them. The fields beside this one are their sums and unions."""
    limits: NotRequired[WorkerLimits]
    """What this worker accepts; settings change it."""


class Memory(TypedDict):
    rss_mb: float
    device_allocated_mb: float | None
    device_free_mb: float | None


class DeviceState(TypedDict):
    """One of several devices, and the process that works on it."""

    device: str
    pid: int | None
    ready: bool
    busy: bool
    restarts: int
    """How often its process was started again."""
    fault: NotRequired[str]
    """Why it is not ready."""
    model_loaded: str | None
    cached_models: list[str]
    memory: Memory | None
    card: NotRequired[Card]
    attention: NotRequired[str]
    """The kernel for attention in this precision: `flash`, `efficient`, `cudnn`, … or `math`, the slowest."""


class WorkerLimits(TypedDict):
    """How much a worker accepts: the settings of these names."""

    max_queued_jobs: int
    max_queued_bytes: int
    max_line_bytes: int
    max_model_bytes: int
    max_load_seconds: int
    max_download_bytes: int
    lowest_sample_rate: int


class CancelRequested(TypedDict):
    """Answers `cancel` itself; the cancelled job has a reply of its own."""

    status: Literal["cancel_requested"]
    id: NotRequired[str | int | float]
    warnings: NotRequired[list[str]]
    found: bool
    """Whether there was such a job."""


class SeekRequested(TypedDict):
    """Answers `seek` itself; the job goes on there as soon as the chunk that runs is done."""

    status: Literal["seek_requested"]
    id: NotRequired[str | int | float]
    warnings: NotRequired[list[str]]
    found: bool
    """Whether there was such a job."""


class Description(TypedDict):
    status: Literal["description"]
    id: NotRequired[str | int | float]
    warnings: NotRequired[list[str]]
    protocol: int
    worker: str
    version: str
    commands: dict[str, Any]
    """The request and response schemas of each command."""
    events: dict[str, Any]
    """The schema of each event, by its status."""
    definitions: dict[str, Any]
    """The types that the schemas refer to."""


class Diagnosis(TypedDict):
    """What the doctor has found."""

    status: Literal["diagnosis"]
    id: NotRequired[str | int | float]
    warnings: NotRequired[list[str]]
    healthy: bool
    """No problem was found; there may be warnings."""
    version: str
    system: str
    findings: list[MachineFinding]
    devices: list[DeviceFinding]
    elapsed: float


class MachineFinding(TypedDict):
    """What one check of the machine has found."""

    check: str
    state: Literal["good", "problem", "warning"]
    message: str
    hint: NotRequired[str]


class DeviceFinding(TypedDict):
    """What a device makes of small networks of every kind, beside the processor in single precision."""

    device: str
    card: NotRequired[Card]
    fault: NotRequired[str]
    """Why it cannot be used."""
    precision: NotRequired[Literal["bf16", "fp16", "fp32"]]
    """The fastest precision in which every network came out right."""
    precisions: dict[str, PrecisionFinding]
    spectrum_db: NotRequired[float | None]
    """How exactly a spectrum becomes the signal again."""
    attention: list[str]
    """The kernels for attention that run here."""
    mdx: NotRequired[str | None]
    """What onnxruntime computes MDX models with; null if it does not run."""
    free_mb: NotRequired[float]
    """Free memory, before the examination."""
    driver_needed: NotRequired[int | None]
    """NVIDIA: the oldest driver for which this build is made."""
    warnings: list[str]
    """What is not as it should be, but works."""
    speed: NotRequired[float | None]
    """Seconds of audio that a fixed network does in a second, to compare machines with."""
    memory_left_mb: NotRequired[float]
    """Memory that was not returned afterwards."""


class PrecisionFinding(TypedDict):
    """How a device computes in one precision."""

    lowest_db: float | None
    """How far the error lies below the output, of the network where it is largest; 200 is exact."""
    lowest_of: str
    """That network."""
    faults: dict[str, str]
    """The networks that do not compute as they should, and why."""


class CancelledReply(TypedDict):
    """A job was cancelled. It leaves no files except those of parts that were complete, which `results` lists."""

    status: Literal["cancelled"]
    id: NotRequired[str | int | float]
    warnings: NotRequired[list[str]]
    message: str
    results: NotRequired[list[dict[str, Any]]]
    """Many files or a batch: the replies of the parts that had ended."""


class Exiting(TypedDict):
    """The last line after `exit`."""

    status: Literal["exiting"]
    id: NotRequired[str | int | float]
    warnings: NotRequired[list[str]]


class Models(TypedDict):
    status: Literal["models"]
    id: NotRequired[str | int | float]
    warnings: NotRequired[list[str]]
    models: list[str]
    details: NotRequired[list[ModelDetails]]


class ModelDetails(TypedDict):
    name: str
    type: str
    stems: list[str]
    description: str
    installed: bool
    size_bytes: int | None
    sdr: dict[str, float] | None
    license: str | None
    networks: NotRequired[int]
    """Bags of Demucs networks: how many there are."""
    members: NotRequired[list[str]]
    """Public bags: the signatures of their networks."""
    aliases: NotRequired[list[str]]
    """Other names that mean this model."""
    hash: Literal["known", "none", "remembered"]
    """What the model's checkpoints are compared with: `known`, the SHA-256 that DSU comes with; `remembered`, that of the first download; `none`, nothing."""
    purposes: NotRequired[
        list[
            Literal[
                "anything",
                "bass",
                "bleed",
                "breath",
                "center",
                "crowd",
                "denoise",
                "dereverb",
                "drumkit",
                "drums",
                "film",
                "guitar",
                "instrumental",
                "instruments",
                "karaoke",
                "piano",
                "restore",
                "speech",
                "stems",
                "vocals",
                "voices",
            ]
        ]
    ]
    """What it is good for."""
    recommended: NotRequired[dict[str, Literal["best", "fast", "good"]]]
    """What it is recommended for, and how much that asks of the machine."""
    speed: NotRequired[Literal["fast", "medium", "slow"]]
    """How long it takes, estimated by its kind and its size."""
    author: NotRequired[str]
    year: NotRequired[int]
    """Of its publication."""
    commercial_use: NotRequired[bool | None]
    """Whether its licence allows commercial use; null if that is unknown."""
    license_source: NotRequired[str]
    """Who states the licence."""
    sdr_on: NotRequired[Literal["author", "musdb18", "musdb18_median", "mvsep", "other", "unstated"]]
    """What the SDR was measured on."""
    sdr_source: NotRequired[str]
    """Who publishes the SDR."""
    bleedless: NotRequired[dict[str, float]]
    """Published scores; more is less bleed."""
    fullness: NotRequired[dict[str, float]]
    """Published scores; more is fuller."""
    bleedless_source: NotRequired[str]
    """Who publishes these two."""
    downloadable: NotRequired[bool]
    """Whether `download_model` can fetch it: whether addresses of all files are known."""
    notes: NotRequired[list[str]]


class ModelLoaded(TypedDict):
    status: Literal["model_loaded"]
    id: NotRequired[str | int | float]
    warnings: NotRequired[list[str]]
    model: str
    stems: list[str]
    cached: bool
    elapsed: float


class ModelPreloaded(TypedDict):
    status: Literal["model_preloaded"]
    id: NotRequired[str | int | float]
    warnings: NotRequired[list[str]]
    model: str
    stems: list[str]
    already_cached: bool
    cached_count: int


class ModelDownloaded(TypedDict):
    """A model was downloaded. `path`, `size_bytes` and `sha256` are those of the first file; `files` lists all."""

    status: Literal["model_downloaded"]
    id: NotRequired[str | int | float]
    warnings: NotRequired[list[str]]
    model: str
    path: str
    size_bytes: int
    sha256: str
    files: list[str]


class Done(TypedDict):
    """A separation succeeded. `warnings` is always present."""

    status: Literal["done"]
    id: NotRequired[str | int | float]
    warnings: list[str]
    elapsed: float
    """Seconds spent on the separation itself."""
    output_dir: str
    files: list[str]
    """File names in `output_dir`."""
    stems: list[str]
    paths: dict[str, str]
    """Absolute path of each stem."""
    duration: float
    """Length of the audio in seconds."""
    speed: float
    """Speed as a multiple of real time."""
    sample_rate: int
    model: str
    device: str
    model_from_cache: bool
    timing: Timing
    gain: float
    """Gain that was applied to all stems, for `loudness` or against clipping; 1 if none was needed."""
    settings: dict[str, Any]
    """Settings that were used, such as shifts and overlap."""
    report: NotRequired[str]
    """Absolute path of `report.png`, if it was requested."""
    report_html: NotRequired[str]
    """Absolute path of `report.html`, if it was requested."""
    skipped: NotRequired[bool]
    """With `resume`: the file was already done, and the other fields are those of that job."""


class Timing(TypedDict):
    """Seconds spent on each step."""

    load: float
    decode: float
    infer: float
    encode: float
    survey: NotRequired[float]
    """VR models and `denoise`: a pass over the song that finds its loudest bin, or how its level changes."""


class ManyDone(TypedDict):
    """A request with `inputs` ended, and at least one file succeeded."""

    status: Literal["done"]
    id: NotRequired[str | int | float]
    warnings: NotRequired[list[str]]
    elapsed: float
    results: list[dict[str, Any]]
    """The `done` or `error` of each file, in order."""
    succeeded: int
    failed: int
    skipped: int
    """How many of the files that succeeded were already done."""
    files: list[str]
    """Absolute paths of all stems."""


class CachedModels(TypedDict):
    status: Literal["cached_models"]
    id: NotRequired[str | int | float]
    warnings: NotRequired[list[str]]
    models: list[CachedModel]
    count: int
    max: int


class CachedModel(TypedDict):
    identifier: str
    name: str
    stems: list[str]
    active: bool
    size_mb: float
    device: NotRequired[str]
    """With the setting `devices`: where it is loaded."""


class CacheCleared(TypedDict):
    status: Literal["cache_cleared"]
    id: NotRequired[str | int | float]
    warnings: NotRequired[list[str]]
    models_cleared: int


class CacheSizeUpdated(TypedDict):
    status: Literal["cache_size_updated"]
    id: NotRequired[str | int | float]
    warnings: NotRequired[list[str]]
    max_cached_models: int
    cache_enabled: bool


class StorageConfigured(TypedDict):
    status: Literal["storage_configured"]
    id: NotRequired[str | int | float]
    warnings: NotRequired[list[str]]
    type: str
    mmap_enabled: bool
    mmap_supported: bool


class BatchDone(TypedDict):
    """Every job of a batch succeeded."""

    status: Literal["done"]
    id: NotRequired[str | int | float]
    warnings: NotRequired[list[str]]
    results: list[dict[str, Any]]
    message: str
    elapsed: float


class BatchFailed(TypedDict):
    """A job of a batch failed. `results` holds the replies up to then."""

    status: Literal["error"]
    id: NotRequired[str | int | float]
    warnings: NotRequired[list[str]]
    results: list[dict[str, Any]]
    message: str
    code: str
    elapsed: float


class Restored(TypedDict):
    """A restoration succeeded. `files` holds absolute paths."""

    status: Literal["done"]
    id: NotRequired[str | int | float]
    warnings: list[str]
    elapsed: float
    """Seconds spent on the separation itself."""
    output_dir: str
    files: list[str]
    """File names in `output_dir`."""
    stems: list[str]
    paths: dict[str, str]
    """Absolute path of each stem."""
    duration: float
    """Length of the audio in seconds."""
    speed: float
    """Speed as a multiple of real time."""
    sample_rate: int
    model: str
    device: str
    model_from_cache: bool
    timing: Timing
    gain: float
    """Gain that was applied to all stems, for `loudness` or against clipping; 1 if none was needed."""
    settings: dict[str, Any]
    """Settings that were used, such as shifts and overlap."""
    report: NotRequired[str]
    """Absolute path of `report.png`, if it was requested."""
    report_html: NotRequired[str]
    """Absolute path of `report.html`, if it was requested."""
    skipped: NotRequired[bool]
    """With `resume`: the file was already done, and the other fields are those of that job."""
    cached: bool
    """Whether the network was already loaded."""


class ApolloLoaded(TypedDict):
    status: Literal["model_loaded"]
    id: NotRequired[str | int | float]
    warnings: NotRequired[list[str]]
    model: str
    stems: list[str]
    cached: bool
    elapsed: float
    type: str
    feature_dim: int
    layer: int


class PackageModels(TypedDict):
    status: Literal["package_models"]
    id: NotRequired[str | int | float]
    warnings: NotRequired[list[str]]
    models: list[PackageModel]
    presets: dict[str, EnsemblePreset]


class PackageModel(TypedDict):
    """A model as the audio-separator package lists it."""

    file: str
    kind: Literal["Demucs", "MDX", "MDXC", "VR"]
    """What the package calls the type of its network."""
    name: str
    config: str | None
    """The file that describes its network."""
    stems: list[str]
    instruments: list[str]
    """The stems as they appear in file names, if its configuration here has other names."""
    target_stem: str | None
    """The stem that it was made for."""
    sdr: dict[str, float]
    """Median SDR of each stem, in dB."""


class EnsemblePreset(TypedDict):
    """An ensemble with a name."""

    name: str
    """Name for display."""
    description: str
    models: list[str]
    algorithm: Literal[
        "avg_fft",
        "avg_wave",
        "ensemble_wav",
        "max_fft",
        "max_wave",
        "median_fft",
        "median_wave",
        "min_fft",
        "min_wave",
        "uvr_max_spec",
        "uvr_min_spec",
    ]


class PackageModelLoaded(TypedDict):
    """A model was loaded for `package_separate`. `stems` are those of its files."""

    status: Literal["model_loaded"]
    id: NotRequired[str | int | float]
    warnings: NotRequired[list[str]]
    model: str
    stems: list[str]
    cached: bool
    elapsed: float
    kind: Literal["Demucs", "MDX", "MDXC", "VR"]


class AudioSepDone(TypedDict):
    """The sounds that a text describes were separated. Each stem is named after its text."""

    status: Literal["done"]
    id: NotRequired[str | int | float]
    warnings: list[str]
    elapsed: float
    """Seconds spent on the separation itself."""
    output_dir: str
    files: list[str]
    """Absolute paths."""
    stems: list[str]
    paths: dict[str, str]
    """Absolute path of each stem."""
    duration: float
    """Length of the audio in seconds."""
    speed: float
    """Speed as a multiple of real time."""
    sample_rate: int
    model: str
    device: str
    model_from_cache: bool
    timing: Timing
    gain: float
    """Gain that was applied to all stems, for `loudness` or against clipping; 1 if none was needed."""
    settings: dict[str, Any]
    """Settings that were used, such as shifts and overlap."""
    report: NotRequired[str]
    """Absolute path of `report.png`, if it was requested."""
    report_html: NotRequired[str]
    """Absolute path of `report.html`, if it was requested."""
    skipped: NotRequired[bool]
    """With `resume`: the file was already done, and the other fields are those of that job."""


class Denoised(TypedDict):
    """Noise was reduced. `files` holds absolute paths."""

    status: Literal["done"]
    id: NotRequired[str | int | float]
    warnings: list[str]
    elapsed: float
    """Seconds spent on the separation itself."""
    output_dir: str
    files: list[str]
    """File names in `output_dir`."""
    stems: list[str]
    paths: dict[str, str]
    """Absolute path of each stem."""
    duration: float
    """Length of the audio in seconds."""
    speed: float
    """Speed as a multiple of real time."""
    sample_rate: int
    model: str
    device: str
    model_from_cache: bool
    timing: Timing
    gain: float
    """Gain that was applied to all stems, for `loudness` or against clipping; 1 if none was needed."""
    settings: dict[str, Any]
    """Settings that were used, such as shifts and overlap."""
    report: NotRequired[str]
    """Absolute path of `report.png`, if it was requested."""
    report_html: NotRequired[str]
    """Absolute path of `report.html`, if it was requested."""
    skipped: NotRequired[bool]
    """With `resume`: the file was already done, and the other fields are those of that job."""


class Recipes(TypedDict):
    status: Literal["recipes"]
    id: NotRequired[str | int | float]
    warnings: NotRequired[list[str]]
    recipes: list[RecipeDetails]


class RecipeDetails(TypedDict):
    """A recipe for `separate`."""

    name: str
    description: str
    steps: list[str]
    """The names of its steps, each after those whose stems it needs."""
    stems: list[str]
    """What it writes."""
    models: list[RecipeModel]
    installed: bool
    """Whether all of its models are."""
    commercial: bool
    """Whether the licences of all of its models allow commercial use."""


class RecipeModel(TypedDict):
    """A model as a recipe uses it."""

    model: str
    installed: bool
    size_bytes: int | None
    license: str | None


Line: TypeAlias = (
    Loading
    | Ready
    | Shutdown
    | Denoising
    | Downloading
    | FileDone
    | LoadingModel
    | PreloadingModel
    | Progress
    | Restoring
    | Segment
    | Separating
    | StreamBegun
    | Pong
    | ErrorReply
    | Status
    | CancelRequested
    | SeekRequested
    | Description
    | Diagnosis
    | CancelledReply
    | Exiting
    | Models
    | ModelLoaded
    | ModelPreloaded
    | ModelDownloaded
    | Done
    | ManyDone
    | CachedModels
    | CacheCleared
    | CacheSizeUpdated
    | StorageConfigured
    | BatchDone
    | BatchFailed
    | Restored
    | ApolloLoaded
    | PackageModels
    | PackageModelLoaded
    | AudioSepDone
    | Denoised
    | Recipes
)
