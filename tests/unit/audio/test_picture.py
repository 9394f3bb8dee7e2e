"""The picture of a separation: what is gathered of a signal, whatever its length, and what is drawn."""

import numpy as np
import pytest
from PIL import Image

from utils.audio.picture import (
    BANDS,
    LEFT,
    PAPER,
    PLOT_WIDTH,
    ROW_GAP,
    ROW_HEIGHT,
    TOP,
    WAVE_HEIGHT,
    Cells,
    Sketch,
    _Gatherer,
    heat_map,
)
from utils.core.errors import OutputNotWritable

RATE = 44100


def gathered(signal, size=10_000):
    whole = _Gatherer(RATE)
    for start in range(0, signal.shape[1], size):
        whole.add(signal[:, start : start + size])
    return whole.finish()


def tone(hz, seconds, level=0.5):
    t = np.arange(round(seconds * RATE)) / RATE
    return np.tile(level * np.sin(2 * np.pi * hz * t), (2, 1)).astype(np.float32)


@pytest.mark.parametrize("seconds", [0.001, 0.3, 10.0, 240.0])
def test_what_is_kept_does_not_grow_with_the_song(seconds):
    """Never more than twice the columns of the picture, and at least one cell."""
    cells = gathered(np.zeros((2, round(seconds * RATE)), np.float32), size=1 << 17)
    assert 1 <= len(cells) <= 2 * PLOT_WIDTH
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
    centre_hz = np.geomspace(40, 18000, BANDS)[power.argmax()]
    assert centre_hz == pytest.approx(hz, rel=0.12)
    assert 10 * np.log10(power.max()) == pytest.approx(20 * np.log10(0.5), abs=1)


def test_neighbours_are_joined_by_their_extremes():
    """The last may stand for fewer."""
    cells = Cells(np.array([-1.0, -3, -2]), np.array([1.0, 2, 5]), np.arange(3.0)[:, None]).joined(2)
    assert (cells.low.tolist(), cells.high.tolist(), cells.power[:, 0].tolist()) == ([-3, -2], [2, 5], [1, 2])


def test_loud_cells_are_bright_and_high_frequencies_on_top():
    """Silence is darkest."""
    power = np.zeros((3, 2))
    power[0, 1] = 1.0
    brightness = heat_map(power, loudest=1.0).sum(axis=-1)
    assert brightness.shape == (2, 3)
    assert brightness.argmax() == 0
    assert brightness[0, 0] > 5 * brightness[1, 2]


def test_a_picture_of_a_mix_and_two_stems(tmp_path):
    """A row for each: the loud stem has a tall wave, the silent one none."""
    sketch = Sketch(["the mix", "loud", "silent"], RATE)
    sketch.add("the mix", tone(440, 2.0))
    sketch.add("loud", tone(440, 2.0))
    sketch.add("silent", np.zeros((2, 2 * RATE), np.float32))
    sketch.save(tmp_path / "report.png", title="song")
    assert [path.name for path in tmp_path.iterdir()] == ["report.png"]
    pixels = np.asarray(Image.open(tmp_path / "report.png"))
    inked = [
        (pixels[top : top + WAVE_HEIGHT, LEFT : LEFT + PLOT_WIDTH] != PAPER).any(axis=-1).mean()
        for top in (TOP + number * (ROW_HEIGHT + ROW_GAP) for number in range(3))
    ]
    assert inked[1] > 0.5
    assert inked[2] < 0.05


@pytest.mark.parametrize("frames", [0, 1, 5])
def test_next_to_nothing_can_be_drawn(tmp_path, frames):
    """A song of a few samples is no error."""
    sketch = Sketch(["the mix"], RATE)
    sketch.add("the mix", np.zeros((2, frames), np.float32))
    sketch.save(tmp_path / "report.png", title="")
    assert (tmp_path / "report.png").stat().st_size > 0


def test_a_folder_that_is_gone_is_an_error_about_the_file(tmp_path):
    """And no temporary file stays."""
    sketch = Sketch(["the mix"], RATE)
    sketch.add("the mix", tone(440, 0.1))
    with pytest.raises(OutputNotWritable):
        sketch.save(tmp_path / "gone" / "report.png", title="")
    assert list(tmp_path.iterdir()) == []
