"""What is true of every program's command line is tried with each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from scripted_engine import ScriptedEngine

from utils.commandline import (
    audio_separator,
    audio_separator_options,
    audiosep,
    audiosep_options,
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
    always: tuple[str, ...] = ()  # what it cannot do without

    def typed(self, *words: str, model: str = "ready") -> list[str]:
        return [self.model_option, model, *self.always, *words]

    def run(self, engine: ScriptedEngine, *words: str, model: str = "ready") -> int:
        return self.main(self.typed(*words, model=model), lambda settings: engine, _list_names)

    def one(self, *words: str) -> Options[Any]:
        """The options for one song and one model."""
        return self.parse(self.typed(*words, "song.wav"))


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
    Tried(
        "dsu-audiosep",
        audiosep_options.parse,
        audiosep.main,
        "-m",
        "--name-template",
        "{stem}",
        ("--text", "drums", "--text", "vocals"),
    ),
]
