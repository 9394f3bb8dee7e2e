"""Resampling by rational factors, with the filters that networks were trained with, and without delay."""

from fractions import Fraction

import numpy as np
import pytest
import samplerate
import scipy.signal
import torch
from vr_case import sdr_db

from utils.engine.families.vr.resampling import POLYPHASE, SINC_FASTEST, Resampler, filter_named

RATIOS = [Fraction(1, 2), Fraction(1, 3), Fraction(2), Fraction(3), Fraction(3, 16), Fraction(16, 3), Fraction(8)]


def noise(count=4800):
    return np.random.default_rng(0).standard_normal((2, count)).astype(np.float32)


@pytest.mark.parametrize("ratio", RATIOS, ids=str)
def test_polyphase_is_scipys(ratio):
    """The polyphase filter gives scipy's samples, the ends included."""
    samples = noise()
    made = Resampler(ratio, POLYPHASE)(torch.from_numpy(samples)).numpy()
    expected = scipy.signal.resample_poly(samples, ratio.numerator, ratio.denominator, axis=-1)
    assert made.shape == expected.shape
    np.testing.assert_allclose(made, expected, atol=1e-5)


@pytest.mark.parametrize("ratio", RATIOS, ids=str)
def test_sinc_is_that_of_samplerate(ratio):
    """The fitted filter is `sinc_fastest` to 90 dB, away from the ends."""
    samples = noise()
    made = Resampler(ratio, SINC_FASTEST)(torch.from_numpy(samples)).numpy()
    expected = samplerate.resample(samples.T, float(ratio), "sinc_fastest").T
    count = min(made.shape[1], expected.shape[1])
    middle = slice(count // 4, 3 * count // 4)
    assert sdr_db(expected[:, middle], made[:, middle]) > 90


def test_stretches_fit_together():
    """A stretch with enough context gives the same samples as the whole signal."""
    resampler = Resampler(Fraction(1, 3), POLYPHASE)
    samples = torch.from_numpy(noise())
    whole = resampler(samples)
    margin = 3 * resampler.reach
    part = resampler(samples[:, 1200 - margin : 2400 + margin])
    torch.testing.assert_close(part[:, margin // 3 :][:, :400], whole[:, 400:800])


def test_every_kind_of_resampling_has_a_filter():
    """Band parameters use scipy's polyphase filter or a variant of sinc."""
    assert filter_named("polyphase") is POLYPHASE
    assert filter_named("sinc_best") is filter_named("kaiser_fast") is SINC_FASTEST
