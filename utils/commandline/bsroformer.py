"""`dsu-bsroformer --model NAME SONG ...`, for people: its options, and what is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from utils.commandline.existing import Results, expected_stems
from utils.commandline.layout import (
    BETTER,
    FORMAT,
    MODELS,
    SHARED,
    STEMS,
    Layout,
    Option,
    Run,
    Switch,
    closing,
    template_option,
)
from utils.commandline.options import Options, Typed
from utils.commandline.program import Program, describe_model
from utils.core.api import EngineApi
from utils.core.asked_networks import OwnFiles, check_choice, choices_of
from utils.core.catalogue import DEFAULT_NETWORK, INSTRUMENTAL, VOCALS
from utils.core.errors import InvalidRequest
from utils.core.replies import ModelDetails
from utils.core.requests import ListModels, NetworkSeparate


def understand(typed: Typed) -> Options[NetworkSeparate]:
    """There is a model, or several, and nothing that belongs to another way of naming one."""
    words, wording = typed.words, typed.wording
    options = typed.understand(NetworkSeparate)
    request = options.request
    try:
        check_choice(request)
    except InvalidRequest as error:
        raise InvalidRequest(wording.of(error.message), field=error.field) from error
    if words.ensemble_type is not None and request.ensemble is None:
        raise InvalidRequest("--ensemble-type needs --ensemble, which names the members.")
    if words.download and not words.list_models:
        if not request.model_key:
            raise InvalidRequest("Choose a model to download with --model NAME.", hint=wording.instead["list_models"])
        if request.model_path:
            raise InvalidRequest("--download is for public models, named with --model; --model-path is your own file.")
    return options


def find_models(engine: EngineApi, request: NetworkSeparate) -> list[ModelDetails]:
    """The networks that are named; nothing is known of the user's files before they are read."""
    named = dict.fromkeys(choice for choice in choices_of(request) if isinstance(choice, str))
    return [describe_model(engine, ListModels(details=True, model=name)) for name in named]


def results(request: NetworkSeparate, models: Sequence[ModelDetails]) -> Results:
    choices = choices_of(request)
    names = [Path(choice.model_path).stem if isinstance(choice, OwnFiles) else choice or "" for choice in choices]
    stems = common_stems(models)
    also = [complement_of(stems)] if request.extract_instrumental else []
    return Results("+".join(names), expected_stems(request, stems, also=also))


def common_stems(models: Sequence[ModelDetails]) -> list[str]:
    """The stems that all models give, as the first one calls them."""
    others = [{stem.casefold() for stem in model.stems} for model in models[1:]]
    return [stem for model in models[:1] for stem in model.stems if all(stem.casefold() in one for one in others)]


def complement_of(stems: Sequence[str]) -> str:
    """What `--extract-instrumental` adds. A configuration may have another word for it, known only once it is read."""
    given = {stem.casefold() for stem in stems}
    return VOCALS if INSTRUMENTAL in given and VOCALS not in given else INSTRUMENTAL


FAMILY = Program(
    Layout(
        program="",
        description="Separate songs into stems with BS-RoFormer, Mel-Band RoFormer, SCNet and MDX23C\n"
        "models, or restore them with Apollo models.",
        requests=(NetworkSeparate,),
        groups={
            "model": ("model", *MODELS),
            "your own model": ("model_path", "config_path", "model_type", "configs_dir"),
            "several models": ("ensemble", "ensemble_type", "ensemble_weights"),
            "output": ("output", "name_template", *FORMAT),
            "separation": (STEMS, "extract_instrumental", "quality", "overlap", "chunk_seconds", "use_tta", *BETTER),
        },
        options={
            "model": Option(
                ("-m", "--model"),
                f"a name from --list-models; default {DEFAULT_NETWORK}, which comes with DSU",
                "NAME",
            ),
            "model_path": Option(metavar="FILE"),
            "config_path": Option(metavar="FILE"),
            "configs_dir": Option(metavar="DIR"),
            "ensemble": Option(help="names of models whose results are combined into one"),
            "name_template": template_option(NetworkSeparate.template),
            "use_tta": Option(("--tta",)),
        },
        hidden=frozenset({"num_overlap", "use_fast"}),
    ),
    understand,
    find_models,
    results,
)

EPILOG = f"""\
examples:
  dsu-bsroformer --list-models
  dsu-bsroformer -m vocals_melband song.wav -o out
  dsu-bsroformer -m vocals_melband --extract-instrumental --flac songs/
  dsu-bsroformer --ensemble vocals_melband,kim_ft --quality best song.wav
  dsu-bsroformer --model-path net.ckpt --config-path net.yaml song.wav
  dsu-bsroformer -m vocals_melband --download

Results are OUT/TRACK/STEM.EXT, whatever the model; {{model}} in --name-template
keeps those of several models apart.
{closing("dsu-bsroformer --worker")}"""


# As users of the first dsu-bsroformer know it ------------------------------------------------------------------------

REASON = "{} is not supported: {}."


class BsroformerRun(Run, frozen=True, kw_only=True):
    """What only this program has."""

    input_folder: Annotated[list[str] | None, Meta(description="A file or a folder.")] = None


def understand_earlier(typed: Typed) -> Options[NetworkSeparate]:
    """With the words of the earlier command line."""
    words = typed.words
    words.tracks += words.input_folder or []
    if words.name_template is not None:
        words.name_template = words.name_template.replace("{file_name}", "{track}").replace("{instr}", "{stem}")
    return understand(typed)


def _earlier(layout: Layout) -> Layout:
    options = {**SHARED, **layout.options}
    also = {
        "output": ("--store-dir",),
        "model_path": ("--start-check-point",),
        "use_tta": ("--use-tta",),
        "name_template": ("--filename-template",),
        "pcm_type": ("--pcm-type",),
    }
    flac = (*options["format"].switches, Switch("--flac-file", "flac", ""))
    return replace(
        layout,
        options={
            **layout.options,
            **{name: options[name]._replace(also=flags) for name, flags in also.items()},
            "format": options["format"]._replace(switches=flac),
            "device": options["device"]._replace(switches=(Switch("--force-cpu", "cpu", ""),)),
            "input_folder": Option((), repeated=True, also=("-i", "--input", "--input-folder")),
            "use_fast": Option((), also=("--fast",)),
            "precision": Option(words={"high": "fp32", "medium": "auto"}),
        },
        groups={**layout.groups, "earlier words": ("input_folder", "use_fast")},
        hidden=layout.hidden - {"use_fast"},
        refused={
            "--init-registry": REASON.format("--init-registry", "models need no list; --list-models shows them"),
            "--draw-spectro": REASON.format("--draw-spectro", "--report draws waveforms and spectrograms"),
            "--device-ids": REASON.format("--device-ids", "--device cuda:N chooses the graphics card"),
            **{
                flag: REASON.format(flag, "merge the adapter into the network's checkpoint first")
                for flag in ("--lora-checkpoint-peft", "--lora-checkpoint-loralib")
            },
        },
        run=BsroformerRun,
    )


PROGRAM = replace(
    FAMILY,
    layout=_earlier(replace(FAMILY.layout, program="dsu-bsroformer", epilog=EPILOG)),
    understand=understand_earlier,
)
main = PROGRAM.main
