"""Reading ahead and writing behind keep order, pass errors on and leave no thread."""

import threading
import time

import pytest

from utils.engine.pipeline.background import ReadAhead, WriteBehind


def names():
    return {thread.name for thread in threading.enumerate()}


def test_items_arrive_in_order():
    """Everything that is read arrives once, in order."""
    with ReadAhead(iter(range(100)), depth=3) as ahead:
        assert list(ahead) == list(range(100))


def test_an_error_while_reading_reaches_the_reader():
    """What went wrong in the thread is raised where the items are used, after the good ones."""

    def broken():
        yield 1
        raise OSError("disk gone")

    with ReadAhead(broken()) as ahead, pytest.raises(OSError, match="disk gone"):
        assert [*ahead] == []


def test_leaving_early_stops_the_thread():
    """A reader that stops halfway leaves no thread behind."""
    with ReadAhead(iter(range(10**9)), depth=2) as ahead:
        assert next(iter(ahead)) == 0
    assert "read-ahead" not in names()


def test_items_are_written_in_order_before_the_context_ends():
    """When the context is left, everything was written."""
    written = []
    with WriteBehind(written.append, depth=2) as behind:
        for i in range(50):
            behind.put(i)
    assert written == list(range(50))
    assert "write-behind" not in names()


def test_an_error_while_writing_reaches_the_producer():
    """A failed write ends the job instead of losing samples."""

    def fail(item):
        raise OSError(f"no space for {item}")

    with pytest.raises(OSError, match="no space for 0"), WriteBehind(fail, depth=1) as behind:  # noqa: PT012
        for i in range(100):
            behind.put(i)
    assert "write-behind" not in names()


def test_a_failed_body_discards_what_waits():
    """After an error elsewhere nothing more is written, and that error is the one that is seen."""
    written, writers = [], []

    def slow(item):
        limit = time.monotonic() + 60
        while not writers[0]._discard and time.monotonic() < limit:
            time.sleep(0.001)
        written.append(item)

    def body():
        with WriteBehind(slow, depth=5) as behind:
            writers.append(behind)
            for i in range(5):
                behind.put(i)
            raise KeyError("cancelled")

    with pytest.raises(KeyError):
        body()
    assert len(written) <= 1
