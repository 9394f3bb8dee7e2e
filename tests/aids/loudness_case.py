"""Loudness by ITU-R BS.1770-4 once more, straight from its text, with scipy's filters and all samples in memory."""

import numpy as np
from scipy import signal

# The filters of annex 1 at 48 kHz: a shelf for the head, then a high pass.
STAGES = (
    ([1.53512485958697, -2.69169618940638, 1.19839281085285], [1.0, -1.69065929318241, 0.73248077421585]),
    ([1.0, -2.0, 1.0], [1.0, -1.99004745483398, 0.99007225036621]),
)
RATE = 48000


def lufs(samples, rate=RATE):
    """The integrated loudness of (channels, samples), mono or stereo."""
    if rate != RATE:
        samples = signal.resample_poly(samples, RATE // np.gcd(RATE, rate), rate // np.gcd(RATE, rate), axis=1)
    for b, a in STAGES:
        samples = signal.lfilter(b, a, samples, axis=1)
    block, hop = round(0.4 * RATE), round(0.1 * RATE)
    starts = range(0, samples.shape[1] - block + 1, hop)
    powers = np.array([np.square(samples[:, i : i + block]).mean(axis=1).sum() for i in starts])
    levels = -0.691 + 10 * np.log10(powers + 1e-30)
    kept = powers[levels > -70]
    relative = -0.691 + 10 * np.log10(kept.mean()) - 10
    return -0.691 + 10 * np.log10(powers[(levels > -70) & (levels > relative)].mean())


def true_peak(samples):
    """The highest absolute value of (channels, samples) at a rate sixteen times as high."""
    return np.abs(signal.resample_poly(samples, 16, 1, axis=1)).max()
