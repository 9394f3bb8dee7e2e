"""What people type after `dsu-demucs`, as a request and the settings they ask for. Pure: no files, no models.

The options are those that users of demucs know. One that could not be honoured is refused with the reason, never
accepted and ignored.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import PurePath

from utils.commandline import options
from utils.commandline.options import Options, Parser
from utils.core.errors import InvalidRequest
from utils.core.requests import DemucsSeparate

PROGRAM = "dsu-demucs"
DEFAULT_FILENAME = "{track}/{stem}.{ext}"
FILENAME_FIELDS = {"track", "trackext", "stem", "ext", "model", "index"}

REFUSED = {
    "no_split": "--no-split is not supported: songs are always separated in segments, so that memory stays bounded. "
    "--segment sets their length.",
    "mp3_preset": "--mp3-preset is not supported: the encoder has one quality setting for a bitrate. Use --mp3-bitrate.",
}

EPILOG = f"""\
examples:
  {PROGRAM} song.mp3
  {PROGRAM} -n htdemucs_ft --two-stems vocals --flac song.mp3
  {PROGRAM} -n htdemucs_ft --download

Results are OUT/MODEL/TRACK/STEM.EXT. A model that is missing is downloaded
first. What the program says goes to stderr; with --print-paths the files
written are listed on stdout. `{PROGRAM} --worker` starts the worker for
programs; `{PROGRAM} --worker --help` tells about it.
"""


def parse(argv: Sequence[str]) -> Options[DemucsSeparate]:
    """Read a command line. Raises `InvalidRequest`; `--help` and `--version` print and raise `SystemExit`."""
    parser = _parser()
    words = parser.read(argv)
    for name, reason in REFUSED.items():
        if getattr(words, name) is not None:
            raise InvalidRequest(reason)
    words.bitrate = _bitrate(words)
    words.name_template = _name_template(words.name_template, words.format or "wav", words.tracks)
    return options.understand(parser, words, DemucsSeparate)


def _parser() -> Parser:
    parser = options.new_parser(PROGRAM, "Separate songs into stems with Demucs models.", EPILOG)
    _add_model(parser.add_argument_group("model"))
    _add_output(parser.add_argument_group("output"))
    _add_separation(parser.add_argument_group("separation"))
    machine = parser.add_argument_group("machine")
    options.add_machine(machine)
    machine.add_argument("-j", "--jobs", type=options.whole, metavar="N", help="CPU: segments at the same time")
    return parser


def _add_model(group: argparse._ArgumentGroup) -> None:
    group.add_argument("-n", "--name", dest="model", default="htdemucs", metavar="MODEL", help="default htdemucs")
    group.add_argument("--repo", metavar="DIR", help="a folder of local models: .th files and bag .yaml files")
    options.add_models_at_hand(group)


def _add_output(group: argparse._ArgumentGroup) -> None:
    options.add_folder(group)
    group.add_argument(
        "--filename",
        dest="name_template",
        default=DEFAULT_FILENAME,
        metavar="TEMPLATE",
        help="names below OUT/MODEL from {track} {trackext} {stem} {ext} {model} {index}; default %(default)s",
    )
    options.add_format(group)
    group.add_argument("--mp3-bitrate", type=options.whole, metavar="KBIT", help="of --mp3; default 320")
    group.add_argument("--mp3-preset", help=argparse.SUPPRESS)


def _add_separation(group: argparse._ArgumentGroup) -> None:
    options.add_stems(group)
    group.add_argument(
        "--other-method", choices=("add", "minus", "none"), help="how no_STEM is made; default minus: mix minus stem"
    )
    group.add_argument(
        "--shifts", type=options.whole, metavar="N", help="random time shifts to average over; default 1"
    )
    group.add_argument("--overlap", type=options.number, metavar="PART", help="of neighbouring segments; default 0.25")
    length = group.add_mutually_exclusive_group()
    length.add_argument(
        "--segment", type=options.number, metavar="SECONDS", help="length of a segment; default the model's"
    )
    length.add_argument("--no-split", action="store_true", default=None, help=argparse.SUPPRESS)
    group.add_argument("--seed", type=options.whole, metavar="N", help="of the time shifts; default 0")


def _bitrate(words: argparse.Namespace) -> int | None:
    if words.mp3_bitrate is not None and words.format != "mp3":
        raise InvalidRequest("--mp3-bitrate needs --mp3.")
    given: int | None = words.bitrate if words.bitrate is not None else words.mp3_bitrate
    return given


def _name_template(filename: str, audio_format: str, tracks: Sequence[str]) -> str | None:
    """The request's template for a `--filename` of demucs, which counts from OUT/MODEL and carries the extension."""
    if filename == DEFAULT_FILENAME:
        return None
    fields = options.template_fields(filename, "--filename", FILENAME_FIELDS)
    whole = filename.replace("{ext}", audio_format)
    if "trackext" in fields:
        whole = whole.replace("{trackext}", _common_extension(tracks))
    stem, dot, extension = whole.rpartition(".")
    if not dot or extension != audio_format:
        raise InvalidRequest(f"--filename must end in .{{ext}} (or .{audio_format}, the format of the stems).")
    return "{model}/" + stem


def _common_extension(tracks: Sequence[str]) -> str:
    """One template serves all songs, so `{trackext}` works where they share an extension."""
    extensions = {PurePath(track).suffix.lstrip(".") for track in tracks}
    if len(extensions) != 1 or "" in extensions:
        raise InvalidRequest("{trackext} in --filename needs songs of one extension, given one by one.")
    return extensions.pop()
