"""Samples from a pipe become a file for as long as they are needed, or an error that says what is wrong with them."""

import contextlib
import json
import os
import sys
import tempfile
import threading

import numpy as np
import pytest
import soundfile

from utils.audio.frames import LONGEST_LINE_BYTES
from utils.core.errors import InputEmpty, InputNotFound, InputUnreadable, InvalidRequest
from utils.core.job import Job, JobCancelled
from utils.core.requests import PipedInput
from utils.engine.pipeline.received import arriving, recorded

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="FIFOs")
SOUND = np.random.default_rng(0).standard_normal((2, 70_000)).astype(np.float32)


@pytest.fixture
def fifo(tmp_path, monkeypatch):
    """A FIFO, and a folder of its own for temporary files."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def message(kind, samples=None, **more):
    data = b"" if samples is None else np.ascontiguousarray(samples, "<f4").tobytes()
    frames = {} if samples is None else {"frames": samples.shape[1]}
    return json.dumps({"kind": kind, **frames, "bytes": len(data), **more}).encode() + b"\n" + data


WHOLE = [message("frames", SOUND[:, start : start + 9000]) for start in range(0, 70_000, 9000)]


def write(fifo, *messages):
    def run():
        with fifo.open("wb") as file:
            try:
                for data in messages:
                    file.write(data)
                    file.flush()
            except BrokenPipeError:
                pass

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


@contextlib.contextmanager
def received(piped, job):
    with arriving(piped, job) as frames, recorded(piped, frames, job) as path:
        yield path


def temporary_files(fifo):
    return list((fifo.parent / "tmp").iterdir())


@pytest.mark.parametrize("frames", [None, 70_000])
def test_what_is_written_is_the_song(fifo, frames):
    """Of unknown length up to the message `end`, of known length without it; the file is gone afterwards."""
    thread = write(fifo, message("begin", sample_rate=1), *WHOLE, *([message("end")] if frames is None else []))
    piped = PipedInput(pipe=str(fifo), sample_rate=32000, channels=2, frames=frames)
    with received(piped, Job()) as path:
        found, rate = soundfile.read(path, dtype="float32")
    np.testing.assert_array_equal(found.T, SOUND)
    assert rate == 32000
    thread.join()
    assert temporary_files(fifo) == []


WRONG = {
    "nothing": (b"",),
    "no end": (*WHOLE,),
    "cut off": (WHOLE[0][:-7],),
    "given up": (*WHOLE, message("end", complete=False)),
    "no json": (b"hello\n",),
    "no text": (b"\xff\xfe\n",),
    "no object": (b"[1]\n",),
    "another kind": (message("ends"),),
    "no line end": (b" " * (LONGEST_LINE_BYTES + 5),),
    "mono": (message("frames", SOUND[:1, :100]),),
    "negative": (b'{"kind":"frames","frames":-1,"bytes":-8}\n',),
    "huge": (b'{"kind":"frames","frames":1000000000000,"bytes":8000000000000}\n',),
    "bytes without frames": (b'{"kind":"frames","bytes":8}\n12345678',),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_song_is_refused(fifo, case):
    """With the reason; and no file stays."""
    thread = write(fifo, *WRONG[case])
    with (
        pytest.raises(InputUnreadable) as refused,
        received(PipedInput(pipe=str(fifo), sample_rate=8000, channels=2), Job()),
    ):
        pytest.fail("it was taken")
    assert refused.value.field == "input.pipe"
    thread.join()
    assert temporary_files(fifo) == []


@pytest.mark.parametrize("promised", [69_999, 70_001])
def test_the_promised_length_is_held(fifo, promised):
    """Neither less nor more."""
    write(fifo, *WHOLE, message("end"))
    piped = PipedInput(pipe=str(fifo), sample_rate=8000, channels=2, frames=promised)
    with pytest.raises(InputUnreadable, match="70000 samples came"), received(piped, Job()):
        pytest.fail("it was taken")


def test_a_song_without_samples_is_empty(fifo):
    """As a file would be."""
    write(fifo, message("end"))
    with pytest.raises(InputEmpty), received(PipedInput(pipe=str(fifo), sample_rate=8000, channels=2), Job()):
        pytest.fail("it was taken")


def test_nobody_writes(fifo):
    """A FIFO that is not there, and something that is none."""
    (fifo.parent / "file").touch()
    for name, error in (("none", InputNotFound), ("file", InvalidRequest)):
        piped = PipedInput(pipe=str(fifo.parent / name), sample_rate=8000, channels=2, wait_s=0.1)
        with pytest.raises(error) as refused, received(piped, Job()):
            pytest.fail("it was taken")
        assert refused.value.field == "input.pipe"


@pytest.mark.parametrize("opened", [True, False])
def test_a_writer_that_stalls_can_be_given_up(fifo, opened):
    """Whether it has opened the pipe or not."""
    fd = os.open(fifo, os.O_RDWR) if opened else None
    job = Job()
    threading.Timer(0.3, job.cancel).start()
    with pytest.raises(JobCancelled), received(PipedInput(pipe=str(fifo), sample_rate=8000, channels=2), job):
        pytest.fail("it was taken")
    assert temporary_files(fifo) == []
    if fd is not None:
        os.close(fd)
