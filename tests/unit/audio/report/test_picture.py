"""The picture of a separation: what is drawn."""

import re

import numpy as np
import pytest
from PIL import Image

from utils.audio.report.cells import BANDS, Cells
from utils.audio.report.drawing import (
    GAP,
    LEFT,
    MIX_COLOUR,
    PALETTES,
    PLOT_WIDTH,
    ROW_GAP,
    ROW_HEIGHT,
    STEM_COLOURS,
    TOP,
    WAVE_HEIGHT,
    Drawing,
    heat_image,
    time_of,
)
from utils.audio.report.facts import Closeness, Facts, Row, Scales
from utils.audio.report.lettering import Lettering
from utils.audio.report.writer import ReportWriter
from utils.core.errors import OutputNotWritable

RATE = 44100
FACTS = Facts("song", "a model", "1.2.3", "cpu")


def tone(hz, seconds, level=0.5):
    t = np.arange(round(seconds * RATE)) / RATE
    return np.tile(level * np.sin(2 * np.pi * hz * t), (2, 1)).astype(np.float32)


def test_loud_cells_are_bright_and_high_frequencies_on_top():
    """Silence is darkest."""
    power = np.zeros((3, 2))
    power[0, 1] = 1.0
    brightness = np.asarray(heat_image(power, 1.0, (200, 60, 60)).convert("RGB")).astype(int).sum(axis=-1)
    assert brightness.shape == (2, 3)
    assert brightness.argmax() == 0
    assert brightness[0, 0] > 5 * brightness[1, 2]


def save(target, signals, facts=FACTS, **look):
    seconds = max(signal.shape[1] for signal in signals.values()) / RATE
    with ReportWriter(list(signals), sample_rate=RATE, channels=2, duration_s=seconds) as writer:
        for name, signal in signals.items():
            writer.add(name, signal)
        writer.save_picture(target, facts, **look)


def drawn(tmp_path, signals, facts=FACTS, **look):
    save(tmp_path / "report.png", signals, facts, **look)
    return np.asarray(Image.open(tmp_path / "report.png")).astype(int)


def test_a_picture_of_a_mix_and_two_stems(tmp_path):
    """A row for each: the loud stem has a tall wave, the silent one none."""
    pixels = drawn(
        tmp_path,
        {"the mix": tone(440, 2.0), "loud": tone(440, 2.0), "silent": np.zeros((2, 2 * RATE), np.float32)},
    )
    assert [path.name for path in tmp_path.iterdir()] == ["report.png"]
    inked = [(wave_of(pixels, number) != PALETTES["light"].paper).any(axis=-1).mean() for number in range(3)]
    assert inked[1] > 0.5
    assert inked[2] < 0.05


@pytest.mark.parametrize("frames", [0, 1, 5])
def test_next_to_nothing_can_be_drawn(tmp_path, frames):
    """A song of a few samples is no error."""
    save(tmp_path / "report.png", {"the mix": np.zeros((2, frames), np.float32)})
    assert (tmp_path / "report.png").stat().st_size > 0


def test_a_folder_that_is_gone_is_an_error_about_the_file(tmp_path):
    """And no temporary file stays."""
    with pytest.raises(OutputNotWritable):
        save(tmp_path / "gone" / "report.png", {"the mix": tone(440, 0.1)})
    assert list(tmp_path.iterdir()) == []


def wave_of(pixels, number, scale=1):
    top = TOP + number * (ROW_HEIGHT + ROW_GAP)
    return pixels[top * scale : (top + WAVE_HEIGHT) * scale, LEFT * scale : (LEFT + PLOT_WIDTH) * scale]


def heat_of(pixels, number):
    top = TOP + number * (ROW_HEIGHT + ROW_GAP) + WAVE_HEIGHT + GAP
    return pixels[top : top + BANDS, LEFT : LEFT + PLOT_WIDTH]


def test_each_signal_has_its_colour(tmp_path):
    """The wave is drawn in it, and the spectrogram tinted with it."""
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, (2, 2 * RATE)).astype(np.float32)
    pixels = drawn(tmp_path, {"the mix": noise, "one": noise, "two": noise})
    for number, colour in enumerate((MIX_COLOUR, *STEM_COLOURS[:2])):
        assert (wave_of(pixels, number) == colour).all(axis=-1).mean() > 0.3
        if number > 0:  # that of the mix is grey
            assert heat_of(pixels, number).reshape(-1, 3).mean(axis=0).argmax() == np.argmax(colour)


def test_a_quiet_stem_is_drawn_larger(tmp_path):
    """By whole steps, so that it fits; the louder one of two stays as it is."""
    pixels = drawn(tmp_path, {"the mix": tone(440, 2.0), "quiet": tone(440, 2.0, level=0.5 / 8.2)})
    heights = [(wave_of(pixels, number) != PALETTES["light"].paper).any(axis=(1, 2)).sum() for number in range(2)]
    assert heights[0] > 0.9 * WAVE_HEIGHT
    assert heights[1] > 0.85 * WAVE_HEIGHT


@pytest.mark.parametrize(
    ("peak", "loudest", "gain_db"),
    [(1, 1, 0), (0.51, 1, 0), (0.49, 1, 6), (0.24, 1, 12), (1e-6, 1, 30), (0, 1, 0), (0, 0, 0)],
)
def test_steps_of_gain(peak, loudest, gain_db):
    """None for silence, and not more than makes noise of nothing."""
    row = Row("stem", Cells(np.array([-peak]), np.array([peak / 2]), np.zeros((1, BANDS))), -20.0)
    assert Scales(loudest, 1.0).gain_db(row) == gain_db


def test_themes_and_scales(tmp_path):
    """A dark picture is dark; one of twice the scale has four times the pixels and shows the same."""
    signals = {"the mix": tone(440, 2.0), "stem": tone(880, 2.0)}
    light = drawn(tmp_path, signals)
    dark = drawn(tmp_path, signals, theme="dark")
    large = drawn(tmp_path, signals, scale=2)
    assert tuple(light[2, 2]) == PALETTES["light"].paper
    assert tuple(dark[2, 2]) == PALETTES["dark"].paper
    assert large.shape == (2 * light.shape[0], 2 * light.shape[1], 3)
    small = np.asarray(Image.fromarray(large.astype(np.uint8)).reduce(2)).astype(int)
    assert np.abs(wave_of(small, 1) - wave_of(light, 1)).mean() < 20


@pytest.mark.parametrize(("second", "text"), [(0, "0:00"), (75, "1:15"), (3600, "1:00:00"), (7325, "2:02:05")])
def test_times_have_no_decimals(second, text):
    """Hours only where there are any."""
    assert time_of(second) == text


@pytest.fixture
def written(monkeypatch):
    """All texts of the pictures that are drawn, in order."""
    texts = []
    real = Lettering.draw

    def draw(self, pen, place, text, colour):
        texts.append(text)
        real(self, pen, place, text, colour)

    monkeypatch.setattr(Lettering, "draw", draw)
    return texts


def draw_row(seconds=10.0, facts=FACTS):
    cells = Cells(np.zeros(10), np.zeros(10), np.zeros((10, BANDS)))
    Drawing([Row("the mix", cells, -120.0), Row("drums", cells, -20.0)], RATE, seconds).draw(facts)


@pytest.mark.parametrize("seconds", [0.5, 9.0, 3600.0, 40 * 3600.0])
def test_times_above_and_below_do_not_run_into_each_other(written, seconds):
    """However long the song: between a few and a dozen on each axis, at the same places."""
    draw_row(seconds)
    times = [text for text in written if re.fullmatch(r"[\d:]+", text)]
    above, below = times[: len(times) // 2], times[len(times) // 2 :]
    assert above == below == list(dict.fromkeys(above))
    assert 1 <= len(above) <= 12


def test_it_tells_what_made_it_and_how(written):
    """The version first, so that it is there however many settings there are."""
    draw_row(
        facts=Facts(
            "song", "a model", "1.2.3", "cpu", {"use_tta": False, "overlap": 2, **dict.fromkeys("abcd", "x" * 90)}
        )
    )
    assert "song  ·  a model" in written
    second, first = written[-2:]
    assert first.startswith("DSU 1.2.3 · device cpu · use tta no · overlap 2")
    assert second.endswith("…")


def test_it_tells_the_sdr_where_it_is_known(written):
    """Of the stem, not of the mix; elsewhere nothing is said about it."""
    draw_row(facts=Facts("song", "a model", "1.2.3", "cpu", {}, {"drums": Closeness(5.66, 9.81)}))
    assert [text for text in written if "SDR" in text or "over" in text] == ["SDR 5.7 dB", "+9.8 dB over mix"]
    written.clear()
    draw_row()
    assert not any("SDR" in text for text in written)
