"""What is gathered of a signal for a picture, whatever its length."""

import numpy as np
import pytest

from utils.audio.report.cells import BANDS, MOST_CELLS, Cells, Gatherer, band_edges_hz

RATE = 44100


def gathered(signal, size=10_000):
    whole = Gatherer(RATE)
    for start in range(0, signal.shape[1], size):
        whole.add(signal[:, start : start + size])
    return whole.finish()


def tone(hz, seconds, level=0.5):
    t = np.arange(round(seconds * RATE)) / RATE
    return np.tile(level * np.sin(2 * np.pi * hz * t), (2, 1)).astype(np.float32)


@pytest.mark.parametrize("seconds", [0.001, 0.3, 10.0, 240.0])
def test_what_is_kept_does_not_grow_with_the_song(seconds):
    """Never more than twice the columns of a picture, and at least one cell."""
    cells = gathered(np.zeros((2, round(seconds * RATE)), np.float32), size=1 << 17)
    assert 1 <= len(cells) <= MOST_CELLS
    assert cells.power.shape == (len(cells), BANDS)


@pytest.mark.parametrize("seconds", [5.0, 100.0, 200.0])
def test_an_event_stays_at_its_place_in_time(seconds):
    """However often cells were joined: a click at three quarters is found at three quarters."""
    signal = np.zeros((1, round(seconds * RATE)), np.float32)
    signal[0, round(0.75 * signal.shape[1])] = 0.8
    cells = gathered(signal, size=1 << 17)
    assert cells.high.max() == pytest.approx(0.8)
    assert cells.high.argmax() / len(cells) == pytest.approx(0.75, abs=0.01)
    assert cells.power.max(axis=1).argmax() / len(cells) == pytest.approx(0.75, abs=0.02)


def test_the_size_of_blocks_does_not_matter():
    """The same cells from many small blocks as from one."""
    signal = np.random.default_rng(0).standard_normal((2, 50_000)).astype(np.float32)
    one, many = gathered(signal, size=50_000), gathered(signal, size=777)
    np.testing.assert_allclose(one.power, many.power, rtol=1e-6)
    np.testing.assert_array_equal(one.high, many.high)


@pytest.mark.parametrize("hz", [100, 1000, 8000])
def test_a_tone_is_in_the_band_of_its_frequency(hz):
    """At its level: full scale is 0 dB."""
    power = gathered(tone(hz, 1.0)).power.mean(axis=0)
    centre_hz = band_edges_hz(RATE)[power.argmax()]
    assert centre_hz == pytest.approx(hz, rel=0.12)
    assert 10 * np.log10(power.max()) == pytest.approx(20 * np.log10(0.5), abs=1)


def test_neighbours_are_joined_by_their_extremes():
    """The last may stand for fewer."""
    cells = Cells(np.array([-1.0, -3, -2]), np.array([1.0, 2, 5]), np.arange(3.0)[:, None]).joined(2)
    assert (cells.low.tolist(), cells.high.tolist(), cells.power[:, 0].tolist()) == ([-3, -2], [2, 5], [1, 2])


def test_channels_that_cancel_each_other_are_heard():
    """The level, the extremes and the spectrum are those of the channels, not of their mean."""
    signal = tone(1000, 1.0)
    opposite = signal * np.array([[1], [-1]], dtype=np.float32)
    alike, against = Gatherer(RATE), Gatherer(RATE)
    alike.add(signal)
    against.add(opposite)
    assert against.level_db == pytest.approx(alike.level_db) == pytest.approx(10 * np.log10(0.5**2 / 2), abs=0.01)
    np.testing.assert_allclose(against.finish().power, alike.finish().power, rtol=1e-9)


def test_one_channel_of_two():
    """Silence in the other halves the power, and leaves the extremes."""
    gatherer, both = Gatherer(RATE), Gatherer(RATE)
    both.add(tone(1000, 1.0))
    gatherer.add(tone(1000, 1.0) * np.array([[1], [0]], dtype=np.float32))
    assert gatherer.level_db == pytest.approx(10 * np.log10(0.5**2 / 4), abs=0.01)
    cells = gatherer.finish()
    assert cells.high.max() == pytest.approx(0.5, abs=1e-3)
    np.testing.assert_allclose(cells.power, both.finish().power / 2, rtol=1e-9)
