"""What is true of every program's command line is tried with each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from scripted_engine import ScriptedEngine

from utils.commandline import (
    audio_separator,
    audio_separator_options,
    bsroformer,
    bsroformer_options,
    demucs,
    demucs_options,
)
from utils.commandline.options import Options


class Tried(NamedTuple):
    """A program, and how it is told what has another name in each."""

    name: str
    parse: Callable[[list[str]], Options[Any]]
    main: Callable[..., int]
    model_option: str
    template_option: str
    template: str  # one that gives all songs the same files

    def run(self, engine: ScriptedEngine, *words: str, model: str = "ready") -> int:
        return self.main([self.model_option, model, *words], lambda settings: engine, _list_names)

    def one(self, *words: str) -> Options[Any]:
        """The options for one song and one model."""
        return self.parse([self.model_option, "ready", *words, "song.wav"])


def _list_names(*where: object) -> list[str]:
    return ["one", "two"]


PROGRAMS = [
    Tried("dsu-demucs", demucs_options.parse, demucs.main, "-n", "--filename", "{stem}.{ext}"),
    Tried("dsu-bsroformer", bsroformer_options.parse, bsroformer.main, "-m", "--name-template", "{stem}"),
    Tried(
        "dsu-audio-separator",
        audio_separator_options.parse,
        audio_separator.main,
        "-m",
        "--name-template",
        "{stem}",
    ),
]
