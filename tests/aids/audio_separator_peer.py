"""The real audio-separator program, in the environment of the programs that DSU is compared with."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

from tools.ffmpeg_program import path_with_ffmpeg
from tools.peers import FOLDER, ROOT, peers_python

DRIVER = Path(__file__).with_name("audio_separator_driver.py")


class Ran(NamedTuple):
    """What a program did."""

    status: int
    out: str
    err: str


class Peer:
    """One process that runs the program, or calls its classes, for many cases."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [peers_python(), DRIVER],
            env={
                **os.environ,
                "OMP_NUM_THREADS": "2",
                "PYTHONPATH": str(ROOT),
                "PATH": path_with_ffmpeg(FOLDER / "programs"),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def run(self, *words: str, folder: Path, models: Path) -> Ran:
        return Ran(**self._ask(argv=list(words), folder=str(folder), models=str(models)))

    def call(self, song: Path, model: Any, options: dict[str, Any], **names: Any) -> dict[str, Any]:
        """What its `Separator`, made with these options, tells of a model, and the files that it has made of the song."""
        return self._ask(song=str(song), model=model, options=options, **names)

    def listed(self, models: Path) -> dict[str, Any]:
        """Its lists of the models in a folder, and its ensembles."""
        return self._ask(listed=str(models))

    def _ask(self, **request: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer

    def close(self) -> None:
        self._process.communicate()
