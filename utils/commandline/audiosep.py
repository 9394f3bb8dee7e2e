"""`dsu-audiosep --text WHAT SONG ...`, for people: its options, and what is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from utils.commandline.existing import Results, expected_stems
from utils.commandline.layout import FORMAT, MODELS, STEMS, Layout, Option, Switch, closing, template_option
from utils.commandline.options import Options, Typed
from utils.commandline.program import Program, describe_model
from utils.core.api import EngineApi
from utils.core.catalogue import DEFAULT_AUDIOSEP, RESIDUAL
from utils.core.errors import InvalidRequest
from utils.core.replies import ModelDetails
from utils.core.requests import AudioSepSeparate, ListModels, format_of

OWN_PARTS = ("checkpoint_path", "config_path", "clap_checkpoint_path", "roberta_dir")


def understand(typed: Typed) -> Options[AudioSepSeparate]:
    words = typed.words
    name_output(typed)
    options = typed.understand(AudioSepSeparate)
    if words.texts is not None:
        try:
            _ = options.request.queries
        except InvalidRequest as error:
            raise InvalidRequest(error.message.replace("`texts`", "--text"), field=error.field) from error
    elif words.tracks:
        raise InvalidRequest('Describe what to separate with --text, as in --text "a singing voice".')
    if words.download and (given := typed.given(OWN_PARTS)):
        option = typed.wording.option(next(iter(given)))
        raise InvalidRequest(
            f"--download is for public models, named with --model; {option} is part of your own model."
        )
    return options


def name_output(typed: Typed) -> None:
    """What was typed after `--out`, as a request that may write to a file calls it."""
    words = typed.words
    named = format_of(words.output)
    if named is None:
        words.output_dir, words.output = words.output, None
        return
    if len(words.tracks) > 1:
        raise InvalidRequest("Several songs cannot go into one file: give a directory in --out.")
    for field in ("format", "name_template"):
        if getattr(words, field) is not None:
            option = typed.wording.option(field)
            raise InvalidRequest(f"{option} needs a directory in --out; a file there sets its own name and format.")
    if words.skip_existing:
        raise InvalidRequest("--skip-existing needs a directory in --out.")
    words.format = named


def find_models(engine: EngineApi, request: AudioSepSeparate) -> list[ModelDetails]:
    """The model that is named. Where parts of it are the user's own, nothing is downloaded for it."""
    if any(getattr(request, field) is not None for field in OWN_PARTS):
        return []
    return [describe_model(engine, ListModels(details=True, model=request.model or DEFAULT_AUDIOSEP))]


def results(request: AudioSepSeparate, models: Sequence[ModelDetails]) -> Results:
    name = models[0].name if models else Path(request.checkpoint_path or DEFAULT_AUDIOSEP).stem
    also = [RESIDUAL] if request.residual else []
    return Results(name, expected_stems(request, request.queries, also=also))


FAMILY = Program(
    Layout(
        program="",
        description="Separate what a text describes from songs and other recordings.",
        requests=(AudioSepSeparate,),
        groups={
            "what to separate": ("texts", "residual", STEMS),
            "model": ("model", *MODELS),
            "parts of your own model": OWN_PARTS,
            "output": ("output", "name_template", *FORMAT),
            "separation": ("chunk_seconds", "use_chunk"),
        },
        options={
            "texts": Option(
                ("-t", "--text"),
                "what to separate, described in English; repeat the option for several sounds, each in a file of its own",
                "TEXT",
                repeated=True,
            ),
            "model": Option(("-m", "--model"), f"a name from --list-models; default {DEFAULT_AUDIOSEP}", "NAME"),
            **{field: Option(metavar="FILE") for field in OWN_PARTS if field.endswith("_path")},
            "output": Option(("-o", "--out"), "a directory or a file; default ./separated", "OUT", default="separated"),
            "name_template": template_option(AudioSepSeparate.template),
            "use_chunk": Option(
                (),
                switches=(
                    Switch(
                        "--few-chunks",
                        False,
                        "process songs in chunks of half a minute: sometimes faster, but needs more memory",
                    ),
                ),
            ),
        },
        hidden=frozenset({"text"}),
    ),
    understand,
    find_models,
    results,
)

EPILOG = f"""\
examples:
  dsu-audiosep --text "a dog barking" street.wav -o dog.wav
  dsu-audiosep --text drums --text "a singing voice" --residual song.mp3 -o out
  dsu-audiosep --text "acoustic guitar" --flac songs/ -o out
  dsu-audiosep --download

Results are OUT/TRACK_(TEXT).EXT, and OUT/TRACK_(residual).EXT with --residual.
If OUT ends in the extension of an audio format it is a file: that of the only
text, or OUT_TEXT.EXT of several. The model has 3.6 GB.
{closing("dsu-audiosep --worker")}"""
PROGRAM = replace(FAMILY, layout=replace(FAMILY.layout, program="dsu-audiosep", epilog=EPILOG))
main = PROGRAM.main
