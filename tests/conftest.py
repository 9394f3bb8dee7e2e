"""Options and fixtures of all tests."""

import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from utils.core.bootstrap import limit_threads

ROOT = Path(__file__).resolve().parents[1]
if getattr(signal, "SIGHUP", None) and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    # Started by nohup: go on ignoring it here, but workers under test must not inherit that they should.
    signal.signal(signal.SIGHUP, lambda number, frame: None)
# Before any test imports torch, and for the workers that tests start. Several processes test on the same cores: threads that
# have to wait for one spin meanwhile, which made small networks many times slower. Alone, too, one thread is best for them.
limit_threads(1)
# Hundreds of programs are started: what Python compiles for one is kept for the others.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Stems are compared to 60 dB and better, on any processor. Tests of half precision ask for it. This is for workers.
os.environ["DSU_DEFAULT_PRECISION"] = "fp32"
# A busy machine takes its time; no test is judged by it.
settings.register_profile(
    "patient", parent=settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("patient")
# Helpers that several test modules share, such as `worker_process`.
sys.path.insert(0, str(ROOT / "tests" / "aids"))


def pytest_addoption(parser):
    parser.addoption(
        "--worker-dir",
        type=Path,
        help="folder of a frozen build: the end-to-end tests start its executables and not the scripts",
    )
    parser.addoption("--long", action="store_true", help="the reliability tests: try everything that they know")
    parser.addoption("--scale", type=float, default=1.0, help="with --long: the share of their numbers to try")
    parser.addoption("--record", type=Path, help="a folder in which each of them writes down what it tried")
    parser.addoption("--device", help="a device that is there, such as cuda: the tests of devices try it")
    parser.addoption("--browser", help="a browser of the Chromium family, to test the page of a report in")


@pytest.fixture(scope="session")
def worker_dir(request):
    """The folder of the frozen build to test, or None for the scripts."""
    folder = request.config.getoption("--worker-dir")
    return None if folder is None else folder.resolve()  # workers are started in other folders


@pytest.fixture(scope="session", autouse=True)
def _single_precision():
    """The same for engines inside of tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("utils.device.fastest_precision", lambda device: "fp32")
        yield


@pytest.fixture(autouse=True)
def _one_thread():
    """No test leaves others more threads of torch."""
    yield
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


@pytest.fixture(scope="session")
def node():
    """Node.js, new enough."""
    from node_runtime import find_node

    return find_node()
