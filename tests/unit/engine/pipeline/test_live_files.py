"""Stems told while their job runs, in files that grow: true at every moment, and in the end what they always were."""

import contextlib
from pathlib import Path

import numpy as np
import pytest
import soundfile
from live_case import FRAMES, RATE, SECONDS, separate, write_noise

from utils.core.job import Job, JobCancelled
from utils.core.replies import Segment, StreamBegun
from utils.core.requests import Streaming

FORMATS = {
    "wav": {"pcm_type": "PCM_16", "clip": "rescale"},
    "float wav": {"pcm_type": "FLOAT"},
    "clamped float wav": {"pcm_type": "FLOAT", "clip": "clamp"},
    "each": {"pcm_type": "FLOAT", "clip": "rescale_each"},
    "flac": {"format": "flac", "pcm_type": "PCM_24", "clip": "none"},
    "other rate": {"pcm_type": "FLOAT", "output_sample_rate": 32000},
    "opus": {"format": "opus"},
    "m4a": {"format": "m4a", "clip": "clamp"},
}


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    return write_noise(tmp_path_factory.mktemp("song") / "song.wav")


class Listener(contextlib.ExitStack):
    """A client that reads each file as soon as it is told of it."""

    def __init__(self, on_segment=lambda listener: None):
        super().__init__()
        self.begun = None
        self.segments = []
        self.heard = {}
        self.open = {}
        self._on_segment = on_segment
        self.job = Job(self._hear)

    def _hear(self, event):
        if isinstance(event, StreamBegun):
            assert self.begun is None
            self.begun = event
            self.heard = {name: np.zeros((0, event.channels), np.float32) for name in event.stems}
            for name, path in event.stems.items():
                self.open[name] = self.enter_context(Path(path).open("rb"))  # noqa: SIM115 - closed with the test
            for path in event.stems.values():
                assert soundfile.info(path).frames == 0
        if isinstance(event, Segment):
            self.segments.append(event)
            for name, path in event.stems.items():
                found, rate = soundfile.read(path, dtype="float32", always_2d=True)
                assert rate == event.sample_rate == self.begun.sample_rate
                assert len(found) == event.start + event.frames
                before = self.heard[name]
                np.testing.assert_array_equal(found[: len(before)], before)
                self.heard[name] = found
            self._on_segment(self)


def bytes_of(done):
    return {name: Path(path).read_bytes() for name, path in done.paths.items()}


@pytest.mark.parametrize("case", FORMATS)
def test_the_files_are_those_of_a_job_that_tells_nothing(song, tmp_path, case):
    """Byte by byte; and each segment could be read as soon as it was told, up to the last sample."""
    plain = separate(song, tmp_path / "plain", **FORMATS[case])
    listener = Listener()
    done = separate(song, tmp_path / "live", listener, stream=Streaming(every_s=0.3), **FORMATS[case])
    assert bytes_of(done) == bytes_of(plain)
    assert done.gain == plain.gain
    assert done.warnings == plain.warnings
    assert len(listener.segments) > 3
    assert listener.segments[-1].start + listener.segments[-1].frames == listener.begun.frames
    assert [path.name for path in (tmp_path / "live").rglob("*") if path.name.startswith(".")] == []


def test_the_growing_file_becomes_the_final_one(song, tmp_path):
    """Where that is a WAV file of floats: who has it open goes on reading it, and hears what the file holds."""
    listener = Listener()
    with contextlib.ExitStack() as still_open:
        listener.enter_context = still_open.enter_context
        done = separate(song, tmp_path, listener, stream=True, pcm_type="FLOAT")
        for name, path in done.paths.items():
            assert listener.open[name].read() == Path(path).read_bytes()
    for name, path in done.paths.items():
        np.testing.assert_array_equal(listener.heard[name], soundfile.read(path, dtype="float32", always_2d=True)[0])


def test_growing_samples_are_those_before_the_common_gain(song, tmp_path):
    """Nobody knows it earlier; the final file has it."""
    listener = Listener()
    done = separate(song, tmp_path, listener, stream=True, pcm_type="PCM_16")
    assert done.gain < 1
    for name, path in done.paths.items():
        final = soundfile.read(path, dtype="float32", always_2d=True)[0]
        np.testing.assert_allclose(listener.heard[name] * done.gain, final, atol=2**-15)


@pytest.mark.parametrize("every_s", [0.0, 0.2, 2.5, 100.0])
def test_segments_are_at_least_as_long_as_was_asked_for(song, tmp_path, every_s):
    """They follow each other without a gap; only the last one may be shorter."""
    listener = Listener()
    separate(song, tmp_path, listener, stream=Streaming(every_s=every_s))
    ends = [segment.start + segment.frames for segment in listener.segments]
    assert [segment.start for segment in listener.segments] == [0, *ends[:-1]]
    assert all(segment.frames >= every_s * RATE for segment in listener.segments[:-1])
    assert ends[-1] == FRAMES
    assert len(listener.segments) == 1 or every_s < SECONDS


@pytest.mark.parametrize("frames", [1, RATE, FRAMES])
def test_cancelling_leaves_nothing(song, tmp_path, frames):
    """At the first segment, in the middle, and after the last one."""

    def cancel(listener):
        if listener.segments[-1].start + listener.segments[-1].frames >= frames:
            listener.job.cancel()

    with pytest.raises(JobCancelled):
        separate(song, tmp_path / "out", Listener(cancel), stream=Streaming(every_s=0.1))
    assert list(tmp_path.iterdir()) == []


def test_a_job_that_is_not_asked_tells_nothing(song, tmp_path):
    """No line more than before."""
    listener = Listener()
    separate(song, tmp_path, listener)
    assert listener.begun is None
    assert listener.segments == []
