"""VR, MDX and Apollo models as `dsu` offers them to people: their options, and what is written.

The sizes of a model's network are no options: they are known of public models, and stand in a file beside others. An
option for the other kind of model is refused, never accepted and ignored.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath

from utils.commandline.audiosep import name_output
from utils.commandline.existing import Results, expected_stems
from utils.commandline.layout import FORMAT, MODELS, STEMS, Layout, Option, template_option
from utils.commandline.options import Options, Typed
from utils.commandline.program import Program, describe_model
from utils.core.api import EngineApi
from utils.core.catalogue import ADDITION, AUDIO_SEPARATOR_SUFFIXES, RESTORED
from utils.core.errors import InvalidRequest, ModelNotInstalled
from utils.core.replies import ModelDetails
from utils.core.requests import Apollo, AudioSeparatorSeparate, ListModels, Separate

# The options that only one kind of model has. A model without one of the suffixes is a network of dsu-bsroformer.
OPTIONS_OF = {
    "vr": (
        "vr_aggression",
        "vr_window_size",
        "vr_enable_tta",
        "vr_high_end_process",
        "vr_post_process",
        "vr_post_process_threshold",
    ),
    "mdx": ("mdx_segment_size", "mdx_overlap", "bigshifts", "mdx_enable_denoise", "invert_spect"),
}
MODEL = Option(("-m", "--model"), "a name from --list-models, or your own file", "NAME")


# VR and MDX models --------------------------------------------------------------------------------------------------


def understand(typed: Typed) -> Options[AudioSeparatorSeparate]:
    """There is a model, and no option that it has no use for."""
    words, wording = typed.words, typed.wording
    if not words.model and not words.list_models:
        raise InvalidRequest("Name a model with --model.", hint=wording.instead["list_models"])
    if words.model:
        own = AUDIO_SEPARATOR_SUFFIXES.get(PurePath(words.model).suffix)
        if words.model_file_dir and own is None:
            suffixes = " or ".join(AUDIO_SEPARATOR_SUFFIXES)
            raise InvalidRequest(f"--model-file-dir needs a file of the type {suffixes} in --model.")
        for kind, fields in OPTIONS_OF.items():
            if kind != own and (given := typed.given(fields)):
                option = wording.option(next(iter(given)))
                raise InvalidRequest(f"{option} is for {kind.upper()} models; {words.model} is not one.")
    if words.vr_post_process_threshold is not None and not words.vr_post_process:
        raise InvalidRequest("--post-process-threshold needs --post-process.")
    return typed.understand(AudioSeparatorSeparate)


def find_models(engine: EngineApi, request: Separate) -> list[ModelDetails]:
    """The model that is named. Of a file of the user's own only its path is known before it is read."""
    path = own_file(request)
    if path is None:
        return [describe_model(engine, ListModels(details=True, model=request.model))]
    if not path.is_file():
        raise ModelNotInstalled(f"There is no model `{path}`.", field="model")
    return [
        ModelDetails(
            name=str(path),
            type="apollo" if isinstance(request, Apollo) else AUDIO_SEPARATOR_SUFFIXES[path.suffix],
            stems=[],
            description="",
            installed=True,
            size_bytes=path.stat().st_size,
            sdr=None,
            license=None,
        )
    ]


def own_file(request: Separate) -> Path | None:
    """The model's file where it is not in the models directory: named by its path, or by a folder."""
    if isinstance(request, Apollo):
        return Path(request.model_path).expanduser() if request.model_path else None
    if not isinstance(request, AudioSeparatorSeparate):
        return None
    path = Path(request.model_file_dir or "", request.model or "").expanduser()
    if path.suffix not in AUDIO_SEPARATOR_SUFFIXES:
        return None
    return path if request.model_file_dir or path.is_absolute() or path.is_file() else None


def results(request: Separate, models: Sequence[ModelDetails]) -> Results:
    (model,) = models
    if isinstance(request, Apollo):
        stems = expected_stems(request, [RESTORED], also=[ADDITION] if request.addition else [])
    elif isinstance(request, AudioSeparatorSeparate) and request.single_stem is not None:
        stems = (request.single_stem,)
    else:
        stems = expected_stems(request, model.stems)
    return Results(Path(model.name).name, stems)


FAMILY: Program[AudioSeparatorSeparate] = Program(
    Layout(
        program="",
        description="Separate songs into a stem and the rest with VR and MDX models.",
        requests=(AudioSeparatorSeparate,),
        groups={
            "model": ("model", "model_file_dir", *MODELS),
            "output": ("output", "name_template", *FORMAT),
            "stems": ((*STEMS, "single_stem"), "pitch_shift"),
            "VR models (.pth)": OPTIONS_OF["vr"],
            "MDX models (.onnx)": OPTIONS_OF["mdx"],
        },
        options={
            "model": MODEL,
            "name_template": template_option(AudioSeparatorSeparate.template),
            "single_stem": Option(metavar="STEM"),
            "vr_aggression": Option(("--aggression",)),
            "vr_window_size": Option(("--window-size",)),
            "vr_enable_tta": Option(("--tta",)),
            "vr_high_end_process": Option(("--high-end",)),
            "vr_post_process": Option(("--post-process",)),
            "vr_post_process_threshold": Option(("--post-process-threshold",)),
            "mdx_segment_size": Option(("--segment-size",)),
            "mdx_overlap": Option(("--overlap",)),
            "mdx_enable_denoise": Option(("--denoise",)),
        },
        hidden=frozenset(
            {
                "primary_stem",
                "secondary_stem",
                "vr_model_param",
                "nout",
                "nout_lstm",
                "mdx_n_fft_scale_set",
                "mdx_dim_f_set",
                "mdx_dim_t_set",
                "compensate",
            }
        ),
    ),
    understand,
    find_models,
    results,
)


# Apollo -----------------------------------------------------------------------------------------------------------


def understand_apollo(typed: Typed) -> Options[Apollo]:
    """There is a network, by name or by its files."""
    words = typed.words
    if words.model and words.model_path:
        raise InvalidRequest("Give either --model or --model-path, not both.")
    if not words.model and not words.model_path and not words.list_models:
        raise InvalidRequest("Name an Apollo model with --model.", hint=typed.wording.instead["list_models"])
    name_output(typed)
    return typed.understand(Apollo)


APOLLO: Program[Apollo] = Program(
    Layout(
        program="",
        description="Restore songs that lossy compression has damaged with Apollo models.",
        requests=(Apollo,),
        groups={
            "model": ("model", *MODELS),
            "your own model": ("model_path", "config_path", "feature_dim", "layer"),
            "output": ("output", "name_template", *FORMAT),
            "restoration": (STEMS, "addition", "chunk_seconds", "chunk_overlap"),
        },
        options={
            "model": Option(("-m", "--model"), "a name from --list-models", "NAME"),
            "model_path": Option(metavar="FILE"),
            "config_path": Option(metavar="FILE"),
            "output": Option(("-o", "--out"), "a directory or a file; default ./separated", "OUT", default="separated"),
            "name_template": template_option(Apollo.template),
            "chunk_overlap": Option(metavar="SECONDS"),
        },
    ),
    understand_apollo,
    find_models,
    results,
)
