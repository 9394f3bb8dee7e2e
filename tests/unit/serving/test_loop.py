"""The loop as its client sees it: a process with the fake engine behind real pipes."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import msgspec
import psutil
import pytest
from fake_engine import CARD, OTHER_CARD, wait_for
from fake_worker import COMMAND
from worker_process import TIMEOUT_S, clean_environment, job_lines, statuses

from utils import PROTOCOL_VERSION, __version__

POSIX = sys.platform != "win32"
posix_only = pytest.mark.skipif(not POSIX, reason="Windows cannot send these signals to one process")


def job(model="quick", *, out="out", source="song.wav", **fields):
    return {"cmd": "separate", "input": source, "output": out, "model": model, **fields}


# Start ------------------------------------------------------------------------------------------------------------


def test_the_first_lines_are_loading_and_ready(start, tmp_path):
    """`loading` comes first, with name, version and process; then `ready`, with what was resolved."""
    worker = start("--threads", "2", "--models-dir", str(tmp_path), "--max-cached-models", "0", ready=False)
    loading, ready = worker.read(), worker.read()
    assert loading["status"] == "loading"
    assert (loading["worker"], loading["version"], loading["pid"]) == ("dsu-demucs", __version__, worker.pid)
    assert ready == {
        "status": "ready",
        "device": "cpu",
        "precision": "fp32",
        "threads": 2,
        "cache_enabled": False,
        "max_cached_models": 0,
        "models_dir": str(tmp_path),
        "version": __version__,
        "protocol": PROTOCOL_VERSION,
    }


def test_the_card_is_told_and_why_it_is_not_the_first(start):
    """`ready` describes it, with a warning about a better one that cannot be used, and so does `get_status`."""
    worker = start(ready=False, FAKE_START="other_card")
    worker.read()
    ready = worker.read()
    assert (ready["device"], ready["warnings"]) == ("cuda:1", [OTHER_CARD])
    assert (ready["card"], ready["attention"]) == (msgspec.to_builtins(CARD), "flash")
    worker.send({"cmd": "get_status"})
    assert worker.read()["card"] == ready["card"]


def test_the_doctor_is_a_job(start):
    """It takes its turn, tells how far it is, and answers with what it has found."""
    worker = start()
    worker.send({"cmd": "doctor", "id": 1, "device": "broken"})
    lines = job_lines(worker, "diagnosis")
    assert [line["status"] for line in lines] == ["progress", "progress", "diagnosis"]
    assert (lines[-1]["id"], lines[-1]["healthy"]) == (1, False)


def test_loading_is_sent_before_the_engine_is_there(start, tmp_path):
    """The first line does not wait for the engine's start."""
    gate = tmp_path / "gate"
    worker = start(ready=False, FAKE_START=f"waits:{gate}")
    assert worker.read()["status"] == "loading"
    gate.touch()
    assert worker.read()["status"] == "ready"


def test_commands_sent_before_ready_are_answered_after_it(start, tmp_path):
    """Nothing that is sent while the worker starts is lost, and the order stays."""
    gate = tmp_path / "gate"
    worker = start(ready=False, FAKE_START=f"waits:{gate}")
    worker.read()
    worker.send({"cmd": "ping", "id": 1}, job(id=2), {"cmd": "nonsense", "id": 3})
    worker.close_input()
    gate.touch()
    lines = worker.rest()
    assert lines[0]["status"] == "ready"
    assert {(line["id"], line["status"]) for line in lines if "id" in line} >= {(1, "pong"), (2, "done"), (3, "error")}
    assert worker.wait() == 0


def test_a_device_that_is_not_there_ends_the_start(start):
    """The client learns which devices there are, and the status is 2."""
    worker = start(ready=False, FAKE_START="no_device")
    loading, error = worker.rest()
    assert loading["status"] == "loading"
    assert (error["status"], error["code"], error["suggestions"]) == ("error", "device_unavailable", ["cpu"])
    assert worker.wait() == 2


def test_any_other_failure_at_the_start_is_told_too(start):
    """A library that cannot be imported is an error line and status 1."""
    worker = start(ready=False, FAKE_START="breaks")
    error = worker.rest()[-1]
    assert error["code"] == "internal"
    assert "libmissing.so" in error["message"]
    assert worker.wait() == 1
    assert worker.stderr == ""


# Lines ------------------------------------------------------------------------------------------------------------


def test_two_commands_in_one_write_are_both_answered(worker):
    """The second of two commands does not wait for a third."""
    worker.send({"cmd": "ping", "id": 1}, {"cmd": "ping", "id": 2})
    assert [worker.read()["id"], worker.read()["id"]] == [1, 2]


def test_a_command_may_come_in_pieces(worker):
    """A line is a line, however the pipe cuts it."""
    worker.send_bytes(b'{"cmd":')
    worker.send_bytes(b'"ping","id":"\xc3')
    worker.send_bytes(b'\xa9"}\r\n\r\n  \n')
    assert worker.read() == {"status": "pong", "id": "é", "model_loaded": None}


@pytest.mark.parametrize(
    "line",
    [
        b"hello",
        b"[1, 2]",
        b'"ping"',
        b'{"cmd": "ping"',
        b'{"cmd": "ping"} {}',
        b'{"cmd": NaN}',
        b'{"cmd": "\xff"}',
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b'{"cmd": "ping", "pad": "' + b"x" * (1 << 20) + b'"}',
    ],
    ids=["text", "list", "string", "cut", "two", "nan", "not-utf8", "deep", "long"],
)
def test_a_line_that_is_no_request_gets_one_error(worker, line):
    """The code is `invalid_json`, and the next line works."""
    worker.send_bytes(line + b'\n{"cmd":"ping"}\n')
    assert worker.read()["code"] == "invalid_json"
    assert worker.read()["status"] == "pong"


def test_a_byte_order_mark_at_the_start_is_ignored(worker):
    """Some shells begin what they pipe with one."""
    worker.send_bytes(b'\xef\xbb\xbf{"cmd":"ping"}\n')
    assert worker.read()["status"] == "pong"


def test_the_last_line_needs_no_line_end(worker):
    """`printf` into a pipe is enough."""
    worker.send_bytes(b'{"cmd":"ping"}')
    worker.close_input()
    assert statuses(worker.rest()) == ["pong", "exiting"]


@pytest.mark.parametrize("env", [{"LC_ALL": "C"}, {"PYTHONIOENCODING": "latin-1"}, {"LANG": "tr_TR.ISO-8859-9"}])
def test_text_is_utf8_whatever_the_locale(start, env):
    """Ids and messages keep their letters in both directions."""
    worker = start(**env)
    reply = worker.ask(cmd="ping", id="Ünïcödé ♫ 音")
    assert reply["id"] == "Ünïcödé ♫ 音"
    assert "☂" in worker.ask(cmd="☂☂☂")["message"]


def test_whatever_is_printed_ends_up_on_stderr(start):
    """Prints of Python, of C code and of child processes never disturb the protocol, nor do children eat commands."""
    worker = start(FAKE_START="prints")
    worker.send(job("prints"), {"cmd": "ping", "id": "after"})
    worker.close_input()
    assert {"done", "pong"} <= set(statuses(worker.rest()))
    worker.wait()
    for source in ("print", "the original stdout", "the descriptor", "a child", "C"):
        assert worker.stderr.count(f"from {source}") == 2


# Limits ------------------------------------------------------------------------------------------------------------


def test_limits_are_settings_that_the_status_shows(start):
    """Whoever sends a lot can ask how much is taken."""
    status = start("--max-queued-jobs", "5", DSU_MAX_LINE_BYTES="2048").ask(cmd="get_status")
    assert status["limits"] == {
        "max_queued_jobs": 5,
        "max_queued_bytes": 64 << 20,
        "max_line_bytes": 2048,
        "max_model_bytes": 16 << 30,
        "max_load_seconds": 600,
        "max_download_bytes": 8 << 30,
        "lowest_sample_rate": 1000,
    }


@pytest.mark.parametrize("flags", [("--max-queued-jobs", "2"), ("--max-queued-bytes", "250")])
def test_more_jobs_than_may_wait_are_refused_as_busy(start, flags):
    """Those that wait are not lost, and control commands are answered as ever."""
    worker = start(*flags)
    worker.send(job("slow", id="run"))
    worker.expect("separating")
    worker.send(*[job(id=number, out="x" * 40) for number in range(3)])
    error = worker.expect("error")
    assert (error["code"], error["id"]) == ("busy", 2)
    assert worker.ask(cmd="get_status")["queued"] == 2
    worker.send({"cmd": "cancel", "id": "run"})
    assert worker.expect("done")["id"] == 0


def test_jobs_without_ids_that_are_refused_are_answered_in_their_turn(start):
    """Whoever pipes more jobs into a worker than may wait matches answers by their order."""
    worker = start("--max-queued-jobs", "2")
    worker.send(job("slow", id="run"))
    worker.expect("separating")
    worker.send(job("quick"), job("crashes"), *[job("quick")] * 50, {"cmd": "cancel", "id": "run"})
    answers = [worker.expect("done", "cancelled", "error") for _ in range(53)]
    worker.send({"cmd": "get_status"})
    assert [line.get("code", line["status"]) for line in answers] == ["cancelled", "done", "internal", *["busy"] * 50]
    assert worker.expect("status")["jobs_failed"] == 1


def test_a_line_may_be_as_long_as_its_setting_says(start):
    """A longer one is an error that names the limit."""
    worker = start("--max-line-bytes", "2048")
    assert "2048 bytes" in worker.ask(cmd="ping", pad="x" * 3000)["message"]
    assert worker.ask(cmd="ping")["status"] == "pong"


def test_a_client_that_sends_too_much_before_ready_waits_for_it(start, tmp_path):
    """The worker takes no more than it may keep, and loses nothing: every line is answered after `ready`."""
    gate = tmp_path / "gate"
    worker = start("--max-queued-bytes", "10000", ready=False, FAKE_START=f"waits:{gate}")
    worker.read()
    sent = threading.Thread(target=lambda: [worker.send({"cmd": "ping", "pad": "x" * 60_000}) for _ in range(50)])
    sent.start()
    sent.join(1)
    assert sent.is_alive()
    gate.touch()
    sent.join(TIMEOUT_S)
    worker.close_input()
    assert statuses(worker.rest()).count("pong") == 50


@pytest.mark.parametrize("levels", [150, 300, 950, 100_000])
@pytest.mark.parametrize("brackets", [("[", "]"), ('{"a":', "}")])
def test_deep_nesting_is_a_named_error(worker, levels, brackets):
    """However deep, and of whatever kind."""
    deep = brackets[0] * levels + "1" + brackets[1] * levels
    worker.send_bytes(f'{{"cmd":"ping","deep":{deep}}}\n'.encode())
    error = worker.expect("error")
    assert (error["code"], "nested too deeply" in error["message"]) == ("invalid_json", True)


@posix_only
def test_a_disk_that_does_not_answer_holds_nothing_up(worker, tmp_path):
    """Commands that need it are answered in order when it does; all others at once."""
    os.mkfifo(tmp_path / "disk")
    worker.send({"cmd": "list_models", "repo": str(tmp_path / "disk"), "id": 1}, {"cmd": "list_models", "id": 2})
    assert worker.ask(cmd="ping")["status"] == "pong"
    (tmp_path / "disk").write_bytes(b"")
    assert [worker.expect("models")["id"], worker.expect("models")["id"]] == [1, 2]


def test_what_needs_the_disk_is_answered_before_the_end(worker):
    """The end of the input waits for it."""
    worker.send(*[{"cmd": "list_models", "id": number} for number in range(3)])
    worker.close_input()
    assert [line.get("id") for line in worker.rest()] == [0, 1, 2, None]


@posix_only
def test_a_client_that_does_not_read_messages_holds_no_job_up(tmp_path):
    """What stderr does not take is dropped."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(COMMAND, **pipes, cwd=tmp_path, env=clean_environment()) as process:
        process.stdin.write(json.dumps(job("chatters")).encode() + b"\n")
        process.stdin.flush()
        read_until(process.stdout, "done")
        process.stdin.close()
        assert process.stdout.read() == b'{"status":"exiting"}\n'
        process.stderr.read()


# Commands and jobs ------------------------------------------------------------------------------------------------


def test_every_line_of_a_request_repeats_its_id(worker):
    """Events and the final reply carry the id; without one nothing is added."""
    worker.send(job(id="a"), job(id=7), job(id=1.5), job())
    worker.close_input()
    lines = worker.rest()
    for wanted in ("a", 7, 1.5, None):
        mine = [line["status"] for line in lines if line.get("id") == wanted and line["status"] != "exiting"]
        assert (mine[0], mine[-1]) == ("separating", "done")
    assert all(("id" in line) == (line.get("id") is not None) for line in lines)


def test_progress_ends_with_100_and_can_be_turned_off(worker):
    """The last `progress` line says 100; with `progress` false there is none."""
    worker.send(job(id=1), job(id=2, progress=False))
    worker.close_input()
    lines = worker.rest()
    percents = [line["percent"] for line in lines if line["status"] == "progress" and line["id"] == 1]
    assert percents[-1] == 100
    assert percents == sorted(percents)
    assert not [line for line in lines if line["status"] == "progress" and line["id"] == 2]


def test_control_commands_are_answered_while_a_job_runs(worker):
    """`ping` and `get_status` do not wait for the job."""
    worker.send(job("slow", id="long"), job(id="next"))
    worker.expect("separating")
    assert worker.ask(cmd="ping")["status"] == "pong"
    status = worker.ask(cmd="get_status")
    assert (status["busy"], status["queued"], status["ready"], status["jobs_done"]) == (True, 1, True, 0)


def test_jobs_run_in_the_order_sent(worker):
    """One at a time; also what is wrong with a job is told in its turn."""
    worker.send(job(id=1), {"cmd": "separate", "id": 2}, job(id=3), {"cmd": "load_model", "id": 4})
    worker.close_input()
    finals = [line["id"] for line in worker.rest() if line["status"] in ("done", "error", "model_loaded")]
    assert finals == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("model", "code"),
    [
        ("crashes", "internal"),
        ("exits", "internal"),
        ("interrupts", "internal"),
        ("recurses", "internal"),
        ("memory", "out_of_memory"),
    ],
)
def test_no_job_ends_the_worker(worker, model, code):
    """Whatever happens in a job is an error reply, stderr stays quiet, and the next job works."""
    worker.send(job(model), job())
    error = worker.expect("error")
    assert error["code"] == code
    assert "\n" not in error["message"]
    assert "traceback" not in error
    worker.expect("done")
    worker.close_input()
    assert worker.wait() == 0
    assert worker.stderr == ""


@pytest.mark.parametrize("many", [{}, {"inputs": ["a.wav", "b.wav"]}, {"cmd": "batch"}], ids=["one", "files", "batch"])
def test_a_job_that_loses_the_device_is_the_last_of_its_worker(worker, many):
    """Its answer says so at once, whatever it had left to do. Jobs that wait are left for the next worker."""
    lost = job("loses", id=1)
    if many.get("cmd") == "batch":
        lost = {"cmd": "batch", "id": 1, "jobs": [job("loses"), job()], "continue_on_error": True}
    elif many:
        lost = {key: value for key, value in lost.items() if key != "input"} | many
    worker.send(lost, job(id=2))
    error = worker.expect("error")
    assert (error["id"], error["code"]) == (1, "device_lost")
    assert "an illegal memory access was encountered. Only" in error["message"]
    assert [(line["status"], line.get("detail")) for line in worker.rest()] == [("shutdown", "device_lost")]
    assert worker.wait() == 3


def test_tracebacks_are_for_those_who_ask(start):
    """`debug` in the request, `--debug` and DSU_DEBUG each add one."""
    asked = start()
    asked.send(job("crashes", debug=True))
    assert "ValueError" in asked.expect("error")["traceback"]
    for worker in (start("--debug"), start(DSU_DEBUG="1")):
        worker.send(job("crashes"))
        assert "ValueError" in worker.expect("error")["traceback"]


def test_a_control_command_that_breaks_is_an_error_too(worker):
    """The thread that reads survives it."""
    assert worker.ask(cmd="list_models", repo="breaks", id=3)["code"] == "internal"
    assert worker.ask(cmd="list_models")["models"] == ["quick", "slow"]


def test_warnings_reach_the_reply(worker):
    """What the engine warns of, and fields that are not known, are in the final line."""
    worker.send(job("warns", shiffts=2))
    assert worker.expect("done")["warnings"] == ["unknown field `shiffts`; did you mean `shifts`?", "it is loud"]
    assert worker.ask(cmd="ping", loud=1)["warnings"] == ["unknown field `loud`"]


@pytest.mark.parametrize(("flags", "fields"), [((), {"strict": True}), (("--strict",), {})])
def test_unknown_fields_are_errors_when_strict(start, flags, fields):
    """By the request or by the worker's flag."""
    error = start(*flags).ask(cmd="ping", modle="x", **fields)
    assert (error["code"], error["field"]) == ("invalid_request", "modle")


def test_nan_is_never_sent(worker):
    """A number that is not one becomes null."""
    worker.send({"cmd": "load_model", "model": "nan"})
    assert worker.expect("model_loaded")["elapsed"] is None


def test_counters_tell_done_from_failed(worker):
    """Cancelled jobs are neither."""
    worker.send(job(), job("crashes"), job("slow", id="c"))
    worker.expect("error")
    worker.expect("separating")
    worker.send({"cmd": "cancel"})
    worker.expect("cancelled")
    worker.send({"cmd": "get_status"})
    status = worker.expect("status")
    assert (status["jobs_done"], status["jobs_failed"], status["busy"], status["queued"]) == (1, 1, False, 0)


# Cancelling -------------------------------------------------------------------------------------------------------


def test_cancel_ends_the_running_job(worker):
    """Without an id it is the job whose turn it is; the one after it runs."""
    worker.send(job("slow", id="a"), job(id="b"))
    worker.expect("separating", id="a")
    worker.send({"cmd": "cancel"})
    assert worker.expect("cancelled", "done")["id"] == "a"
    worker.expect("done", id="b")
    worker.send({"cmd": "ping"})
    worker.expect("pong")
    assert {"status": "cancel_requested", "found": True} in worker.transcript


def test_a_waiting_job_is_cancelled_at_once(worker):
    """By its id, while another one runs; it never starts."""
    worker.send(job("slow", id="a"), job(id="b"), {"cmd": "cancel", "id": "b"})
    worker.expect("cancelled", id="b")
    assert worker.expect("cancel_requested") == {"status": "cancel_requested", "id": "b", "found": True}
    worker.send({"cmd": "cancel", "id": "a"})
    worker.expect("cancelled", id="a")
    worker.close_input()
    worker.rest()
    assert [line["status"] for line in worker.transcript if line.get("id") == "b"] == ["cancelled", "cancel_requested"]


def test_cancel_says_when_there_is_nothing_to_cancel(worker):
    """`found` is false for an idle worker and for an unknown id."""
    assert worker.ask(cmd="cancel")["found"] is False
    assert worker.ask(cmd="cancel", id="who")["found"] is False


# The end ----------------------------------------------------------------------------------------------------------


def test_the_end_of_the_input_is_no_crash(worker):
    """Jobs that were received are finished first; the status is 0."""
    worker.send(job(id=1), job(id=2))
    worker.close_input()
    assert [line["id"] for line in worker.rest() if line["status"] == "done"] == [1, 2]
    assert worker.transcript[-1] == {"status": "exiting"}
    assert worker.wait() == 0


def test_exit_runs_in_its_turn(worker):
    """Jobs before it are finished, those after it are not run, and its reply is the last line."""
    worker.send(job(id=1), {"cmd": "exit", "id": "bye"}, job(id=2))
    worker.rest()
    finals = {line["id"]: line["status"] for line in worker.transcript if line["status"] in ("done", "cancelled")}
    assert finals == {1: "done", 2: "cancelled"}
    assert worker.transcript[-1] == {"status": "exiting", "id": "bye"}
    assert worker.wait() == 0


def test_forced_exit_cancels_everything(worker):
    """Each job gets its `cancelled`, then the worker says `exiting`."""
    worker.send(job("slow", id=1), job(id=2))
    worker.expect("separating")
    worker.send({"cmd": "exit", "force": True})
    lines = worker.rest()
    assert sorted(line["id"] for line in lines if line["status"] == "cancelled") == [1, 2]
    assert lines[-1]["status"] == "exiting"
    assert worker.wait() == 0


@posix_only
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
@pytest.mark.parametrize("model", [None, "slow", "stuck"])
def test_a_signal_ends_the_worker(worker, tmp_path, name, model):
    """Idle, at work, or stuck in C code: jobs are cancelled, nothing half-written stays, `shutdown` is the last line."""
    number = getattr(signal, name)
    if model:
        worker.send(job(model, id="run", out=str(tmp_path / "out")), job(id="wait"))
        worker.expect("separating")
        if model == "stuck":
            wait_for(tmp_path / "out" / "half.part")
    worker.signal(number)
    lines = worker.rest()
    assert lines[-1] == {"status": "shutdown", "reason": "signal_or_parent_died", "detail": name}
    cancelled = sorted(line["id"] for line in lines if line["status"] == "cancelled")
    assert cancelled == (["run", "wait"] if model else [])
    assert worker.wait() == 128 + number
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert worker.stderr == ""


@posix_only
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_a_signal_ends_a_worker_whose_interpreter_is_held(worker, name):
    """C code that lets no thread run cannot hold up the end: the process is killed, and leaves no other behind."""
    (guard,) = psutil.Process(worker.pid).children()
    worker.send(job("holds"))
    worker.expect("separating")
    worker.signal(getattr(signal, name))
    assert statuses(worker.rest()) == []
    assert worker.wait() == -signal.SIGKILL
    wait_until_gone(guard.pid)


@posix_only
def test_the_signals_of_a_terminal_do_not_end_the_guard(worker):
    """They reach the worker's whole group; the guard stays for as long as the worker may need it."""
    (guard,) = psutil.Process(worker.pid).children()
    worker.send(job("holds"))
    worker.expect("separating")
    guard.send_signal(signal.SIGINT)
    guard.send_signal(signal.SIGTERM)
    worker.signal(signal.SIGINT)
    assert worker.wait() == -signal.SIGKILL


@posix_only
def test_other_signals_end_no_worker_whose_interpreter_is_held(worker, tmp_path):
    """A library may have a handler for the size of the terminal: its signal is no reason to go, however late it is seen."""
    worker.send(job(f"holds:{tmp_path / 'begun'}"))
    wait_for(tmp_path / "begun")
    worker.signal(signal.SIGWINCH)
    assert worker.expect("done", "error")["status"] == "done"
    assert worker.ask(cmd="ping")["status"] == "pong"


@posix_only
def test_a_job_whose_results_are_there_is_not_called_cancelled(worker):
    """A signal while files get their names: the answer tells what is so, and jobs after it are cancelled."""
    worker.send(job("settled", id="run"), job(id="wait"))
    worker.expect("separating")
    worker.signal(signal.SIGTERM)
    answers = {line["id"]: line["status"] for line in worker.rest() if line["status"] in ("done", "cancelled")}
    assert answers == {"run": "done", "wait": "cancelled"}
    assert worker.wait() == 128 + signal.SIGTERM


@posix_only
def test_a_signal_ends_a_worker_that_is_still_starting(start, tmp_path):
    """Also while the main thread is busy importing."""
    worker = start(ready=False, FAKE_START=f"waits:{tmp_path / 'never'}")
    worker.read()
    worker.signal(signal.SIGTERM)
    assert statuses(worker.rest()) == ["shutdown"]
    assert worker.wait() == 128 + signal.SIGTERM


@posix_only
@pytest.mark.parametrize("model", [None, "slow", "stuck"])
def test_a_reader_that_is_gone_ends_the_worker(tmp_path, model):
    """With nobody left to tell, jobs are cancelled and the status is 1, even if nothing is written meanwhile."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(COMMAND, **pipes, cwd=tmp_path, env=clean_environment()) as process:
        if model:
            process.stdin.write(json.dumps(job(model, progress=False)).encode() + b"\n")
            process.stdin.flush()
        read_until(process.stdout, "separating" if model else "ready")
        if model == "stuck":
            wait_for(tmp_path / "out" / "half.part")
        process.stdout.close()
        assert process.wait(TIMEOUT_S) == 1
    assert not list(tmp_path.rglob("*.part"))


def read_until(lines, status):
    for line in lines:
        if json.loads(line)["status"] == status:
            return
    raise AssertionError(f"no {status}")


PARENT = """
import subprocess, sys
with open("in", "rb") as commands, open("lines", "wb") as lines:
    print(subprocess.Popen(sys.argv[1:], stdin=commands, stdout=lines).pid, flush=True)
sys.stdin.read()
"""


@posix_only
@pytest.mark.parametrize("model", [None, "slow", "stuck", "holds"])
def test_no_worker_outlives_its_parent(tmp_path, model):
    """The parent is killed while others still hold the pipes: the worker notices, cancels and goes. If its interpreter is held
    by C code (`holds`), it can only be killed, without a last line.
    """
    os.mkfifo(tmp_path / "in")
    commands = os.open(tmp_path / "in", os.O_RDWR)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    command = [sys.executable, "-c", PARENT, *COMMAND]
    try:
        with subprocess.Popen(command, **pipes, cwd=tmp_path, env=clean_environment()) as parent:
            if model:
                os.write(commands, json.dumps(job(model)).encode() + b"\n")
            pid = int(parent.stdout.readline())
            wait_for_text(tmp_path / "lines", "separating" if model else "ready")
            if model == "stuck":
                wait_for(tmp_path / "out" / "half.part")
            parent.kill()
        wait_until_gone(pid)
    finally:
        os.close(commands)
    lines = [json.loads(line) for line in (tmp_path / "lines").read_text().splitlines()]
    if model == "holds":
        assert lines[-1]["status"] == "separating"
    else:
        assert (lines[-1]["status"], lines[-1]["detail"]) == ("shutdown", "parent_died")
        assert lines[-2]["status"] == ("cancelled" if model else "ready")
    assert not list(tmp_path.rglob("*.part"))


def wait_for_text(path, text):
    wait_until(lambda: path.exists() and text in path.read_text(), f"{text} in {path}")


def wait_until_gone(pid):
    wait_until(lambda: not psutil.pid_exists(pid) or is_zombie(pid), f"the end of {pid}")


def is_zombie(pid):
    """Ended, but whoever inherited it has not asked for its status yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until(condition, what):
    pause, end = threading.Event(), time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        pause.wait(0.02)


def test_a_lost_id_cannot_be_answered_twice(worker):
    """Cancelling a job again and again gives it one final line."""
    worker.send(job("slow", id="a"))
    worker.expect("separating")
    worker.send(*[{"cmd": "cancel", "id": "a"}] * 5, {"cmd": "exit", "force": True})
    assert statuses(worker.rest()).count("cancelled") == 1
