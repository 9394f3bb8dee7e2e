"""`dsu-denoise SONG NOISE [RESULT]`, for people: its options, and what is written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from utils.commandline.audiosep import name_output
from utils.commandline.existing import Results, expected_stems
from utils.commandline.layout import FORMAT, STEMS, Layout, Option, Switch, template_option
from utils.commandline.options import Options, Typed
from utils.commandline.program import Program
from utils.core.api import EngineApi
from utils.core.catalogue import DENOISED, ENVELOPE_MATCHED
from utils.core.errors import InvalidRequest
from utils.core.replies import ModelDetails
from utils.core.requests import Denoise


def understand(typed: Typed) -> Options[Denoise]:
    """The noise is named by --noise; or else the files are one song, the noise, and optionally the result."""
    words = typed.words
    if words.noise_profile is None and words.tracks:
        if not 2 <= len(words.tracks) <= 3 or (len(words.tracks) == 3 and words.output):
            raise InvalidRequest(
                "Name a song, a recording of its noise and optionally the result; or name any number of songs and give the noise with --noise."
            )
        song, words.noise_profile, *result = words.tracks
        words.tracks = [song]
        words.output = next(iter(result), words.output)
    if words.output is not None:
        name_output(typed)
    elif words.tracks:
        if len(words.tracks) > 1 or Path(words.tracks[0]).is_dir():
            raise InvalidRequest("Name a directory in --out, because there may be several results.")
        words.output_dir = str(Path(words.tracks[0]).parent)
    return typed.understand(Denoise)


def find_models(engine: EngineApi, request: Denoise) -> list[ModelDetails]:
    """None: the method has no files."""
    del engine, request
    return []


def results(request: Denoise, models: Sequence[ModelDetails]) -> Results:
    del models
    return Results(ENVELOPE_MATCHED, expected_stems(request, [DENOISED]))


PROGRAM = Program(
    Layout(
        program="dsu-denoise",
        description="Reduce noise that gets louder and softer with the recording, such as the hiss\n"
        "of a preamplifier, using a recording of the noise alone.",
        requests=(Denoise,),
        groups={
            "noise": ("noise_profile", "mode", "subtraction_factor", "attack_time", "release_time"),
            "output": ("output", "name_template", *(item for item in FORMAT if item != "channels")),
        },
        options={
            "noise_profile": Option(("-n", "--noise"), "a recording of only the noise", "FILE"),
            "mode": Option(
                (),
                switches=(
                    Switch("--drums", "drums", "for drums: follow a falling level in 0.3 s instead of 0.1"),
                    Switch("--slow", "slow", "for sustained sounds: follow it in 0.5 s"),
                ),
            ),
            "subtraction_factor": Option(("--amount",)),
            "attack_time": Option(("--attack",), metavar="SECONDS"),
            "release_time": Option(
                ("--release",),
                "how fast it follows a falling level, in seconds; default 0.1, 0.3 with --drums, 0.5 with --slow",
                "SECONDS",
            ),
            "output": Option(
                ("-o", "--out"), "a directory or a file; default SONG_denoised.wav next to the song", "OUT"
            ),
            "output_sample_rate": Option(
                ("--sample-rate",), "sample rate of the result in Hz; by default the song's", "HZ"
            ),
            "name_template": template_option(Denoise.template),
        },
        machine=("threads",),
        ungrouped=("verbose", "print_paths", "journal", "list_models"),
        hidden=frozenset(
            {
                *(
                    "model",
                    "models_dir",
                    "noise_path",
                    "download",
                    "batch_size",
                    "precision",
                    "device",
                    "channels",
                ),
                *STEMS,
            }
        ),
        usage="[options] SONG NOISE [RESULT]\n       dsu-denoise [options] --noise NOISE SONG_OR_FOLDER ...",
        epilog="""\
examples:
  dsu-denoise take.wav hiss.wav
  dsu-denoise kick.wav hiss.wav clean/kick.wav --drums
  dsu-denoise --noise hiss.wav --flac takes/ -o clean

The recording of the noise should last two seconds or more, and have the same
gain as the songs. Messages go to stderr; with --print-paths the files written
are listed on stdout.
`dsu-denoise --worker --help` describes the worker for programs.
""",
    ),
    understand,
    find_models,
    results,
)
main = PROGRAM.main
