"""The synthetic song."""

import numpy as np

from tools.song import SAMPLE_RATE, bass, chords, drums, lead, song


def test_song_is_the_same_every_time():
    """No randomness of the moment goes into it."""
    assert np.array_equal(song(3.0), song(3.0))


def test_song_is_stereo_and_below_full_scale():
    """Two different channels, of the length asked for, with room before clipping."""
    mix = song(4.5)
    assert mix.shape == (round(4.5 * SAMPLE_RATE), 2)
    assert mix.dtype == np.float32
    assert np.abs(mix).max() == np.float32(0.8)
    assert not np.array_equal(mix[:, 0], mix[:, 1])


def test_every_part_can_be_heard():
    """Drums, bass, chords and lead each play in a song of ordinary length."""
    for part in (drums, bass, chords, lead):
        track = part(12.0)
        assert np.isfinite(track).all()
        assert np.sqrt(np.mean(track**2)) > 0.01
