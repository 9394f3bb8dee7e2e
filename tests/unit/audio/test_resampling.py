"""Resampling as a stream: exact lengths, whatever the blocks."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sounds import sdr, tones

from utils.audio.resampling import StreamResampler, resampled, resampled_frames

RATES = st.integers(8000, 384000)


@given(frames=st.integers(0, 10**10), source=RATES, target=RATES)
def test_lengths_round_half_up(frames, source, target):
    """The number of samples is the exact quotient, rounded with halves up."""
    assert resampled_frames(frames, source, target) == floor(Fraction(frames * target, source) + Fraction(1, 2))


@given(frames=st.integers(0, 10**9), rate=RATES)
def test_equal_rates_keep_the_length(frames, rate):
    """Nothing is added or lost where nothing is resampled."""
    assert resampled_frames(frames, rate, rate) == frames


def resample(sound, source, target, block):
    stream = StreamResampler(source, target, sound.shape[1])
    pieces = [piece for start in range(0, len(sound), block) for piece in stream.push(sound[start : start + block])]
    return np.concatenate([*pieces, stream.finish()])


@settings(max_examples=60)
@given(
    frames=st.integers(0, 3000),
    rates=st.tuples(*[st.sampled_from([8000, 11025, 22050, 44100, 48000, 96000, 192000])] * 2),
    block=st.integers(1, 700),
)
def test_a_stream_gives_exactly_the_stated_number(frames, rates, block):
    """Also for lengths and blocks that suit the resampler badly."""
    assert len(resample(np.ones((frames, 1), np.float32), *rates, block)) == resampled_frames(frames, *rates)


def test_blocks_do_not_show():
    """A stream in small blocks equals one in a single block."""
    sound = tones(20000).T
    np.testing.assert_allclose(resample(sound, 44100, 48000, 777), resample(sound, 44100, 48000, 20000), atol=1e-6)


def test_one_piece_equals_a_stream():
    """A sound that is there as a whole needs no stream."""
    sound = tones(20000).T
    np.testing.assert_allclose(resampled(sound, 44100, 32000), resample(sound, 44100, 32000, 777), atol=1e-6)


def test_there_and_back_is_the_same_sound():
    """Going to a higher rate and back keeps a tone in place and level."""
    sound = tones(44100).T
    back = resample(resample(sound, 44100, 96000, 4096), 96000, 44100, 4096)
    assert sdr(sound[2000:-2000], back[2000:-2000]) > 80


def test_equal_rates_pass_blocks_on():
    """Without a change of rate the very block comes out."""
    block = np.zeros((5, 2), np.float32)
    stream = StreamResampler(44100, 44100, 2)
    assert next(stream.push(block)) is block
    assert len(stream.finish()) == 0


@pytest.mark.parametrize("value", [0.25, -0.75])
def test_a_constant_stays_constant(value):
    """Level is kept."""
    out = resample(np.full((9000, 1), value, np.float32), 48000, 44100, 1000)
    np.testing.assert_allclose(out[1000:-1000], value, atol=1e-4)
