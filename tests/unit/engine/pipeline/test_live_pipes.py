"""Stems through a pipe while their job runs: whole, at the reader's pace, and without it where it is gone."""

import json
import os
import socket
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from live_case import FRAMES, RATE, separate, write_noise

from utils.core.errors import InvalidRequest
from utils.core.job import Job, JobCancelled
from utils.core.replies import Segment
from utils.core.requests import Streaming

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="FIFOs and Unix sockets")
TIMEOUT_S = 120


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    return write_noise(tmp_path_factory.mktemp("song") / "song.wav")


@pytest.fixture(scope="module")
def plain(song, tmp_path_factory):
    """The stems as files of floats."""
    done = separate(song, tmp_path_factory.mktemp("plain"), pcm_type="FLOAT")
    return {name: soundfile.read(path, dtype="float32", always_2d=True)[0].T for name, path in done.paths.items()}


def messages(file):
    """Each message as its header and its samples."""
    for line in iter(file.readline, b""):
        header = json.loads(line)
        yield header, np.frombuffer(file.read(header["bytes"]), "<f4")


def joined(file):
    """The stems that came with their places, and the first and the last message."""
    first, last = None, None
    parts = {}
    for header, samples in messages(file):
        first, last = first or header, header
        if header["kind"] == "frames":
            planar = samples.reshape(len(first["stems"]), first["channels"], header["frames"])
            for name, stem in zip(first["stems"], planar, strict=True):
                parts.setdefault(name, []).append((header["start"], stem))
    return parts, first, last


class Reader(threading.Thread):
    """Reads everything from a file that is opened on its thread."""

    def __init__(self, opened):
        super().__init__(daemon=True)
        self._opened = opened
        self.start()

    def run(self):
        with self._opened() as file:
            self.found = joined(file)

    def result(self, *, in_order=True):
        """The stems, and the first and the last message."""
        self.join(TIMEOUT_S)
        parts, first, last = self.found
        stems = {}
        for name, pieces in parts.items():
            ordered = sorted(pieces, key=lambda piece: piece[0])
            assert not in_order or [start for start, _ in ordered] == [start for start, _ in pieces]
            ends = np.cumsum([0, *(piece.shape[1] for _, piece in ordered)])
            assert [start for start, _ in ordered] == list(ends[:-1])
            stems[name] = np.concatenate([piece for _, piece in ordered], axis=1)
        return stems, first, last


class Jobs:
    """A context with a job, as `separate` takes it."""

    def __init__(self, emit=None):
        self.job = Job(emit)

    def __enter__(self):
        return self

    def __exit__(self, *_): ...


def over_fifo(folder):
    path = folder / "pipe"
    os.mkfifo(path)
    return str(path), Reader(lambda: path.open("rb"))


def over_socket(folder):
    server = socket.socket(socket.AF_UNIX)
    os.chdir(folder)  # the path of a socket must be short
    server.bind("pipe")
    server.listen()

    def opened():
        with server:
            connection = server.accept()[0]
        with connection:
            return connection.makefile("rb")

    return "pipe", Reader(opened)


def over_descriptor(folder):
    del folder
    ours, theirs = socket.socketpair()
    os.set_inheritable(theirs.fileno(), True)
    end = theirs.detach()

    def opened():
        with ours:
            return ours.makefile("rb")

    return end, Reader(opened)


@pytest.mark.parametrize("files", [True, False])
@pytest.mark.parametrize("kind", [over_fifo, over_socket, over_descriptor])
def test_the_samples_are_those_of_the_files(song, plain, tmp_path, monkeypatch, kind, files):
    """Bit for bit, through every kind of pipe, with files or without anything on the disk."""
    monkeypatch.chdir(tmp_path)
    end, reader = kind(tmp_path)
    streaming = Streaming(pipe=end, files=files)
    done = separate(song, tmp_path / "out", stream=streaming, pcm_type="FLOAT")
    if isinstance(end, int):
        os.close(end)  # it stays open for the next job
    stems, first, last = reader.result()
    assert first["kind"] == "begin"
    assert (first["sample_rate"], first["channels"], first["frames"]) == (RATE, 2, FRAMES)
    assert (last["kind"], last["complete"]) == ("end", True)
    assert list(stems) == ["loud", "soft"] == done.stems
    for name, samples in stems.items():
        np.testing.assert_array_equal(samples, plain[name])
    assert (tmp_path / "out").exists() == files
    assert bool(done.paths) == bool(done.files) == bool(done.output_dir) == files


def test_the_files_are_those_of_a_job_without_a_pipe(song, tmp_path):
    """Byte by byte."""
    end, reader = over_fifo(tmp_path)
    live = separate(song, tmp_path / "live", stream=Streaming(pipe=end))
    plain = separate(song, tmp_path / "plain")
    reader.result()
    for name, path in live.paths.items():
        assert Path(path).read_bytes() == Path(plain.paths[name]).read_bytes()


def stalled(folder):
    """A FIFO that is open and that nobody reads from."""
    path = folder / "pipe"
    os.mkfifo(path)
    return str(path), os.open(path, os.O_RDONLY | os.O_NONBLOCK)


@pytest.mark.parametrize("files", [True, False])
def test_a_job_whose_reader_stalls_can_be_cancelled(song, tmp_path, files):
    """It waits for the reader, and for nothing else; nothing is left behind."""
    end, fd = stalled(tmp_path)
    with Jobs() as listener:
        timer = threading.Timer(0.5, listener.job.cancel)
        timer.start()
        with pytest.raises(JobCancelled) as cancelled:
            separate(song, tmp_path / "out", listener, stream=Streaming(pipe=end, files=files))
        assert cancelled.value.message is None
    os.close(fd)
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_a_slow_reader_slows_the_work(song, tmp_path):
    """While it stalls, no more parts are made than the queues hold, however long the song is."""
    end, fd = stalled(tmp_path)
    told = []
    ended = []

    def work():
        try:
            separate(song, tmp_path / "out", listener, stream=Streaming(pipe=end, every_s=0.0))
        except JobCancelled as cancelled:
            ended.append(cancelled)

    with Jobs(told.append) as listener:
        worker = threading.Thread(target=work, daemon=True)
        worker.start()
        seen = -1
        while seen != len(told):  # until nothing happens any more
            seen = len(told)
            worker.join(1.0)
        assert worker.is_alive()
        assert sum(event.frames for event in told if isinstance(event, Segment)) < FRAMES / 2
        listener.job.cancel()
        worker.join(TIMEOUT_S)
    assert len(ended) == 1
    os.close(fd)


def leaving(folder, after):
    """A FIFO whose reader takes so many bytes and goes."""
    path = folder / "pipe"
    os.mkfifo(path)

    def read():
        with path.open("rb") as file:
            file.read(after)

    threading.Thread(target=read, daemon=True).start()
    return str(path)


@pytest.mark.parametrize("after", [0, 10, 300_000])
def test_with_files_a_job_goes_on_without_its_reader(song, tmp_path, after):
    """It says so once, and the files are complete."""
    done = separate(song, tmp_path / "out", listener := Jobs(), stream=Streaming(pipe=leaving(tmp_path, after)))
    assert "The stems went to files only: its reader closed it." in listener.job.warnings
    assert {soundfile.info(path).frames for path in done.paths.values()} == {FRAMES}


@pytest.mark.parametrize("after", [0, 10, 300_000])
def test_without_files_a_job_ends_with_its_reader(song, tmp_path, after):
    """As cancelled, with one line that says why."""
    with pytest.raises(JobCancelled) as cancelled:
        separate(song, tmp_path / "out", stream=Streaming(pipe=leaving(tmp_path, after), files=False))
    assert cancelled.value.message == "The job ended without its listener: its reader closed it."


@pytest.mark.parametrize("there", [True, False])
def test_a_reader_that_does_not_come_counts_as_gone(song, tmp_path, there):
    """Whether there is a FIFO or not even that."""
    if there:
        os.mkfifo(tmp_path / "pipe")
    streaming = Streaming(pipe=str(tmp_path / "pipe"), wait_s=0.1)
    done = separate(song, tmp_path / "out", listener := Jobs(), stream=streaming)
    reason = f"The stems went to files only: nobody opened the other end of '{tmp_path / 'pipe'}' within 0.1 s."
    assert reason in listener.job.warnings
    assert len(done.paths) == 2


def test_a_reader_may_come_late(song, plain, tmp_path):
    """The job waits for it, and it misses nothing."""
    path = tmp_path / "pipe"
    readers = []

    def come(event):
        if event.__struct_config__.tag == "streaming":
            threading.Timer(0.3, lambda: (os.mkfifo(path), readers.append(Reader(lambda: path.open("rb"))))).start()

    separate(song, tmp_path / "out", Jobs(come), stream=Streaming(pipe=str(path), files=False))
    stems, _, last = readers[0].result()
    assert last["complete"]
    np.testing.assert_array_equal(stems["loud"], plain["loud"])


def test_waiting_for_a_reader_can_be_cancelled(song, tmp_path):
    """At once."""
    with Jobs() as listener:
        threading.Timer(0.3, listener.job.cancel).start()
        with pytest.raises(JobCancelled):
            separate(song, tmp_path / "out", listener, stream=Streaming(pipe=str(tmp_path / "none"), wait_s=3600))
    assert list(tmp_path.iterdir()) == []


def test_a_cancelled_job_says_that_it_is_not_complete(song, tmp_path):
    """Its reader can tell that from the end of the song."""
    end, reader = over_fifo(tmp_path)

    def cancel(event):
        if event.__struct_config__.tag == "segment":
            listener.job.cancel()

    listener = Jobs(cancel)
    with pytest.raises(JobCancelled):
        separate(song, tmp_path / "out", listener, stream=Streaming(pipe=end, every_s=0.3))
    _, _, last = reader.result()
    assert last == {"kind": "end", "complete": False, "bytes": 0}


def test_a_broken_message_closes_an_inherited_descriptor(song, tmp_path):
    """What would come after it in the same pipe could not be understood."""
    ours, theirs = socket.socketpair()
    os.set_inheritable(theirs.fileno(), True)
    end = theirs.detach()
    with Jobs() as listener:
        threading.Timer(0.5, listener.job.cancel).start()
        with pytest.raises(JobCancelled):
            separate(song, tmp_path / "out", listener, stream=Streaming(pipe=end, files=False))
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(end)
    ours.close()


@pytest.mark.parametrize("kind", ["file", "folder", "ours", "closed", "stdout", "zero", "not a pipe"])
def test_what_is_no_pipe_is_refused(song, tmp_path, kind):
    """Before anything is separated; the worker's own descriptors above all."""
    (tmp_path / "file").touch()
    read_end, write_end = os.pipe()
    plain = os.open(tmp_path / "file", os.O_RDWR)
    os.set_inheritable(plain, True)
    end = {
        "file": str(tmp_path / "file"),
        "folder": str(tmp_path),
        "ours": write_end,
        "closed": 987,
        "stdout": 1,
        "zero": "a\0b",
        "not a pipe": plain,
    }[kind]
    with pytest.raises(InvalidRequest) as refused:
        separate(song, tmp_path / "out", stream=Streaming(pipe=end, wait_s=0.1))
    assert refused.value.field == "stream.pipe"
    for fd in (read_end, write_end, plain):
        os.close(fd)
