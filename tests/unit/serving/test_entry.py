"""The arguments of a worker script, as a process."""

import json
import subprocess
import sys

import pytest
from fake_worker import COMMAND
from worker_process import clean_environment

from utils import __version__


def run(*flags, **env):
    return subprocess.run(
        [*COMMAND, *flags], capture_output=True, text=True, encoding="utf-8", env=clean_environment(env), check=False
    )


def test_help_lists_the_flags():
    """In plain text, with status 0."""
    done = run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for flag in ("--device", "--models-dir", "--threads", "--max-cached-models", "--offline", "--strict", "--debug"):
        assert flag in done.stdout


def test_version_is_one_line():
    """Name and version."""
    assert run("--version").stdout == f"dsu-demucs {__version__}\n"


def test_list_models_uses_the_models_directory(tmp_path):
    """One name a line, from the directory that the flags name."""
    assert run("--list-models", "--models-dir", str(tmp_path)).stdout.split("\n") == ["quick", str(tmp_path), ""]


@pytest.mark.parametrize("flags", [["--devise", "cpu"], ["--device"], ["song.wav"], ["--de", "cpu"]])
def test_a_wrong_command_line_is_an_error_line(flags):
    """The client that started the worker can read it; the status is 2."""
    done = run(*flags)
    error = json.loads(done.stdout)
    assert (error["status"], error["code"], done.returncode) == ("error", "invalid_request", 2)


@pytest.mark.parametrize(
    ("flags", "env"), [(["--threads", "many"], {}), ([], {"DSU_THREADS": "0"}), ([], {"DSU_CONFIG": "/no/such/file"})]
)
def test_a_wrong_setting_is_an_error_line(flags, env):
    """Whatever its source; the status is 1."""
    done = run(*flags, **env)
    assert (json.loads(done.stdout)["code"], done.returncode) == ("config_invalid", 1)


def test_more_is_logged_on_request():
    """DSU_LOG sets the level of what goes to standard error."""
    script = (
        "import logging, sys; from fake_engine import FakeEngine; from utils.serving.entry import run_worker\n"
        "from workers import WORKERS\n"
        "def make(settings):\n"
        "    logging.getLogger('dsu').debug('details')\n"
        "    return FakeEngine(settings)\n"
        "run_worker(WORKERS['demucs'], ['--worker'], make, lambda folder: [])"
    )
    paths = [str(path) for path in sys.path if path]
    for level, said in (("debug", True), ("warning", False)):
        env = clean_environment(
            {"DSU_LOG": level, "PYTHONPATH": ":".join(paths) if sys.platform != "win32" else ";".join(paths)}
        )
        done = subprocess.run(
            [sys.executable, "-c", script], input="", capture_output=True, text=True, env=env, check=False
        )
        assert ("details" in done.stderr) is said
