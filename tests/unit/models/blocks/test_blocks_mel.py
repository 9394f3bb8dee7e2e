"""Mel filters and the bands cut from them."""

import numpy as np

from models.blocks.mel import hz_from_mel, mel_bands, mel_filters, mel_from_hz


def test_the_scale_is_slaneys():
    """Linear to 15 mels at 1 kHz, then 27 mels for each factor of 6.4."""
    np.testing.assert_allclose([mel_from_hz(hz) for hz in (500.0, 1000.0, 6400.0)], [7.5, 15.0, 42.0])


def test_the_scale_and_its_inverse_agree():
    """A frequency survives the way to mels and back, on both sides of the break."""
    frequencies = np.array([0.0, 440.0, 999.0, 1000.0, 5000.0, 22050.0])
    np.testing.assert_allclose(hz_from_mel(np.array([mel_from_hz(hz) for hz in frequencies])), frequencies)


def test_filters_are_triangles_of_equal_area():
    """Where the spectrum is fine enough, every filter integrates to one over frequency."""
    bin_hz = 44100 / 65536
    filters = mel_filters(44100, 65536, 20)
    np.testing.assert_allclose(filters.sum(axis=1) * bin_hz, 1.0, rtol=1e-3)
    peaks_hz = filters.argmax(axis=1) * bin_hz
    centres_hz = hz_from_mel(np.linspace(0.0, mel_from_hz(22050.0), 22)[1:-1])
    np.testing.assert_allclose(peaks_hz, centres_hz, atol=bin_hz)


def test_bands_are_contiguous_and_reach_both_ends():
    """The first bin and the last one belong to a band although the outer filters are zero there."""
    bands = mel_bands(44100, 2048, 60)
    assert bands[0][0] == 0
    assert bands[-1][-1] == 1024
    assert all((np.diff(band) == 1).all() for band in bands)
    assert [band.size for band in bands[:3]] == [7, 6, 6]
