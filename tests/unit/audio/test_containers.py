"""Which files FFmpeg opens in a child process first, and what becomes of those that do harm there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from sounds import RATE, read, save_with_ffmpeg, tones

from tests.aids import harm
from utils.audio import containers
from utils.audio.reading import probe
from utils.core import isolation
from utils.core.errors import InputUnreadable
from utils.core.job import Job, JobCancelled, working_on


@pytest.fixture
def calls(monkeypatch):
    """How often a child process is started."""
    found = []
    call = isolation.call
    monkeypatch.setattr(isolation, "call", lambda *args, **options: found.append(args) or call(*args, **options))
    monkeypatch.setattr(containers, "_found_before", {})
    return found


@pytest.mark.parametrize(
    ("name", "codec", "container", "children"),
    [
        ("a.m4a", "aac", "ipod", 0),
        ("a.mkv", "aac", "matroska", 0),
        ("a.wma", "wmav2", "asf", 0),
        ("a.aac", "aac", "adts", 0),
        ("a.avi", "mp3", "avi", 0),
        ("a.ts", "aac", "mpegts", 0),
        ("a.tta", "tta", "tta", 1),
        ("a.ac3", "ac3", "ac3", 1),
    ],
)
def test_unusual_containers_are_opened_in_a_child_once(tmp_path, calls, name, codec, container, children):
    """However often they are read; the usual ones never are."""
    path = save_with_ffmpeg(tmp_path / name, tones(RATE), codec, container)
    assert probe(path).sample_rate == RATE
    assert read(path).shape[1] >= RATE // 2
    assert len(calls) == children


@pytest.mark.parametrize(("does", "said"), [(harm.crash, r"reading it crashed"), (harm.end, "reading it ended")])
def test_harm_is_an_error_of_the_file(tmp_path, calls, monkeypatch, does, said):
    """The next file is read as if nothing had been."""
    path = save_with_ffmpeg(tmp_path / "a.tta", tones(RATE), "tta", "tta")
    with monkeypatch.context() as patch:
        patch.setattr(containers, "find_container", does)
        with pytest.raises(InputUnreadable, match=said):
            probe(path)
    assert probe(path).sample_rate == RATE


def test_cancelling_does_not_wait_for_the_file(tmp_path, calls, monkeypatch):
    """The job ends while the child is still reading."""
    path = save_with_ffmpeg(tmp_path / "a.tta", tones(RATE), "tta", "tta")
    monkeypatch.setattr(containers, "find_container", harm.wait)
    job = Job()
    job.cancel()
    with working_on(job), pytest.raises(JobCancelled):
        probe(path)


def test_what_is_wrong_with_an_unusual_file_is_said(tmp_path, calls):
    """Pictures have no sound, and half a header is none."""
    path = tmp_path / "a.gif"
    with av.open(str(path), "w", format="gif") as container:
        stream = container.add_stream("gif", rate=1)
        stream.width = stream.height = 16
        stream.pix_fmt = "rgb8"
        frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(InputUnreadable, match="no audio stream"):
        probe(path)
    assert len(calls) == 1
    assert containers.find_container(str(path)) == ("gif", "")
    path.write_bytes(b"GIF89a")
    assert containers.find_container(str(path))[0] is None


def test_a_child_imports_no_numpy():
    """It should be there soon."""
    code = "import sys, utils.audio.containers, av; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], check=True)
