"""The contract that every worker keeps, whatever its engine, without any model installed.

Over the real processes: the scripts, or with `--worker-dir DIR` the executables of a frozen build.
"""

import contextlib
import json
import signal
import subprocess
import sys

import pytest
from jsonschema import Draft202012Validator
from worker_process import WorkerProcess, clean_environment, statuses, worker_command

from utils import PROTOCOL_VERSION, __version__
from workers import WORKERS

pytestmark = pytest.mark.e2e

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send these signals to one process")
HEAVY = {"torch", "numpy", "soundfile", "av", "psutil", "rich"}
REPORT_MODULES = """
import atexit, runpy, sys
atexit.register(lambda: sys.stderr.write("MODULES " + " ".join(sys.modules)))
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(params=WORKERS, scope="session")
def row(request):
    """Each row of the table of workers."""
    return WORKERS[request.param]


@pytest.fixture(scope="session")
def start(row, worker_dir, tmp_path_factory):
    """Start workers on a models directory that does not exist; all are ended after the tests."""
    home = tmp_path_factory.mktemp("home")
    with contextlib.ExitStack() as stack:

        def start_one(*flags):
            command = [*worker_command(row, worker_dir), "--worker", "--models-dir", str(home / "models"), *flags]
            env = {"HOME": str(home), "USERPROFILE": str(home)}
            return stack.enter_context(WorkerProcess(command, env=env, cwd=home))

        yield start_one


@pytest.fixture(scope="session")
def worker(start):
    """A worker that is ready, and that all tests share which only ask."""
    worker = start("--device", "cpu", "--offline")
    worker.expect("ready")
    return worker


def run(row, worker_dir, *arguments, script=None, **env):
    command = worker_command(row, worker_dir)
    if script:
        command[1:1] = ["-c", script]
    environment = clean_environment(env)
    return subprocess.run(
        [*command, *arguments], capture_output=True, text=True, encoding="utf-8", env=environment, check=False
    )


# Life -------------------------------------------------------------------------------------------------------------


def test_it_says_loading_then_ready_and_exiting_at_the_end(start, row, tmp_path):
    """With everything a client needs to know. The last line is `exiting`, the status 0."""
    worker = start("--device", "cpu", "--threads", "1", "--models-dir", str(tmp_path))
    loading, ready = worker.read(), worker.read()
    assert (loading["status"], loading["worker"], loading["version"]) == ("loading", row.name, __version__)
    assert loading["message"]
    assert isinstance(loading["pid"], int)
    expected = {"status": "ready", "device": "cpu", "threads": 1, "cache_enabled": True, "protocol": PROTOCOL_VERSION}
    assert expected.items() <= ready.items()
    assert (ready["models_dir"], ready["version"]) == (str(tmp_path), __version__)
    worker.send({"cmd": "exit", "id": "bye"})
    assert worker.rest() == [{"status": "exiting", "id": "bye"}]
    assert worker.wait() == 0


def test_commands_in_a_pipe_are_answered(start):
    """A client may write everything at once and close its end."""
    worker = start("--device", "cpu")
    worker.send({"cmd": "ping", "id": 1}, {"cmd": "list_cached", "id": 2})
    worker.close_input()
    lines = worker.rest()
    assert statuses(lines) == ["loading", "ready", "pong", "cached_models", "exiting"]
    assert worker.wait() == 0
    assert worker.stderr == ""


@posix_only
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it(start, number):
    """With `shutdown`, and a status that names the signal."""
    worker = start("--device", "cpu")
    worker.expect("ready")
    worker.signal(number)
    assert worker.rest()[-1] == {"status": "shutdown", "reason": "signal_or_parent_died", "detail": number.name}
    assert worker.wait() == 128 + number
    assert worker.stderr == ""


@posix_only
def test_a_signal_ends_it_while_it_starts(start):
    """Also in the middle of imports. Where one of them holds the interpreter for long, on a busy machine, the guard ends it."""
    worker = start("--device", "cpu")
    worker.expect("loading")
    worker.signal(signal.SIGTERM)
    last, status = worker.rest()[-1:], worker.wait()
    is_orderly = [line["status"] for line in last] == ["shutdown"] and status == 128 + signal.SIGTERM
    assert is_orderly or status == -signal.SIGKILL


def test_a_device_that_is_not_there_is_an_error(start):
    """It names those that are, and never falls back; the status is 2."""
    worker = start("--device", "cuda:99")
    error = worker.rest()[-1]
    assert (error["status"], error["code"]) == ("error", "device_unavailable")
    assert "cuda:99" in error["message"]
    assert "cpu" in error["message"]
    assert worker.wait() == 2


# Commands ---------------------------------------------------------------------------------------------------------


def test_it_answers_without_any_model(row, worker):
    """Lists are empty or complete, nothing is loaded, and the cache can be set."""
    both = {"separator_model": None, "apollo_model": None} if row.name == "dsu-audio-separator" else {}
    assert worker.ask(cmd="ping", id="p") == {"status": "pong", "id": "p", "model_loaded": None, **both}
    status = worker.ask(cmd="get_status")
    assert (status["busy"], status["ready"], status["device"], status["cached_models"]) == (False, True, "cpu", [])
    assert status["memory"]["rss_mb"] > 0
    assert worker.ask(cmd="list_cached")["models"] == []
    assert worker.ask(cmd="clear_cache") == {"status": "cache_cleared", "models_cleared": 0}
    assert worker.ask(cmd="set_cache_size", n=3)["max_cached_models"] == 3
    assert worker.ask(cmd="list_cached")["max"] == 3
    assert worker.ask(cmd="set_cache_size", max_cached_models=0)["cache_enabled"] is False
    assert worker.ask(cmd="set_storage_type", type="ssd")["status"] == "storage_configured"
    assert worker.ask(cmd="cancel") == {"status": "cancel_requested", "found": False}


def test_models_are_listed_in_both_ways(worker):
    """The details are those of the names, in the same order; only what comes with the program is there."""
    names = worker.ask(cmd="list_models")["models"]
    detailed = worker.ask(cmd="list_models", details=True)
    assert names
    assert [one["name"] for one in detailed["details"]] == detailed["models"] == names
    assert {one["name"] for one in detailed["details"] if one["installed"]} <= {"dsu_mini", "envelope_matched"}


def test_a_model_that_does_not_exist_is_an_error(worker):
    """With its id, and the next command works."""
    for command in ("load_model", "preload_model", "download_model"):
        worker.send({"cmd": command, "model": "no_such_model", "id": command})
        assert worker.expect("error", id=command)["code"] == "unknown_model"
    assert worker.ask(cmd="ping")["status"] == "pong"


def test_a_model_without_a_name_is_the_default_of_the_worker(row, worker):
    """What comes with the program is loaded; of others the error has the name."""
    fetched = {
        "dsu-demucs": "htdemucs",
        "dsu-audio-separator": "vocals_bsroformer_viperx",
        "dsu-audiosep": "audiosep_base",
    }
    for command, status in (("load_model", "model_loaded"), ("preload_model", "model_preloaded")):
        worker.send({"cmd": command})
        if row.name in fetched:
            error = worker.expect("error")
            assert error["code"] == "model_not_installed"
            assert f"`{fetched[row.name]}`" in error["message"]
        else:
            assert worker.expect(status)["model"] in ("dsu_mini", "envelope_matched")


def test_a_model_that_is_not_installed_is_an_error(row, worker):
    """It says how to get it. What dsu-denoise has is no file."""
    models = worker.ask(cmd="list_models", details=True)["details"]
    absent = [model["name"] for model in models if not model["installed"]]
    if row.name == "dsu-denoise":
        assert absent == []
        return
    worker.send({"cmd": "load_model", "model": absent[0]})
    error = worker.expect("error")
    assert error["code"] == "model_not_installed"
    assert error["hint"]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"nonsense", "invalid_json"),
        (b'{"cmd":"pong"}', "unknown_command"),
        (b'{"cmd":"load_model","model":5}', "invalid_request"),
        (b"{}", "invalid_request"),
        (b'{"cmd":"batch","jobs":[{"cmd":"exit"}]}', "invalid_request"),
    ],
)
def test_bad_requests_are_errors(worker, line, code):
    """Nothing ends the worker."""
    worker.send_bytes(line + b'\n{"cmd":"ping","id":"after"}\n')
    replies = [worker.read(), worker.read()]
    assert sorted(statuses(replies)) == ["error", "pong"]
    assert next(reply["code"] for reply in replies if reply["status"] == "error") == code


def test_what_it_describes_is_what_it_sends(worker):
    """The schemas hold for its own lines."""
    description = worker.ask(cmd="describe")
    commands = {"ping": {}, "get_status": {}, "list_models": {"details": True}, "list_cached": {}, "clear_cache": {}}
    definitions = {"definitions": description["definitions"]}
    for line in worker.transcript[:2]:
        Draft202012Validator({**description["events"][line["status"]], **definitions}).validate(line)
    for command, fields in commands.items():
        schema = {**description["commands"][command]["response"], **definitions}
        Draft202012Validator(schema).validate(worker.ask(cmd=command, **fields))
    Draft202012Validator({**description["commands"]["describe"]["response"], **definitions}).validate(description)


# Texts for people -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "flags",
    [
        ["--worker", "--help"],
        ["--worker", "--version"],
        ["--worker", "--list-models"],
        ["--help"],
        ["--version"],
        ["--list-models"],
    ],
)
def test_texts_need_no_torch(row, worker_dir, tmp_path, flags):
    """They answer at once, on stdout, with status 0."""
    script = None if worker_dir else REPORT_MODULES
    done = run(row, worker_dir, *flags, script=script, DSU_MODELS=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    if not worker_dir:
        assert not HEAVY & set(done.stderr.partition("MODULES ")[2].split())


def test_the_version_is_named(row, worker_dir):
    """In worker mode as in the other."""
    assert __version__ in run(row, worker_dir, "--worker", "--version").stdout


def test_a_wrong_flag_is_an_error_line(row, worker_dir):
    """JSON for the program that started it, and status 2."""
    done = run(row, worker_dir, "--worker", "--no-such-flag")
    assert json.loads(done.stdout)["code"] == "invalid_request"
    assert done.returncode == 2
