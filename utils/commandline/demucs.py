"""`dsu-demucs SONG ...`, for people: the options that users of demucs know, and what is written.

An option of demucs that cannot be honoured is refused with the reason, never accepted and ignored.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Annotated

from msgspec import Meta

from utils.commandline.existing import Results, expected_stems
from utils.commandline.layout import FORMAT, MODELS, STEMS, Layout, Option, Run, closing, template_option
from utils.commandline.options import Options, Typed, template_fields
from utils.commandline.program import Program, describe_model
from utils.core.api import EngineApi
from utils.core.catalogue import DEFAULT_DEMUCS, TEMPLATE_FIELDS
from utils.core.errors import InvalidRequest
from utils.core.replies import ModelDetails
from utils.core.requests import DemucsListModels, DemucsSeparate

DEFAULT_FILENAME = "{track}/{stem}.{ext}"
FILENAME_FIELDS = {*TEMPLATE_FIELDS, "trackext", "ext"}


def understand(typed: Typed) -> Options[DemucsSeparate]:
    return typed.understand(DemucsSeparate)


def find_models(engine: EngineApi, request: DemucsSeparate) -> list[ModelDetails]:
    return [describe_model(engine, DemucsListModels(details=True, repo=request.repo, model=request.model))]


def results(request: DemucsSeparate, models: Sequence[ModelDetails]) -> Results:
    (model,) = models
    return Results(model.name, expected_stems(request, model.stems, rest=request.other_method != "none"))


FAMILY = Program(
    Layout(
        program="",
        description="Separate songs into stems with Demucs models.",
        requests=(DemucsSeparate,),
        groups={
            "model": ("model", "repo", *MODELS),
            "output": ("output", "name_template", *FORMAT),
            "separation": (STEMS, "other_method", "shifts", "overlap", "segment", "seed"),
        },
        options={
            "model": Option(("-m", "--model"), f"default {DEFAULT_DEMUCS}", default=DEFAULT_DEMUCS),
            "repo": Option(metavar="DIR"),
            "name_template": template_option(DemucsSeparate.template),
            "segment": Option(metavar="SECONDS"),
            "jobs": Option(("-j", "--jobs")),
        },
        machine=(*Layout.machine, "jobs"),
        hidden=frozenset({"segments"}),
    ),
    understand,
    find_models,
    results,
)


# As users of demucs know it -----------------------------------------------------------------------------------------


class DemucsRun(Run, frozen=True, kw_only=True):
    """What only this program has."""

    mp3_bitrate: Annotated[int | None, Meta(description="Of --mp3; default 320.")] = None


EPILOG = f"""\
examples:
  dsu-demucs song.mp3
  dsu-demucs -n htdemucs_ft --two-stems vocals --flac song.mp3
  dsu-demucs -n htdemucs_ft --download

Results are OUT/MODEL/TRACK/STEM.EXT.
{closing("dsu-demucs --worker")}"""


def understand_demucs(typed: Typed) -> Options[DemucsSeparate]:
    """With the options of demucs that have no field of their own."""
    words = typed.words
    if words.mp3_bitrate is not None and words.format != "mp3":
        raise InvalidRequest("--mp3-bitrate needs --mp3.")
    if words.bitrate is None:
        words.bitrate = words.mp3_bitrate
    words.name_template = _name_template(words)
    return understand(typed)


def _name_template(words: argparse.Namespace) -> str | None:
    """The request's template for a `--filename` of demucs, which starts at OUT/MODEL and includes the extension."""
    filename, audio_format = words.name_template, words.format or "wav"
    if filename == DEFAULT_FILENAME:
        return None
    fields = template_fields(filename, "--filename", FILENAME_FIELDS)
    whole = filename.replace("{ext}", audio_format)
    if "trackext" in fields:  # one template serves all songs
        extensions = {PurePath(track).suffix.lstrip(".") for track in words.tracks}
        if len(extensions) != 1 or "" in extensions:
            raise InvalidRequest("{trackext} in --filename needs songs of one extension, given one by one.")
        whole = whole.replace("{trackext}", extensions.pop())
    stem, dot, extension = whole.rpartition(".")
    if not dot or extension != audio_format:
        raise InvalidRequest(f"--filename must end in .{{ext}} (or .{audio_format}, the format of the stems).")
    return f"{{model}}/{stem}"


PROGRAM = replace(
    FAMILY,
    layout=replace(
        FAMILY.layout,
        program="dsu-demucs",
        epilog=EPILOG,
        groups={**FAMILY.layout.groups, "output": ("output", "name_template", *FORMAT, "mp3_bitrate")},
        options={
            **FAMILY.layout.options,
            "model": Option(("-n", "--name"), f"default {DEFAULT_DEMUCS}", "MODEL", default=DEFAULT_DEMUCS),
            "name_template": Option(
                ("--filename",),
                "names below OUT/MODEL from {track} {trackext} {stem} {ext} {model} {index}; "
                f"default {DEFAULT_FILENAME}",
                default=DEFAULT_FILENAME,
            ),
            "mp3_bitrate": Option(metavar="KBIT"),
        },
        refused={
            "--no-split": "--no-split is not supported: songs are always separated in segments, so that memory stays "
            "bounded. --segment sets their length.",
            "--mp3-preset": "--mp3-preset is not supported: the encoder has one quality setting for a bitrate. "
            "Use --mp3-bitrate.",
        },
        run=DemucsRun,
    ),
    understand=understand_demucs,
)
main = PROGRAM.main
