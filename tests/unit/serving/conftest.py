"""Workers with the fake engine, as processes."""

import contextlib

import pytest
from fake_worker import COMMAND
from worker_process import WorkerProcess


@pytest.fixture
def start(tmp_path):
    """Start workers; all are ended after the test."""
    with contextlib.ExitStack() as stack:

        def start_one(*flags, ready=True, **env):
            worker = stack.enter_context(WorkerProcess([*COMMAND, *flags], env=env, cwd=tmp_path))
            if ready:
                worker.expect("ready")
            return worker

        yield start_one


@pytest.fixture
def worker(start):
    """A worker that is ready."""
    return start()
