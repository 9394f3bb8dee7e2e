"""`dsu-demucs SONG ...`, for people, and for programs that start `demucs`: its options, its files, its streams.

Programs look for demucs' own sentences on stdout and for its bars on stderr, so these are as there. docs/compatibility.md
lists what is tried side by side.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePath, PurePosixPath
from typing import Annotated, Any, Literal, cast

import msgspec
from msgspec import UNSET, Meta

from utils.commandline.bars import Bars, open_bars
from utils.commandline.existing import Results, expected_stems
from utils.commandline.journal import Journal
from utils.commandline.layout import BETTER, FORMAT, MODELS, STEMS, Layout, Option, Run, closing, template_option
from utils.commandline.options import LOSSY, Options, Typed, template_fields
from utils.commandline.program import Listing, Program, Report, describe_model, separate_all
from utils.commandline.wording import Wording
from utils.core.api import EngineApi
from utils.core.catalogue import DEFAULT_DEMUCS, TEMPLATE_FIELDS
from utils.core.errors import InputNotFound, InvalidRequest, OutputNotWritable
from utils.core.job import Job
from utils.core.replies import FileDone, ModelDetails
from utils.core.requests import DemucsListModels, DemucsSeparate, format_of

DEFAULT_FILENAME = "{track}/{stem}.{ext}"
FILENAME_FIELDS = {*TEMPLATE_FIELDS, "trackext", "ext"}


def understand(typed: Typed) -> Options[DemucsSeparate]:
    return typed.understand(DemucsSeparate)


def find_models(engine: EngineApi, request: DemucsSeparate) -> list[ModelDetails]:
    return [describe_model(engine, DemucsListModels(details=True, repo=request.repo, model=request.model))]


def results(request: DemucsSeparate, models: Sequence[ModelDetails]) -> Results:
    (model,) = models
    has_rest = request.other_method != "none"
    return Results(model.name, expected_stems(request, model.stems, rest=has_rest, rest_name=request.rest_name))


FAMILY = Program(
    Layout(
        program="",
        description="Separate songs into stems with Demucs models.",
        requests=(DemucsSeparate,),
        groups={
            "model": ("model", "repo", *MODELS),
            "output": ("output", "name_template", *FORMAT),
            "separation": (STEMS, "other_method", "shifts", "overlap", ("split", "segment"), "seed", *BETTER),
        },
        options={
            "model": Option(("-m", "--model"), f"default {DEFAULT_DEMUCS}", default=DEFAULT_DEMUCS),
            "repo": Option(metavar="DIR"),
            "name_template": template_option(DemucsSeparate.template),
            "segment": Option(metavar="SECONDS"),
            "split": Option(help="separate the whole song at once, as far as the network and memory allow"),
            "jobs": Option(("-j", "--jobs")),
        },
        machine=(*Layout.machine, "jobs"),
        hidden=frozenset({"segments", "rest_name"}),
    ),
    understand,
    find_models,
    results,
)


# As users of demucs know it -----------------------------------------------------------------------------------------


class DemucsRun(Run, frozen=True, kw_only=True):
    """What only this program has."""

    filename: str = DEFAULT_FILENAME
    mp3_bitrate: Annotated[int | None, Meta(description="Bit rate of mp3 files, in kbit/s; default 320.")] = None
    mp3_preset: Literal["2", "3", "4", "5", "6", "7"] | None = None


EPILOG = f"""\
examples:
  dsu-demucs song.mp3
  dsu-demucs -n htdemucs_ft --two-stems vocals --flac song.mp3
  dsu-demucs -n htdemucs_ft --download

Results are OUT/MODEL/TRACK/STEM.EXT. Progress is on stderr.
{closing("dsu-demucs --worker")}"""


def understand_demucs(typed: Typed) -> Options[DemucsSeparate]:
    """With the options of demucs that have no field of their own."""
    words = typed.words
    words.filename, words.name_template = words.name_template, None
    if words.format in LOSSY:
        words.pcm_type = None  # demucs takes no notice of it
    if words.other_method == "minus" and words.two_stems is not None:
        words.rest_name = f"minus_{words.two_stems}"
    options = understand(typed)
    if not options.tracks:
        return options
    first = request_for(Path(options.tracks[0]), options)  # of the same form as the others
    return replace(options, request=msgspec.structs.replace(options.request, name_template=first.name_template))


def request_for(path: Path, options: Options[DemucsSeparate]) -> DemucsSeparate:
    """The request for one song: `--filename` may speak of the song's extension, and its own decides on the format.

    The request's template, unlike that of `--filename`, starts at OUT and is without an extension.
    """
    request, run = options.request, cast(DemucsRun, options.run)
    template_fields(run.filename, "--filename", FILENAME_FIELDS)
    extension = path.name.rpartition(".")[2].replace("{", "{{").replace("}", "}}")
    whole = run.filename.replace("{ext}", request.format).replace("{trackext}", extension)
    ending = format_of(whole)
    if ending is None:
        raise InvalidRequest(
            f"--filename must end in .{{ext}} or in the extension of a format, such as .{request.format}."
        )
    dots = ending.count(".") + 1
    is_float = request.pcm_type == "FLOAT"
    return msgspec.structs.replace(
        request,
        format=ending,
        name_template=None if run.filename == DEFAULT_FILENAME else _below_out(whole.rsplit(".", dots)[0]),
        bitrate=run.mp3_bitrate if ending == "mp3" and request.bitrate is None else request.bitrate,
        pcm_type=None if ending in LOSSY or (is_float and ending == "flac") else request.pcm_type,
    )


def _below_out(filename: str) -> str:
    """A name below OUT/MODEL as one below OUT: `../` leaves the model's folder, as many who use demucs want."""
    name = posixpath.normpath(f"{{model}}/{filename}".replace(os.sep, "/"))
    if PurePath(filename).is_absolute() or PurePosixPath(name).parts[0] == "..":
        raise InvalidRequest("--filename leads out of the folder of results. Name another folder with --out.")
    return name


class DemucsReport(Report):
    """What demucs says: where results go and which song is separated on stdout, errors and bars on stderr."""

    display: Bars

    def begin(self, model: ModelDetails, request: DemucsSeparate) -> None:
        """Say what is to come, and make the folder of the results, where programs may look at once."""
        if model.networks is not UNSET:
            self.display.passes = model.networks * max(request.shifts or 0, 1)
            self.display.say(
                f"Selected model is a bag of {model.networks} models. You will see that many progress bars per track."
            )
        else:
            self.display.passes = max(request.shifts or 0, 1)
        folder = Path(request.folder).expanduser() / model.name
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputNotWritable(
                f"The folder `{folder}` cannot be made: {error.strerror}.", field="output"
            ) from error
        self.display.say(f"Separated tracks will be stored in {folder.resolve()}")

    def missing(self, path: Path) -> None:
        """A song that is not there is told and left out. As for demucs, that is no failure of the others."""
        text = (
            f"File {path} does not exist. If the path contains spaces, "
            'please try again after surrounding the entire path with quotes "".'
        )
        error = {"code": InputNotFound.code, "message": text}
        self._journal.file_done(FileDone(input=str(path), index=self.inputs.index(path), ok=False, error=error))
        del self.tracks[path]
        self.display.line(text)

    def separated(self, done: FileDone) -> None:
        """The files are there; demucs says no more."""
        if done.skipped is True:
            super().separated(done)

    def summarise(self) -> None:
        """As demucs: each song has been told, and that is all."""


class DemucsProgram(Program[DemucsSeparate]):
    """The program, as far as it talks like demucs."""

    def list_models(self, listing: Listing, models_dir: Path, repo: Path | None) -> Iterator[str]:
        """Bags, then single networks; with a folder, only those in it."""
        models = listing(models_dir, repo)
        if repo is not None:
            others = listing(models_dir, None)
            models = [model for model in models if model not in others]
        for title, is_bag in (("Bag of models", True), ("Single models", False)):
            yield f"{title}:\n"
            yield from (f"    {model.name}\n" for model in models if (model.networks is not UNSET) == is_bag)

    @contextlib.contextmanager
    def open_report(self, run: Run, wording: Wording, journal: Journal) -> Iterator[Report]:
        """With `--print-paths` stdout is for paths alone."""
        with open_bars(sys.stderr if run.print_paths else sys.stdout, sys.stderr) as bars:
            yield DemucsReport(run, wording, bars, journal)

    def separate(
        self,
        engine: EngineApi,
        options: Options[DemucsSeparate],
        models: Sequence[ModelDetails],
        job: Job,
        report: Report,
    ) -> list[dict[str, Any]]:
        """Separate the songs that are there."""
        told = cast(DemucsReport, report)
        told.begin(models[0], options.request)
        for path in [path for path in told.inputs if not path.exists()]:
            told.missing(path)

        def begin(path: Path) -> DemucsSeparate:
            told.display.say(f"Separating track {path}")
            return request_for(path, options)

        return separate_all(engine, options.request, job, told, begin) if told.inputs else []


LAYOUT = replace(
    FAMILY.layout,
    program="dsu-demucs",
    epilog=EPILOG,
    groups={**FAMILY.layout.groups, "output": ("output", "name_template", *FORMAT, "mp3_bitrate", "mp3_preset")},
    options={
        **FAMILY.layout.options,
        "model": Option(
            ("-n", "--name"),
            f"default {DEFAULT_DEMUCS}",
            "MODEL",
            default=DEFAULT_DEMUCS,
            also=("-s", "--sig", "-m", "--model"),
        ),
        "name_template": Option(
            ("--filename",),
            "file names below OUT/MODEL, from {track} {trackext} {stem} {ext} {model} {index}; "
            f"default {DEFAULT_FILENAME}",
            default=DEFAULT_FILENAME,
        ),
        "clip": Option(
            ("--clip-mode",),
            "if stems would clip: lower each by its own gain (rescale, the default), lower all by the same gain, so that "
            "they still sum to the song (rescale_all), limit their samples (clamp), or do nothing (none)",
            "MODE",
            default="rescale_each",
            words={"rescale": "rescale_each", "rescale_all": "rescale"},
        ),
        "other_method": Option(
            help="how --two-stems makes the other file: no_STEM, the sum of the other stems (add, the default), minus_STEM, "
            "the song minus the stem (minus), or not at all (none)"
        ),
        "shifts": Option(help="number of random time shifts to average over; default 1", default=1),
        "mp3_bitrate": Option(metavar="KBIT"),
        "mp3_preset": Option(
            help="2 to 7, accepted for compatibility with demucs; mp3 files always have the best quality"
        ),
    },
    first=frozenset(
        {
            *("--sig", "--name", "--repo", "--list-models", "--verbose", "--out", "--filename", "--device", "--shifts"),
            *("--overlap", "--no-split", "--segment", "--two-stems", "--other-method", "--int24", "--float32"),
            *("--clip-mode", "--flac", "--mp3", "--mp3-bitrate", "--mp3-preset", "--jobs", "--help"),
        }
    ),
    run=DemucsRun,
)
PROGRAM = DemucsProgram(LAYOUT, understand_demucs, find_models, results, refusal=1)
main = PROGRAM.main
