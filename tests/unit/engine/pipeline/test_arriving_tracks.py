"""A track that is still coming: what is known of it when, and that nothing is read before it is needed."""

import json
import math

import numpy as np
import pytest
import soundfile

from utils.audio.frames import FrameReader
from utils.audio.reading import probe
from utils.core.errors import InputEmpty, InputUnreadable
from utils.core.job import Job, JobCancelled
from utils.core.requests import PipedInput, Separate
from utils.engine.pipeline.chunking import ENDLESS
from utils.engine.pipeline.received import QUIETEST, ArrivingTrack, must_be_recorded
from utils.engine.pipeline.song import SongBuffer
from utils.engine.pipeline.track import Track

RATE = 8000
END = b'{"kind":"end"}\n'


class Bytes:
    """A pipe that all has been written to. It knows how much of that was read."""

    def __init__(self, data):
        self.data = data
        self.taken = 0

    def read(self, size):
        part = self.data[self.taken : self.taken + size]
        self.taken += len(part)
        return part


def told(samples, block=500, end=END):
    parts = []
    for start in range(0, samples.shape[1], block):
        data = np.ascontiguousarray(samples[:, start : start + block], "<f4").tobytes()
        frames = samples[:, start : start + block].shape[1]
        parts.append(json.dumps({"kind": "frames", "frames": frames, "bytes": len(data)}).encode() + b"\n" + data)
    return b"".join(parts) + end


def noise(frames, level=0.2):
    return (level * np.random.default_rng(0).standard_normal((2, frames))).astype(np.float32)


class Scaling:
    """What a track needs to know of networks that scale a song."""

    normalises = True


def arriving(samples, *, scaling=True, end=END, rate=RATE, **fields):
    piped = PipedInput(pipe="none", sample_rate=rate, channels=len(samples), **fields)
    pipe = Bytes(told(samples, end=end))
    track = ArrivingTrack.named("song", 1, piped, FrameReader(pipe, piped.channels, piped.frames))
    return (track.heard_by(Scaling) if scaling else track), pipe


def scan(track, rate=RATE, channels=2):
    return track.scan(rate, channels, Job(), lambda _: None)


def heard(track, rate=RATE, channels=2):
    with track.open(rate, channels, Job()) as blocks:
        return np.concatenate(list(blocks), axis=1)


@pytest.mark.parametrize(("rate", "channels"), [(RATE, 2), (11025, 2), (RATE, 1)])
def test_it_has_the_samples_of_a_file(tmp_path, rate, channels):
    """Mixed and resampled as those are; at the end its statistics have its true length."""
    samples = noise(30_001)
    soundfile.write(tmp_path / "song.wav", samples.T, RATE, subtype="FLOAT")
    file = Track(tmp_path / "song.wav", probe(tmp_path / "song.wav"), "song")
    track, _ = arriving(samples, statistics_s=1.0)
    assert scan(track, rate, channels).frames == ENDLESS
    np.testing.assert_array_equal(heard(track, rate, channels), heard(file, rate, channels))
    known = scan(file, rate, channels)
    assert (scan(track, rate, channels).frames, scan(track, rate, channels).source_frames) == (
        known.frames,
        known.source_frames,
    )


def test_networks_that_scale_wait_for_a_stretch_and_no_more():
    """Its statistics are those of its samples."""
    samples = noise(40_000)
    track, pipe = arriving(samples, statistics_s=0.5)
    stats = scan(track)
    beginning = samples[:, :4000].mean(axis=0, dtype=np.float64)
    assert (stats.mean, stats.std) == pytest.approx((beginning.mean(), beginning.std(ddof=1)))
    assert stats.peak == np.abs(samples[:, :4000]).max()
    assert len(told(samples[:, :4000], end=b"")) == pipe.taken


def test_other_networks_wait_for_nothing():
    """Then the statistics are unknown, so that nothing is done by them."""
    track, pipe = arriving(noise(40_000), scaling=False)
    stats = scan(track)
    assert all(map(math.isnan, (stats.mean, stats.std, stats.peak)))
    assert pipe.taken == len(told(noise(500), end=b""))


def test_a_song_that_ends_early_is_known_as_a_file_is(tmp_path):
    """Exactly, also where it is quiet."""
    samples = noise(7000, level=1e-4)
    soundfile.write(tmp_path / "song.wav", samples.T, RATE, subtype="FLOAT")
    file = Track(tmp_path / "song.wav", probe(tmp_path / "song.wav"), "song")
    assert scan(arriving(samples)[0]) == scan(file)


@pytest.mark.parametrize("level", [0.0, 1e-5])
def test_a_quiet_beginning_does_not_make_the_rest_loud(level):
    """It counts as louder than it is; and silence at the beginning is no silent song."""
    samples = np.concatenate([noise(8000, level), noise(8000)], axis=1)
    stats = scan(arriving(samples, statistics_s=1.0)[0])
    assert (stats.std, stats.peak) == (QUIETEST, QUIETEST)


def test_a_promised_length_is_known_from_the_start():
    """At the rate of the network."""
    stats = scan(arriving(noise(40_000), frames=40_000, end=b"", statistics_s=0.5)[0], rate=16_000)
    assert (stats.frames, stats.source_frames) == (80_000, 40_000)


def test_what_is_no_song_is_an_error():
    """Whether it is empty, or has samples that are no numbers, however late."""
    with pytest.raises(InputEmpty) as empty:
        scan(arriving(noise(0))[0])
    assert empty.value.field == "input.pipe"
    samples = noise(40_000)
    samples[1, 30_000] = np.nan
    track, _ = arriving(samples, statistics_s=0.5)
    scan(track)
    with pytest.raises(InputUnreadable, match="NaN"):
        heard(track)


def test_more_than_was_promised_is_an_error_before_it_is_heard():
    """Although nobody asks for what comes after the end."""
    track, _ = arriving(noise(40_000), frames=39_900, statistics_s=0.5)
    with track.open(RATE, 2, Job()) as blocks, pytest.raises(InputUnreadable, match="40000 samples came"):
        SongBuffer(iter(blocks), channels=2, total=39_900).read(0, 39_900)


def test_cancelling_ends_the_listening():
    """Before the stretch is complete."""
    track, pipe = arriving(noise(400_000))
    job = Job()
    with pytest.raises(JobCancelled):
        track.scan(RATE, 2, job, lambda _: job.cancel())
    assert pipe.taken < len(pipe.data) // 10


@pytest.mark.parametrize(
    ("fields", "frames", "expected"),
    [
        ({}, None, False),
        ({"start_at": 1.0, "stream": True}, 9, True),
        ({"preview": {"start": 1.0}}, 9, True),
        ({"report": True}, None, True),
        ({"report_html": True}, 9, False),
    ],
)
def test_what_needs_the_whole_song_is_recorded(fields, frames, expected):
    """A report only where nobody knows how wide it will be."""
    piped = PipedInput(pipe=3, sample_rate=RATE, channels=2, frames=frames)
    assert must_be_recorded(piped, Separate(**fields)) is expected
