"""Files that nobody vouches for, over the real process: the child that opens them never outlives what it was started for."""

from __future__ import annotations

import signal
import sys
import time
import zipfile

import psutil
import pytest
from worker_process import TIMEOUT_S, start_worker, wait_until_ended

from tools.fixtures.networks import write_network
from utils.core.bootstrap import ISOLATED

pytestmark = pytest.mark.e2e


@pytest.fixture
def slow(tmp_path):
    """A request for a checkpoint of a few kilobytes that takes its reader many seconds: millions of empty lists."""
    files = write_network(tmp_path, "bs_roformer")
    with zipfile.ZipFile(tmp_path / "slow.ckpt", "w", compression=zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02](" + b"]" * (7 << 20) + b"e.")
    return {
        "cmd": "load_model",
        "id": "slow",
        "model_path": str(tmp_path / "slow.ckpt"),
        "config_path": str(files.config),
    }


@pytest.fixture
def worker(worker_dir, tmp_path):
    with start_worker("bsroformer", worker_dir, tmp_path / "models", "--threads", "1") as worker:
        worker.expect("ready")
        yield worker


def reader_of(worker):
    """The process that opens a file for the worker."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        for child in psutil.Process(worker.pid).children():
            if any(word == ISOLATED or "utils.core.isolation" in word for word in child.cmdline()):
                return child.pid
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_cancelling_ends_the_child(worker, slow):
    """The worker answers all the while, and goes on afterwards."""
    worker.send(slow)
    child = reader_of(worker)
    worker.send({"cmd": "ping"})
    worker.expect("pong")
    worker.cancel(id="slow")
    assert not psutil.pid_exists(child)
    worker.send({"cmd": "load_model", "model": "dsu_mini"})
    worker.expect("model_loaded")


@pytest.mark.parametrize("number", [signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)])
@pytest.mark.skipif(sys.platform == "win32", reason="processes are ended otherwise there")
def test_a_worker_that_ends_leaves_no_child(worker, slow, number):
    """However it ends."""
    worker.send(slow)
    child = reader_of(worker)
    worker.signal(number)
    worker.wait()
    wait_until_ended(child)
