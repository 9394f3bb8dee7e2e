"""Every block of docs/shell.md does what it says, as it is printed: what it prints, what it writes, and that it ends."""

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
import pytest
import soundfile
from node_runtime import missing
from worker_process import TIMEOUT_S, clean_environment, wait_until_ended, worker_command

from tools.fixtures.audiosep import write_audiosep
from tools.fixtures.song import song
from workers import WORKERS

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "shell.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```\n(?:```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
ANYTHING = "…"
PROGRESS = '{"status":"progress",'
SONG_S = 1.0
COPROCESS_BASH = (4, 0)


class Example(NamedTuple):
    """A block of the document, and what it is to print."""

    name: str
    code: str
    printed: str


def examples():
    """The blocks, called by their headings."""
    found = []
    for section in DOCUMENT.read_text(encoding="utf-8").split("\n## ")[1:]:
        blocks = [(code, printed) for language, code, printed in BLOCK.findall(section) if language == "bash"]
        name = re.sub(r"\W+", "-", section.partition("\n")[0].lower())
        found += [Example(f"{name}-{index}", *block) for index, block in enumerate(blocks, start=1)]
    return found


@pytest.fixture(scope="module")
def bash():
    """A bash that runs programs of this system."""
    if sys.platform == "win32":
        pytest.skip("The examples are for shells of Linux and macOS.")
    path = shutil.which("bash")
    if path is None:
        missing("`bash` is not installed, and the examples are written for it.")
    return path


@pytest.fixture(scope="module")
def programs(worker_dir, tmp_path_factory):
    """A folder of the programs by their names: those of the frozen folder, or the scripts in a shell's words."""
    if worker_dir is not None:
        return worker_dir
    folder = tmp_path_factory.mktemp("programs")
    for worker in WORKERS.values():
        path = folder / worker.executable
        words = " ".join(f"'{word}'" for word in worker_command(worker))
        path.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return folder


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """What the examples name: songs, short ones and one of five minutes, and a network that knows no words."""
    folder = tmp_path_factory.mktemp("material")
    (folder / "music").mkdir()
    samples = song(SONG_S)
    for name in ("song", 'My "best" Song', "street", "music/a", "music/b"):
        soundfile.write(folder / f"{name}.wav", samples, 44100)
    soundfile.write(folder / "long.wav", np.tile(samples, (round(300 / SONG_S), 1)), 44100)
    write_audiosep(folder / "nets")
    return folder


@pytest.fixture
def place(material, tmp_path):
    """A folder with that material, as links, and nothing else."""
    folder = tmp_path / "place"
    shutil.copytree(material, folder, copy_function=os.link)
    return folder


@pytest.fixture
def environment(programs, tmp_path):
    """The programs on the path, on the processor, offline, and without models of whoever runs the tests."""
    settings = {"DSU_DEVICE": "cpu", "DSU_THREADS": "1", "DSU_OFFLINE": "1", "DSU_MODELS": str(tmp_path / "models")}
    return clean_environment(settings | {"PATH": os.pathsep.join([str(programs), os.environ["PATH"]])})


def required(bash, code):
    """Skip a block that needs what is not here."""
    if "jq " in code and shutil.which("jq") is None:
        pytest.skip("`jq` is not installed; the block after it does the same with Python.")
    version = subprocess.run([bash, "-c", 'echo "${BASH_VERSINFO[*]:0:2}"'], capture_output=True, text=True, check=True)
    if "coproc " in code and tuple(map(int, version.stdout.split())) < COPROCESS_BASH:
        pytest.skip("This bash knows no coprocesses, as the document says.")


def comparable(printed):
    """Lines, with those that tell of progress as one: how many there are depends on the machine."""
    lines = []
    for line in printed.splitlines():
        if not (line.startswith(PROGRESS) and lines and lines[-1].startswith(PROGRESS)):
            lines.append(line)
    return "\n".join(lines)


def pattern(printed):
    """What matches a printed text, with `…` for anything."""
    return ".*".join(re.escape(part) for part in printed.rstrip("\n").split(ANYTHING))


def processes_in(folder):
    """The processes that work in this folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(folder):
                found.append(process.pid)
        except (psutil.Error, OSError):
            continue
    return found


@pytest.mark.e2e
@pytest.mark.parametrize("example", examples(), ids=lambda example: example.name)
def test_an_example_does_what_it_says(bash, place, environment, example):
    """It prints the text after it, ends with status 0, and leaves neither a worker nor anything half-written."""
    required(bash, example.code)
    done = subprocess.run(
        [bash, "-euo", "pipefail", "-c", example.code],
        cwd=place,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=10 * TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    printed = comparable(done.stdout)
    assert re.fullmatch(pattern(example.printed), printed, re.DOTALL), printed
    for pid in processes_in(place):
        wait_until_ended(pid)
    assert [path.name for path in place.rglob("*") if ".part" in path.name or path.name.endswith(".tmp")] == []


def test_the_document_has_what_a_shell_can_do():
    """Nothing was lost to the pattern that finds the blocks: each kind of example is among them."""
    code = [example.code for example in examples()]
    kinds = (
        "jq -r",
        "python3 -c",
        "coproc",
        "mkfifo",
        "xargs",
        '"cancel"',
        '"text"',
        "--journal",
        '"exit"',
        "\\r",
        "$?",
    )
    assert [kind for kind in kinds if not any(kind in block for block in code)] == []
    assert DOCUMENT.read_text(encoding="utf-8").count("```bash") == len(code)


@pytest.mark.parametrize(
    ("printed", "text", "equal"),
    [
        ("a\n…c\n", "a\nb c", True),
        ("a\n…c\n", "a\nb", False),
        ('{"status":"progress",…}\nb\n', '{"status":"progress","x":1}\n{"status":"progress","x":2}\nb', True),
        ("a.c\n", "abc", False),
    ],
)
def test_the_comparison_tells_texts_apart(printed, text, equal):
    """`…` is anything, lines of progress count as one, all else is as it is printed."""
    assert bool(re.fullmatch(pattern(printed), comparable(text), re.DOTALL)) == equal
