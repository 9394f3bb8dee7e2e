"""What people type after `dsu-audiosep`, as a request and the settings they ask for. Pure: no files, no models."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import PurePath
from typing import get_args

from utils.commandline import options
from utils.commandline.options import Options
from utils.commandline.wording import Wording
from utils.core.errors import InvalidRequest
from utils.core.requests import AudioFormat, AudioSepSeparate

PROGRAM = "dsu-audiosep"
TEMPLATE = "{track}_({stem})"
OWN_PARTS = ("checkpoint_path", "config_path", "clap_checkpoint_path", "roberta_dir")

EPILOG = f"""\
examples:
  {PROGRAM} --text "a dog barking" street.wav -o dog.wav
  {PROGRAM} --text drums --text "a singing voice" --residual song.mp3 -o out
  {PROGRAM} --text "acoustic guitar" --flac songs/ -o out
  {PROGRAM} --download

Results are OUT/TRACK_(TEXT).EXT, and OUT/TRACK_(residual).EXT of --residual. If OUT
ends in the extension of an audio format it is a file: that of the only text, or
OUT_TEXT.EXT of several. Texts are in English. The model is downloaded first if it is
missing (3.6 GB). What the program says goes to stderr; with --print-paths the files
written are listed on stdout. `{PROGRAM} --worker` starts the worker for programs;
`{PROGRAM} --worker --help` tells about it.
"""


def parse(argv: Sequence[str]) -> Options[AudioSepSeparate]:
    """Read a command line. Raises `InvalidRequest`; `--help` and `--version` print and raise `SystemExit`."""
    parser = _parser()
    words = parser.read(argv)
    options.check_name_template(words)
    _name_output(words)
    understood = options.understand(parser, words, AudioSepSeparate)
    _check_texts(words, understood.request)
    _check_download(words, parser.wording)
    return understood


def is_file(out: str) -> bool:
    """Does this name a file to write, rather than a directory?"""
    return PurePath(out).suffix[1:].lower() in get_args(AudioFormat)


def _parser() -> options.Parser:
    parser = options.new_parser(PROGRAM, "Separate from songs and other recordings what a text describes.", EPILOG)
    _add_texts(parser.add_argument_group("what to separate"))
    _add_model(parser.add_argument_group("model"))
    _add_own_parts(parser.add_argument_group("parts of a model of your own"))
    _add_output(parser.add_argument_group("output"))
    _add_separation(parser.add_argument_group("separation"))
    options.add_machine(parser.add_argument_group("machine"))
    return parser


def _add_texts(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "-t",
        "--text",
        dest="texts",
        action="append",
        metavar="TEXT",
        help="what to separate, in words; give it again for more, each in a file of its own",
    )
    group.add_argument(
        "--residual", action="store_true", default=None, help="also write the song without all that was separated"
    )
    options.add_stems(group)


def _add_model(group: argparse._ArgumentGroup) -> None:
    group.add_argument("-m", "--model", metavar="NAME", help="one of those that --list-models lists")
    options.add_models_at_hand(group)


def _add_own_parts(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--checkpoint-path", metavar="FILE", help="the network that separates")
    group.add_argument("--config-path", metavar="FILE", help="its YAML configuration")
    group.add_argument("--clap-checkpoint-path", metavar="FILE", help="the CLAP checkpoint, for the texts")
    group.add_argument("--roberta-dir", metavar="DIR", help="the folder with the vocabulary of roberta-base")


def _add_output(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "-o",
        "--out",
        dest="output",
        default="separated",
        metavar="OUT",
        help="a directory or a file; default ./separated",
    )
    options.add_name_template(group, TEMPLATE)
    options.add_format(group, default_rate="the song's")


def _add_separation(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--chunk-seconds", type=options.number, metavar="S", help="length of the parts of a long song; default 10"
    )
    group.add_argument(
        "--few-chunks",
        dest="use_chunk",
        action="store_const",
        const=False,
        help="run songs in parts of half a minute: faster for some, and more memory",
    )


def _name_output(words: argparse.Namespace) -> None:
    """What is typed after `--out`, as the request calls it."""
    if not is_file(words.output):
        words.output_dir, words.output = words.output, None
        return
    if len(words.tracks) > 1:
        raise InvalidRequest("Many songs cannot become one file: give a directory in --out.")
    for field, option in (("format", "--format"), ("name_template", "--name-template")):
        if getattr(words, field) is not None:
            raise InvalidRequest(f"{option} needs a directory in --out; the file there says its name and its format.")
    if words.skip_existing:
        raise InvalidRequest("--skip-existing needs a directory in --out.")
    words.format = PurePath(words.output).suffix[1:].lower()


def _check_texts(words: argparse.Namespace, request: AudioSepSeparate) -> None:
    """There is something to separate, unless nothing is to be separated."""
    if words.texts is None:
        if words.tracks:
            raise InvalidRequest('Say with --text what to separate, as in --text "a singing voice".')
        return
    try:
        _ = request.queries
    except InvalidRequest as error:
        raise InvalidRequest(error.message.replace("`texts`", "--text"), field=error.field) from error


def _check_download(words: argparse.Namespace, wording: Wording) -> None:
    given = [field for field in OWN_PARTS if getattr(words, field) is not None]
    if words.download and given:
        raise InvalidRequest(
            f"--download fetches a public model, which --model names; {wording.option(given[0])} is yours."
        )
