"""What people type after `dsu-demucs`, as a request and the settings they ask for. Pure: no files, no models.

The options are those that users of demucs know. One that could not be honoured is refused with the reason, never
accepted and ignored.
"""

from __future__ import annotations

import argparse
import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, NoReturn, get_args

import msgspec

from utils import __version__
from utils.core.errors import InvalidRequest
from utils.core.requests import AudioFormat, ClipMode, DemucsSeparate, Precision

PROGRAM = "dsu-demucs"
DEFAULT_FILENAME = "{track}/{stem}.{ext}"
DEFAULT_MP3_BITRATE = 320
FILENAME_FIELDS = {"track", "trackext", "stem", "ext", "model", "index"}
LOSSY = {"mp3", "ogg", "opus", "m4a"}

REFUSED = {
    "no_split": "--no-split is not supported: songs are always separated in segments, so that memory stays bounded. "
    "--segment sets their length.",
    "mp3_preset": "--mp3-preset is not supported: the encoder has one quality setting for a bitrate. Use --mp3-bitrate.",
}

EPILOG = """
Results are OUT/MODEL/TRACK/STEM.EXT. What the program says goes to stderr; with --print-paths the files written are
listed on stdout. `dsu-demucs --worker` starts the worker for programs; `dsu-demucs --worker --help` tells about it.
"""


@dataclass(frozen=True)
class Options:
    """One command line, understood."""

    request: DemucsSeparate
    tracks: tuple[str, ...]
    settings: dict[str, Any]
    skip_existing: bool
    list_models: bool
    print_paths: bool
    verbose: bool


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InvalidRequest(f"{message[:1].upper()}{message[1:]}.")


def parse(argv: Sequence[str]) -> Options:
    """Read a command line. Raises `InvalidRequest`; `--help` and `--version` print and raise `SystemExit`."""
    words = _parser().parse_args(argv)
    _refuse_unsupported(words)
    return Options(
        request=_request(words),
        tracks=tuple(words.tracks),
        settings=_settings(words),
        skip_existing=words.skip_existing,
        list_models=words.list_models,
        print_paths=words.print_paths,
        verbose=words.verbose,
    )


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        PROGRAM,
        usage=f"{PROGRAM} [options] SONG_OR_FOLDER ...",
        description="Separate songs into stems.",
        epilog=EPILOG,
        allow_abbrev=False,
    )
    parser.add_argument("tracks", nargs="*", metavar="SONG_OR_FOLDER", help="audio files, or folders of them")
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    parser.add_argument("-v", "--verbose", action="store_true", help="say more about each song")
    parser.add_argument("--print-paths", action="store_true", help="list the files written on stdout")
    _add_model(parser.add_argument_group("model"))
    _add_output(parser.add_argument_group("output"))
    _add_separation(parser.add_argument_group("separation"))
    _add_machine(parser.add_argument_group("machine"))
    return parser


def _add_model(group: argparse._ArgumentGroup) -> None:
    group.add_argument("-n", "--name", default="htdemucs", metavar="MODEL", help="default htdemucs")
    group.add_argument("--repo", metavar="DIR", help="a folder of local models: .th files and bag .yaml files")
    group.add_argument("--list-models", action="store_true", help="list the models that can be named, and stop")
    group.add_argument("--models-dir", metavar="DIR", help="where models are kept")
    group.add_argument("--offline", action="store_true", default=None, help="never download a model")
    group.add_argument(
        "--allow-unsafe-checkpoints",
        action="store_true",
        default=None,
        help="also load checkpoints that may run code; only for files that you trust",
    )


def _add_output(group: argparse._ArgumentGroup) -> None:
    group.add_argument("-o", "--out", default="separated", metavar="DIR", help="default ./separated")
    group.add_argument(
        "--filename",
        default=DEFAULT_FILENAME,
        metavar="TEMPLATE",
        help="names below OUT/MODEL from {track} {trackext} {stem} {ext} {model} {index}; default %(default)s",
    )
    kind = group.add_mutually_exclusive_group()
    kind.add_argument(
        "--format", choices=get_args(AudioFormat), metavar="FORMAT", help=", ".join(get_args(AudioFormat))
    )
    kind.add_argument("--mp3", dest="format", action="store_const", const="mp3", help="the same as --format mp3")
    kind.add_argument("--flac", dest="format", action="store_const", const="flac", help="the same as --format flac")
    depth = group.add_mutually_exclusive_group()
    depth.add_argument("--int24", dest="pcm_type", action="store_const", const="PCM_24", help="24-bit samples")
    depth.add_argument("--float32", dest="pcm_type", action="store_const", const="FLOAT", help="32-bit float samples")
    group.add_argument("--bitrate", type=int, metavar="KBIT", help="of lossy formats, in kbit/s")
    group.add_argument("--mp3-bitrate", type=int, metavar="KBIT", help=f"of --mp3; default {DEFAULT_MP3_BITRATE}")
    group.add_argument("--mp3-preset", help=argparse.SUPPRESS)
    group.add_argument("--sample-rate", metavar="HZ", help="a rate, or `source` for the song's; default the model's")
    group.add_argument("--clip-mode", choices=get_args(ClipMode), help="against clipping; default rescale")
    existing = group.add_mutually_exclusive_group()
    existing.add_argument("--overwrite", action="store_true", help="replace results that exist (the default)")
    existing.add_argument("--skip-existing", action="store_true", help="leave songs alone whose results exist")


def _add_separation(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--stems", metavar="A,B", help="write just these stems")
    group.add_argument("--two-stems", metavar="STEM", help="write STEM and no_STEM, everything else")
    group.add_argument(
        "--other-method", choices=("add", "minus", "none"), help="how no_STEM is made; default minus: mix minus stem"
    )
    group.add_argument("--shifts", type=int, metavar="N", help="random time shifts to average over; default 1")
    group.add_argument("--overlap", type=float, metavar="PART", help="of neighbouring segments; default 0.25")
    length = group.add_mutually_exclusive_group()
    length.add_argument("--segment", type=float, metavar="SECONDS", help="length of a segment; default the model's")
    length.add_argument("--no-split", action="store_true", default=None, help=argparse.SUPPRESS)
    group.add_argument("--seed", type=int, metavar="N", help="of the time shifts; default 0")


def _add_machine(group: argparse._ArgumentGroup) -> None:
    group.add_argument("-d", "--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:N or mps")
    group.add_argument("-j", "--jobs", type=int, metavar="N", help="CPU: segments at the same time")
    group.add_argument("--threads", type=int, metavar="N", help="default the number of physical cores")
    group.add_argument("--precision", choices=get_args(Precision), help="of the network; default auto")


def _refuse_unsupported(words: argparse.Namespace) -> None:
    for name, reason in REFUSED.items():
        if getattr(words, name) is not None:
            raise InvalidRequest(reason)
    if not words.tracks and not words.list_models:
        raise InvalidRequest("Name at least one song or folder.")


def _settings(words: argparse.Namespace) -> dict[str, Any]:
    """The settings that were given; the others come from the environment, the configuration file and the defaults."""
    names = ("device", "models_dir", "threads", "offline", "allow_unsafe_checkpoints")
    return {name: getattr(words, name) for name in names if getattr(words, name) is not None}


def _request(words: argparse.Namespace) -> DemucsSeparate:
    audio_format = words.format or "wav"
    given = {
        "cmd": "separate",
        "model": words.name,
        "repo": words.repo,
        "output": words.out,
        "format": audio_format,
        "pcm_type": words.pcm_type,
        "bitrate": _bitrate(words, audio_format),
        "stems": None if words.stems is None else [stem.strip() for stem in words.stems.split(",")],
        "two_stems": words.two_stems,
        "other_method": words.other_method,
        "output_sample_rate": _sample_rate(words.sample_rate),
        "clip": words.clip_mode,
        "precision": words.precision,
        "shifts": words.shifts,
        "overlap": words.overlap,
        "segment": words.segment,
        "seed": words.seed,
        "jobs": words.jobs,
        "name_template": _name_template(words.filename, audio_format, words.tracks),
    }
    try:
        return msgspec.convert({key: value for key, value in given.items() if value is not None}, DemucsSeparate)
    except msgspec.ValidationError as error:
        raise InvalidRequest(_explain(str(error))) from error


def _explain(message: str) -> str:
    """``Expected `int` >= 0 - at `$.shifts` `` in the words of the command line."""
    found = re.fullmatch(r"Expected (?P<what>.*) - at `\$\.(?P<field>\w+).*`", message)
    if found is None:
        return message
    option = {"output_sample_rate": "sample-rate"}.get(found["field"], found["field"].replace("_", "-"))
    return f"--{option} takes {found['what'].replace('`', '')}."


def _bitrate(words: argparse.Namespace, audio_format: str) -> int | None:
    if words.mp3_bitrate is not None and audio_format != "mp3":
        raise InvalidRequest("--mp3-bitrate needs --mp3.")
    if words.bitrate is not None and audio_format not in LOSSY:
        raise InvalidRequest(f"--bitrate is for lossy formats; {audio_format} has none.")
    given: int | None = words.bitrate if words.bitrate is not None else words.mp3_bitrate
    return DEFAULT_MP3_BITRATE if given is None and audio_format == "mp3" else given


def _sample_rate(text: str | None) -> int | str | None:
    if text is None or text == "source":
        return text
    try:
        return int(text)
    except ValueError as error:
        raise InvalidRequest(f"--sample-rate takes a number or `source`, not {text!r}.") from error


def _name_template(filename: str, audio_format: str, tracks: Sequence[str]) -> str | None:
    """The request's template for a `--filename` of demucs, which counts from OUT/MODEL and carries the extension."""
    if filename == DEFAULT_FILENAME:
        return None
    try:
        fields = {field for _, field, _, _ in string.Formatter().parse(filename) if field is not None}
    except ValueError as error:
        raise InvalidRequest(f"--filename {filename!r} has a brace without its partner.") from error
    if unknown := fields - FILENAME_FIELDS:
        known = " ".join(f"{{{field}}}" for field in sorted(FILENAME_FIELDS))
        raise InvalidRequest(f"--filename does not know {{{min(unknown)}}}. Known are: {known}.")
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
