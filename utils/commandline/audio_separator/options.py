"""The options of the audio-separator package's program, with its meanings and defaults, and those that only DSU has.

Where the two have had different meanings for an option, the package's counts here. What it calls differently is understood
under both names, `_` and `-` alike.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal

from msgspec import Meta

from utils.commandline.layout import SHARED, STEMS, Layout, Option, Run, closing, template_option
from utils.commandline.options import LOSSY, Options, Typed, read
from utils.commandline.wording import INSTEAD
from utils.core.errors import InvalidRequest, ModelNotInstalled
from utils.core.package_request import DEFAULT_MODEL, PackageSeparate
from utils.core.requests import Apollo, Separate
from utils.core.settings import resolve
from utils.store.package_catalogue import complete

MODEL_DIR_VARIABLE = "AUDIO_SEPARATOR_MODEL_DIR"
RATE = 44100
MDX_HOP = 1024
DEFAULT_SEGMENT = "Default"


class PackageRun(Run, frozen=True, kw_only=True):
    """What the program itself does."""

    debug_log: Annotated[bool, Meta(description="Show messages of all levels, as --log-level=debug does.")] = False
    env_info: Annotated[
        bool, Meta(description="Show the system and the versions of Python and packages, and exit.")
    ] = False
    log_level: Annotated[
        str, Meta(description="The least severe messages to show: `debug`, `info`, `warning` or `error`.")
    ] = "info"
    list_filter: Annotated[
        str | None, Meta(description="Sort the list by `name` or `filename`, or by how well models separate this stem.")
    ] = None
    list_limit: Annotated[int | None, Meta(description="List at most this many models.")] = None
    list_format: Annotated[
        Literal["pretty", "json"], Meta(description="List models as a table or as one JSON document.")
    ] = "pretty"
    list_presets: Annotated[bool, Meta(description="List the named ensembles and exit.")] = False
    extra_models: Annotated[
        list[str] | None, Meta(description="More models, whose results are combined with those of --model-filename.")
    ] = None
    output_bitrate: Annotated[str | None, Meta(description="Bit rate of lossy formats, such as 320k.")] = None
    demucs_segment_size: Annotated[
        str, Meta(description="Demucs: length of a segment in seconds; `Default` is the model's own.")
    ] = DEFAULT_SEGMENT
    mdx_batch_size: Annotated[int | None, Meta(description="Another name for --batch-size.")] = None
    mdx_hop_length: Annotated[int, Meta(description="MDX: samples between STFT frames; models need 1024.")] = MDX_HOP
    use_autocast: Annotated[bool, Meta(description="Compute in half precision, as --precision bf16 does.")] = False
    use_native_fp16: Annotated[bool, Meta(description="The same.")] = False
    use_soundfile: Annotated[bool, Meta(description="Has no effect: files are always written that way.")] = False
    use_torch_compile: Annotated[bool, Meta(description="Has no effect.")] = False
    use_directml: Annotated[bool, Meta(description="Has no effect: there is no DirectML.")] = False
    chunk_duration: Annotated[float | None, Meta(description="Has no effect: songs of any length are streamed.")] = None
    demucs_segments_enabled: Annotated[
        str,
        Meta(
            description="Demucs: with an empty value (`--demucs-segments-enabled=`) the network gets the whole song at once."
        ),
    ] = "True"
    apollo: Annotated[
        str | None, Meta(description="Restore with this Apollo model instead: its name, or its checkpoint file.")
    ] = None

    @property
    def level(self) -> str:
        return "debug" if self.debug_log else self.log_level.lower()


WITHOUT_EFFECT = {
    "chunk_duration": "songs of any length are streamed, in little memory",
    "use_torch_compile": "networks run without compilation",
    "use_directml": "there is no DirectML; --device chooses the device",
}
RESTORATION = ("chunk_seconds", "addition")
EPILOG = f"""\
examples:
  dsu-audio-separator song.mp3
  dsu-audio-separator -m UVR-MDX-NET-Inst_HQ_3.onnx --output_format=MP3 song.wav
  dsu-audio-separator -m htdemucs_ft.yaml --single_stem=Drums songs/
  dsu-audio-separator --ensemble_preset=karaoke song.wav
  dsu-audio-separator -l --list_filter=vocals --list_limit=5
  dsu-audio-separator -m nets/mine.pth --vr_aggression=10 song.wav
  dsu-audio-separator --apollo apollo song.mp3

A model of your own needs NAME.json beside it, which describes its network. For
a VR model NAME.pth, for example:
  {{"vr_model_param": "4band_v3", "primary_stem": "Vocals"}}
and for an MDX model NAME.onnx:
  {{"mdx_n_fft_scale_set": 6144, "mdx_dim_f_set": 3072, "mdx_dim_t_set": 8,
   "compensate": 1.035, "primary_stem": "Instrumental"}}
Beside any other checkpoint it is NAME.yaml.

Results are TRACK_(STEM)_MODEL.EXT, of --apollo TRACK_(restored).EXT.
{closing("dsu-audio-separator --worker")}"""


LAYOUT = Layout(
    program="dsu-audio-separator",
    description="Separate songs into stems with VR, MDX, MDXC, RoFormer and Demucs models, or\n"
    "restore what lossy compression removed with Apollo models. Takes the options of\naudio-separator.",
    epilog=EPILOG,
    requests=(PackageSeparate, Apollo),
    groups={
        "information": (
            "debug_log",
            "env_info",
            "list_models",
            "log_level",
            "list_filter",
            "list_limit",
            "list_format",
        ),
        "models and files": (
            *("model", "extra_models", "format", "output_bitrate", "output"),
            *("models_dir", "download", "offline", "allow_unsafe_checkpoints"),
        ),
        "separation": (
            "invert_spect",
            "normalization",
            "amplification",
            (*STEMS, "single_stem"),
            *("output_sample_rate", "use_soundfile"),
            ("use_autocast", "use_native_fp16"),
            *("use_torch_compile", "use_directml", "chunk_duration"),
            *("ensemble_algorithm", "ensemble_weights", "ensemble_preset", "list_presets", "custom_output_names"),
        ),
        "MDX models (.onnx)": (
            *("mdx_segment_size", "mdx_overlap", "mdx_batch_size", "mdx_hop_length", "mdx_enable_denoise"),
        ),
        "VR models (.pth)": (
            *("vr_window_size", "vr_aggression", "vr_enable_tta", "vr_high_end_process"),
            *("vr_post_process", "vr_post_process_threshold"),
        ),
        "Demucs models (.yaml)": (
            *("demucs_segment_size", "demucs_shifts", "demucs_overlap", "demucs_segments_enabled"),
        ),
        "MDXC and RoFormer models (.ckpt)": (
            *("mdxc_segment_size", "mdxc_override_model_segment_size", "mdxc_overlap", "mdxc_pitch_shift"),
        ),
        "restoration of lossy files (--apollo)": ("apollo", *RESTORATION),
        "output": (
            *("name_template", "pcm_type", "channels", "clip"),
            *("report", "report_html", "report_theme", "report_scale"),
            ("overwrite", "skip_existing", "resume"),
        ),
    },
    options={
        "verbose": Option(("--verbose",)),
        "device": Option(("--device",)),
        "debug_log": Option(("-d", "--debug")),
        "env_info": Option(("-e", "--env-info")),
        "list_models": Option(("-l", "--list-models")),
        "list_filter": Option(metavar="STEM"),
        "extra_models": Option(metavar="NAME", several=True),
        "model": Option(
            ("-m", "--model-filename"),
            f"a name from --list-models, or your own file; default {DEFAULT_MODEL}",
            "NAME",
            also=("--model",),
        ),
        "models_dir": Option(
            ("--model-file-dir",), "the folder for models and downloads", "DIR", also=("--models-dir",)
        ),
        "download": Option(
            ("--download-model-only",), "download the models, show where they are, and exit", also=("--download",)
        ),
        "format": Option(
            ("--output-format",),
            "default flac",
            "FORMAT",
            also=("--format",),
            read=str.lower,
            switches=SHARED["format"].switches,
        ),
        "output": Option(
            ("--output-dir",), "by default the working directory", "DIR", default=".", also=("-o", "--out", "--output")
        ),
        "output_bitrate": Option(metavar="KBIT", also=("--bitrate",)),
        "output_sample_rate": Option(
            ("--sample-rate",), "sample rate of the files in Hz, or source; default 44100", "HZ"
        ),
        "single_stem": Option(metavar="STEM"),
        "custom_output_names": Option(help='file names by stem, as JSON: {"Vocals": "voice"}', metavar="JSON"),
        "ensemble_weights": Option(help="weight of each model in an average", metavar="X", several=True),
        "ensemble_preset": Option(help="a named ensemble from --list-presets", metavar="NAME"),
        "name_template": template_option("{track}_({stem})_{model}"),
        "mdx_segment_size": Option(also=("--segment-size",)),
        "mdx_overlap": Option(also=("--overlap",)),
        "mdx_batch_size": Option(also=("--vr-batch-size", "--mdxc-batch-size")),
        "mdx_enable_denoise": Option(also=("--denoise",)),
        "vr_aggression": Option(also=("--aggression",)),
        "vr_window_size": Option(also=("--window-size",)),
        "vr_enable_tta": Option(also=("--tta",)),
        "vr_high_end_process": Option(also=("--high-end",)),
        "vr_post_process": Option(("--vr-enable-post-process",), also=("--vr-post-process", "--post-process")),
        "vr_post_process_threshold": Option(also=("--post-process-threshold",)),
        "apollo": Option(metavar="MODEL"),
    },
    hidden=frozenset(
        {
            *("primary_stem", "secondary_stem", "vr_model_param", "nout", "nout_lstm"),
            *("mdx_n_fft_scale_set", "mdx_dim_f_set", "mdx_dim_t_set", "compensate"),
            *("model_file_dir", "label", "ensemble", "demucs_segment_s", "demucs_split", "bitrate"),
            *("model_path", "config_path", "feature_dim", "layer", "chunk_overlap"),
            *("loudness", "true_peak"),  # the package brings each stem to a level of its own
        }
    ),
    run=PackageRun,
    instead={**INSTEAD, "package_list_models": "--list-presets lists them."},
    version_flags=("-v", "--version"),
)


def parse(argv: Sequence[str]) -> Typed:
    """What was typed. Raises `InvalidRequest` as argparse would, for what no reading can make sense of."""
    typed = read(LAYOUT, argv)
    if typed.words.custom_output_names is not None:
        typed.words.custom_output_names = _names(typed.words.custom_output_names)
    return typed


def models_of(request: Separate) -> list[str]:
    """All models of a request."""
    if isinstance(request, PackageSeparate) and request.ensemble:
        return request.ensemble
    name = request.model or getattr(request, "model_path", None)
    return [name] if name else []


def understand(typed: Typed) -> Options[Separate]:
    """The request of a command line that has songs, or that downloads. Raises `InvalidRequest`."""
    words, wording = typed.words, typed.wording
    take_model_folder(words)
    if words.output_bitrate is not None:
        kilobits = _kilobits(words.output_bitrate)
        words.bitrate = kilobits if (words.format or "flac") in LOSSY else None
    if words.apollo is not None:
        return _understand_apollo(typed)
    if given := typed.given(RESTORATION):
        raise InvalidRequest(f"{wording.option(next(iter(given)))} needs --apollo.")
    if words.mdx_hop_length not in (None, MDX_HOP):
        raise InvalidRequest(f"--mdx-hop-length must be {MDX_HOP}: MDX models work with no other.")
    if words.demucs_segment_size not in (None, DEFAULT_SEGMENT):
        words.demucs_segment_s = _seconds(words.demucs_segment_size)
    words.demucs_split = None if words.demucs_segments_enabled is None else bool(words.demucs_segments_enabled)
    words.format = words.format or "flac"
    words.single_stem = words.single_stem or None  # programs pass on what was left empty
    words.output_sample_rate = RATE if words.output_sample_rate is None else words.output_sample_rate
    if words.batch_size is None:
        words.batch_size = words.mdx_batch_size
    if words.extra_models:
        words.model, words.ensemble = None, [words.model or DEFAULT_MODEL, *words.extra_models]
    if words.use_autocast or words.use_native_fp16:
        words.precision = words.precision or "bf16"
    options = typed.understand(PackageSeparate)
    _ = options.request.level  # what it cannot be is told before an engine is made
    return replace(options, request=complete(options.request, resolve(options.settings).models_dir))


def take_model_folder(words: Any) -> None:
    """The folder that the package's variable names counts before the option."""
    folder = os.environ.get(MODEL_DIR_VARIABLE)
    if not folder:
        return
    if not Path(folder).is_dir():
        raise ModelNotInstalled(f"There is no folder `{folder}`, which {MODEL_DIR_VARIABLE} sets for models.")
    words.models_dir = folder


def _understand_apollo(typed: Typed) -> Options[Apollo]:
    words, wording = typed.words, typed.wording
    own = [field for field in PackageSeparate.__struct_fields__ if field not in Apollo.__struct_fields__]
    if given := typed.given(("model", *own, "two_stems")):
        raise InvalidRequest(f"{wording.option(next(iter(given)))} is for separation, not for --apollo.")
    path = PurePath(words.apollo)
    setattr(words, "model_path" if path.suffix or len(path.parts) > 1 else "model", words.apollo)
    words.output_dir, words.output = words.output, None
    words.format = words.format or "flac"
    return typed.understand(Apollo)


def _kilobits(text: str) -> int:
    number = text.lower().removesuffix("bps").removesuffix("k")
    if not number.isdecimal():
        raise InvalidRequest(f"--output-bitrate takes a bit rate such as 320k, not {text!r}.")
    bits = int(number)
    return bits if text.lower() != number or bits < 1000 else bits // 1000  # plain numbers are bits


def _seconds(text: str) -> float:
    try:
        return float(int(text))
    except ValueError as error:
        raise InvalidRequest(
            f"--demucs-segment-size takes a whole number of seconds or {DEFAULT_SEGMENT}, not {text!r}."
        ) from error


def _names(text: str) -> dict[str, str]:
    try:
        names = json.loads(text)
    except ValueError as error:
        raise InvalidRequest(f"--custom-output-names takes JSON, but this is not JSON: {error}.") from error
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise InvalidRequest('--custom-output-names takes names by stem, such as {"Vocals": "voice"}.')
    return names
