"""What people type after `dsu-bsroformer`, as a request and the settings they ask for. Pure: no files, no models."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import get_args

from utils.commandline import options
from utils.commandline.options import Options, Parser
from utils.commandline.wording import Wording
from utils.core.errors import InvalidRequest
from utils.core.network_choice import check_choice
from utils.core.requests import EnsembleType, NetworkSeparate, Quality

PROGRAM = "dsu-bsroformer"

EPILOG = f"""\
examples:
  {PROGRAM} --list-models
  {PROGRAM} -m vocals_melband song.wav -o out
  {PROGRAM} -m vocals_melband --extract-instrumental --flac songs/
  {PROGRAM} --ensemble vocals_melband,kim_ft --quality best song.wav
  {PROGRAM} --model-path net.ckpt --config-path net.yaml song.wav
  {PROGRAM} -m vocals_melband --download

Results are OUT/TRACK/STEM.EXT, of whichever model; {{model}} in --name-template
keeps those of several apart. A model that is missing is downloaded first. What
the program says goes to stderr; with --print-paths the files written are listed
on stdout. `{PROGRAM} --worker` starts the worker for programs;
`{PROGRAM} --worker --help` tells about it.
"""


def parse(argv: Sequence[str]) -> Options[NetworkSeparate]:
    """Read a command line. Raises `InvalidRequest`; `--help` and `--version` print and raise `SystemExit`."""
    parser = _parser()
    words = parser.read(argv)
    options.check_name_template(words)
    understood = options.understand(parser, words, NetworkSeparate)
    _check_model(words, understood.request, parser.wording)
    return understood


def _parser() -> Parser:
    parser = options.new_parser(
        PROGRAM,
        "Separate songs into stems with BS-RoFormer, Mel-Band RoFormer, SCNet and MDX23C\n"
        "models, or restore them with Apollo models.",
        EPILOG,
    )
    _add_model(parser.add_argument_group("model"))
    _add_own_model(parser.add_argument_group("a model of your own"))
    _add_ensemble(parser.add_argument_group("several models"))
    _add_output(parser.add_argument_group("output"))
    _add_separation(parser.add_argument_group("separation"))
    options.add_machine(parser.add_argument_group("machine"))
    return parser


def _add_model(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "-m",
        "--model",
        metavar="NAME",
        help="one of those that --list-models lists; default dsu_mini, which comes with DSU",
    )
    options.add_models_at_hand(group)


def _add_own_model(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--model-path", metavar="FILE", help="its checkpoint")
    group.add_argument("--config-path", metavar="FILE", help="its YAML configuration")
    group.add_argument(
        "--model-type", metavar="TYPE", help="the kind of network; default what the configuration or checkpoint tells"
    )


def _add_ensemble(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--ensemble", type=options.names, metavar="A,B", help="names of models whose results become one")
    group.add_argument(
        "--ensemble-type",
        choices=get_args(EnsembleType),
        metavar="TYPE",
        help=f"how: {', '.join(get_args(EnsembleType))}; default avg_wave",
    )
    group.add_argument(
        "--ensemble-weights", type=options.numbers, metavar="1,2", help="how much each counts in an average"
    )


def _add_output(group: argparse._ArgumentGroup) -> None:
    options.add_folder(group)
    options.add_name_template(group, "{track}/{stem}")
    options.add_format(group)


def _add_separation(group: argparse._ArgumentGroup) -> None:
    options.add_stems(group)
    group.add_argument(
        "--extract-instrumental", action="store_true", default=None, help="also write the mix minus the vocals"
    )
    group.add_argument(
        "--quality",
        choices=get_args(Quality),
        help="a preset of --overlap and --tta; default fast, the others take longer",
    )
    group.add_argument(
        "--overlap", type=options.whole, metavar="N", help="windows that cover each sample; default 1, without seams"
    )
    group.add_argument(
        "--chunk-seconds", type=options.number, metavar="S", help="length of a window; default the model's"
    )
    group.add_argument(
        "--tta",
        dest="use_tta",
        action="store_true",
        default=None,
        help="also separate with swapped channels and with inverted polarity, and average: 3 times the work",
    )


def _check_model(words: argparse.Namespace, request: NetworkSeparate, wording: Wording) -> None:
    """There is a model, or several, and nothing that belongs to another way of naming one."""
    try:
        check_choice(request)
    except InvalidRequest as error:
        raise InvalidRequest(wording.of(error.message), field=error.field) from error
    if words.ensemble_type is not None and request.ensemble is None:
        raise InvalidRequest("--ensemble-type needs the members in --ensemble.")
    if words.list_models:
        return
    if words.download and not request.model_key:
        raise InvalidRequest("Name with --model what to download.", hint=f"`{PROGRAM} --list-models` lists the names.")
    if words.download and request.model_path:
        raise InvalidRequest("--download fetches a public model, which --model names; --model-path is a file of yours.")
