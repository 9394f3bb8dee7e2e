"""The pass before the work."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sounds import RATE, noise, read, save, tones

from utils.audio.scanning import Moments, scan
from utils.core.errors import InputEmpty

# Engines, which other tests start in this process, switch subnormal numbers off.
SAMPLES = st.floats(-1e3, 1e3, allow_subnormal=False)


def scanned(path, **kwargs):
    return scan(path, **({"sample_rate": RATE, "channels": 2} | kwargs))


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [RATE, 48000])
def test_the_numbers_are_those_of_the_whole_file(tmp_path, rate, channels):
    """Length, mean, deviation and peak equal those of everything at once."""
    path = save(tmp_path / "a.wav", noise(300_001) * 0.5 + 0.25, rate, subtype="FLOAT")
    stats = scanned(path, channels=channels)
    whole = read(path, channels=channels).astype(np.float64)
    assert (stats.frames, stats.source_frames) == (whole.shape[1], 300_001)
    assert stats.mean == pytest.approx(whole.mean(), abs=1e-9)
    assert stats.std == pytest.approx(whole.mean(axis=0).std(ddof=1), rel=1e-9)
    assert stats.peak == pytest.approx(np.abs(whole).max())


@given(st.lists(st.lists(SAMPLES, max_size=20), min_size=1, max_size=8))
def test_moments_do_not_depend_on_the_blocks(blocks):
    """Joined block by block they equal those of the concatenation."""
    moments = Moments()
    for block in blocks:
        moments.add(np.array(block))
    values = np.concatenate([np.array(block) for block in blocks])
    assert moments.count == len(values)
    assert moments.mean == pytest.approx(values.mean() if len(values) else 0.0, abs=1e-8)
    assert moments.std == pytest.approx(values.std(ddof=1) if len(values) > 1 else 0.0, abs=1e-8)


def test_a_large_offset_costs_no_precision():
    """The deviation is not lost next to a large mean."""
    moments = Moments()
    for _ in range(100):
        moments.add(1e6 + np.array([-0.01, 0.01] * 500))
    assert moments.std == pytest.approx(0.01, rel=1e-4)


def test_one_sample_is_fine(tmp_path):
    """Its deviation is 0."""
    stats = scanned(save(tmp_path / "a.wav", np.full((2, 1), 0.5, np.float32), subtype="FLOAT"))
    assert (stats.frames, stats.mean, stats.std, stats.peak) == (1, 0.5, 0.0, 0.5)


def test_silence_is_fine(tmp_path):
    """All zeros are audio."""
    stats = scanned(save(tmp_path / "a.wav", np.zeros((2, 1000), np.float32)))
    assert (stats.mean, stats.std, stats.peak) == (0.0, 0.0, 0.0)


def test_no_sample_is_empty(tmp_path):
    """Also where nothing is left only after resampling."""
    with pytest.raises(InputEmpty):
        scanned(save(tmp_path / "a.wav", tones(0)))
    with pytest.raises(InputEmpty, match="too short"):
        scanned(save(tmp_path / "a.wav", tones(1), 192000))
    with pytest.raises(InputEmpty, match="starts at"):
        scanned(save(tmp_path / "a.wav", tones(100)), start_s=9)


def test_a_part_is_scanned_alone(tmp_path):
    """Nothing outside it counts."""
    sound = np.zeros((2, RATE), np.float32)
    sound[:, :100] = 1.0
    stats = scanned(save(tmp_path / "a.wav", sound, subtype="FLOAT"), start_s=0.5, duration_s=0.25)
    assert (stats.frames, stats.peak) == (11025, 0.0)


def test_progress_rises_to_one(tmp_path):
    """Fractions of the part that is scanned."""
    seen, calls = [], []
    scanned(
        save(tmp_path / "a.wav", tones(400_000)),
        duration_s=8.0,
        on_progress=seen.append,
        checkpoint=lambda: calls.append(1),
    )
    assert seen == sorted(seen)
    assert len(seen) > 3
    assert seen[-1] == 1.0
    assert 0 < seen[0] < 0.5
    assert len(calls) > 3
