"""The programs in docs/live.md read what a real worker writes."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
from worker_process import start_worker

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = dict(re.findall(r"```(python|c|js)\n(.*?)```", (ROOT / "docs" / "live.md").read_text("utf-8"), re.DOTALL))

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(sys.platform == "win32", reason="they read a FIFO")]


def command_of(kind, folder, node):
    """What runs the program of a language."""
    if kind == "c":
        compiler = shutil.which("cc")
        if compiler is None:
            pytest.skip("there is no C compiler")
        (folder / "live.c").write_text(PROGRAMS["c"], "utf-8")
        subprocess.run([compiler, "-Wall", "-Werror", "-O1", "-o", folder / "live", folder / "live.c"], check=True)
        return [folder / "live"]
    name = {"python": "live.py", "js": "live.mjs"}[kind]
    (folder / name).write_text(PROGRAMS[kind], "utf-8")
    return [sys.executable if kind == "python" else node, folder / name]


@pytest.fixture(scope="module")
def worker(worker_dir, tmp_path_factory):
    with start_worker("dsu", worker_dir, tmp_path_factory.mktemp("models"), "--threads", "1") as process:
        process.expect("ready")
        yield process


@pytest.mark.parametrize("kind", ["python", "c", "js"])
def test_the_programs_hear_the_whole_song(worker, songs, node, tmp_path, kind):
    """As they are printed: up to the last sample, and that it is complete."""
    song = tmp_path / "song.wav"
    samples, rate = soundfile.read(songs / "short.wav")
    soundfile.write(song, samples[:rate], rate)
    os.mkfifo(tmp_path / "stems.pipe")
    program = subprocess.Popen(command_of(kind, tmp_path, node), cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    stream = {"pipe": str(tmp_path / "stems.pipe"), "files": False}
    worker.send({"cmd": "separate", "model": "dsu_mini", "input": str(song), "stream": stream})
    assert worker.expect("done", "error", "cancelled")["status"] == "done"
    output = program.communicate(timeout=60)[0].splitlines()
    assert output[-1] == "complete"
    assert len(output) > 2
