"""A song buffer has random access near the current position, silence around the song, and bounded memory."""

import numpy as np
import pytest

from utils.engine.pipeline.song import Scale, SongBuffer


def make_song(total=1000, block=37):
    samples = np.stack([np.arange(total), -np.arange(total)]).astype(np.float32)
    blocks = (samples[:, i : i + block] for i in range(0, total, block))
    return SongBuffer(blocks, channels=2, total=total), samples


def test_reads_what_is_there():
    """Any part is read back unchanged."""
    song, samples = make_song()
    np.testing.assert_array_equal(song.read(100, 300), samples[:, 100:400])


def test_silence_before_and_after():
    """Samples outside the song are zero."""
    song, samples = make_song(total=50)
    np.testing.assert_array_equal(song.read(-10, 20), np.pad(samples[:, :10], ((0, 0), (10, 0))))
    np.testing.assert_array_equal(song.read(40, 20), np.pad(samples[:, 40:], ((0, 0), (0, 10))))
    assert not song.read(60, 5).any()


def test_scaling_leaves_the_silence_alone():
    """The scale applies to the song only; padding stays zero, as networks expect."""
    song, samples = make_song(total=50)
    out = song.read(-5, 10, Scale(mean=2.0, std=4.0))
    assert not out[:, :5].any()
    np.testing.assert_allclose(out[:, 5:], (samples[:, :5] - 2) / 4)


def test_what_was_forgotten_cannot_be_read():
    """Reading forgotten samples is a programming error."""
    song, _ = make_song()
    song.read(0, 1000)
    song.forget_before(900)
    with pytest.raises(ValueError, match="forgotten"):
        song.read(10, 5)


def test_memory_stays_bounded():
    """Sliding over a long song keeps little more than the window."""
    song, samples = make_song(total=100_000, block=100)
    for start in range(0, 99_000, 500):
        np.testing.assert_array_equal(song.read(start, 1000), samples[:, start : start + 1000])
        song.forget_before(start + 500)
        assert song._kept.shape[1] < 6000
