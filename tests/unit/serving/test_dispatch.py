"""Lines on the way to their answers, without processes."""

import os
import threading
import time
import tracemalloc
from itertools import chain

import msgspec
import pytest
from fake_engine import FakeEngine

from utils.core.replies import ModelLoaded
from utils.core.settings import Settings
from utils.serving.commands import Context
from utils.serving.commands.table import commands_of
from utils.serving.dispatch import Dispatcher
from utils.serving.job_queue import JobQueue
from utils.serving.stdio import Writer, read_lines
from workers import WORKERS


@pytest.fixture
def pipe():
    """Both ends of a pipe."""
    ends = os.pipe()
    yield ends
    for fd in ends:
        os.close(fd)


@pytest.fixture
def opened(tmp_path, pipe):
    """Open a dispatcher of a worker's lines, with an engine and a queue."""

    def open_one(kind, make_engine=FakeEngine):
        dispatcher, jobs = Dispatcher(Writer(pipe[1])), JobQueue()
        engine = make_engine(Settings(models_dir=tmp_path))
        commands = commands_of(WORKERS[kind])
        dispatcher.open(Context(WORKERS[kind], engine.settings, engine, jobs, commands, time.monotonic()))
        return dispatcher, jobs

    return open_one


def test_no_model_is_looked_for_by_the_thread_that_reads(opened):
    """The family that a request of `dsu` means is found at the job's turn: a slow disk must not keep `ping` waiting."""
    looked = []

    class OnSlowDisk(FakeEngine):
        def family_of(self, model):
            looked.append(model)
            return "demucs"

    dispatcher, jobs = opened("dsu", OnSlowDisk)
    dispatcher.receive([b'{"cmd":"load_model","model":"far_away","repo":"x"}', b'{"cmd":"load_model","model":"near"}'])
    assert looked == []
    for _ in range(2):
        ticket = jobs.take()
        assert isinstance(ticket.run(ticket.job), ModelLoaded)
    assert looked == ["near"]  # a repo is of one family alone


def test_of_a_job_that_waits_only_its_line_is_kept(opened):
    """So its limit in bytes is one of memory: what a line means may be twenty times as large."""
    dispatcher, jobs = opened("demucs")
    line = b'{"cmd":"load_model","pad":[' + b"[]," * 300_000 + b"0]}"
    tracemalloc.start()
    dispatcher.receive([line])
    kept_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert jobs.counts().queued == 1
    assert kept_bytes < len(line)


def test_farewells_wait_for_the_lines_that_came_with_exit(opened, pipe):
    """A job in the same write is answered, however soon the main thread is ready to say goodbye."""
    dispatcher, jobs = opened("demucs")
    farewells = []
    leaving = threading.Thread(target=lambda: farewells.extend(dispatcher.farewells()))

    def lines():
        yield b'{"cmd":"exit","id":"bye"}'
        assert jobs.take() is None
        leaving.start()
        yield b'{"cmd":"load_model","id":1}'
        assert farewells == []

    dispatcher.receive(lines())
    leaving.join()
    assert [reply.id for reply in farewells] == ["bye"]
    answer = msgspec.json.decode(next(chain.from_iterable(read_lines(pipe[0]))))
    assert (answer["status"], answer["id"]) == ("cancelled", 1)
