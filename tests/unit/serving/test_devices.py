"""A worker on several devices as its client sees it: real processes with the fake engine behind real pipes."""

import json
import os
import signal
import sys
import threading

import psutil
import pytest
from fake_worker import COMMAND
from worker_process import TIMEOUT_S, WorkerProcess, is_running, statuses, wait_until_ended

from utils.serving import device_runner
from utils.serving.dealt_queue import DealtJob, DealtQueue, DealtTicket, NeededModels
from utils.serving.device_runner import Common, DeviceRunner
from utils.serving.stdio import Writer

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send these signals to one process")
DEVICES = ("--devices", "cpu:0, cpu:1")
# No test waits long for a process to be started again, and none depends on how fast one answers.
LIMITS = {
    "device_runner.FIRST_PAUSE_S": 0.01,
    "device_runner.LONGEST_PAUSE_S": 0.1,
    "device_runner.SILENCE_S": TIMEOUT_S,
    "device_runner.ANSWER_S": TIMEOUT_S,
    "dealer.ANSWER_S": TIMEOUT_S,
    "dealer.OTHERS_S": TIMEOUT_S,
}


@pytest.fixture
def start_both(start):
    """Start workers on two devices."""

    def start_one(*flags, limits=(), **options):
        return start(*DEVICES, *flags, FAKE_LIMITS=json.dumps(LIMITS | dict(limits)), **options)

    return start_one


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One worker for all tests that leave it as usable as it was."""
    env = {"FAKE_LIMITS": json.dumps(LIMITS)}
    with WorkerProcess([*COMMAND, *DEVICES], env=env, cwd=tmp_path_factory.mktemp("shared")) as worker:
        worker.expect("ready")
        yield worker


@pytest.fixture
def both(shared):
    """A worker whose two devices are ready."""
    all_ready(shared)
    return shared


def job(model="quick", *, source="song.wav", **fields):
    return {"cmd": "separate", "input": source, "output": "out", "model": model, **fields}


def devices(worker):
    """What `get_status` says of them."""
    worker.send({"cmd": "get_status", "id": "devices"})
    return worker.expect("status", id="devices")["devices"]


def busy_with(worker, count):
    """The devices, once so many have work."""
    found = devices(worker)
    while sum(device["busy"] for device in found) != count:
        found = devices(worker)
    return found


def all_ready(worker):
    """The devices, once all are ready."""
    found = devices(worker)
    while not all(device["ready"] for device in found):
        found = devices(worker)
    return found


def kill_busy(worker, number):
    """Send a signal to the process of the one device that has work; returns what was said of it."""
    (victim,) = (one for one in busy_with(worker, 1) if one["busy"])
    os.kill(victim["pid"], number)
    return victim


def pids(worker):
    return [device["pid"] for device in devices(worker)]


def processes_of(worker):
    """All processes of a worker, with those that watch over others."""
    return [worker.pid, *(child.pid for child in psutil.Process(worker.pid).children(recursive=True))]


# One worker -------------------------------------------------------------------------------------------------------


def test_two_devices_are_one_worker(start_both):
    """One `loading` and one `ready`, which tells the devices; each has a process with its share of the cores."""
    worker = start_both("--max-cached-models", "3", ready=False)
    loading, ready = worker.read(), worker.read()
    assert (loading["status"], loading["pid"], ready["status"]) == ("loading", worker.pid, "ready")
    assert (ready["device"], ready["max_cached_models"]) == ("cpu:0", 3)
    assert [device["device"] for device in ready["devices"]] == ["cpu:0", "cpu:1"]
    assert "warnings" not in ready
    state = worker.ask(cmd="get_status", id=1)
    assert [(one["device"], one["ready"], one["busy"], one["restarts"]) for one in state["devices"]] == [
        ("cpu:0", True, False, 0),
        ("cpu:1", True, False, 0),
    ]
    assert len({worker.pid, *(one["pid"] for one in state["devices"])}) == 3
    assert (state["memory"]["rss_mb"], state["busy"], state["max_cache_size"]) == (2.0, False, 3)


def test_one_device_has_no_process_beside_it(start):
    """It is no different from `--device`."""
    worker = start("--devices", "cpu:1")
    state = worker.ask(cmd="get_status")
    assert (state["device"], "devices" in state) == ("cpu", False)
    names = [child.cmdline() for child in psutil.Process(worker.pid).children()]
    assert all(command == psutil.Process(worker.pid).cmdline() for command in names)  # the guard, which is a fork


def test_each_device_has_a_job_and_answers_have_the_ids_of_the_client(both, tmp_path):
    """Two jobs run at once. Ids may be numbers or texts, and may look like those of anybody else."""
    names = ["job-1", 1]
    both.send(*(job(f"waits:{tmp_path / str(name)}", id=name) for name in names))
    began = [both.expect("separating")["id"] for _ in names]
    assert sorted(began, key=str) == [1, "job-1"]
    for name in names:
        (tmp_path / str(name)).touch()
        done = both.expect("done")
        assert done["id"] == name


def test_jobs_without_ids_are_answered_in_their_order(both, tmp_path):
    """The second does not overtake the first, although a device is free; one with an id does."""
    both.send(job(f"waits:{tmp_path / 'gate'}"), job("quick"), job("other", id="named"))
    assert both.expect("done")["id"] == "named"
    (tmp_path / "gate").touch()
    assert both.expect("done")["model"].startswith("waits:")
    assert both.expect("done")["model"] == "quick"


def test_a_job_that_names_no_model_means_the_active_one_on_every_device(both, tmp_path):
    """The model of the last job that named one is made active where that did not happen."""
    gate = tmp_path / "gate"
    both.send({"cmd": "load_model", "model": f"waits:{gate}", "id": "load"}, job(None, id=1), job(None, id=2))
    both.expect("model_loaded", id="load")
    busy_with(both, 2)
    gate.touch()
    done = [both.expect("done"), both.expect("done")]
    assert {one["model"] for one in done} == {f"waits:{gate}"}
    assert {one["device"] for one in done} == {"cpu:0", "cpu:1"}
    assert both.ask(cmd="ping")["model_loaded"] == f"waits:{gate}"


def test_wrong_lines_are_answered_as_by_any_worker(both):
    """At once, or in their turn for jobs, with the warnings and errors of the one who does them."""
    both.send_bytes(b"nonsense\n")
    assert both.expect("error")["code"] == "invalid_json"
    assert both.ask(cmd="seperate", id=1)["code"] == "unknown_command"
    both.send(job(id=2, shifts="two"))
    assert both.expect("error", id=2)["field"] == "shifts"
    both.send(job(id=3, shfits=2))
    assert both.expect("done", id=3)["warnings"] == ["unknown field `shfits`; did you mean `shifts`?"]
    both.send(job(id=4, source="missing.wav"))
    assert both.expect("error", id=4)["code"] == "input_not_found"
    assert both.ask(cmd="list_models", id=5, repo="breaks")["code"] == "internal"


def test_what_concerns_the_models_reaches_all_devices(both):
    """One answer for all of them."""
    assert both.ask(cmd="list_models", id=1) == {"status": "models", "id": 1, "models": ["quick", "slow"]}
    assert both.ask(cmd="set_cache_size", n=1)["max_cached_models"] == 1
    assert both.ask(cmd="set_storage_type", type="hdd")["mmap_enabled"] is False
    assert both.ask(cmd="list_cached")["max"] == 1
    assert both.ask(cmd="clear_cache")["status"] == "cache_cleared"
    assert both.ask(cmd="describe")["worker"] == "dsu-demucs"


def test_more_jobs_than_may_wait_are_refused(start_both, tmp_path):
    """Those that run do not count."""
    worker = start_both("--max-queued-jobs", "1")
    gates = [tmp_path / str(number) for number in range(3)]
    for number in range(2):
        worker.send(job(f"waits:{gates[number]}", id=number))
        worker.expect("separating", id=number)
    worker.send(job(f"waits:{gates[2]}", id=2), job(id=3))
    refused = worker.expect("error")
    assert (refused["id"], refused["code"]) == (3, "busy")
    for gate in gates:
        gate.touch()
    assert {worker.expect("done")["id"] for _ in gates} == {0, 1, 2}


def test_jobs_are_cancelled_where_they_are(both):
    """Running on any device, or waiting; the others go on."""
    both.send(*(job("slow", id=number) for number in range(3)))
    for _ in range(2):
        both.expect("separating")
    for number in (2, 1, 0):
        told = both.cancel(id=number)
        assert (told["cancelled"]["id"], told["cancel_requested"]) == (
            number,
            {"status": "cancel_requested", "id": number, "found": True},
        )
    assert both.ask(cmd="cancel", id="nobody")["found"] is False
    both.send(job(id="after"))
    assert both.expect("done", "error")["id"] == "after"


def test_a_place_in_a_song_is_passed_on(both, tmp_path):
    """What the process says of it comes back."""
    gate = tmp_path / "gate"
    both.send(job(f"waits:{gate}", id=1))
    both.expect("separating")
    moved = both.ask(cmd="seek", id="s", job=1, position=3)
    assert (moved["id"], moved["code"]) == ("s", "invalid_request")
    assert both.ask(cmd="seek", job="nobody", position=3)["found"] is False
    gate.touch()
    both.expect("done")


# Processes that end -----------------------------------------------------------------------------------------------


@posix_only
def test_the_job_of_a_killed_process_is_done_by_another(both, tmp_path):
    """From the start, without telling a smaller percentage; the process is started again."""
    gate = tmp_path / "gate"
    both.send(job(f"waits:{gate}", id=1))
    both.expect("separating")
    victim = kill_busy(both, signal.SIGKILL)
    both.expect("separating", id=1)
    gate.touch()
    done = both.expect("done", "error", id=1)
    assert done["device"] != victim["device"]
    assert done["warnings"] == [f"The process for `{victim['device']}` ended by SIGKILL during this job."]
    again = {one["device"]: one for one in all_ready(both)}[victim["device"]]
    assert (again["restarts"] - victim["restarts"], again["pid"] != victim["pid"], "fault" in again) == (1, True, False)


def test_the_job_of_a_lost_card_is_done_by_another(both, tmp_path):
    """Its process says so, and ends; the client hears of it in a warning."""
    both.send(job(f"loses_once:{tmp_path / 'lost'}", id=1))
    done = both.expect("done", "error", id=1)
    assert done["status"] == "done"
    assert [warning.partition(" ended ")[2] for warning in done["warnings"]] == ["with status 3 during this job."]


@posix_only
def test_a_process_that_was_told_to_end_by_others_counts_as_dead(both, tmp_path):
    """It says that its job was cancelled, which nobody has asked for."""
    gate = tmp_path / "gate"
    both.send(job(f"waits:{gate}", id=1))
    both.expect("separating")
    victim = kill_busy(both, signal.SIGTERM)
    assert both.expect("separating", "cancelled")["status"] == "separating"
    gate.touch()
    assert both.expect("done", id=1)["device"] != victim["device"]


@posix_only
def test_a_job_that_ends_every_process_fails(both):
    """After the second; the worker does other jobs as before."""
    both.send(job("dies", id=1), job(id=2))
    failed = both.expect("error", id=1)
    assert failed["code"] == "internal"
    assert failed["message"].count("SIGKILL") == 2
    both.send(job(id=3))
    both.expect("done", id=3)


@posix_only
def test_a_job_whose_samples_come_once_is_not_repeated(both, tmp_path):
    """It fails with the process."""
    both.send(job(f"waits:{tmp_path / 'gate'}", id=1, stream=True))
    both.expect("separating")
    kill_busy(both, signal.SIGKILL)
    assert "only once" in both.expect("error", id=1)["message"]


@posix_only
def test_jobs_wait_while_all_processes_start_again(both, tmp_path):
    """Both are killed, and what ran goes on when they are back."""
    gates = [tmp_path / "0", tmp_path / "1"]
    both.send(*(job(f"waits:{gate}", id=gate.name) for gate in gates))
    before = busy_with(both, 2)
    for device in before:
        os.kill(device["pid"], signal.SIGKILL)
    for gate in gates:
        gate.touch()
    assert {both.expect("done", "error")["id"] for _ in gates} == {"0", "1"}
    assert both.transcript[-1]["status"] == "done"
    assert [one["restarts"] - old["restarts"] for one, old in zip(all_ready(both), before, strict=True)] == [1, 1]


@posix_only
def test_jobs_fail_when_no_device_can_be_used(start_both, tmp_path):
    """They do not wait for ever, and the reason is told. When a device can be used again, it is."""
    broken = tmp_path / "broken"
    worker = start_both(limits={"device_runner.MOST_STARTS": 1}, FAKE_START=f"breaks_if:{broken}")
    broken.touch()
    for pid in pids(worker):
        os.kill(pid, signal.SIGKILL)
    while any(device["ready"] for device in devices(worker)):
        pass
    worker.send(job(id=1))
    failed = worker.expect("error", id=1)
    assert failed["code"] == "device_unavailable"
    assert failed["message"].count("libmissing.so") == 2
    state = devices(worker)
    assert [(one["ready"], "libmissing.so" in one["fault"]) for one in state] == [(False, True)] * 2
    broken.unlink()
    all_ready(worker)
    worker.send(job(id=2))
    assert worker.expect("done", "error")["id"] == 2


DEAF = """
import sys
print('{"status":"ready","device":"cpu","precision":"fp32","threads":1,"cache_enabled":true,'
      '"max_cached_models":2,"models_dir":"/","version":"1","protocol":1}', flush=True)
for line in sys.stdin:
    pass
"""


@pytest.fixture
def alone(monkeypatch, tmp_path):
    """A device without a worker around it, with a program of its own, and what it writes."""
    devices, answers = [], tmp_path / "answers"
    fd = os.open(answers, os.O_CREAT | os.O_WRONLY)
    monkeypatch.setattr(device_runner, "FIRST_PAUSE_S", 0.01)
    common = Common(DealtQueue(), Writer(fd), 2)

    def start_alone(program):
        device = DeviceRunner("gpu:0", [sys.executable, "-S", "-c", program], common, lambda: None)
        device.thread.start()
        devices.append(device)
        return device

    yield common, start_alone
    common.closing = True
    common.queue.end()
    for device in devices:
        device.process.kill()
        device.thread.join(TIMEOUT_S)
    os.close(fd)


def test_a_silent_process_is_replaced(alone, monkeypatch):
    """One that answers no `ping` while it works, because something holds it up."""
    common, start_alone = alone
    monkeypatch.setattr(device_runner, "SILENCE_S", 0.05)
    answers, answered = [], threading.Event()
    ticket = DealtTicket(
        "deaf",
        DealtJob(),
        lambda reply: (answers.append(reply), answered.set()),
        line=b'{"cmd":"separate"}',
        last=frozenset({"done"}),
        models=NeededModels(),
        once=False,
        debug=False,
    )
    common.queue.submit(ticket)
    device = start_alone(DEAF)
    assert answered.wait(TIMEOUT_S)
    assert answers[0].message.count("The process for `gpu:0` ended") == 2
    assert device.starts > 1


def test_a_process_that_takes_too_long_is_ended(alone, monkeypatch):
    """It counts as a device that cannot be used, and why is told."""
    common, start_alone = alone
    monkeypatch.setattr(device_runner, "START_S", 0.05)
    device = start_alone("input()")
    with common.changed:
        assert common.changed.wait_for(lambda: device.fault is not None, TIMEOUT_S)
    assert device.fault == "Its process was not ready after 0.05 seconds."
    with common.changed:
        assert common.changed.wait_for(lambda: device.failed_starts > 1, TIMEOUT_S)


# Starting ---------------------------------------------------------------------------------------------------------


def test_the_others_do_not_wait_for_a_device_that_never_gets_ready(start_both, tmp_path):
    """The worker is ready without it, and says so; the device joins when it is ready."""
    gate = tmp_path / "gate"
    worker = start_both(ready=False, limits={"dealer.OTHERS_S": 0.0}, FAKE_START=f"cpu:1=waits:{gate}")
    ready = worker.expect("ready")
    assert [one["device"] for one in ready["devices"]] == ["cpu:0"]
    assert ready["warnings"] == ["`cpu:1` is not used yet. Its process takes long to start."]
    worker.send(job(id=1))
    worker.expect("done", id=1)
    gate.touch()
    assert len(all_ready(worker)) == 2


def test_a_device_that_never_gets_ready_does_not_hold_up_the_end(start_both, tmp_path):
    """Its process is ended."""
    gate = tmp_path / "gate"
    worker = start_both(limits={"dealer.OTHERS_S": 0.0}, FAKE_START=f"cpu:1=waits:{gate}")
    every = processes_of(worker)
    worker.send({"cmd": "exit"})
    assert worker.rest()[-1]["status"] == "exiting"
    assert worker.wait() == 0
    for pid in every:
        wait_until_ended(pid)


def test_a_device_that_is_not_there_is_a_warning(start_both):
    """The other works; the reason is that of a worker on this device alone."""
    worker = start_both(ready=False, FAKE_START="cpu:1=no_device")
    (warning,) = worker.expect("ready")["warnings"]
    assert warning == "`cpu:1` is not used yet. The device `cuda` is not available here; there is: cpu."


@pytest.mark.parametrize(
    ("kind", "code", "status"), [("no_device", "device_unavailable", 2), ("breaks", "internal", 1)]
)
def test_without_any_device_there_is_no_worker(start_both, kind, code, status):
    """The error and the status are those of a worker on the first one."""
    worker = start_both(ready=False, FAKE_START=kind)
    error = worker.rest()[-1]
    assert (error["status"], error["code"], worker.wait()) == ("error", code, status)


# Ending -----------------------------------------------------------------------------------------------------------


def test_what_was_sent_before_the_end_is_done(start_both):
    """The end of the input, like `exit`, lets all jobs end, and no process is left."""
    both = start_both()
    every = processes_of(both)
    both.send(
        *(job(id=number) for number in range(6)), *({"cmd": cmd, "id": cmd} for cmd in ("list_models", "get_status"))
    )
    both.close_input()
    lines = both.rest()
    answers = {line["id"]: line for line in lines if "id" in line}
    assert answers["list_models"]["models"] == ["quick", "slow"]
    assert [device["ready"] for device in answers["get_status"]["devices"]] == [True, True]
    assert {line["id"] for line in lines if line["status"] == "done"} == set(range(6))
    assert (lines[-1], both.wait()) == ({"status": "exiting"}, 0)
    for pid in every:
        wait_until_ended(pid)


def test_exit_with_force_cancels_everything(start_both):
    """On all devices, and what waits."""
    both = start_both()
    both.send(*(job("slow", id=number) for number in range(3)))
    busy_with(both, 2)
    both.send({"cmd": "exit", "force": True, "id": "end"})
    lines = both.rest()
    assert {line["id"] for line in lines if line["status"] == "cancelled"} == {0, 1, 2}
    assert (lines[-1], both.wait()) == ({"status": "exiting", "id": "end"}, 0)


@posix_only
@pytest.mark.parametrize(("number", "model"), [(signal.SIGINT, "slow"), (signal.SIGTERM, "stuck")])
def test_a_signal_leaves_no_process(start_both, number, model):
    """Jobs are cancelled, also those that are stuck in a library; the last line is `shutdown`."""
    both = start_both()
    both.send(job(model, id=1), job(model, id=2))
    busy_with(both, 2)
    every = processes_of(both)
    both.signal(number)
    lines = both.rest()
    assert statuses(lines).count("cancelled") == 2
    assert lines[-1]["detail"] == number.name
    status = both.wait()
    assert status == 128 + number or model == "stuck"  # a slow machine may not get there before the guard
    for pid in every:
        wait_until_ended(pid)


@posix_only
def test_a_signal_while_it_starts_leaves_no_process(start_both, tmp_path):
    """It is told at once, although no device is ready."""
    worker = start_both(ready=False, FAKE_START=f"waits:{tmp_path / 'gate'}")
    worker.expect("loading")
    worker.signal(signal.SIGTERM)
    assert worker.rest()[-1]["status"] == "shutdown"
    assert worker.wait() == 128 + signal.SIGTERM


def test_exit_with_force_while_it_starts_waits_for_no_device(start_both, tmp_path):
    """What was sent before is cancelled, the last line is the answer, and no process is left."""
    worker = start_both(ready=False, FAKE_START=f"waits:{tmp_path / 'gate'}")
    worker.expect("loading")
    every = processes_of(worker)
    while len(every) < 3:  # the worker has started both
        every = processes_of(worker)
    worker.send(job(id=1), {"cmd": "exit", "force": True, "id": "end"})
    lines = worker.rest()
    assert [line["id"] for line in lines if line["status"] == "cancelled"] == [1]
    assert (lines[-1], worker.wait()) == ({"status": "exiting", "id": "end"}, 0)
    for pid in every:
        wait_until_ended(pid)


@posix_only
def test_ctrl_c_in_a_terminal_is_for_the_worker_alone(both):
    """The processes are in groups of their own: they end in order, and not at the same time as the worker."""
    groups = {os.getpgid(pid) for pid in pids(both)}
    assert len(groups) == 2
    assert os.getpgid(both.pid) not in groups


def test_the_processes_end_with_a_worker_that_was_killed(start_both):
    """Whatever they do."""
    both = start_both()
    both.send(job("slow", id=1))
    busy_with(both, 1)
    every = processes_of(both)
    both.process.kill()
    both.wait()
    for pid in every:
        wait_until_ended(pid)
        assert not is_running(pid)


def test_device_and_devices_exclude_each_other(tmp_path):
    """The error names both."""
    with WorkerProcess([*COMMAND, *DEVICES, "--device", "cpu"], cwd=tmp_path) as worker:
        error = worker.rest()[-1]
        assert error["message"] == "--device and --devices exclude each other. Give one of them."
        assert worker.wait() == 1
