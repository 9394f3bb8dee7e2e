"""What the figures mean, and what needs no learning."""

import numpy as np
import pytest

from tools.metrics import frame_sdr, sdr, si_sdr
from training.baselines import mixture, without_learning

NOISE = np.random.default_rng(0).standard_normal((2, 44100)).astype(np.float32)
OTHER = np.random.default_rng(1).standard_normal((2, 44100)).astype(np.float32)


def test_sdr_is_the_energy_of_what_is_wrong():
    """A tenth of another signal's amplitude is 20 dB; silence is 0 dB."""
    assert sdr(NOISE, NOISE + 0.1 * OTHER) == pytest.approx(20, abs=0.1)
    assert sdr(NOISE, np.zeros_like(NOISE)) == pytest.approx(0, abs=1e-6)


def test_si_sdr_forgives_loudness_only():
    """Scaling the estimate changes SDR but not SI-SDR."""
    estimate = NOISE + 0.1 * OTHER
    assert si_sdr(NOISE, 0.3 * estimate) == pytest.approx(si_sdr(NOISE, estimate), abs=0.01)
    assert sdr(NOISE, 0.3 * estimate) < sdr(NOISE, estimate) - 10


def test_frames_without_sound_do_not_count():
    """The median is of frames in which the stem sounds, and a bad one among good ones does not move it."""
    truth = np.concatenate([NOISE, np.zeros((2, 400 * 441), np.float32)], axis=1)
    estimate = truth.copy()
    estimate[:, :44100] += 0.1 * OTHER
    estimate[:, :441] += 5
    assert frame_sdr(truth, estimate, 4410) == pytest.approx(20, abs=0.3)


def test_no_learning_needs_no_learning_to_beat_the_mixture():
    """Clicks, a low tone, a wide tone and a middle one: every stem is nearer than the mixture is, and all sum to it."""
    t = np.arange(3 * 44100) / 44100
    clicks = np.zeros_like(t)
    clicks[::11025] = 3.0
    stems = np.stack(
        [
            np.stack([clicks, clicks]),
            np.stack([np.sin(2 * np.pi * 60 * t)] * 2),
            np.stack([np.sin(2 * np.pi * 700 * t), -np.sin(2 * np.pi * 700 * t)]),
            np.stack([np.sin(2 * np.pi * 1000 * t)] * 2),
        ]
    ).astype(np.float32)
    mix = stems.sum(axis=0)
    estimates = without_learning(mix)
    assert np.allclose(estimates.sum(axis=0), mix, atol=1e-3)
    for truth, better, worse in zip(stems, estimates, mixture(mix), strict=True):
        assert sdr(truth, better) > sdr(truth, worse) + 3
