"""Lines in and lines out, over pipes within the process."""

import json
import os
import threading
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.core.errors import InvalidJson
from utils.core.replies import Error, Exiting, Pong, Progress
from utils.serving.stdio import LineSplitter, Writer, encode, read_lines


@pytest.fixture
def pipe():
    """Both ends of a pipe."""
    ends = os.pipe()
    yield ends
    for fd in ends:
        try:
            os.close(fd)
        except OSError:
            continue


def split(blocks, longest=100):
    splitter = LineSplitter(longest)
    found = [line for block in blocks for line in splitter.feed(block)]
    return [*found, *splitter.close()]


@given(
    lines=st.lists(st.binary(max_size=20).filter(lambda line: b"\n" not in line and b"\r" not in line)), data=st.data()
)
def test_lines_do_not_depend_on_how_they_are_cut(lines, data):
    """Whatever the blocks are, the lines are the same."""
    stream = b"".join(line + b"\n" for line in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    blocks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert split(blocks) == lines


def test_a_line_that_is_too_long_is_one_error():
    """It is dropped while it comes in, and the next line is whole."""
    first, second, third = split([b"ok\n" + b"x" * 90, b"y" * 90, b"z" * 1000 + b"\nnext\n"])
    assert (first, third) == (b"ok", b"next")
    assert isinstance(second, InvalidJson)
    assert "100 bytes" in second.message


def test_a_long_line_is_not_kept_in_memory():
    """Only its size is."""
    splitter = LineSplitter(100)
    for _ in range(1000):
        assert list(splitter.feed(b"x" * 1000)) == []
    assert sum(map(len, splitter._parts)) <= 100


def test_the_longest_allowed_line_is_read():
    """The limit itself is not too long, one more is."""
    assert split([b"x" * 100 + b"\n"]) == [b"x" * 100]
    assert isinstance(split([b"x" * 101 + b"\n"])[0], InvalidJson)


def test_line_ends_blank_lines_and_the_mark_are_not_content(pipe):
    """A carriage return goes, blank lines are left out, and so is a byte order mark at the start."""
    read_end, write_end = pipe
    os.write(write_end, b"\xef\xbb\xbfone\r\n\n  \r\ntwo\n\xef\xbb\xbfthree")
    os.close(write_end)
    assert list(chain.from_iterable(read_lines(read_end))) == [b"one", b"two", b"\xef\xbb\xbfthree"]


def test_a_reply_is_one_line_of_utf8():
    """Letters stay letters, and line feeds are escaped."""
    line = encode(Error(message="häßlich\n☂", code="internal"))
    assert line.count(b"\n") == 1
    assert "häßlich\\n☂".encode() in line


def test_numbers_that_are_none_become_null():
    """JSON has neither NaN nor infinity."""
    assert json.loads(encode(Progress(percent=1.0, stage="x", eta=float("inf"))))["eta"] is None


def test_a_file_name_that_is_no_text_can_be_sent():
    """Its bad bytes are replaced, also within lists and keys."""
    bad = os.fsdecode(b"caf\xe9.wav") if os.name == "posix" else "caf\udce9.wav"
    reply = Error(message=f"no {bad}", code="internal", suggestions=[bad])
    assert json.loads(encode(reply))["suggestions"] == ["caf?.wav"]


def test_long_lines_are_written_whole(pipe):
    """A pipe takes them in pieces; the reader gets one line, and threads do not mix theirs."""
    read_end, write_end = pipe
    writer = Writer(write_end)
    replies = [Pong(model_loaded=letter * 300_000) for letter in "abcd"]
    threads = [threading.Thread(target=writer.send, args=(reply,)) for reply in replies]
    for thread in threads:
        thread.start()
    lines = chain.from_iterable(read_lines(read_end))
    models = {json.loads(next(lines))["model_loaded"] for _ in threads}
    for thread in threads:
        thread.join()
    assert models == {reply.model_loaded for reply in replies}


def test_a_reader_that_is_gone_is_reported_once(pipe):
    """Later lines are dropped without another report."""
    read_end, write_end = pipe
    os.close(read_end)
    reports = []
    writer = Writer(write_end, on_broken=lambda: reports.append("gone"))
    for _ in range(3):
        writer.send(Exiting())
    assert reports == ["gone"]


def test_nothing_follows_the_last_line(pipe):
    """After `close`, what other threads send is dropped."""
    read_end, write_end = pipe
    writer = Writer(write_end)
    writer.close(Exiting())
    writer.send(Pong(model_loaded=None))
    os.close(write_end)
    assert list(chain.from_iterable(read_lines(read_end))) == [b'{"status":"exiting"}']
