"""Clips that went through a codec."""

import numpy as np
import pytest

from training.codecs import CODED, FORMATS, coded, perhaps_coded
from training.soundfonts import SAMPLE_RATE


@pytest.fixture
def chord():
    """Three seconds of stereo tones with soft white noise."""
    t = np.arange(3 * SAMPLE_RATE + 77) / SAMPLE_RATE
    tones = sum(np.sin(2 * np.pi * frequency * t) for frequency in (220, 277, 330))
    noise = np.random.default_rng(0).standard_normal((len(t), 2))
    return np.asarray(0.1 * tones[:, None] + 0.002 * noise, np.float32)


@pytest.mark.parametrize(("form", "subtype"), FORMATS)
def test_what_comes_back_is_in_time_and_has_lost_its_highs(chord, form, subtype):
    """The length is unchanged, the sound close to the original, and most of the energy above 18 kHz is gone."""
    result = coded(chord, form, subtype, compression=0.85)
    assert result.shape == chord.shape
    assert np.square(result - chord).sum() < 0.05 * np.square(chord).sum()
    highs = [np.square(np.abs(np.fft.rfft(each[:, 0]))[54000:]).sum() for each in (chord, result)]
    assert highs[1] < 0.2 * highs[0]


def test_a_few_clips_are_coded(chord):
    """The given fraction of clips is coded; the others are untouched."""
    short = chord[:3000]
    rng = np.random.default_rng(1)
    touched = sum(not np.array_equal(perhaps_coded(short, rng), short) for _ in range(100))
    assert 0.5 * CODED < touched / 100 < 2 * CODED
