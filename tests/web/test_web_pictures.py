"""The pictures of stems: they are what the samples say, and no sample is read twice for them."""

import base64
import itertools

import numpy as np
import pytest

from utils.audio.float_wav import FloatWav
from utils.web import reading

RATE, SECONDS = 11025, 40
FRAMES = RATE * SECONDS + 123


@pytest.fixture
def stem(tmp_path):
    """A stem that grows, with the name that it has meanwhile."""
    path = tmp_path / "work" / ".vocals.wav.0a.part"
    path.parent.mkdir()
    wav = FloatWav(path, RATE, 2)
    wav.write(np.random.default_rng(1).uniform(-1.2, 1.2, (FRAMES, 2)).astype(np.float32))
    wav.close()
    return path


@pytest.fixture
def read(monkeypatch):
    """The stretches of a stem that were read."""
    stretches = []
    real = reading._mono

    def counted(path, layout, start, stop):
        stretches.append((start, min(stop, layout.frames)))
        return real(path, layout, start, stop)

    monkeypatch.setattr(reading, "_mono", counted)
    return stretches


def peaks(path, start_s, columns, per_second, ready=None, frames=FRAMES):
    answer = reading.peaks(str(path), start_s, columns, per_second, ready, frames)
    return np.frombuffer(base64.b64decode(answer["bytes"]), np.int8).reshape(-1, 2)


def test_what_is_kept_is_what_the_samples_say(stem):
    """Coarse columns of those that are kept are equal to those of the samples, up to the end and where something is missing."""
    stretches = ([[0, RATE * 7 + 5]], [[0, RATE * 7 + 5], [RATE * 20 - 9, RATE * 31]], None)
    for ready, (start_s, per_second) in itertools.product(
        stretches, ((0, 1), (0, 16), (6, 64), (19, 4), (39, 64), (60, 1))
    ):
        columns = per_second * 25
        told = peaks(stem, start_s, columns, per_second, ready)
        assert (told == peaks(stem, start_s, columns, per_second, ready, frames=None)).all(), (
            ready,
            start_s,
            per_second,
        )


def test_no_sample_of_a_growing_stem_is_read_twice(stem, read):
    """However often it is drawn while it grows, and when it has moved to where results are: the rest of a column is all that is read."""
    for end in range(RATE, FRAMES, RATE // 2):
        peaks(stem, 0, SECONDS + 1, 1, [[0, end]])
    peaks(stem, 0, SECONDS + 1, 1, [[0, FRAMES]])
    assert sum(stop - start for start, stop in read) == FRAMES
    read.clear()
    stem.rename(stem.with_name("vocals.wav"))
    moved = stem.parent.rename(stem.parent.with_name("result"))
    assert peaks(moved / "vocals.wav", 0, 64 * SECONDS, 64).any()
    assert read == []
    assert sum(file.stat().st_size for file in moved.glob(".*.peaks")) < FRAMES * 8 / 500


def test_what_is_kept_may_be_gone_or_wrong(stem):
    """Without the file of columns, or with one of another length, it is made anew."""
    told = peaks(stem, 0, SECONDS, 1)
    (kept,) = stem.parent.glob("*.peaks")
    kept.write_bytes(b"1234")
    assert (peaks(stem, 0, SECONDS, 1) == told).all()
    kept.unlink()
    assert (peaks(stem, 0, SECONDS, 1) == told).all()
