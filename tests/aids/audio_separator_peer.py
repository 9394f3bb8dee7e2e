"""The real audio-separator program, in an environment beside `.venv` that is made once and kept."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path
from typing import Any, NamedTuple

from ffmpeg_program import path_with_ffmpeg

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "locks" / "audio-separator.txt"
FOLDER = ROOT / ".peers" / "audio-separator"
STAMP = FOLDER / "installed"  # the hash of the lock that it was made from
DRIVER = Path(__file__).with_name("audio_separator_driver.py")
SHARED = "packages-of-venv.pth"


class Ran(NamedTuple):
    """What a program did."""

    status: int
    out: str
    err: str


def peer_python() -> Path:
    """The Python of the environment, which is made if it is not there. It also has the packages of this one, as torch.

    It appears complete: whoever makes it at the same time finds that it is there, and throws its own away.
    """
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if not (STAMP.is_file() and STAMP.read_text() == digest):
        FOLDER.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=FOLDER.parent, ignore_cleanup_errors=True) as place:
            made = Path(place, FOLDER.name)
            install(made)
            (made / STAMP.name).write_text(digest)
            shutil.rmtree(FOLDER, ignore_errors=True)
            with contextlib.suppress(OSError):
                made.rename(FOLDER)
    return python_in(FOLDER)


def install(folder: Path) -> None:
    venv.create(folder)
    pip = [sys.executable, "-m", "pip", "--python", python_in(folder), "install", "--no-input", "--quiet"]
    words = [*pip, "--disable-pip-version-check", "--require-hashes", "--no-deps", "-r", LOCK]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"The packages of {LOCK.name} could not be installed:\n{done.stderr}")
    (packages_in(folder) / SHARED).write_text(sysconfig.get_path("purelib") + "\n")


def peer_packages() -> Path:
    """The packages that only the environment has."""
    peer_python()
    return packages_in(FOLDER)


def packages_in(folder: Path) -> Path:
    return Path(sysconfig.get_path("purelib", "venv", vars={"base": str(folder), "platbase": str(folder)}))


def python_in(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


class Peer:
    """One process that runs the program, or calls its classes, for many cases."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [peer_python(), DRIVER],
            env={**os.environ, "OMP_NUM_THREADS": "2", "PATH": path_with_ffmpeg(FOLDER / "programs")},
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
