"""The requests that clients may send, as frozen types. JSON Schemas, docs/protocol.md and the clients' types come from these.

The description of a field appears in the documentation, so it is written for the authors of clients. Where one setting
has two names (`output`, `output_dir`), both are fields, and a property gives the one value that engines use. Engines
never see JSON, only these types.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated, Any, ClassVar, Literal, cast, get_args

import msgspec
from msgspec import Meta

from utils.core import catalogue
from utils.core.catalogue import DEFAULT_FOLDER, DEFAULT_QUERY, RESIDUAL
from utils.core.errors import InvalidRequest, UnsupportedFormat
from utils.core.fields import BY_COMMAS
from utils.core.peaks import Loudness, PeakRange
from utils.core.settings import Arithmetic

RequestId = str | int | float
AudioFormat = Literal["wav", "flac", "mp3", "ogg", "opus", "aiff", "m4a", "stem.m4a", "mka"]
SampleType = Literal["PCM_16", "PCM_24", "PCM_32", "FLOAT"]
AskedSampleType = Literal["PCM_16", "PCM_24", "PCM_32", "FLOAT", "source"]
ClipMode = Literal["rescale", "rescale_each", "clamp", "none"]
OtherMethod = Literal["add", "minus", "none"]
Precision = Literal["auto", Arithmetic]
Theme = Literal["light", "dark"]

FeatureDim = (
    Annotated[
        int,
        Meta(
            ge=1, description="Feature dimension of the network; by default read from its configuration or checkpoint."
        ),
    ]
    | None
)
Layers = (
    Annotated[
        int,
        Meta(
            ge=1, description="Number of layers of the network; by default read from its configuration or checkpoint."
        ),
    ]
    | None
)
ModelFileDir = Annotated[str | None, Meta(description="Directory of the model file; by default the models directory.")]
EnsembleType = Literal["avg_wave", "median_wave", "min_wave", "max_wave", "avg_fft", "median_fft", "min_fft", "max_fft"]
Quality = Literal["fast", "balanced", "best"]

# A network of the client's own.
ModelPath = Annotated[str | None, Meta(description="Checkpoint of your own network, instead of `model`.")]
ConfigPath = Annotated[str | None, Meta(description="YAML configuration of the network in `model_path`.")]
ModelType = Annotated[
    str | None,
    Meta(description="Type of the network in `model_path`; detected automatically by default."),
]

# What makes separations better, for more work.
BigShifts = Annotated[
    int,
    Meta(
        ge=1,
        le=32,
        description="Average over so many separations whose chunks begin at different places, evenly spaced; takes so many times as long.",
    ),
]
PitchShift = Annotated[
    float,
    Meta(
        ge=-12,
        le=12,
        description="Let the network hear the song so many semitones higher (lower if negative) and so much faster; the stems are as before. For voices that are higher or lower than it knows. What is raised loses its highest frequencies: +12 leaves half the band.",
    ),
]

# The files of an AudioSep model. Each is looked for in the models directory unless it is given.
AudioSepConfigPath = Annotated[
    str | None, Meta(description="YAML configuration of the separation network; by default the public model's.")
]
CheckpointPath = Annotated[
    str | None,
    Meta(description="Checkpoint of the separation network; by default the model's file in the models directory."),
]
ClapCheckpointPath = Annotated[
    str | None,
    Meta(description="CLAP checkpoint, for its text encoder; by default the one in the models directory."),
]
RobertaDir = Annotated[
    str | None,
    Meta(description="Folder with the vocabulary of roberta-base; by default the one in the models directory."),
]

# The formats of which one file holds the mix and all stems, each in a track of its own. They can be lossy or lossless.
JOINT_FORMATS: frozenset[AudioFormat] = frozenset({"stem.m4a", "mka"})

# How fast the noise estimate of `denoise` follows a falling level, by mode.
RELEASE_S = {"default": 0.1, "drums": 0.3, "slow": 0.5}

# The shortest length, instead of "more than 0": msgspec would check that against the smallest float, which counts as
# zero once torch flushes denormals.
SHORTEST_S = 0.001


def format_of(file: str) -> AudioFormat | None:
    """The format that the extension of a file's name stands for, if any."""
    suffixes = PurePath(file).suffixes
    for extension in ("".join(suffixes[-2:]), "".join(suffixes[-1:])):
        named = extension[1:].lower()
        named = catalogue.EXTENSION_ALIASES.get(named, named)
        if named in get_args(AudioFormat):
            return cast(AudioFormat, named)
    return None


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that every command understands."""

    id: Annotated[
        RequestId | None,
        Meta(description="Repeated in every line that answers this request; without it, those lines have no `id`."),
    ] = None
    strict: Annotated[bool, Meta(description="Treat unknown fields as errors instead of warning about them.")] = False
    debug: Annotated[bool, Meta(description="Add a traceback to errors.")] = False


# Control commands: answered at once, even while a job runs ---------------------------------------------------------


class Ping(Request, frozen=True, kw_only=True, tag_field="cmd", tag="ping"):
    """Check that the worker is alive, and which model is active."""


class GetStatus(Request, frozen=True, kw_only=True, tag_field="cmd", tag="get_status"):
    """Report the device, queue, cache, memory and counters."""


class ListModels(Request, frozen=True, kw_only=True, tag_field="cmd", tag="list_models"):
    """List the models that this worker knows or finds."""

    details: Annotated[bool, Meta(description="Also describe each model.")] = False
    model: Annotated[
        str | None, Meta(description="List only this model; the signature of a network in a bag works too.")
    ] = None
    purpose: Annotated[
        catalogue.Purpose | None,
        Meta(description="Only models that are good for this, those with the best published scores first."),
    ] = None
    installed: Annotated[bool | None, Meta(description="Only models that are installed, or only the others.")] = None
    commercial_use: Annotated[bool, Meta(description="Only models whose licence is known to allow commercial use.")] = (
        False
    )
    speed: Annotated[catalogue.Speed | None, Meta(description="Only models that are at least as fast as this.")] = None
    max_size_bytes: (
        Annotated[int, Meta(ge=1, description="Only models whose files are known to be no larger than this together.")]
        | None
    ) = None


class DemucsListModels(ListModels, frozen=True, kw_only=True, tag_field="cmd", tag="list_models"):
    """List the models that this worker knows or finds."""

    repo: Annotated[str | None, Meta(description="Folder of local models to list as well.")] = None


class ListCached(Request, frozen=True, kw_only=True, tag_field="cmd", tag="list_cached"):
    """List the loaded models."""


class ClearCache(Request, frozen=True, kw_only=True, tag_field="cmd", tag="clear_cache"):
    """Unload all models. A running job keeps its model until it ends."""


class SetCacheSize(Request, frozen=True, kw_only=True, tag_field="cmd", tag="set_cache_size"):
    """Set how many models stay loaded. 0 turns the cache off."""

    n: Annotated[int, Meta(ge=0, description="Number of models.")] | None = None
    max_cached_models: Annotated[int, Meta(ge=0, description="Another name for `n`.")] | None = None

    @property
    def size(self) -> int:
        size = self.n if self.n is not None else self.max_cached_models
        if size is None:
            raise InvalidRequest("`set_cache_size` needs the number of models in `n`.", field="n")
        return size


class SetStorageType(Request, frozen=True, kw_only=True, tag_field="cmd", tag="set_storage_type"):
    """Set the kind of disk that holds the models: checkpoints on an `ssd` are memory-mapped, on an `hdd` read as a whole."""

    type: Annotated[Literal["ssd", "hdd"], Meta(description="Kind of disk.")]


class Cancel(Request, frozen=True, kw_only=True, tag_field="cmd", tag="cancel"):
    """Cancel the running job or, with `id`, the running or queued job with that id."""


class Seek(Request, frozen=True, kw_only=True, tag_field="cmd", tag="seek"):
    """Let a job that was sent with `start_at` go on at another place of its song."""

    job: Annotated[
        RequestId | None,
        Meta(description="Its id. By default the job with the `id` of this request, or else the running one."),
    ] = None

    position: Annotated[float, Meta(ge=0, description="Where the listener is, in seconds.")]


class Describe(Request, frozen=True, kw_only=True, tag_field="cmd", tag="describe"):
    """Return the protocol of this worker as JSON Schemas."""


class Exit(Request, frozen=True, kw_only=True, tag_field="cmd", tag="exit"):
    """Shut the worker down once all jobs sent before this command have ended."""

    force: Annotated[bool, Meta(description="Cancel all running and queued jobs first.")] = False


# Jobs: one at a time, in the order sent ---------------------------------------------------------------------------


class Doctor(Request, frozen=True, kw_only=True, tag_field="cmd", tag="doctor"):
    """Examine this machine: its disks, codecs and limits, and how each device computes, in a child process.

    What was found best for a graphics card is remembered, and is what `auto` precision means from the next start on.
    """

    device: Annotated[
        str | None, Meta(description="Examine only this device: `cpu`, `cuda`, `cuda:N`, …; by default all.")
    ] = None
    progress: Annotated[bool, Meta(description="Send `progress` lines.")] = True


class LoadModel(Request, frozen=True, kw_only=True, tag_field="cmd", tag="load_model"):
    """Load a model and make it the active one."""

    model: Annotated[str | None, Meta(description="Name of the model; by default the worker's default model.")] = None


class DemucsLoad(LoadModel, frozen=True, kw_only=True, tag_field="cmd", tag="load_model"):
    """Load a model and make it the active one."""

    repo: Annotated[str | None, Meta(description="Folder of local models.")] = None


class DemucsPreload(DemucsLoad, frozen=True, kw_only=True, tag_field="cmd", tag="preload_model"):
    """Load a model without making it the active one."""


class NetworkLoad(LoadModel, frozen=True, kw_only=True, tag_field="cmd", tag="load_model"):
    """Load a model and make it the active one."""

    model: Annotated[str | None, Meta(description="Name of the model; by default the one loaded last.")] = None
    model_path: ModelPath = None
    config_path: ConfigPath = None
    model_type: ModelType = None


class NetworkPreload(NetworkLoad, frozen=True, kw_only=True, tag_field="cmd", tag="preload_model"):
    """Load a model without making it the active one."""


class DownloadModel(Request, frozen=True, kw_only=True, tag_field="cmd", tag="download_model"):
    """Download a model's files into the models directory and check their size and SHA-256."""

    model: Annotated[str, Meta(description="Name of the model.")]


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """An excerpt of the input, in seconds."""

    start: Annotated[float, Meta(ge=0, description="Where the excerpt begins.")] = 0.0
    duration: Annotated[float, Meta(ge=SHORTEST_S, description="Length of the excerpt.")] = 30.0


class PipedInput(msgspec.Struct, frozen=True, kw_only=True):
    """Samples that come through a pipe instead of a file. docs/live.md says how they are written."""

    pipe: Annotated[
        int | str,
        Meta(
            description="The number of a descriptor that the worker inherited, the path of a FIFO or of a Unix socket that listens, or the name of a named pipe of Windows."
        ),
    ]
    sample_rate: Annotated[int, Meta(ge=1000, le=768000, description="Sample rate in Hz.")]
    channels: Annotated[int, Meta(ge=1, le=8, description="Number of channels.")]
    frames: (
        Annotated[int, Meta(ge=1, description="Number of samples of each channel, where it is known beforehand.")]
        | None
    ) = None
    name: Annotated[str, Meta(min_length=1, max_length=200, description="What the results are named after.")] = "pipe"
    statistics_s: Annotated[
        float,
        Meta(
            gt=0,
            le=60,
            description="Models that scale a song by its loudness take that of its first seconds, so many, and wait for them.",
        ),
    ] = 10.0
    record_first: Annotated[
        bool,
        Meta(
            description="Separate only when the whole song has come, in exactly the same way as a file. Some models always do."
        ),
    ] = False
    wait_s: Annotated[
        float, Meta(ge=0, le=3600, description="How long to wait until somebody opens the other end of the pipe.")
    ] = 30.0


class Streaming(msgspec.Struct, frozen=True, kw_only=True):
    """How stems are told and given while a job runs."""

    every_s: Annotated[
        float,
        Meta(ge=0, le=3600, description="A `segment` line tells of at least so many seconds, but for the last one."),
    ] = 1.0
    pipe: Annotated[
        int | str | None,
        Meta(
            description="Write the samples to this pipe, instead of letting files grow: the number of a descriptor that the worker inherited, the path of a FIFO or of a Unix socket that listens, or the name of a named pipe of Windows. docs/live.md says what comes through it."
        ),
    ] = None
    wait_s: Annotated[
        float, Meta(ge=0, le=3600, description="How long to wait until somebody opens the other end of the pipe.")
    ] = 30.0
    files: Annotated[
        bool, Meta(description="Also write the files of the stems; without them, nothing is written to the disk.")
    ] = True


class SongShare(msgspec.Struct, frozen=True, kw_only=True):
    """One of the equal parts of a song that several workers separate together."""

    number: Annotated[int, Meta(ge=1, le=1000, description="Which of them; the first is 1.")]
    of: Annotated[int, Meta(ge=1, le=1000, description="How many there are.")]


class Separate(Request, frozen=True, kw_only=True, tag_field="cmd", tag="separate"):
    """Separate one file (`input`) or many (`inputs`). These fields are the same for every worker."""

    template: ClassVar[str] = catalogue.TRACK_STEM  # the default of `name_template`

    input: Annotated[
        str | PipedInput | None,
        Meta(
            description="Audio file to separate, or samples that come through a pipe, which are separated while they come."
        ),
    ] = None
    inputs: Annotated[
        list[str] | None,
        Meta(description="Several files and folders to separate: one `file_done` line for each file, then `done`."),
    ] = None
    output: Annotated[
        str | None,
        Meta(description="Directory for the results; by default `output` in the worker's working directory."),
    ] = None
    output_dir: Annotated[str | None, Meta(description="Another name for `output`.")] = None
    model: Annotated[str | None, Meta(description="Name of the model; by default the worker's default model.")] = None
    format: Annotated[
        AudioFormat,
        Meta(
            description="File format of the stems. With `stem.m4a` (for four stems) and `mka`, one file holds the mix and all stems."
        ),
    ] = "wav"
    pcm_type: Annotated[
        AskedSampleType | None,
        Meta(
            description="Sample type of the stems; `source` keeps the depth of the input, as far as the format supports it; default `PCM_16`. It makes `stem.m4a` lossless."
        ),
    ] = None
    subtype: Annotated[AskedSampleType | None, Meta(description="Another name for `pcm_type`.")] = None
    bitrate: (
        Annotated[
            int,
            Meta(
                ge=8,
                le=640,
                description="Bit rate of lossy formats, in kbit/s, for each track of a file. It makes `mka` lossy.",
            ),
        ]
        | None
    ) = None
    stems: Annotated[list[str] | None, Meta(description="Write only these stems.", extra=BY_COMMAS)] = None
    two_stems: Annotated[str | None, Meta(description="Write only this stem, and everything else as `no_STEM`.")] = None
    output_sample_rate: Annotated[
        Annotated[int, Meta(ge=8000, le=384000)] | Literal["source"] | None,
        Meta(
            description="Sample rate of the stems in Hz; `source` keeps the rate of the input, as far as the format supports it; by default the model's own rate."
        ),
    ] = None
    clip: Annotated[
        ClipMode,
        Meta(
            description="What to do if stems would clip: `rescale` lowers all of them by the same gain, so that they still sum to the song; `rescale_each` lowers each by its own gain, as the demucs package does; `clamp` limits their samples; `none` leaves them as they are."
        ),
    ] = "rescale"
    loudness: Annotated[
        Annotated[float, Meta(ge=-60, le=0)] | Literal["input"] | None,
        Meta(
            description="Give all stems one gain, so that they still sum: the one that brings the song to this loudness in LUFS (ITU-R BS.1770-4); or, with `input`, the one with which the stems that are written are together as loud as the song."
        ),
    ] = None
    true_peak: (
        Annotated[
            float,
            Meta(
                ge=-40,
                le=0,
                description="The highest true peak of any stem, in dB below full scale (dBTP). If one were above it, all are lowered by the same gain.",
            ),
        ]
        | None
    ) = None
    overwrite: Annotated[bool, Meta(description="Replace existing files; if false, an existing file is an error.")] = (
        True
    )
    resume: Annotated[
        bool,
        Meta(description="Skip files that an earlier job with `resume` has finished and that have not changed since."),
    ] = False
    progress: Annotated[bool, Meta(description="Send `progress` lines.")] = True
    report: Annotated[
        bool, Meta(description="Also write `report.png` with waveforms and spectrograms of the mix and the stems.")
    ] = False
    report_html: Annotated[
        bool, Meta(description="Also write `report.html`, a page that shows the same and plays the stems in step.")
    ] = False
    report_theme: Annotated[Theme | None, Meta(description="Colours of `report.png`; default `light`.")] = None
    report_scale: (
        Annotated[int, Meta(ge=1, le=3, description="Size of `report.png`: 2 is twice as wide and high; default 1.")]
        | None
    ) = None
    batch_size: (
        Annotated[int, Meta(ge=1, le=256, description="Number of chunks that run through the network together.")] | None
    ) = None
    precision: Annotated[
        Precision,
        Meta(
            description="The precision in which the network computes. `auto` is the fastest on this device (shown by "
            "`ready`), but `fp32` if `quality` is `best`."
        ),
    ] = "auto"
    seed: Annotated[int, Meta(ge=0, description="Seed of the random shifts.")] = 0
    preview: Annotated[Preview | None, Meta(description="Separate only an excerpt.")] = None
    name_template: Annotated[
        str | None,
        Meta(
            description="Template for file names, with `{track}`, `{stem}`, `{model}` and `{index}`; `/` makes folders."
        ),
    ] = None
    channels: Annotated[
        Literal["model", "source"],
        Meta(description="`source` keeps the stems of a mono song mono, even if the model outputs two channels."),
    ] = "model"
    stream: Annotated[
        bool | Streaming,
        Meta(
            description="Tell of stems while the job runs: a `streaming` line, then a `segment` line for each finished stretch. By default in WAV files that can be played while they grow."
        ),
    ] = False
    start_at: (
        Annotated[
            float,
            Meta(
                ge=0,
                description="With `stream`: begin at this second, go on to the end and then from the beginning. `seek` moves the work while it runs. The samples stay the same. Stretches then come in another order than in the song, at the model's sample rate.",
            ),
        ]
        | None
    ) = None
    share: Annotated[
        SongShare | None,
        Meta(
            description="Separate only this part of the song, with the samples that it has when the whole is separated, into WAV files of 32-bit floats at the model's rate. So several workers can share a long song; `shares` joins what they write. Not for recipes, nor for models that go through a song from its start to its end."
        ),
    ] = None
    shares: (
        Annotated[
            list[dict[str, str]],
            Meta(
                min_length=1,
                max_length=1000,
                description="The `paths` of the `done` lines of all shares of the song, in order. Their samples become the stems that this request asks for; the networks do not run. With the same versions and devices everywhere, each file is the one that a single worker writes.",
            ),
        ]
        | None
    ) = None

    @property
    def input_path(self) -> str:
        """The file to separate; empty if there is none."""
        return self.input if isinstance(self.input, str) else ""

    @property
    def streaming(self) -> Streaming | None:
        """How stems are told while the job runs, if they are. Raises `InvalidRequest` where that cannot be."""
        if self.start_at is not None and not self.stream:
            raise InvalidRequest(
                "`start_at` is for those who listen while the job runs.", hint='Add "stream":true.', field="start_at"
            )
        if not isinstance(self.stream, Streaming):
            return Streaming() if self.stream else None
        if not self.stream.files:
            if self.stream.pipe is None:
                raise InvalidRequest(
                    "Without files the stems need another way out: name a pipe in `stream.pipe`.", field="stream.files"
                )
            for field in ("report", "report_html", "resume"):
                if getattr(self, field):
                    raise InvalidRequest(f"`{field}` needs the files of the stems.", field="stream.files")
        return self.stream

    def check_sharing(self) -> None:
        """Raise `InvalidRequest` where `share` or `shares` do not go with what else is asked."""
        if self.share is None and self.shares is None:
            return
        field = "shares" if self.share is None else "share"
        reasons = {
            "`share` makes one part, and `shares` joins them all": self.share is not None and self.shares is not None,
            "nobody can listen to a part": bool(self.stream),
            "each song has its own, and `inputs` names several": self.inputs is not None,
            "the song must be a file": isinstance(self.input, PipedInput),
            "the models of a recipe go through a song side by side": getattr(self, "recipe", None) is not None,
            "`output` names one file": self.file is not None,
            "the number of a part is at most that of all": self.share is not None and self.share.number > self.share.of,
        }
        for reason, is_so in reasons.items():
            if is_so:
                raise InvalidRequest(f"`{field}` cannot be used here: {reason}.", field=field)

    @property
    def folder(self) -> str:
        """The directory for the results."""
        return self.output or self.output_dir or DEFAULT_FOLDER

    @property
    def file(self) -> str | None:
        """The one file to write, of requests whose `output` is a file."""
        return None

    @property
    def audio_format(self) -> AudioFormat:
        """The format of the stems' files."""
        return self.format

    def sample_type_for(self, subtype: str) -> SampleType | None:
        """The type of the stems' samples, for an input whose samples are of this type, as libsndfile calls it.

        None where the request leaves it to the format to be lossy. Lossy formats ignore the type.
        """
        asked = self.pcm_type or self.subtype
        if self.audio_format in JOINT_FORMATS and asked in (None, "source"):
            prefers_lossy = asked is None and self.audio_format == "stem.m4a"
            if prefers_lossy or self.bitrate is not None:
                return None
        if asked != "source":
            return asked or "PCM_16"
        if subtype in ("FLOAT", "DOUBLE", "PCM_32", "ALAC_32"):
            deep: SampleType = "PCM_32" if subtype.endswith("32") else "FLOAT"
            return "PCM_24" if self.audio_format in ("flac", "stem.m4a") else deep
        return "PCM_24" if subtype.endswith(("24", "20")) else "PCM_16"

    @property
    def report_look(self) -> tuple[Theme, int]:
        """The theme and the scale of `report.png`. Raises `InvalidRequest` where there is none."""
        for field in ("report_theme", "report_scale"):
            if getattr(self, field) is not None and not self.report:
                raise InvalidRequest(
                    f"`{field}` is for the picture of a report, and none was asked for.",
                    hint='Add "report":true.',
                    field=field,
                )
        return self.report_theme or "light", self.report_scale or 1

    @property
    def level(self) -> PeakRange | None:
        """The level that each stem is brought to by a gain of its own, if any."""
        return None

    @property
    def asked_loudness(self) -> Loudness | None:
        """The loudness that all stems are brought to by one gain, if any. Raises `InvalidRequest` where there cannot be one."""
        if self.loudness is None and self.true_peak is None:
            return None
        field = "true_peak" if self.loudness is None else "loudness"
        reasons = {
            "each stem would get a gain of its own by `clip`": self.clip == "rescale_each",
            "this command brings each stem to a level of its own": self.level is not None,
            "listeners hear the samples before it is known": self.streaming is not None and not self.streaming.files,
        }
        for reason, is_so in reasons.items():
            if is_so:
                raise InvalidRequest(f"`{field}` gives all stems the same gain at the end, but {reason}.", field=field)
        return Loudness(self.loudness, self.true_peak)

    def track_name(self, name: str) -> str:
        """The name of an input as its results have it."""
        return name

    def template_of(self, stem: str | None) -> str:
        """The template for the name of a stem's file; None stands for any stem. Raises `InvalidRequest`."""
        del stem
        if self.audio_format not in JOINT_FORMATS:
            return self.name_template or self.template
        if self.name_template is None:  # without what names the stem, which is at the end
            return self.template[: self.template.index("{track}")] + "{track}"
        if "{stem}" in self.name_template:
            raise InvalidRequest(
                f"`name_template` has `{{stem}}` in it, but one file of the format `{self.audio_format}` holds all stems.",
                hint='Leave it out, as in "name_template":"{track}".',
                field="name_template",
            )
        return self.name_template

    @property
    def wanted_two_stems(self) -> str | None:
        """The stem to write with everything else as another one, if any."""
        return self.two_stems

    @property
    def wanted_stems(self) -> list[str] | None:
        """The stems to write, or None for all. Raises `InvalidRequest` where they are named in two ways."""
        return self.stems

    @property
    def model_key(self) -> str | None:
        """The same for requests that use the same model."""
        return self.model


class DemucsSeparate(Separate, frozen=True, kw_only=True, tag_field="cmd", tag="separate"):
    """Separate one file (`input`) or many (`inputs`) into `OUTPUT/MODEL/TRACK/STEM.wav`."""

    template = catalogue.MODEL_TRACK_STEM

    shifts: (
        Annotated[
            int,
            Meta(
                ge=0,
                le=100,
                description="Number of random time shifts to average over; default 1, or 0 for quantized bags.",
            ),
        ]
        | None
    ) = None
    overlap: Annotated[float, Meta(ge=0, lt=1, description="Overlap of adjacent segments, as a fraction.")] = 0.25
    segment: (
        Annotated[float, Meta(ge=SHORTEST_S, description="Length of a segment in seconds; by default the model's own.")]
        | None
    ) = None
    segments: Annotated[float, Meta(ge=SHORTEST_S, description="Another name for `segment`.")] | None = None
    jobs: Annotated[
        int, Meta(ge=0, description="On the CPU: number of segments that run in parallel, each in its own thread.")
    ] = 0
    repo: Annotated[
        str | None, Meta(description="Folder of local models: `.th` files, and `.yaml` files for bags.")
    ] = None
    split: Annotated[
        bool,
        Meta(
            description="Separate in segments; if false, the whole song at once, if the network and the memory allow it."
        ),
    ] = True
    bigshifts: BigShifts = 1
    pitch_shift: PitchShift = 0.0
    other_method: (
        Annotated[
            OtherMethod,
            Meta(
                description="How `two_stems` makes `no_STEM`: as the mix `minus` the stem, as the sum of the other stems (`add`), or not at all (`none`); default `add` in dsu-demucs, `minus` in dsu."
            ),
        ]
        | None
    ) = None
    rest_name: Annotated[
        str | None, Meta(description="Name of the stem that `two_stems` makes of everything else; default `no_STEM`.")
    ] = None

    @property
    def segment_s(self) -> float | None:
        return self.segment if self.segment is not None else self.segments


class NetworkMember(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Your own network as a member of an ensemble."""

    model_path: Annotated[str, Meta(description="Checkpoint of the network.")]
    config_path: Annotated[str, Meta(description="YAML configuration of the network.")]
    model_type: ModelType = None


class NetworkSeparate(Separate, frozen=True, kw_only=True, tag_field="cmd", tag="separate"):
    """Separate one file (`input`) or many (`inputs`) into `OUTPUT/TRACK/STEM.wav`."""

    model: Annotated[str | None, Meta(description="Name of the model; by default the one loaded last.")] = None
    model_path: ModelPath = None
    config_path: ConfigPath = None
    model_type: ModelType = None
    quality: Annotated[
        Quality | None,
        Meta(description="Preset for `overlap` and `use_tta`; either of them overrides it."),
    ] = None
    overlap: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=50,
                description="Number of windows that cover each sample; default 1, which is seamless, too.",
            ),
        ]
        | None
    ) = None
    num_overlap: Annotated[int, Meta(ge=1, le=50, description="Another name for `overlap`.")] | None = None
    chunk_seconds: (
        Annotated[
            float,
            Meta(
                ge=0.1,
                le=600,
                description="Length of a window in seconds; by default set by the model's configuration.",
            ),
        ]
        | None
    ) = None
    use_fast: Annotated[bool, Meta(description="Accepted for compatibility; has no effect.")] = True
    use_tta: Annotated[
        bool | None,
        Meta(
            description="Average with separations of swapped channels and of inverted polarity; takes 3 times as long."
        ),
    ] = None
    bigshifts: BigShifts = 1
    pitch_shift: PitchShift = 0.0
    extract_instrumental: Annotated[bool, Meta(description="Also write `instrumental`: the mix minus the vocals.")] = (
        False
    )
    ensemble: (
        Annotated[
            list[str | NetworkMember],
            Meta(
                min_length=2,
                max_length=16,
                description="Several networks instead of `model`, given by name or by their files.",
                extra=BY_COMMAS,
            ),
        ]
        | None
    ) = None
    ensemble_type: Annotated[
        EnsembleType, Meta(description="How the members' results are combined, as waveforms or as spectrograms.")
    ] = "avg_wave"
    ensemble_weights: Annotated[
        list[Annotated[float, Meta(ge=0)]] | None,
        Meta(description="Weight of each member in an average.", extra=BY_COMMAS),
    ] = None

    @property
    def windows(self) -> int | None:
        return self.overlap if self.overlap is not None else self.num_overlap

    @property
    def model_key(self) -> str | None:
        members = None if self.ensemble is None else repr(self.ensemble)
        return members or self.model_path or self.model


AudioSeparatorModel = Annotated[
    str | None,
    Meta(
        description="File name or path of the model; default the one loaded last, or else "
        f"`{catalogue.DEFAULT_PACKAGE_MODEL}`."
    ),
]


class AudioSeparatorLoad(LoadModel, frozen=True, kw_only=True, tag_field="cmd", tag="load_model"):
    """Load a VR or MDX model and make it the active one."""

    model: AudioSeparatorModel = None
    model_file_dir: ModelFileDir = None


class AudioSeparatorPreload(AudioSeparatorLoad, frozen=True, kw_only=True, tag_field="cmd", tag="preload_model"):
    """Load a VR or MDX model without making it the active one."""


class AudioSeparatorSeparate(Separate, frozen=True, kw_only=True, tag_field="cmd", tag="separate"):
    """Separate one file (`input`) or many (`inputs`) into `OUTPUT/TRACK_(Stem).wav`."""

    template = catalogue.TRACK_WITH_STEM

    model: AudioSeparatorModel = None
    model_file_dir: ModelFileDir = None
    single_stem: Annotated[str | None, Meta(description="Write only this stem.")] = None
    invert_spect: Annotated[
        bool, Meta(description="MDX: subtract the stem from the mix as a spectrogram instead of as a waveform.")
    ] = False
    vr_aggression: Annotated[
        int, Meta(ge=-100, le=100, description="VR: how aggressively the primary stem is cut out; typically 5.")
    ] = 5
    vr_enable_tta: Annotated[
        bool, Meta(description="VR: run the network a second time with shifted windows; takes twice as long.")
    ] = False
    vr_high_end_process: Annotated[
        bool, Meta(description="VR: mirror the network's frequency range into the range above it.")
    ] = False
    vr_post_process: Annotated[
        bool,
        Meta(description="VR: in passages where nearly everything belongs to the primary stem, give it everything."),
    ] = False
    vr_post_process_threshold: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="VR: `vr_post_process` applies to passages in which the whole mask is above this value.",
        ),
    ] = 0.2
    vr_window_size: Annotated[
        int, Meta(ge=32, le=8192, description="VR: frames per window; 320 is slower and slightly better than 512.")
    ] = 512
    mdx_segment_size: (
        Annotated[int, Meta(ge=1, le=65536, description="MDX: frames per segment; by default the model's own.")] | None
    ) = None
    mdx_overlap: Annotated[float, Meta(ge=0, lt=1, description="MDX: overlap of adjacent chunks, as a fraction.")] = (
        0.25
    )
    mdx_enable_denoise: Annotated[
        bool, Meta(description="MDX: run the network twice so that its own noise cancels out; takes twice as long.")
    ] = False
    bigshifts: Annotated[
        int,
        Meta(
            ge=1,
            le=32,
            description="Not for VR: average over so many separations whose chunks begin at different places, evenly spaced; takes so many times as long.",
        ),
    ] = 1
    pitch_shift: PitchShift = 0.0
    primary_stem: Annotated[
        str | None, Meta(description="For an unknown model file: the stem that its network outputs.")
    ] = None
    secondary_stem: Annotated[
        str | None,
        Meta(description="For an unknown model file: the stem that remains when the primary one is removed."),
    ] = None
    vr_model_param: Annotated[
        str | dict[str, Any] | None,
        Meta(description="For an unknown VR file: its band parameters, by name (`4band_v3`) or as an object."),
    ] = None
    nout: (
        Annotated[int, Meta(ge=1, description="For an unknown VR 5.1 file: its number of output channels.")] | None
    ) = None
    nout_lstm: (
        Annotated[int, Meta(ge=1, description="For an unknown VR 5.1 file: the number of output channels of its LSTM.")]
        | None
    ) = None
    mdx_n_fft_scale_set: Annotated[int, Meta(ge=1, description="For an unknown MDX file: its FFT size.")] | None = None
    mdx_dim_f_set: (
        Annotated[int, Meta(ge=1, description="For an unknown MDX file: its number of frequency bins.")] | None
    ) = None
    mdx_dim_t_set: (
        Annotated[
            int, Meta(ge=1, le=16, description="For an unknown MDX file: its number of frames, as an exponent of 2.")
        ]
        | None
    ) = None
    compensate: (
        Annotated[
            float,
            Meta(
                ge=SHORTEST_S,
                description="For an unknown MDX file: the gain of its stem before it is subtracted from the mix.",
            ),
        ]
        | None
    ) = None

    @property
    def wanted_stems(self) -> list[str] | None:
        if self.single_stem is None:
            return self.stems
        if self.stems is not None or self.two_stems is not None:
            raise InvalidRequest("Ask for either `single_stem`, `stems` or `two_stems`.", field="single_stem")
        return [self.single_stem]


class LoadApollo(LoadModel, frozen=True, kw_only=True, tag_field="cmd", tag="load_apollo"):
    """Load an Apollo network in advance, so that the first `apollo` starts sooner."""

    model_path: ModelPath = None
    config_path: ConfigPath = None
    feature_dim: FeatureDim = None
    layer: Layers = None


class IntoFile(Separate, frozen=True, kw_only=True, tag_field="cmd", tag="separate"):
    """A job whose result is the file `output`, or goes to the directory `output_dir`."""

    template = catalogue.TRACK_WITH_STEM

    output: Annotated[str | None, Meta(description="File to write; its extension determines the format.")] = None
    output_dir: Annotated[str | None, Meta(description="Directory for `TRACK_(STEM).wav`, instead of `output`.")] = None

    @property
    def folder(self) -> str:
        """The directory for the results."""
        if self.output is not None and self.output_dir is not None:
            raise InvalidRequest(
                "Give either the file `output` or the directory `output_dir`, not both.", field="output"
            )
        if self.output:
            return str(PurePath(self.output).parent)
        return self.output_dir or DEFAULT_FOLDER

    @property
    def file(self) -> str | None:
        return self.output or None

    @property
    def audio_format(self) -> AudioFormat:
        """What the extension of `output` says, or else `format`. Raises `UnsupportedFormat`."""
        if self.file is None:
            return self.format
        named = format_of(self.file)
        if named is None:
            known = ", ".join(f".{name}" for name in get_args(AudioFormat))
            raise UnsupportedFormat(
                f"The extension of `{PurePath(self.file).name}` names no format that can be written.",
                hint=f"Use one of {known}; a directory goes into `output_dir`.",
                field="output",
            )
        return named


class Apollo(IntoFile, frozen=True, kw_only=True, tag_field="cmd", tag="apollo"):
    """Restore a file that lossy compression has damaged; the result goes to the file `output` or into the directory `output_dir`."""

    model_path: ModelPath = None
    config_path: ConfigPath = None
    feature_dim: FeatureDim = None
    layer: Layers = None
    chunk_seconds: Annotated[float, Meta(ge=0.1, le=3600, description="Length of a chunk in seconds.")] = 7.0
    chunk_overlap: Annotated[
        float, Meta(ge=0, le=60, description="Length of the cross-fade between chunks, in seconds.")
    ] = 0.5
    addition: Annotated[bool, Meta(description="Also write `addition`: what the restoration added.")] = False

    @property
    def wanted_two_stems(self) -> str | None:
        """None: a restoration has no rest; `addition` is what it changed."""
        return None

    @property
    def model_key(self) -> str | None:
        return self.model_path or self.model


class DenoiseLoad(LoadModel, frozen=True, kw_only=True, tag_field="cmd", tag="load_model"):
    """Accepted for compatibility: `envelope_matched` is a method without files, so there is nothing to load."""

    model: Annotated[str | None, Meta(description="`envelope_matched`, the only method.")] = None


class DenoisePreload(DenoiseLoad, frozen=True, kw_only=True, tag_field="cmd", tag="preload_model"):
    """Accepted for compatibility, as `load_model` is."""


class Denoise(IntoFile, frozen=True, kw_only=True, tag_field="cmd", tag="denoise"):
    """Reduce noise that gets louder and softer with the recording, using a recording of the noise alone.

    The result goes to the file `output` or into the directory `output_dir`; without either, it is `TRACK_denoised.wav`
    next to the input.
    """

    template = catalogue.TRACK_AND_STEM

    output: Annotated[
        str | None,
        Meta(
            description="File to write; its extension determines the format. By default, `TRACK_denoised.wav` next to the input."
        ),
    ] = None
    output_dir: Annotated[str | None, Meta(description="Directory for `TRACK_denoised.wav`, instead of `output`.")] = (
        None
    )
    model: Annotated[str | None, Meta(description="`envelope_matched`, the only method.")] = None
    output_sample_rate: Annotated[
        Annotated[int, Meta(ge=8000, le=384000)] | Literal["source"] | None,
        Meta(description="Sample rate of the result in Hz; by default the input's."),
    ] = None
    noise_profile: Annotated[
        str | None, Meta(description="Audio file that contains only the noise, ideally two seconds of it or more.")
    ] = None
    noise_path: Annotated[str | None, Meta(description="Another name for `noise_profile`.")] = None
    mode: Annotated[
        Literal["default", "drums", "slow"],
        Meta(
            description="Preset for `release_time`: 0.1 s for voices and melodies, 0.3 s for `drums`, and 0.5 s (`slow`) for sustained sounds."
        ),
    ] = "default"
    subtraction_factor: Annotated[
        float, Meta(ge=0, le=10, description="How much of the estimated noise is subtracted; 1 is all of it.")
    ] = 0.9
    attack_time: Annotated[
        float, Meta(ge=0, le=60, description="How fast the noise estimate follows a rising level, in seconds.")
    ] = 0.01
    release_time: (
        Annotated[
            float,
            Meta(
                ge=0,
                le=60,
                description="How fast the noise estimate follows a falling level, in seconds; by default set by `mode`.",
            ),
        ]
        | None
    ) = None

    @property
    def folder(self) -> str:
        """The directory for the results: that of the input, unless the request names one."""
        if not self.output and not self.output_dir and self.input_path:
            return str(PurePath(self.input_path).parent)
        return super().folder

    @property
    def noise(self) -> str:
        """The file with the noise. Raises `InvalidRequest`."""
        noise = self.noise_profile or self.noise_path
        if not noise:
            raise InvalidRequest("`denoise` needs a recording of the noise in `noise_profile`.", field="noise_profile")
        return noise

    @property
    def release_s(self) -> float:
        return RELEASE_S[self.mode] if self.release_time is None else self.release_time


class AudioSepLoad(LoadModel, frozen=True, kw_only=True, tag_field="cmd", tag="load_model"):
    """Load a model and make it the active one; default `audiosep_base`."""

    config_path: AudioSepConfigPath = None
    checkpoint_path: CheckpointPath = None
    clap_checkpoint_path: ClapCheckpointPath = None
    roberta_dir: RobertaDir = None
    device: Annotated[
        str | None, Meta(description="Device of the model: the one the worker was started with, or `auto`.")
    ] = None
    mmap: Annotated[
        bool | None,
        Meta(
            description="Memory-map the checkpoint instead of reading it as a whole; by default as set by `set_storage_type`."
        ),
    ] = None
    use_torch_stft: Annotated[
        bool | str | None,
        Meta(description="Accepted for compatibility; has no effect, because the STFT always runs on the device."),
    ] = None
    auto_stft_seconds: Annotated[float | None, Meta(description="Accepted for compatibility; has no effect.")] = None


class AudioSepPreload(AudioSepLoad, frozen=True, kw_only=True, tag_field="cmd", tag="preload_model"):
    """Load a model without making it the active one."""


class AudioSepSeparate(IntoFile, frozen=True, kw_only=True, tag_field="cmd", tag="separate"):
    """Separate the sounds that a text describes; the result goes to the file `output` or into the directory `output_dir`."""

    model: Annotated[
        str | None, Meta(description="Name of the model; by default the one loaded last, or else `audiosep_base`.")
    ] = None
    text: Annotated[
        str | None, Meta(description=f"Description in English of the sounds to separate; default `{DEFAULT_QUERY}`.")
    ] = None
    texts: (
        Annotated[
            list[str],
            Meta(min_length=1, max_length=32, description="Several descriptions; each gets a file of its own."),
        ]
        | None
    ) = None
    residual: Annotated[
        bool, Meta(description="Also write `residual`: the input without everything that was separated.")
    ] = False
    output_sample_rate: Annotated[
        Annotated[int, Meta(ge=8000, le=384000)] | Literal["source"] | None,
        Meta(description="Sample rate of the results in Hz; by default the input's, even above the network's 32 kHz."),
    ] = None
    use_chunk: Annotated[
        bool | Literal["auto"],
        Meta(
            description="Split a long input into short chunks (`auto`, true) or a few long ones (false); the result is the same."
        ),
    ] = "auto"
    chunk_seconds: (
        Annotated[float, Meta(ge=0.1, le=600, description="Length of a chunk in seconds; default 10.")] | None
    ) = None
    config_path: AudioSepConfigPath = None
    checkpoint_path: CheckpointPath = None
    clap_checkpoint_path: ClapCheckpointPath = None
    roberta_dir: RobertaDir = None

    @property
    def queries(self) -> list[str]:
        """The descriptions in `text` or `texts`. Raises `InvalidRequest`."""
        if self.text is not None and self.texts is not None:
            raise InvalidRequest("Give either `text` or `texts`, not both.", field="texts")
        field = "text" if self.texts is None else "texts"
        asked = self.texts if self.texts is not None else [DEFAULT_QUERY if self.text is None else self.text]
        queries = [text.strip() for text in asked]
        if not all(queries):
            raise InvalidRequest(
                f"`{field}` must describe what to separate in words, such as `a singing voice`.", field=field
            )
        lower = [text.casefold() for text in queries]
        twice = next((text for text in queries if lower.count(text.casefold()) > 1), None)
        if twice is not None:
            raise InvalidRequest(f"`texts` contains `{twice}` twice.", field=field)
        if self.residual and RESIDUAL in lower:
            raise InvalidRequest(
                f"A text cannot be `{RESIDUAL}` if `residual` is true, because that stem has the same name.",
                field=field,
            )
        return queries

    @property
    def model_key(self) -> str | None:
        return self.checkpoint_path or self.model


# Requests of `dsu`, which has models of every family ----------------------------------------------------------------

ModelFamily = Annotated[
    catalogue.FamilyName | None,
    Meta(description="The family of the model; without it, the model's name and the other fields decide."),
]


class DsuListModels(DemucsListModels, frozen=True, kw_only=True, tag_field="cmd", tag="list_models"):
    """List the names of the models of all families, or of one."""

    family: Annotated[catalogue.FamilyName | None, Meta(description="Only models of this family.")] = None


class DsuLoad(LoadModel, frozen=True, kw_only=True, tag_field="cmd", tag="load_model"):
    """Load a model of any family and make it the active one. It has the fields of its family's `load_model` as well."""

    family: ModelFamily = None


class DsuPreload(DsuLoad, frozen=True, kw_only=True, tag_field="cmd", tag="preload_model"):
    """Load a model of any family without making it the active one. It has the fields of its family's `preload_model`."""


class DsuSeparate(Separate, frozen=True, kw_only=True, tag_field="cmd", tag="separate"):
    """Separate one file (`input`) or many (`inputs`) with a model of any family.

    It has the fields of its family's `separate` as well, and writes to the same places.
    """

    family: ModelFamily = None
    recipe: Annotated[
        str | dict[str, Any] | None,
        Meta(
            description="Instead of a model: several, on the song and on each other's stems. The name of a recipe "
            "(`list_recipes`), or a recipe itself: an object with `steps` and `outputs` (docs/recipes.md)."
        ),
    ] = None
    policy: Annotated[
        Literal["commercial"] | None,
        Meta(
            description="With `recipe`: `commercial` refuses models whose licence does not allow that, or is not known."
        ),
    ] = None


class ListRecipes(Request, frozen=True, kw_only=True, tag_field="cmd", tag="list_recipes"):
    """List the recipes for `separate`: those that come with DSU, and your own in the folder `recipes_dir`."""

    recipe: Annotated[str | None, Meta(description="List only this recipe.")] = None


class Batch(Request, frozen=True, kw_only=True, tag_field="cmd", tag="batch"):
    """Run several jobs and answer once. The `input` of a job may be a stem of an earlier one: `{"from": INDEX, "stem": NAME}`."""

    jobs: Annotated[
        list[dict[str, Any]], Meta(min_length=1, description="The jobs, each written like a request of its own.")
    ]
    continue_on_error: Annotated[bool, Meta(description="Go on after a job has failed.")] = False
    group_by_model: Annotated[
        bool,
        Meta(description="Run jobs that use the same model one after another; the results keep the order of `jobs`."),
    ] = False
    resume: Annotated[bool, Meta(description="Default of `resume` for all jobs.")] = False
    progress: Annotated[bool, Meta(description="Send `progress` lines for the batch.")] = True
