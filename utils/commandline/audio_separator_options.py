"""What people type after `dsu-audio-separator`, as a request and the settings they ask for. Pure: no files, no models.

What a model's network wants is no option: it is known of public models, and lies beside others in a file. An option
for the other kind of model is refused, never accepted and ignored.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import PurePath

from utils.commandline import options
from utils.commandline.options import Options, Parser
from utils.commandline.wording import Wording
from utils.core.errors import InvalidRequest
from utils.core.requests import Apollo, AudioSeparatorSeparate, Separate

PROGRAM = "dsu-audio-separator"

# The kind of a model by the extension of its file. Without one of these it is a network of dsu-bsroformer.
KINDS = {".pth": "VR", ".onnx": "MDX"}
OPTIONS_OF = {
    "VR": (
        "vr_aggression",
        "vr_enable_tta",
        "vr_high_end_process",
        "vr_post_process",
        "vr_post_process_threshold",
        "vr_window_size",
    ),
    "MDX": ("mdx_segment_size", "mdx_overlap", "mdx_enable_denoise", "invert_spect"),
}
SEPARATION = ("model", "model_file_dir", "single_stem", "two_stems", *OPTIONS_OF["VR"], *OPTIONS_OF["MDX"])
RESTORATION = ("chunk_seconds", "addition")

EPILOG = f"""\
examples:
  {PROGRAM} --list-models
  {PROGRAM} -m UVR-MDX-NET-Inst_HQ_3.onnx song.wav -o out
  {PROGRAM} -m UVR-MDX-NET-Inst_HQ_3.onnx --single-stem Vocals --flac songs/
  {PROGRAM} -m nets/mine.pth --aggression 10 --tta song.wav
  {PROGRAM} -m UVR-MDX-NET-Inst_HQ_3.onnx --download
  {PROGRAM} --apollo apollo song.mp3

Results are OUT/TRACK_(STEM).EXT, of --apollo OUT/TRACK_(restored).EXT. A public model that is missing is downloaded
first. A file that is not known needs NAME.json beside it, which says what its
network wants. For a VR model NAME.pth that is such as
  {{"vr_model_param": "4band_v3", "primary_stem": "Vocals"}}
and for an MDX model NAME.onnx such as
  {{"mdx_n_fft_scale_set": 6144, "mdx_dim_f_set": 3072, "mdx_dim_t_set": 8,
   "compensate": 1.035, "primary_stem": "Instrumental"}}

What the program says goes to stderr; with --print-paths the files written are
listed on stdout. `{PROGRAM} --worker` starts the worker for
programs; `{PROGRAM} --worker --help` tells about it.
"""


def parse(argv: Sequence[str]) -> Options[Separate]:
    """Read a command line. Raises `InvalidRequest`; `--help` and `--version` print and raise `SystemExit`."""
    parser = _parser()
    words = parser.read(argv)
    _check_model(words)
    _check_task(words, parser.wording)
    _check_kind(words, parser.wording)
    _check_stems(words)
    options.check_name_template(words)
    kind: type[Separate] = AudioSeparatorSeparate
    if words.apollo is not None:
        kind = Apollo
        _name_restorer(words)
    return options.understand(parser, words, kind)


def _parser() -> Parser:
    parser = options.new_parser(
        PROGRAM,
        "Separate songs into a stem and the rest with VR and MDX models, and with what else\n"
        "--list-models lists, or restore with Apollo models what lossy compression took.",
        EPILOG,
    )
    _add_model(parser.add_argument_group("model"))
    _add_output(parser.add_argument_group("output"))
    _add_stems(parser.add_argument_group("stems"))
    _add_vr(parser.add_argument_group("VR models (.pth)"))
    _add_mdx(parser.add_argument_group("MDX models (.onnx)"))
    _add_restoration(parser.add_argument_group("restoration of lossy files"))
    options.add_machine(parser.add_argument_group("machine"))
    return parser


def _add_model(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "-m", "--model", metavar="FILE_NAME", help="one of those that --list-models lists, or a file of yours"
    )
    group.add_argument("--model-file-dir", metavar="DIR", help="where that file is; default where models are kept")
    options.add_models_at_hand(group)


def _add_output(group: argparse._ArgumentGroup) -> None:
    options.add_folder(group)
    options.add_name_template(group, "{track}_({stem})")
    options.add_format(group)


def _add_stems(group: argparse._ArgumentGroup) -> None:
    options.add_stems(group)
    group.add_argument("--single-stem", metavar="STEM", help="write just this stem")


def _add_vr(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--aggression",
        dest="vr_aggression",
        type=options.whole,
        metavar="N",
        help="how hard the primary stem is cut out, from -100 to 100; default 5",
    )
    group.add_argument(
        "--window-size",
        dest="vr_window_size",
        type=options.whole,
        metavar="N",
        help="frames seen at once; default 512, 320 is slower and a little better",
    )
    _add_switch(group, "--tta", "vr_enable_tta", "look at the song twice and average: 2 times the work")
    _add_switch(group, "--high-end", "vr_high_end_process", "mirror what the network sees into the range above")
    _add_switch(group, "--post-process", "vr_post_process", "give back what was cut out where hardly anything was")
    group.add_argument(
        "--post-process-threshold",
        dest="vr_post_process_threshold",
        type=options.number,
        metavar="PART",
        help="of --post-process: how little counts as hardly anything; default 0.2",
    )


def _add_mdx(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--segment-size",
        dest="mdx_segment_size",
        type=options.whole,
        metavar="N",
        help="frames seen at once; default the model's",
    )
    group.add_argument(
        "--overlap",
        dest="mdx_overlap",
        type=options.number,
        metavar="PART",
        help="of neighbouring chunks; default 0.25",
    )
    _add_switch(group, "--denoise", "mdx_enable_denoise", "cancel the network's own noise: 2 times the work")
    _add_switch(group, "--invert-spect", "invert_spect", "make the rest bin by bin of a spectrum, not by samples")


def _add_restoration(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--apollo", metavar="MODEL", help="restore with this Apollo model instead: its name, or its checkpoint file"
    )
    group.add_argument(
        "--chunk-seconds",
        type=options.number,
        metavar="S",
        help="of --apollo: length of the parts that are restored at once; default 7",
    )
    _add_switch(group, "--addition", "addition", "of --apollo: also write what the restoration has added")


def _add_switch(group: argparse._ArgumentGroup, option: str, field: str, told: str) -> None:
    group.add_argument(option, dest=field, action="store_true", default=None, help=told)


def _check_model(words: argparse.Namespace) -> None:
    if not words.model and not words.apollo and not words.list_models:
        raise InvalidRequest(
            "Name a model with --model, or one that restores with --apollo.",
            hint=f"`{PROGRAM} --list-models` lists them.",
        )


def _check_task(words: argparse.Namespace, wording: Wording) -> None:
    """A job separates or restores; nothing is asked of one that only the other can do."""
    restores = words.apollo is not None
    given = [field for field in (SEPARATION if restores else RESTORATION) if getattr(words, field) is not None]
    if given:
        told = "is for separation, not for --apollo" if restores else "needs --apollo"
        raise InvalidRequest(f"{wording.option(given[0])} {told}.")


def _name_restorer(words: argparse.Namespace) -> None:
    """What is typed after `--apollo` and `--out`, as the request calls it."""
    path = PurePath(words.apollo)
    setattr(words, "model_path" if path.suffix or len(path.parts) > 1 else "model", words.apollo)
    words.output_dir, words.output = words.output, None


def _check_kind(words: argparse.Namespace, wording: Wording) -> None:
    """Nothing is asked of a model that only the other kind can do."""
    if words.model:
        own = KINDS.get(PurePath(words.model).suffix)
        if words.model_file_dir and own is None:
            raise InvalidRequest(f"--model-file-dir needs a file of the type {' or '.join(KINDS)} in --model.")
        for kind, fields in OPTIONS_OF.items():
            given = [field for field in fields if getattr(words, field) is not None]
            if kind != own and given:
                raise InvalidRequest(f"{wording.option(given[0])} is for {kind} models; {words.model} is none.")
    if words.vr_post_process_threshold is not None and not words.vr_post_process:
        raise InvalidRequest("--post-process-threshold needs --post-process.")


def _check_stems(words: argparse.Namespace) -> None:
    if words.single_stem is not None and (words.stems is not None or words.two_stems is not None):
        raise InvalidRequest("Ask for either --single-stem, --stems or --two-stems.")
