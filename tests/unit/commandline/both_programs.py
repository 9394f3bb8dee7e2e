"""What is true of every program's command line is tried with each of them, but not what audio-separator's decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from scripted_engine import ScriptedEngine, details

from utils.commandline import audiosep, bsroformer, demucs
from utils.commandline.options import Options
from utils.commandline.program import Program
from utils.core.replies import ModelDetails


class Tried(NamedTuple):
    """A program, and how it is told what has another name in each."""

    program: Program[Any]
    model_option: str
    template_option: str
    template: str  # one that gives all songs the same files
    always: tuple[str, ...] = ()  # what it cannot do without

    @property
    def name(self) -> str:
        return self.program.layout.program

    @property
    def parse(self) -> Callable[[list[str]], Options[Any]]:
        return self.program.parse

    @property
    def main(self) -> Callable[..., int]:
        return self.program.main

    def typed(self, *words: str, model: str = "ready") -> list[str]:
        return [self.model_option, model, *self.always, *words]

    def run(self, engine: ScriptedEngine, *words: str, model: str = "ready") -> int:
        return self.main(self.typed(*words, model=model), lambda settings: engine, _list)

    def one(self, *words: str) -> Options[Any]:
        """The options for one song and one model."""
        return self.parse(self.typed(*words, "song.wav"))


def _list(models_dir: Path, repo: Path | None) -> list[ModelDetails]:
    return [details("one"), details("two")]


# Models of Demucs as `dsu` runs them: dsu-demucs talks like demucs, and has tests of its own for that.
EPILOG = demucs.EPILOG.replace("dsu-demucs", "dsu")
DEMUCS = replace(demucs.FAMILY, layout=replace(demucs.FAMILY.layout, program="dsu", epilog=EPILOG))
PROGRAMS = [
    Tried(DEMUCS, "-m", "--name-template", "{stem}"),
    Tried(bsroformer.PROGRAM, "-m", "--name-template", "{stem}"),
    Tried(audiosep.PROGRAM, "-m", "--name-template", "{stem}", ("--text", "drums", "--text", "vocals")),
]
