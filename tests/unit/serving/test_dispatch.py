"""Lines on the way to their answers, without processes."""

import os
import threading
import time
from itertools import chain

import msgspec
import pytest
from fake_engine import FakeEngine

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


def test_farewells_wait_for_the_lines_that_came_with_exit(tmp_path, pipe):
    """A job in the same write is answered, however soon the main thread is ready to say goodbye."""
    read_end, write_end = pipe
    dispatcher, queue = Dispatcher(Writer(write_end)), JobQueue()
    engine = FakeEngine(Settings(models_dir=tmp_path))
    worker = WORKERS["demucs"]
    commands = commands_of(worker)
    dispatcher.open(Context(worker, engine.settings, engine, queue, commands, time.monotonic()))
    handled = []

    def lines():
        yield b'{"cmd":"exit","id":"bye"}'
        assert queue.take() is None
        farewell = threading.Thread(target=lambda: handled.append([reply.id for reply in dispatcher.farewells()]))
        farewell.start()
        yield b'{"cmd":"load_model","id":1}'
        assert handled == []
        started.append(farewell)

    started = []
    dispatcher.receive(lines())
    started[0].join()
    assert handled == [["bye"]]
    answer = msgspec.json.decode(next(chain.from_iterable(read_lines(read_end))))
    assert (answer["status"], answer["id"]) == ("cancelled", 1)
