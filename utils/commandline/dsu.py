"""`dsu`, one program for everything, for people: `separate`, `models` and `download`. (`dsu worker` serves programs.)

The model determines the family, and the family the options: they are those of the family's own program. An option that
only other families have is refused with that reason.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePath
from typing import Annotated, Any

from msgspec import Meta

from utils import __version__
from utils.commandline import audiosep, bsroformer, demucs, provider, recipes, score
from utils.commandline.audio_separator import families as audio_separator
from utils.commandline.doctor import doctor
from utils.commandline.layout import FORMAT, SHARED, STEMS, Layout, Option, Run, Switch, template_option
from utils.commandline.model_list import INSTEAD, by_name, unknown
from utils.commandline.models import models
from utils.commandline.options import Options, SongsParser, Typed, new_parser, number_or, read
from utils.commandline.program import Listing, MakeEngine, Program, Report, answered, complain, download, performed
from utils.core.api import EngineApi
from utils.core.catalogue import AUDIO_SEPARATOR_SUFFIXES, DEFAULT_NETWORK, FamilyName, family_of
from utils.core.errors import InvalidRequest, did_you_mean, nearest
from utils.core.job import Job
from utils.core.many_files import AUDIO_EXTENSIONS, VIDEO_EXTENSIONS
from utils.core.requests import Separate
from utils.core.settings import resolve, with_dashes

FAMILIES: dict[str, Program[Any]] = {
    "networks": bsroformer.FAMILY,
    "demucs": demucs.FAMILY,
    "audio-separator": audio_separator.FAMILY,
    "apollo": audio_separator.APOLLO,
    "audiosep": audiosep.FAMILY,
}
# Options that name what to separate with, and so the family.
NAMING = {
    "--text": "audiosep",
    "-t": "audiosep",
    "--repo": "demucs",
    "--model-path": "networks",
    "--ensemble": "networks",
}

ELSEWHERE = ("models", "batch", "studio", "serve", "worker")  # commands that are not looked up in a table
HELP = f"""\
usage: dsu [separate] [options] SONG_OR_FOLDER ...
       dsu models [options] [NAME ...]
       dsu models show|import|verify|remove|du ...
       dsu download [options] NAME ...
       dsu doctor [options]
       dsu recipe [options] list | show NAME ... | check NAME_OR_FILE ...
       dsu score [options] REFERENCE ESTIMATE
       dsu batch [options] SOURCE ... -o DIR
       dsu studio [options]
       dsu serve [options]
       dsu worker [options]
       dsu jsonrpc [options]

Separate songs into stems, restore them, or separate what a text describes.

commands:
  separate    separate songs with {DEFAULT_NETWORK} or -m MODEL, as `dsu SONG` does
  models      list and recommend models; show, import, verify, remove them
  download    download models
  doctor      examine this machine: disks, codecs, graphics cards
  recipe      list, show and check recipes, which combine several models
  score       compare separated stems with the true ones
  batch       separate a catalogue, on this machine or a cluster
  studio      separate songs in the browser
  serve       answer HTTP requests, for programs elsewhere
  worker      answer JSON commands from standard input, for programs
  jsonrpc     answer JSON-RPC requests, for USDB Syncer

options:
  -h, --help  show this help message and exit
  --version   show program's version number and exit

`dsu COMMAND --help` describes a command.
"""


def main(argv: Sequence[str], make_engine: MakeEngine, listing: Listing) -> int:
    """Do what the arguments say and return the exit status."""
    command, *rest = argv or ["--help"]
    said = {"-h": HELP, "--help": HELP, "--version": f"dsu {__version__}\n"}.get(command)
    if said is not None:
        sys.stdout.write(said)
        return 0
    if command in ("models", "--list-models"):  # the second is how other programs list names, and nothing else
        return models(rest, listing, only_names=command == "--list-models")
    does: dict[str, Callable[[], int]] = {
        "download": lambda: answered(
            DOWNLOAD.program,
            lambda: read(DOWNLOAD, rest),
            partial(download_models, listing=listing, make_engine=make_engine),
        ),
        "recipe": lambda: answered(
            recipes.LAYOUT.program, lambda: read(recipes.LAYOUT, rest), partial(recipes.look, listing=listing)
        ),
        "doctor": lambda: doctor(rest, make_engine),
        "score": lambda: score.main(rest),
        "jsonrpc": lambda: provider.main(rest, make_engine, listing),
        "separate": lambda: separate(rest, make_engine, listing),
    }
    if command in does:
        return does[command]()
    if command.isalpha() and not Path(command).exists() and (meant := nearest(command, [*does, *ELSEWHERE])):
        complain(
            "dsu",
            f"There is neither a command nor a file `{command}`.{did_you_mean(meant)} `dsu --help` lists the commands.",
        )
        return 2
    return separate(argv, make_engine, listing)


# dsu separate -----------------------------------------------------------------------------------------------------


class SeparateRun(Run, frozen=True, kw_only=True):
    """What only `dsu separate` has."""

    family: Annotated[
        FamilyName | None,
        Meta(description="The family of the model, if its name is not enough."),
    ] = None


# Stems are as the song is, unless somebody says otherwise, and nothing is lost; the other programs have the defaults of
# those they follow.
DEFAULTS = {
    "overwrite": Option(
        (),
        default=False,
        switches=(Switch("--overwrite", True, "replace existing results; without it, an existing result is an error"),),
    ),
    "pcm_type": SHARED["pcm_type"]._replace(
        default="source", help="sample type: PCM_16, PCM_24, PCM_32, FLOAT; by default as deep as the song"
    ),
    "output_sample_rate": SHARED["output_sample_rate"]._replace(
        default="source",
        help="sample rate in Hz, or \"model\" for the model's own; by default the song's",
        read=lambda text: None if text == "model" else number_or(("source",))(text),
    ),
}
PLACES = ("device", "devices")  # which exclude each other
SEPARATE = Layout(
    program="dsu separate",
    description="Separate songs into stems, restore them, or separate what a text describes.",
    requests=(Separate,),
    groups={
        "model": ("model", "family", "models_dir", "offline", "allow_unsafe_checkpoints"),
        "output": ("output", "name_template", *FORMAT),
        "separation": (STEMS,),
    },
    options={
        "model": Option(("-m", "--model"), f"a name from `dsu models`, or a file; default {DEFAULT_NETWORK}", "NAME"),
        "name_template": template_option("the family's"),
        **DEFAULTS,
    },
    run=SeparateRun,
    instead=INSTEAD,
    machine=(PLACES, *Layout.machine[1:]),
    epilog="""\
examples:
  dsu song.mp3
  dsu separate -m htdemucs_ft --two-stems vocals --flac song.mp3
  dsu separate -m UVR-MDX-NET-Inst_HQ_3.onnx songs/ -o out
  dsu separate -m apollo lossy.mp3
  dsu separate --text "a dog barking" street.wav -o dog.wav
  dsu separate --recipe dsu_mini song.mp3
  dsu separate --devices cuda:0,cuda:1 songs/

Each family of models has more options:
  dsu separate -m MODEL --help
  dsu separate --family FAMILY --help

A missing model is downloaded first. Messages go to stderr; with --print-paths,
the paths of the written files go to stdout.
""",
)


BY_RECIPE = "recipe"  # instead of a family
RECIPES = replace(
    recipes.FAMILY,
    layout=replace(
        recipes.FAMILY.layout,
        program=SEPARATE.program,
        options={**recipes.FAMILY.layout.options, **DEFAULTS},
        machine=(PLACES, *recipes.FAMILY.layout.machine[1:]),
    ),
    mirrors=True,
    extensions=AUDIO_EXTENSIONS | VIDEO_EXTENSIONS,
    deals=True,
)


def separate(argv: Sequence[str], make_engine: MakeEngine, listing: Listing) -> int:
    """Separate with the program of the model's family."""
    chosen: list[Program[Any]] = []

    def parse() -> Any:
        family, model = choose_family(argv, listing)
        if family is None:
            return read(SEPARATE, argv)  # shows the help
        chosen.append(RECIPES if family == BY_RECIPE else program_of(family, model))
        return chosen[0].parse(argv)

    return answered(SEPARATE.program, parse, lambda options: chosen[0].run(options, make_engine))


def choose_family(argv: Sequence[str], listing: Listing) -> tuple[str | None, str]:
    """The family of what a song is to be separated with, and its name. No family where only the help is asked for.

    Raises `InvalidRequest` or `UnknownModel`.
    """
    words = with_dashes(argv[: argv.index("--")] if "--" in argv else argv)
    parser = SongsParser(SEPARATE, add_help=False)
    for flags in (("-m", "--model"), ("--family",), ("--models-dir",)):
        parser.add_argument(*flags)
    for flag in (*NAMING, "--recipe"):
        parser.add_argument(flag, dest=flag)
    for flags in (("-h", "--help"), ("-v", "--verbose")):
        parser.add_argument(*flags, action="store_true")
    typed, _ = parser.parse_known_args(words)
    given, model = vars(typed), typed.model or ""
    named = next((family for flag, family in NAMING.items() if given[flag] is not None), None)
    if given["--recipe"] is not None:
        return BY_RECIPE, given["--recipe"]
    if typed.family in FAMILIES:
        return typed.family, model or f"--family {typed.family}"
    if named is not None:
        return named, model or next(flag for flag in NAMING if given[flag] is not None)
    if not model:
        return (None if typed.help else "networks"), DEFAULT_NETWORK
    known = by_name(listing(resolve({"models_dir": typed.models_dir}).models_dir, None))
    if model in known:
        return family_of(known[model].type), model
    if PurePath(model).suffix in AUDIO_SEPARATOR_SUFFIXES:
        return "audio-separator", model
    raise unknown(model, known, "For a model that is not listed, set its --family.")


def program_of(family: str, model: str) -> Program[Any]:
    """A family's program as `dsu separate` offers it, with what only others have refused."""
    own = layout_of(family)
    flags = flags_of(own)
    others: dict[str, list[str]] = {}
    for other in FAMILIES:
        for flag in flags_of(layout_of(other)):
            if flag not in flags:
                others.setdefault(flag, []).append(other)
    refused = {
        flag: f"{flag} is for models of the family {' or '.join(owners)}; `{model}` is of the family {family}."
        for flag, owners in others.items()
    }
    program = FAMILIES[family]

    def understand(typed: Typed) -> Options[Any]:
        """With `--resume`, what is replaced is known to be of an earlier run with it."""
        typed.words.overwrite = typed.words.overwrite or bool(typed.words.resume)
        return program.understand(typed)

    return replace(
        program,
        layout=replace(own, refused=refused),
        understand=understand,
        mirrors=True,
        extensions=AUDIO_EXTENSIONS | VIDEO_EXTENSIONS,
        deals=True,
    )


def layout_of(family: str) -> Layout:
    """A family's layout, named and grouped as in `dsu separate`."""
    base = FAMILIES[family].layout
    model = base.options["model"]
    groups = {
        title: [item for item in items if item not in ("list_models", "download")]
        for title, items in base.groups.items()
    }
    groups["model"].insert(1, "family")
    return replace(
        base,
        program=SEPARATE.program,
        groups=groups,
        options={
            **base.options,
            **DEFAULTS,
            "model": model._replace(help=model.help.replace("from --list-models", "from `dsu models`")),
        },
        run=SeparateRun,
        instead=INSTEAD,
        machine=(PLACES, *(name for name in base.machine if name != "device")),
    )


def flags_of(layout: Layout) -> set[str]:
    """All options of a layout."""
    return new_parser(layout).flags


# dsu download -----------------------------------------------------------------------------------------------------

DOWNLOAD = Layout(
    program="dsu download",
    description="Download models into the models directory and check their size and SHA-256.",
    requests=(),
    groups={},
    ungrouped=("print_paths", "models_dir"),
    machine=(),
    usage="[options] NAME ...",
    things=("NAME", "a name from `dsu models`"),
    instead=INSTEAD,
)


def download_models(typed: Typed, listing: Listing, make_engine: MakeEngine) -> int:
    """Download what is missing of each model."""
    names = dict.fromkeys(typed.words.tracks)
    if not names:
        raise InvalidRequest("Name at least one model.", hint=INSTEAD["list_models"])
    settings = resolve(typed.given(("models_dir",)))
    known = by_name(listing(settings.models_dir, None))
    for name in names:
        if name not in known:
            raise unknown(name, known)

    def work(engine: EngineApi, job: Job, report: Report) -> list[dict[str, Any]]:
        for name in names:
            download(known[name], engine, job, report)
        return []

    return performed(make_engine(settings), typed.run, typed.wording, work)
