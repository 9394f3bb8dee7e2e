"""`dsu models`, for people: what there is and what is recommended, and what is done with models that are there."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from utils.commandline.layout import Layout, Option, Run
from utils.commandline.model_files import FILE_COMMANDS
from utils.commandline.model_import import IMPORT, import_models
from utils.commandline.model_list import by_name, described, named, overview, ranked, table, unknown
from utils.commandline.options import Typed, read
from utils.commandline.program import Listing, answered
from utils.core.catalogue import PURPOSES, FamilyName, Purpose, Speed, family_of
from utils.core.choosing import chosen
from utils.core.errors import InvalidRequest
from utils.core.replies import ModelDetails
from utils.core.requests import ListModels
from utils.core.settings import resolve

UNITS = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9}


class ModelsRun(Run, frozen=True, kw_only=True):
    """What `dsu models` shows."""

    purpose: Annotated[Purpose | None, Meta(description="Models for this, the best published scores first.")] = None
    family: Annotated[FamilyName | None, Meta(description="Only models of this family.")] = None
    installed: Annotated[bool, Meta(description="Only models that are installed.")] = False
    commercial: Annotated[bool, Meta(description="Only models whose licence is known to allow commercial use.")] = False
    speed: Annotated[Speed | None, Meta(description="Only models that are at least as fast as this.")] = None
    max_size: Annotated[int | None, Meta(description="Only models that are no larger than this: 500M, 1.5G.")] = None
    all: Annotated[bool, Meta(description="All models, on a terminal, too.")] = False
    json: Annotated[bool, Meta(description="Print one JSON document: a list with an object for each model.")] = False


def size_in_bytes(text: str) -> int:
    """A size as people type it: `500M`, `1.5 GB`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]?)(?:i?b)?", text.strip().lower())
    if found is None or float(found[1]) == 0:
        raise argparse.ArgumentTypeError(f"a size such as 500M or 1.5G is needed, not {text!r}")
    return round(float(found[1]) * UNITS[found[2]])


PURPOSE_LINES = "\n".join(f"  {purpose:12} {facts.meaning}" for purpose, facts in PURPOSES.items())
MODELS = Layout(
    program="dsu models",
    description="List models. With a NAME: those whose names contain it, or one in detail.\n"
    "On a terminal, without a NAME or an option: what is recommended.",
    requests=(),
    groups={},
    ungrouped=("purpose", "family", "installed", "commercial", "speed", "max_size", "all", "json", "models_dir"),
    machine=(),
    run=ModelsRun,
    options={
        "purpose": Option(("--for",), metavar="PURPOSE"),
        "max_size": Option(metavar="SIZE", read=size_in_bytes),
    },
    usage="[options] [NAME ...]",
    things=("NAME", "the name of a model, or a part of it"),
    epilog=f"""\
commands:
  dsu models show NAME     all that is known of a model, and how to use it
  dsu models import        models that other programs downloaded, or a file
  dsu models verify        compare the files of models with their hashes
  dsu models remove NAME   delete a model's files
  dsu models du            how much space models take

purposes:
{PURPOSE_LINES}

An asterisk marks installed models. SDR is in dB, as published; only scores on
the same songs can be compared. BLEED and FULL are the scores `bleedless` and
`fullness`: more is less bleed, and fuller. Nobody states a licence of `?`.
""",
)
SHOW = Layout(
    program="dsu models show",
    description="Show all that is known of models, and how to use them.",
    requests=(),
    groups={},
    ungrouped=("models_dir",),
    machine=(),
    usage="[options] NAME ...",
    things=("NAME", "a name from `dsu models`"),
)


def models(argv: Sequence[str], listing: Listing, *, only_names: bool) -> int:
    """List models, or do what the first word says."""
    command = None if only_names else next(iter(argv), None)
    if command == "import":
        return answered(IMPORT.program, lambda: read(IMPORT, argv[1:]), import_models)
    if command == "show":
        return answered(SHOW.program, lambda: read(SHOW, argv[1:]), partial(show_models, listing=listing))
    if command in FILE_COMMANDS:
        layout, act = FILE_COMMANDS[command]
        return answered(layout.program, lambda: read(layout, argv[1:]), act)
    list_them = partial(list_models, listing=listing, only_names=only_names)
    return answered(MODELS.program, lambda: read(MODELS, argv), list_them)


def list_models(typed: Typed, listing: Listing, *, only_names: bool = False) -> int:
    """Print the models that were asked for."""
    known = _known(typed, listing)
    words: Any = typed.words
    wanted = ListModels(
        purpose=words.purpose,
        installed=words.installed or None,
        commercial_use=words.commercial or False,
        speed=words.speed,
        max_size_bytes=words.max_size,
    )
    found = [one for one in named(words.tracks, known) if words.family in (None, family_of(one.type))]
    found = chosen(found, wanted)
    if words.json:
        objects = [{**msgspec.to_builtins(model), "family": family_of(model.type)} for model in found]
        lines = iter([json.dumps(objects, ensure_ascii=False, indent=2)])
    elif only_names:
        lines = (model.name for model in found)
    elif words.purpose is not None:
        lines = ranked(found, words.purpose, sys.stdout)
    elif words.tracks and found == [by_name(known).get(name) for name in words.tracks]:
        lines = described(found)
    elif sys.stdout.isatty() and not (words.all or words.tracks or words.family) and wanted == ListModels():
        lines = overview(found)
    else:
        lines = table(found, sys.stdout)
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return 0


def show_models(typed: Typed, listing: Listing) -> int:
    """Print all that is known of the named models."""
    known = by_name(_known(typed, listing))
    if not typed.words.tracks:
        raise InvalidRequest("Name at least one model.", hint="`dsu models` lists all models.")
    for number, name in enumerate(dict.fromkeys(typed.words.tracks)):
        if name not in known:
            raise unknown(name, known)
        sys.stdout.write("\n" if number else "")
        sys.stdout.writelines(f"{line}\n" for line in described([known[name]]))
    return 0


def _known(typed: Typed, listing: Listing) -> Sequence[ModelDetails]:
    return listing(resolve(typed.given(("models_dir",))).models_dir, None)
