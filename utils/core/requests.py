"""What clients may ask, as frozen types. The JSON Schema, docs/protocol.md and the clients' types come from these.

A field's description is what its reader sees in the documentation, so it is written for clients. Two names for one
thing (`output`, `output_dir`) are both fields; a property gives the one value the engines use. An engine never sees
JSON, only these.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated, Any, ClassVar, Literal, cast, get_args

import msgspec
from msgspec import Meta

from utils.core import catalogue
from utils.core.catalogue import RESIDUAL
from utils.core.errors import InvalidRequest, UnsupportedFormat

RequestId = str | int | float
AudioFormat = Literal["wav", "flac", "mp3", "ogg", "opus", "aiff", "m4a"]
SampleType = Literal["PCM_16", "PCM_24", "PCM_32", "FLOAT"]
ClipMode = Literal["rescale", "clamp", "none"]
Precision = Literal["auto", "fp32", "fp16", "bf16"]

FeatureDim = (
    Annotated[
        int, Meta(ge=1, description="The width of the network; without it, the configuration or the checkpoint tells.")
    ]
    | None
)
Layers = (
    Annotated[int, Meta(ge=1, description="Its layers; without it, the configuration or the checkpoint tells.")] | None
)
ModelFileDir = Annotated[
    str | None, Meta(description="The directory of the model's file; default the models directory.")
]
EnsembleType = Literal["avg_wave", "median_wave", "min_wave", "max_wave", "avg_fft", "median_fft", "min_fft", "max_fft"]
Quality = Literal["fast", "balanced", "best"]

# How a client names a network of its own.
ModelPath = Annotated[str | None, Meta(description="The checkpoint of a network of your own, instead of `model`.")]
ConfigPath = Annotated[str | None, Meta(description="The YAML configuration that belongs to `model_path`.")]
ModelType = Annotated[
    str | None,
    Meta(description="The kind of network in `model_path`; without it, the configuration or the checkpoint tells."),
]

# The parts of a network that is asked in words. Each is looked for in the models directory unless it is named.
AudioSepConfigPath = Annotated[
    str | None, Meta(description="The YAML configuration of the network; default the public model's.")
]
CheckpointPath = Annotated[
    str | None, Meta(description="The network that separates; default the model's file in the models directory.")
]
ClapCheckpointPath = Annotated[
    str | None,
    Meta(description="The CLAP checkpoint, of which the text part is read; default the one in the models directory."),
]
RobertaDir = Annotated[
    str | None,
    Meta(description="The folder of roberta-base, with its vocabulary; default the one in the models directory."),
]

# The least length, instead of "more than 0": that is checked against the smallest number there is, which counts as zero
# once torch flushes denormals.
SHORTEST_S = 0.001


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What every command may carry."""

    id: Annotated[
        RequestId | None,
        Meta(description="Repeated on every line that this request causes. Nothing is added without it."),
    ] = None
    strict: Annotated[bool, Meta(description="Fail on unknown fields instead of warning about them.")] = False
    debug: Annotated[bool, Meta(description="Add a traceback to an error.")] = False


# Answered at once, also while a job runs --------------------------------------------------------------------------


class Ping(Request, frozen=True, kw_only=True, tag_field="cmd", tag="ping"):
    """Is the worker alive, and which model is active?"""


class GetStatus(Request, frozen=True, kw_only=True, tag_field="cmd", tag="get_status"):
    """Device, queue, cache, memory and counters."""


class ListModels(Request, frozen=True, kw_only=True, tag_field="cmd", tag="list_models"):
    """The names of all models that this worker knows or finds."""

    details: Annotated[bool, Meta(description="Also describe each model.")] = False
    model: Annotated[str | None, Meta(description="Only this one, also a network of a bag by its signature.")] = None


class DemucsListModels(ListModels, frozen=True, kw_only=True, tag_field="cmd", tag="list_models"):
    """The names of all models that this worker knows or finds."""

    repo: Annotated[str | None, Meta(description="List the models of this folder as well.")] = None


class ListCached(Request, frozen=True, kw_only=True, tag_field="cmd", tag="list_cached"):
    """The models that are loaded."""


class ClearCache(Request, frozen=True, kw_only=True, tag_field="cmd", tag="clear_cache"):
    """Drop every loaded model. A running job keeps its own until it ends."""


class SetCacheSize(Request, frozen=True, kw_only=True, tag_field="cmd", tag="set_cache_size"):
    """How many models stay loaded. 0 turns the cache off."""

    n: Annotated[int, Meta(ge=0, description="The number of models.")] | None = None
    max_cached_models: Annotated[int, Meta(ge=0, description="Another name of `n`.")] | None = None

    @property
    def size(self) -> int:
        size = self.n if self.n is not None else self.max_cached_models
        if size is None:
            raise InvalidRequest("`set_cache_size` needs a number of models in `n`.", field="n")
        return size


class SetStorageType(Request, frozen=True, kw_only=True, tag_field="cmd", tag="set_storage_type"):
    """Say what kind of disk holds the models: checkpoints on an `ssd` are mapped, on an `hdd` read in one go."""

    type: Annotated[Literal["ssd", "hdd"], Meta(description="The kind of disk.")]


class Cancel(Request, frozen=True, kw_only=True, tag_field="cmd", tag="cancel"):
    """Cancel the running job; with `id`, the job that carries this id, running or queued."""


class Describe(Request, frozen=True, kw_only=True, tag_field="cmd", tag="describe"):
    """The protocol of this worker as JSON Schemas."""


class Exit(Request, frozen=True, kw_only=True, tag_field="cmd", tag="exit"):
    """End the worker after the jobs before this command."""

    force: Annotated[bool, Meta(description="Cancel the running and the queued jobs first.")] = False


# Jobs: one at a time, in the order sent ---------------------------------------------------------------------------


class LoadModel(Request, frozen=True, kw_only=True, tag_field="cmd", tag="load_model"):
    """Load a model and make it the active one."""

    model: Annotated[str | None, Meta(description="The model's name; without it, the worker's default.")] = None


class DemucsLoad(LoadModel, frozen=True, kw_only=True, tag_field="cmd", tag="load_model"):
    """Load a model and make it the active one."""

    repo: Annotated[str | None, Meta(description="A folder of local models.")] = None


class DemucsPreload(DemucsLoad, frozen=True, kw_only=True, tag_field="cmd", tag="preload_model"):
    """Load a model without making it the active one."""


class NetworkLoad(LoadModel, frozen=True, kw_only=True, tag_field="cmd", tag="load_model"):
    """Load a model and make it the active one."""

    model: Annotated[str | None, Meta(description="The model's name; without it, the one loaded last.")] = None
    model_path: ModelPath = None
    config_path: ConfigPath = None
    model_type: ModelType = None


class NetworkPreload(NetworkLoad, frozen=True, kw_only=True, tag_field="cmd", tag="preload_model"):
    """Load a model without making it the active one."""


class DownloadModel(Request, frozen=True, kw_only=True, tag_field="cmd", tag="download_model"):
    """Fetch a model's files into the models directory and check their size and SHA-256."""

    model: Annotated[str, Meta(description="The model's name.")]


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the input, in seconds."""

    start: Annotated[float, Meta(ge=0, description="Where the part begins.")] = 0.0
    duration: Annotated[float, Meta(ge=SHORTEST_S, description="How long it is.")] = 30.0


class Separate(Request, frozen=True, kw_only=True, tag_field="cmd", tag="separate"):
    """Separate one file (`input`) or many (`inputs`). The fields that every worker understands."""

    template: ClassVar[str] = catalogue.TRACK_STEM  # where stems go unless `name_template` says otherwise

    input: Annotated[str | None, Meta(description="The audio file.")] = None
    inputs: Annotated[
        list[str] | None, Meta(description="Many files or folders: one `file_done` line for each file, then `done`.")
    ] = None
    output: Annotated[str | None, Meta(description="The directory to write to.")] = None
    output_dir: Annotated[str | None, Meta(description="Another name of `output`.")] = None
    model: Annotated[str | None, Meta(description="The model's name; without it, the worker's default.")] = None
    format: Annotated[AudioFormat, Meta(description="The format of the stems.")] = "wav"
    pcm_type: Annotated[SampleType | None, Meta(description="The sample type; default `PCM_16`.")] = None
    subtype: Annotated[SampleType | None, Meta(description="Another name of `pcm_type`.")] = None
    bitrate: Annotated[int, Meta(ge=8, le=640, description="kbit/s of lossy formats.")] | None = None
    stems: Annotated[list[str] | None, Meta(description="Write just these stems.")] = None
    two_stems: Annotated[str | None, Meta(description="Write this stem and `no_STEM`, everything else.")] = None
    output_sample_rate: Annotated[
        Annotated[int, Meta(ge=8000, le=384000)] | Literal["source"] | None,
        Meta(description="A rate in Hz or `source` for the input's; default the model's."),
    ] = None
    clip: Annotated[
        ClipMode,
        Meta(description="Where stems would exceed full scale: `rescale` all by one gain, `clamp` samples, `none`."),
    ] = "rescale"
    overwrite: Annotated[bool, Meta(description="Replace files that exist; otherwise they are an error.")] = True
    resume: Annotated[
        bool,
        Meta(description="Do not do again what an earlier job with `resume` has done and nothing has changed since."),
    ] = False
    progress: Annotated[bool, Meta(description="Send `progress` lines.")] = True
    report: Annotated[
        bool, Meta(description="Also write `report.png`: waveforms and spectrograms of the mix and the stems.")
    ] = False
    batch_size: Annotated[int, Meta(ge=1, le=256, description="Chunks run together.")] | None = None
    precision: Annotated[Precision, Meta(description="The arithmetic of the network.")] = "auto"
    seed: Annotated[int, Meta(ge=0, description="Makes random shifts repeatable; default 0.")] = 0
    preview: Annotated[Preview | None, Meta(description="Separate only a part.")] = None
    name_template: Annotated[
        str | None, Meta(description="File names from `{track} {stem} {model} {index}`; `/` makes folders.")
    ] = None
    channels: Annotated[
        Literal["model", "source"],
        Meta(description="`source`: stems of a mono song are mono also where the model gives two channels."),
    ] = "model"

    @property
    def folder(self) -> str:
        """The directory to write to."""
        folder = self.output if self.output is not None else self.output_dir
        if not folder:
            raise InvalidRequest("`separate` needs an output directory in `output`.", field="output")
        return folder

    @property
    def file(self) -> str | None:
        """The one file to write, of requests whose `output` is a file."""
        return None

    @property
    def audio_format(self) -> AudioFormat:
        """The format of the stems' files."""
        return self.format

    @property
    def sample_type(self) -> SampleType:
        return self.pcm_type or self.subtype or "PCM_16"

    @property
    def wanted_stems(self) -> list[str] | None:
        """The stems to write, or None for all. Raises `InvalidRequest` where they are named in two ways."""
        return self.stems

    @property
    def model_key(self) -> str | None:
        """The same for requests that use the same model."""
        return self.model


class DemucsSeparate(Separate, frozen=True, kw_only=True, tag_field="cmd", tag="separate"):
    """Separate one file (`input`) or many (`inputs`) into `OUT/MODEL/TRACK/STEM.wav`."""

    template = catalogue.MODEL_TRACK_STEM

    shifts: (
        Annotated[
            int, Meta(ge=0, le=100, description="Random time shifts to average over; default 1, 0 for quantised bags.")
        ]
        | None
    ) = None
    overlap: Annotated[float, Meta(ge=0, lt=1, description="Overlap of neighbouring segments, as a part of one.")] = (
        0.25
    )
    segment: (
        Annotated[float, Meta(ge=SHORTEST_S, description="Length of a segment in seconds; default the model's.")] | None
    ) = None
    segments: Annotated[float, Meta(ge=SHORTEST_S, description="Another name of `segment`.")] | None = None
    jobs: Annotated[int, Meta(ge=0, description="CPU: segments run at the same time, each by its own thread.")] = 0
    repo: Annotated[str | None, Meta(description="A folder of local models: `.th` files and bag `.yaml` files.")] = None
    other_method: Annotated[
        Literal["add", "minus", "none"],
        Meta(description="How `two_stems` makes the rest: mix `minus` the stem, `add` the other stems, or `none`."),
    ] = "minus"

    @property
    def segment_s(self) -> float | None:
        return self.segment if self.segment is not None else self.segments


class NetworkMember(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A network of your own as a member of an ensemble."""

    model_path: Annotated[str, Meta(description="The checkpoint.")]
    config_path: Annotated[str, Meta(description="Its YAML configuration.")]
    model_type: ModelType = None


class NetworkSeparate(Separate, frozen=True, kw_only=True, tag_field="cmd", tag="separate"):
    """Separate one file (`input`) or many (`inputs`) into `OUT/TRACK/STEM.wav`."""

    model: Annotated[str | None, Meta(description="The model's name; without it, the one loaded last.")] = None
    model_path: ModelPath = None
    config_path: ConfigPath = None
    model_type: ModelType = None
    quality: Annotated[
        Quality | None,
        Meta(description="A preset of `overlap` and `use_tta`, which count where they are given as well."),
    ] = None
    overlap: (
        Annotated[int, Meta(ge=1, le=50, description="How many windows cover each sample; default 1, without seams.")]
        | None
    ) = None
    num_overlap: Annotated[int, Meta(ge=1, le=50, description="Another name of `overlap`.")] | None = None
    chunk_seconds: (
        Annotated[float, Meta(ge=0.1, le=600, description="Length of a window; default the configuration's.")] | None
    ) = None
    use_fast: Annotated[bool, Meta(description="Accepted; there is one way, and it is the fast one.")] = True
    use_tta: Annotated[
        bool | None,
        Meta(
            description="Also separate with swapped channels and with inverted polarity, and average: 3 times the work."
        ),
    ] = None
    extract_instrumental: Annotated[
        bool, Meta(description="Also write `instrumental`: the mix minus the vocals, sample for sample.")
    ] = False
    ensemble: (
        Annotated[
            list[str | NetworkMember],
            Meta(min_length=2, max_length=16, description="Several networks instead of `model`: names, or files."),
        ]
        | None
    ) = None
    ensemble_type: Annotated[
        EnsembleType, Meta(description="How the members' results become one, over the waveform or the spectrogram.")
    ] = "avg_wave"
    ensemble_weights: Annotated[
        list[Annotated[float, Meta(ge=0)]] | None, Meta(description="How much each member counts in an average.")
    ] = None

    @property
    def windows(self) -> int | None:
        return self.overlap if self.overlap is not None else self.num_overlap

    @property
    def model_key(self) -> str | None:
        members = None if self.ensemble is None else repr(self.ensemble)
        return members or self.model_path or self.model


class AudioSeparatorLoad(LoadModel, frozen=True, kw_only=True, tag_field="cmd", tag="load_model"):
    """Load a VR or MDX model and make it the active one."""

    model_file_dir: ModelFileDir = None


class AudioSeparatorPreload(AudioSeparatorLoad, frozen=True, kw_only=True, tag_field="cmd", tag="preload_model"):
    """Load a VR or MDX model without making it the active one."""


class AudioSeparatorSeparate(Separate, frozen=True, kw_only=True, tag_field="cmd", tag="separate"):
    """Separate one file (`input`) or many (`inputs`) into `OUT/TRACK_(Stem).wav`."""

    template = catalogue.TRACK_WITH_STEM

    model: Annotated[
        str | None, Meta(description="The model's file name, or its path; without it, the one loaded last.")
    ] = None
    model_file_dir: ModelFileDir = None
    single_stem: Annotated[str | None, Meta(description="Write just this stem.")] = None
    invert_spect: Annotated[
        bool, Meta(description="MDX: take the stem out of the mix bin by bin of a spectrum, not sample by sample.")
    ] = False
    vr_aggression: Annotated[
        int, Meta(ge=-100, le=100, description="VR: how hard the primary stem is cut out; typically 5.")
    ] = 5
    vr_enable_tta: Annotated[bool, Meta(description="VR: look at the song twice; twice the work.")] = False
    vr_high_end_process: Annotated[
        bool, Meta(description="VR: mirror the range that the network sees into the one above it.")
    ] = False
    vr_post_process: Annotated[
        bool, Meta(description="VR: give back to the primary stem's rest what was cut out where hardly anything was.")
    ] = False
    vr_post_process_threshold: Annotated[
        float, Meta(ge=0, le=1, description="VR: how little counts as hardly anything.")
    ] = 0.2
    vr_window_size: Annotated[
        int, Meta(ge=32, le=8192, description="VR: frames seen at once; 320 is slower and a little better than 512.")
    ] = 512
    mdx_segment_size: (
        Annotated[int, Meta(ge=1, le=65536, description="MDX: frames seen at once; default the model's.")] | None
    ) = None
    mdx_overlap: Annotated[
        float, Meta(ge=0, lt=1, description="MDX: overlap of neighbouring chunks, as a part of one.")
    ] = 0.25
    mdx_enable_denoise: Annotated[
        bool, Meta(description="MDX: run the network twice, so that its own noise cancels; twice the work.")
    ] = False
    primary_stem: Annotated[str | None, Meta(description="Of a file that is not known: what its network gives.")] = None
    secondary_stem: Annotated[str | None, Meta(description="Of a file that is not known: what is left.")] = None
    vr_model_param: Annotated[
        str | dict[str, Any] | None,
        Meta(description="Of a VR file that is not known: its bands, by name (`4band_v3`) or as an object."),
    ] = None
    nout: (
        Annotated[int, Meta(ge=1, description="Of a VR file of version 5.1 that is not known: its capacity.")] | None
    ) = None
    nout_lstm: Annotated[int, Meta(ge=1, description="The same of its recurrent part.")] | None = None
    mdx_n_fft_scale_set: (
        Annotated[int, Meta(ge=1, description="Of an MDX file that is not known: the size of its transform.")] | None
    ) = None
    mdx_dim_f_set: Annotated[int, Meta(ge=1, description="Its bins.")] | None = None
    mdx_dim_t_set: Annotated[int, Meta(ge=1, le=16, description="Its frames, as a power of 2.")] | None = None
    compensate: (
        Annotated[
            float, Meta(ge=SHORTEST_S, description="By how much its stem is made louder before it is subtracted.")
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
    """Load an Apollo network, so that the first `apollo` need not."""

    model_path: ModelPath = None
    config_path: ConfigPath = None
    feature_dim: FeatureDim = None
    layer: Layers = None


class IntoFile(Separate, frozen=True, kw_only=True, tag_field="cmd", tag="separate"):
    """Work whose result goes to the file `output`, or into the directory `output_dir`."""

    template = catalogue.TRACK_WITH_STEM

    output: Annotated[str | None, Meta(description="The file to write; its extension says the format.")] = None
    output_dir: Annotated[
        str | None, Meta(description="Instead of `output`: the directory to write `TRACK_(STEM).wav` to.")
    ] = None

    @property
    def folder(self) -> str:
        """The directory to write to."""
        if self.output is not None and self.output_dir is not None:
            raise InvalidRequest("Give either the file `output` or the directory `output_dir`.", field="output")
        if self.output:
            return str(PurePath(self.output).parent)
        if not self.output_dir:
            command = self.__struct_config__.tag
            raise InvalidRequest(f"`{command}` needs the file to write in `output`.", field="output")
        return self.output_dir

    @property
    def file(self) -> str | None:
        return self.output or None

    @property
    def audio_format(self) -> AudioFormat:
        """What the extension of `output` says, or else `format`. Raises `UnsupportedFormat`."""
        if self.file is None:
            return self.format
        extension = PurePath(self.file).suffix[1:].lower()
        named = catalogue.EXTENSION_ALIASES.get(extension, extension)
        known = get_args(AudioFormat)
        if named not in known:
            raise UnsupportedFormat(
                f"The extension of `{PurePath(self.file).name}` names no format that can be written.",
                hint=f"Use one of {', '.join(f'.{name}' for name in known)}; a directory goes into `output_dir`.",
                field="output",
            )
        return cast(AudioFormat, named)


class Apollo(IntoFile, frozen=True, kw_only=True, tag_field="cmd", tag="apollo"):
    """Restore a file that lossy compression has damaged, into the file `output`, or into the directory `output_dir`."""

    model_path: ModelPath = None
    config_path: ConfigPath = None
    feature_dim: FeatureDim = None
    layer: Layers = None
    chunk_seconds: Annotated[
        float, Meta(ge=0.1, le=3600, description="Length of the parts that are restored at once.")
    ] = 7.0
    chunk_overlap: Annotated[float, Meta(ge=0, le=60, description="Seconds over which parts are cross-faded.")] = 0.5
    addition: Annotated[bool, Meta(description="Also write `addition`: what the restoration has added.")] = False

    @property
    def model_key(self) -> str | None:
        return self.model_path or self.model


class AudioSepLoad(LoadModel, frozen=True, kw_only=True, tag_field="cmd", tag="load_model"):
    """Load a model and make it the active one. Without any field that is `audiosep_base`."""

    config_path: AudioSepConfigPath = None
    checkpoint_path: CheckpointPath = None
    clap_checkpoint_path: ClapCheckpointPath = None
    roberta_dir: RobertaDir = None
    device: Annotated[
        str | None, Meta(description="Where it is to run: what the worker was started with, or `auto`.")
    ] = None
    mmap: Annotated[
        bool | None, Meta(description="Map the checkpoint instead of reading it; default as `set_storage_type` says.")
    ] = None
    use_torch_stft: Annotated[
        bool | str | None, Meta(description="Accepted; the transform always runs on the device.")
    ] = None
    auto_stft_seconds: Annotated[float | None, Meta(description="Accepted, for the same reason.")] = None


class AudioSepPreload(AudioSepLoad, frozen=True, kw_only=True, tag_field="cmd", tag="preload_model"):
    """Load a model without making it the active one."""


class AudioSepSeparate(IntoFile, frozen=True, kw_only=True, tag_field="cmd", tag="separate"):
    """Separate what a text describes, into the file `output`, or into the directory `output_dir`."""

    model: Annotated[
        str | None, Meta(description="The model's name; without it, the one loaded last, or `audiosep_base`.")
    ] = None
    text: Annotated[str | None, Meta(description="What to separate, in English words.")] = None
    texts: (
        Annotated[list[str], Meta(min_length=1, max_length=32, description="Several of them at once, a file for each.")]
        | None
    ) = None
    residual: Annotated[bool, Meta(description="Also write `residual`: the song without all that was separated.")] = (
        False
    )
    output_sample_rate: Annotated[
        Annotated[int, Meta(ge=8000, le=384000)] | Literal["source"] | None,
        Meta(description="A rate in Hz; default the song's, also when it is higher than the network's 32 kHz."),
    ] = None
    use_chunk: Annotated[
        bool | Literal["auto"],
        Meta(
            description="Run a long song in parts (`auto`, true), or in few long ones (false); the result is the same."
        ),
    ] = "auto"
    chunk_seconds: Annotated[float, Meta(ge=0.1, le=600, description="Length of the parts; default 10.")] | None = None
    config_path: AudioSepConfigPath = None
    checkpoint_path: CheckpointPath = None
    clap_checkpoint_path: ClapCheckpointPath = None
    roberta_dir: RobertaDir = None

    @property
    def queries(self) -> list[str]:
        """What to separate, each once. Raises `InvalidRequest`."""
        if self.text is not None and self.texts is not None:
            raise InvalidRequest("Give either `text` or `texts`, not both.", field="texts")
        field = "text" if self.texts is None else "texts"
        asked = [text.strip() for text in (self.texts if self.texts is not None else [self.text or ""])]
        if not all(asked):
            raise InvalidRequest(f"`{field}` must say in words what to separate, as in `a singing voice`.", field=field)
        lower = [text.casefold() for text in asked]
        twice = next((text for text in asked if lower.count(text.casefold()) > 1), None)
        if twice is not None:
            raise InvalidRequest(f"`texts` has `{twice}` twice.", field=field)
        if self.residual and RESIDUAL in lower:
            raise InvalidRequest(
                f"A text cannot be `{RESIDUAL}` when the residual is written too, which is called that.", field=field
            )
        return asked

    @property
    def model_key(self) -> str | None:
        return self.checkpoint_path or self.model


class Batch(Request, frozen=True, kw_only=True, tag_field="cmd", tag="batch"):
    """Run jobs in order and answer once. A job's `input` may be `{"from": INDEX, "stem": NAME}` of an earlier result."""

    jobs: Annotated[list[dict[str, Any]], Meta(min_length=1, description="The jobs, each as if sent alone.")]
    continue_on_error: Annotated[bool, Meta(description="Go on after a job that failed.")] = False
    group_by_model: Annotated[bool, Meta(description="Run jobs of one model together; results keep their order.")] = (
        False
    )
    resume: Annotated[bool, Meta(description="The same as `resume` in every job that does not say otherwise.")] = False
    progress: Annotated[bool, Meta(description="Send `progress` lines of the whole.")] = True
