"""What all command lines share: groups of arguments, and the way from what was typed to a request. Pure: no files, no models.

An argument is kept under the name of the field that it sets, in the request or in the settings. So what was typed
becomes a request without a table between them, and an error about a field can name the option.
"""

from __future__ import annotations

import argparse
import math
import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, NoReturn, TypeVar, get_args

import msgspec

from utils import __version__
from utils.commandline.wording import Wording
from utils.core.errors import InvalidRequest, did_you_mean, nearest
from utils.core.requests import AudioFormat, ClipMode, Precision, Separate

R = TypeVar("R", bound=Separate)

LOSSY = {"mp3", "ogg", "opus", "m4a"}
TEMPLATE_FIELDS = {"track", "stem", "model", "index"}
SETTINGS = ("device", "models_dir", "threads", "offline", "allow_unsafe_checkpoints")


@dataclass(frozen=True)
class Options(Generic[R]):
    """One command line, understood."""

    request: R
    tracks: tuple[str, ...]
    settings: dict[str, Any]  # those that were given; others come from the environment, the file and the defaults
    list_models: bool
    download: bool
    skip_existing: bool
    journal: str | None
    print_paths: bool
    verbose: bool
    wording: Wording


# Arguments --------------------------------------------------------------------------------------------------------


class Parser(argparse.ArgumentParser):
    """One that raises what is wrong instead of ending the process, and takes songs before, between and after options."""

    def error(self, message: str) -> NoReturn:
        told = re.sub(r"^argument (\S+): ", r"\1: ", message)
        raise InvalidRequest(f"{told[:1].upper()}{told[1:]}.")

    def read(self, argv: Sequence[str]) -> argparse.Namespace:
        """What was typed. After `--` everything is a song, also what looks like an option."""
        end = argv.index("--") if "--" in argv else len(argv)
        words, unknown = self.parse_known_intermixed_args(argv[:end])
        if unknown:
            option = unknown[0].partition("=")[0]
            raise InvalidRequest(f"There is no option {option}.{did_you_mean(nearest(option, self.wording.options))}")
        words.tracks = [*words.tracks, *argv[end + 1 :]]
        return words

    @property
    def wording(self) -> Wording:
        return Wording(self._actions)


def new_parser(program: str, description: str, epilog: str) -> Parser:
    """A parser with what stands before all groups. The epilog is shown as it is."""
    parser = Parser(
        program,
        usage=f"{program} [options] SONG_OR_FOLDER ...",
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("tracks", nargs="*", metavar="SONG_OR_FOLDER", help="audio files, or folders of them")
    parser.add_argument("--version", action="version", version=f"{program} {__version__}")
    parser.add_argument("-v", "--verbose", action="store_true", help="say more about each song")
    parser.add_argument("--print-paths", action="store_true", help="list the files written on stdout")
    parser.add_argument(
        "--journal", metavar="FILE", help="append a report to FILE: a line of JSON for each song, and one at the end"
    )
    return parser


def add_models_at_hand(group: argparse._ArgumentGroup) -> None:
    """Which models there are and how they come here; how one is chosen is up to the program."""
    group.add_argument("--list-models", action="store_true", help="list the models that can be named, and stop")
    group.add_argument(
        "--download", action="store_true", help="fetch the model and say where it is; songs are not needed then"
    )
    group.add_argument("--models-dir", metavar="DIR", help="where models are kept")
    group.add_argument("--offline", action="store_true", default=None, help="never download a model")
    group.add_argument(
        "--allow-unsafe-checkpoints",
        action="store_true",
        default=None,
        help="also load checkpoints that may run code; only for files that you trust",
    )


def add_folder(group: argparse._ArgumentGroup) -> None:
    group.add_argument("-o", "--out", dest="output", default="separated", metavar="DIR", help="default ./separated")


def add_name_template(group: argparse._ArgumentGroup, default: str) -> None:
    group.add_argument(
        "--name-template",
        metavar="TEMPLATE",
        help=f"names below OUT from {{track}} {{stem}} {{model}} {{index}}, without an extension; default {default}",
    )


def add_format(group: argparse._ArgumentGroup, default_rate: str = "the model's") -> None:
    kind = group.add_mutually_exclusive_group()
    formats = get_args(AudioFormat)
    kind.add_argument("--format", choices=formats, metavar="FORMAT", help=f"{', '.join(formats)}; default wav")
    kind.add_argument("--mp3", dest="format", action="store_const", const="mp3", help="the same as --format mp3")
    kind.add_argument("--flac", dest="format", action="store_const", const="flac", help="the same as --format flac")
    depth = group.add_mutually_exclusive_group()
    depth.add_argument("--int24", dest="pcm_type", action="store_const", const="PCM_24", help="24-bit samples")
    depth.add_argument("--float32", dest="pcm_type", action="store_const", const="FLOAT", help="32-bit float samples")
    group.add_argument("--bitrate", type=whole, metavar="KBIT", help="of lossy formats, in kbit/s")
    group.add_argument(
        "--sample-rate",
        dest="output_sample_rate",
        type=sample_rate,
        metavar="HZ",
        help=f"a rate, or `source` for the song's; default {default_rate}",
    )
    group.add_argument("--clip-mode", dest="clip", choices=get_args(ClipMode), help="against clipping; default rescale")
    existing = group.add_mutually_exclusive_group()
    existing.add_argument(
        "--overwrite", action="store_true", default=None, help="replace results that exist (the default)"
    )
    existing.add_argument("--skip-existing", action="store_true", help="leave songs alone whose results exist")
    existing.add_argument(
        "--resume",
        action="store_true",
        default=None,
        help="leave songs alone that an earlier run with --resume has finished, if the song, the settings, the model "
        "and the results are as they were",
    )


def add_stems(group: argparse._ArgumentGroup) -> None:
    which = group.add_mutually_exclusive_group()
    which.add_argument("--stems", type=names, metavar="A,B", help="write just these stems")
    which.add_argument("--two-stems", metavar="STEM", help="write STEM and no_STEM, everything else")


def add_machine(group: argparse._ArgumentGroup) -> None:
    group.add_argument("-d", "--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:N or mps")
    group.add_argument("--threads", type=whole, metavar="N", help="default the number of physical cores")
    group.add_argument("--batch-size", type=whole, metavar="N", help="parts of the song that are run together")
    group.add_argument("--precision", choices=get_args(Precision), help="of the network; default auto")


# What stands after an option --------------------------------------------------------------------------------------


def whole(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"a whole number is needed, not {text!r}") from error


def number(text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"a number is needed, not {text!r}") from error
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"a number is needed, not {text!r}")
    return value


def sample_rate(text: str) -> int | str:
    if text == "source":
        return text
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"a number or `source` is needed, not {text!r}") from error


def names(text: str) -> list[str]:
    found = [name.strip() for name in text.split(",")]
    if not all(found):
        raise argparse.ArgumentTypeError(f"names with commas between them are needed, not {text!r}")
    return found


def numbers(text: str) -> list[float]:
    return [number(part) for part in text.split(",")]


# From what was typed to what is asked for -------------------------------------------------------------------------


def understand(parser: Parser, words: argparse.Namespace, kind: type[R]) -> Options[R]:
    """The options, with a request of this kind. Raises `InvalidRequest`."""
    if not words.tracks and not words.list_models and not words.download:
        raise InvalidRequest("Name at least one song or folder.", hint=f"`{parser.prog} --help` lists the options.")
    _require_lossy(words)
    given = {name: value for name, value in vars(words).items() if value is not None}
    return Options(
        request=_request(given, kind, parser.wording),
        tracks=tuple(words.tracks),
        settings={name: given[name] for name in SETTINGS if name in given},
        list_models=words.list_models,
        download=words.download,
        skip_existing=words.skip_existing,
        journal=words.journal,
        print_paths=words.print_paths,
        verbose=words.verbose,
        wording=parser.wording,
    )


def _require_lossy(words: argparse.Namespace) -> None:
    audio_format = words.format or "wav"
    if words.bitrate is not None and audio_format not in LOSSY:
        raise InvalidRequest(f"--bitrate is for lossy formats; {audio_format} has none.")


def _request(given: dict[str, Any], kind: type[R], wording: Wording) -> R:
    fields = {field: given[field] for field in kind.__struct_fields__ if field in given}
    try:
        return msgspec.convert({"cmd": kind.__struct_config__.tag, **fields}, kind)
    except msgspec.ValidationError as error:
        raise InvalidRequest(_explain(str(error), wording)) from error


PLAIN_WORDS = {
    "`int`": "a whole number",
    "`float`": "a number",
    "`array` of length": "a list",
    ">=": "of at least",
    "<=": "of at most",
    "<": "below",
}


def _explain(message: str, wording: Wording) -> str:
    """``Expected `int` >= 0 - at `$.shifts` `` in the words of the command line."""
    found = re.fullmatch(r"Expected (?P<what>.*) - at `\$\.(?P<field>\w+).*`", message)
    if found is None:
        return message
    what = found["what"]
    for technical, plain in PLAIN_WORDS.items():
        what = what.replace(technical, plain)
    return f"{wording.option(found['field'])} takes {what}."


def check_name_template(words: argparse.Namespace) -> None:
    """Raise what is wrong with `--name-template`."""
    if words.name_template is None:
        return
    template_fields(words.name_template, "--name-template", TEMPLATE_FIELDS)
    audio_format = words.format or "wav"
    if words.name_template.endswith(f".{audio_format}"):
        raise InvalidRequest(f"--name-template takes no extension; .{audio_format} is added to it.")


def template_fields(template: str, option: str, known: set[str]) -> set[str]:
    """The fields of a template for names. Raises `InvalidRequest` for one that is not known."""
    try:
        fields = {field for _, field, _, _ in string.Formatter().parse(template) if field is not None}
    except ValueError as error:
        raise InvalidRequest(f"{option} {template!r} has a brace without its partner.") from error
    if unknown := fields - known:
        listed = " ".join(f"{{{field}}}" for field in sorted(known))
        raise InvalidRequest(f"{option} does not know {{{min(unknown)}}}. Known are: {listed}.")
    return fields
