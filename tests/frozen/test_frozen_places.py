"""The frozen folder works in any place, for any user, and on machines without Python."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
from frozen_places import bare_environment, can_hide, copy_to, hidden_places, program, where_hidden
from worker_process import WorkerProcess, job_lines

from tools.fixtures.song import song
from tools.freeze import manifest
from workers import WORKERS

RATE = 44100
ODD_NAME = "DSU für Ülo, 分離 (1)"
# The C and C++ libraries, and the others that freeze-core's executables are linked with.
SYSTEM = ("ld-", "libc.", "libm", "libpthread", "libdl", "librt", "libutil", "libstdc++", "libgcc_s", "libz.")

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows what a process has mapped")
hiding_only = pytest.mark.skipif(not can_hide(), reason="files cannot be hidden from a process here")


@pytest.fixture(scope="module")
def moved(folder, tmp_path_factory):
    """The folder in another place, whose name has spaces and non-ASCII letters."""
    return copy_to(folder, tmp_path_factory.mktemp("moved") / ODD_NAME)


@pytest.fixture
def home(tmp_path):
    """An empty home, which is also the working directory."""
    home = tmp_path / "home"
    home.mkdir()
    return home


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Two seconds of music."""
    path = tmp_path_factory.mktemp("clip") / "clip.wav"
    soundfile.write(path, song(2.0), RATE)
    return path


def start(command, home):
    return WorkerProcess(
        [*map(str, command), "--worker", "--device", "cpu", "--offline", "--threads", "1"],
        env=bare_environment(home),
        cwd=home,
        bare=True,
    )


def ask(worker, clip, out):
    """Ask for a separation with the embedded model, and its report."""
    worker.expect("ready")
    asked = {"input": str(clip), "output_dir": str(out), "model": "dsu_mini", "report": True, "report_html": True}
    worker.send({"cmd": "separate", **asked})


def separate(worker, clip, out):
    """Ask for it, and return the last line."""
    ask(worker, clip, out)
    return job_lines(worker, "done", "error")[-1]


def check(done, out):
    assert done["status"] == "done", done
    written = sorted(path.name for path in out.rglob("*.wav"))
    assert written == ["bass.wav", "drums.wav", "other.wav", "vocals.wav"]
    assert all(soundfile.info(path).frames == 2 * RATE for path in out.rglob("*.wav"))
    assert {done["report"], done["report_html"]} == {str(path) for path in out.rglob("*report.*")}


@pytest.mark.parametrize("name", WORKERS)
def test_each_program_starts_anywhere(moved, home, name):
    """The folder has moved to an unusual path, and the program has another working directory and an empty environment."""
    with start([program(moved, WORKERS[name])], home) as worker:
        assert worker.expect("ready")["device"] == "cpu"
        worker.close_input()
        assert worker.rest()[-1] == {"status": "exiting"}
        assert (worker.wait(), worker.stderr) == (0, "")


def test_it_separates_anywhere(moved, home, clip):
    """The embedded model writes to a folder with an unusual name."""
    out = home / ODD_NAME
    with start([program(moved, WORKERS["bsroformer"])], home) as worker:
        check(separate(worker, clip, out), out)


@hiding_only
def test_it_separates_where_there_is_no_python(moved, home, clip, tmp_path):
    """Python, its packages and our sources are replaced by empty folders, and the frozen folder is read-only."""
    empty, out = tmp_path / "empty", home / "out"
    empty.mkdir()
    command = [str(program(moved, WORKERS["bsroformer"]))]
    with start(where_hidden(command, empty, read_only=moved), home) as worker:
        check(separate(worker, clip, out), out)
        worker.close_input()
        worker.rest()
        assert (worker.wait(), worker.stderr) == (0, "")


@hiding_only
def test_hidden_is_hidden(home, tmp_path):
    """In the environment of the test above there is no Python to start."""
    (tmp_path / "empty").mkdir()
    looked_for = [sys.executable, *(str(place) for place in hidden_places())]
    command = where_hidden(["/bin/sh", "-c", 'for f; do ls -A "$f"; done', "sh", *looked_for], tmp_path / "empty")
    done = subprocess.run(command, capture_output=True, text=True, cwd=home, check=False)
    assert done.stdout == ""
    assert sys.executable in done.stderr


@linux_only
@pytest.mark.parametrize("name", WORKERS)
def test_all_its_libraries_are_its_own(moved, home, name):
    """A process maps libraries only from its folder, and the system's C and C++ libraries."""
    with start([program(moved, WORKERS[name])], home) as worker:
        worker.expect("ready")
        lines = Path(f"/proc/{worker.pid}/maps").read_text(encoding="utf-8").splitlines()
    mapped = {Path(line.split(maxsplit=5)[5]) for line in lines if len(line.split(maxsplit=5)) > 5}
    libraries = {path for path in mapped if ".so" in path.name}
    assert {path.name for path in libraries if moved not in path.parents and not path.name.startswith(SYSTEM)} == set()
    assert moved / "lib/torch/lib/libtorch_cpu.so" in libraries


@pytest.mark.skipif(sys.platform == "win32", reason="users may not create links there")
def test_it_starts_through_a_link_and_from_the_path(moved, home):
    """Commands are often installed that way."""
    row = WORKERS["demucs"]
    (home / row.executable).symlink_to(program(moved, row))
    for command in ([str(home / row.executable), "--version"], [row.executable, "--version"]):
        env = {**bare_environment(home), "PATH": f"{home}:{os.environ['PATH']}"}
        done = subprocess.run(command, capture_output=True, text=True, env=env, cwd="/", check=True)
        assert done.stdout.startswith(f"{row.name} ")


def test_settings_for_another_python_are_ignored(moved, home):
    """PYTHONPATH and similar variables are not meant for the frozen programs."""
    (home / "json.py").write_text("raise SystemExit('the wrong module')\n", encoding="utf-8")
    foreign = {"PYTHONPATH": str(home), "PYTHONHOME": str(home), "PYTHONOPTIMIZE": "2", "PYTHONWARNINGS": "error"}
    command = [program(moved, WORKERS["demucs"]), "--version"]
    env = {**bare_environment(home), **foreign}
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=home, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_two_users_share_it(moved, tmp_path, clip):
    """They use it at the same time with homes of their own, and nothing is written into the folder."""
    homes = [tmp_path / name for name in ("first", "second")]
    for home in homes:
        home.mkdir()
    row = WORKERS["bsroformer"]
    with start([program(moved, row)], homes[0]) as first, start([program(moved, row)], homes[1]) as second:
        for worker, home in ((first, homes[0]), (second, homes[1])):
            ask(worker, clip, home / "out")
        for worker, home in ((first, homes[0]), (second, homes[1])):
            check(job_lines(worker, "done", "error")[-1], home / "out")
    assert manifest.changed_files(moved) == []


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="no folder is read-only for this user")
def test_its_folder_may_be_read_only(folder, tmp_path, home, clip):
    """An administrator may have installed it."""
    closed = copy_to(folder, tmp_path / "closed")
    folders = [closed, *(path for path in closed.rglob("*") if path.is_dir())]
    for path in folders:
        path.chmod(0o555)
    try:
        with start([program(closed, WORKERS["bsroformer"])], home) as worker:
            check(separate(worker, clip, home / "out"), home / "out")
    finally:
        for path in folders:
            path.chmod(0o755)
        shutil.rmtree(closed)
