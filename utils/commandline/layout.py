"""What a command line says differently about the fields of its requests: flags, groups, what is hidden. Pure tables.

Each field of a program's request is an option called like the field: its type says what is typed after it, its
description is the help (`options.py` does that). A `Layout` says the rest.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta, inspect

from utils.commandline.wording import INSTEAD
from utils.core.fields import Field, fields_of
from utils.core.requests import Separate
from utils.core.settings import FIELDS as SETTINGS


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What the program itself does, in addition to what it asks of the engine."""

    verbose: Annotated[bool, Meta(description="Show more about each song.")] = False
    print_paths: Annotated[bool, Meta(description="Print the paths of the written files to stdout.")] = False
    journal: Annotated[
        str | None,
        Meta(description="Append a report to FILE: a line of JSON for each song, and a summary at the end."),
    ] = None
    list_models: Annotated[bool, Meta(description="List the available models and exit.")] = False
    download: Annotated[bool, Meta(description="Download the model and show where it is; works without songs.")] = False
    skip_existing: Annotated[bool, Meta(description="Skip songs whose results already exist.")] = False


class Switch(NamedTuple):
    """A flag that stands for one value of a field."""

    flag: str
    value: object
    help: str  # empty for a spelling of another program, which is understood but not in the help


class Option(NamedTuple):
    """How a field is typed, where it is not just `--field-name`."""

    flags: tuple[str, ...] | None = None  # () where only switches set the field
    help: str = ""
    metavar: str = ""
    default: object = None  # of the program, where it is not the request's
    switches: tuple[Switch, ...] = ()
    repeated: bool = False  # a list is typed one by one
    several: bool = False  # a list is typed as words that follow each other
    also: tuple[str, ...] = ()  # spellings of other programs, which are understood but not in the help
    words: Mapping[str, str] = {}  # other ways to write values, by what they mean
    read: Callable[[str], object] | None = None  # how what is typed becomes the value, where its type does not say it


def names_in(item: str | tuple[str, ...]) -> tuple[str, ...]:
    return (item,) if isinstance(item, str) else item


@dataclass(frozen=True)
class Layout:
    """A command line: its texts, and what it says differently about the fields of its requests.

    A group lists names of fields; those in a tuple exclude each other. A field that is in no group and not hidden is an
    option all the same, so a new field of a request needs no line here.
    """

    program: str
    description: str
    requests: tuple[type[Separate], ...]
    groups: Mapping[str, Sequence[str | tuple[str, ...]]]
    options: Mapping[str, Option] = field(default_factory=dict)
    machine: tuple[str | tuple[str, ...], ...] = ("device", "threads", "batch_size", "precision")  # the last group
    hidden: frozenset[str] = frozenset()
    first: frozenset[str] = frozenset()  # flags that a beginning stands for, even where others begin so too
    refused: Mapping[str, str] = field(default_factory=dict)  # flags that others have, with the reason
    run: type[Run] = Run
    instead: Mapping[str, str] = field(default_factory=lambda: INSTEAD)  # of commands that hints tell programs to send
    epilog: str = ""
    usage: str = "[options] SONG_OR_FOLDER ..."
    things: tuple[str, str] = ("SONG_OR_FOLDER", "audio files, or folders of them")  # what stands without an option
    ungrouped: tuple[str, ...] = ("verbose", "print_paths", "journal")
    version_flags: tuple[str, ...] = ("--version",)

    @property
    def fields(self) -> dict[str, Field]:
        """All that can be typed, by name. Where two requests have a field, the first one's counts."""
        found = {one.name: one for one in fields_of(self.run)} | SETTINGS
        for request in reversed(self.requests):
            found.update((one.name, one) for one in fields_of(request))
        return found

    @property
    def all_groups(self) -> dict[str, Sequence[str | tuple[str, ...]]]:
        """With those fields of the requests that no group has, but that can be typed."""
        grouped = {name for items in (*self.groups.values(), self.machine) for item in items for name in names_in(item)}
        requested = dict.fromkeys(name for request in self.requests for name in request.__struct_fields__)
        fields = self.fields
        further = [
            name
            for name in requested
            if name not in grouped | self.hidden | HIDDEN and isinstance(fields[name].types[0], TYPABLE)
        ]
        return {"": self.ungrouped, **self.groups, "further options": further, "machine": self.machine}


def excerpt(text: str) -> dict[str, float]:
    """A `preview` as people type it: `30`, or `60:30` for 30 seconds after the first minute."""
    start, _, duration = text.rpartition(":")
    try:
        return {"start": float(start or 0), "duration": float(duration)}
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"a number of seconds such as 30 or 60:30 is needed, not {text!r}") from error


def loudness(text: str) -> float | str:
    """A number, or `input`."""
    if text == "input":
        return text
    try:
        return float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"a number such as -14 or `input` is needed, not {text!r}") from error


# What can stand after an option; objects cannot.
TYPABLE = (
    inspect.BoolType, inspect.IntType, inspect.FloatType, inspect.StrType, inspect.LiteralType, inspect.ListType,
)  # fmt: skip
# What the command line itself decides, sends under another name, or what few programs have a use for.
HIDDEN = frozenset(
    {
        *("id", "strict", "debug", "input", "inputs", "output_dir", "subtype", "progress", "seed", "jobs"),
        *("stream", "start_at"),  # nobody listens there while the job runs
        *("share", "shares"),
    }
)
# What all programs call differently.
SHARED = {
    "verbose": Option(("-v", "--verbose")),
    "journal": Option(metavar="FILE"),
    "device": Option(("-d", "--device")),
    "output": Option(("-o", "--out"), "default ./separated", "DIR", default="separated"),
    "format": Option(
        switches=(
            Switch("--mp3", "mp3", "the same as --format mp3"),
            Switch("--flac", "flac", "the same as --format flac"),
        )
    ),
    "pcm_type": Option(
        ("--sample-type",),
        metavar="TYPE",
        words={"16": "PCM_16", "24": "PCM_24", "32": "PCM_32", "float": "FLOAT"},
        switches=(
            Switch("--int24", "PCM_24", "24-bit samples"),
            Switch("--float32", "FLOAT", "32-bit float samples"),
        ),
    ),
    "bitrate": Option(metavar="KBIT"),
    "output_sample_rate": Option(("--sample-rate",), metavar="HZ"),
    "clip": Option(("--clip-mode",)),
    "loudness": Option(
        help="one gain for all stems: that which brings the song to this loudness in LUFS, such as -14; or, with `input`, "
        "makes the stems together as loud as the song",
        metavar="LUFS",
        read=loudness,
    ),
    "true_peak": Option(metavar="DB"),
    "overwrite": Option((), switches=(Switch("--overwrite", True, "replace existing results (the default)"),)),
    "resume": Option(
        help="skip songs that an earlier run with --resume already finished with the same settings and model, as long as "
        "the song and its results have not changed"
    ),
    "two_stems": Option(metavar="STEM"),
    "pitch_shift": Option(metavar="SEMITONES"),
    "preview": Option(
        help="separate only this many seconds, from the beginning or from START",
        metavar="[START:]SECONDS",
        read=excerpt,
    ),
}
# Parts of groups that programs share.
MODELS = ("list_models", "download", "models_dir", "offline", "allow_unsafe_checkpoints")
FORMAT = (
    "format", "pcm_type", "bitrate", "output_sample_rate", "channels", "clip", "loudness", "true_peak", "preview",
    "report", "report_html", "report_theme", "report_scale",
    ("overwrite", "skip_existing", "resume"),
)  # fmt: skip
STEMS = ("stems", "two_stems")
BETTER = ("bigshifts", "pitch_shift")


def closing(worker: str) -> str:
    """The end of every program's help. `worker` is what starts the worker for programs."""
    return f"""
A missing model is downloaded first. Messages go to stderr; with --print-paths,
the paths of the written files go to stdout.
`{worker} --help` describes the worker for programs.
"""


def template_option(default: str) -> Option:
    """For `name_template`."""
    return Option(
        help=f"file names below OUT, without extension, from {{track}} {{stem}} {{model}} {{index}}; default {default}"
    )
