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
    farewells = []
    leaving = threading.Thread(target=lambda: farewells.extend(dispatcher.farewells()))

    def lines():
        yield b'{"cmd":"exit","id":"bye"}'
        assert queue.take() is None
        leaving.start()
        yield b'{"cmd":"load_model","id":1}'
        assert farewells == []

    dispatcher.receive(lines())
    leaving.join()
    assert [reply.id for reply in farewells] == ["bye"]
    answer = msgspec.json.decode(next(chain.from_iterable(read_lines(read_end))))
    assert (answer["status"], answer["id"]) == ("cancelled", 1)
