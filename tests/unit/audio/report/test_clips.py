"""The tracks of a page: clips that overlap, decode to the track, and never take more room than there is."""

import io

import numpy as np
import pytest
import soundfile

from utils.audio.report.clips import MOST_BYTES, STEP_S, ClipCutter, ClipPlan, encoded


def cut(plan, signal, rate, size):
    cutter = ClipCutter(plan, rate)
    for start in range(0, signal.shape[1], size):
        yield from cutter.push(signal[:, start : start + size])
    yield from cutter.finish()


def laid(plan, clips):
    """All clips at their places: what a browser plays."""
    clips = list(clips)
    whole = np.zeros((plan.step * (len(clips) + 1), plan.channels), np.float32)
    for number, clip in enumerate(clips):
        whole[number * plan.step :][: len(clip)] += clip
    return whole[plan.lead :]


def noise(channels, seconds, rate):
    return np.random.default_rng(0).uniform(-0.5, 0.5, (channels, round(seconds * rate))).astype(np.float32)


@pytest.mark.parametrize("seconds", [0.0, 0.01, 9.98, 10.0, 10.03, 10.06, 20.5, 33.3])
@pytest.mark.parametrize("size", [1000, 1 << 20])
def test_clips_sum_to_the_track(seconds, size):
    """However long it is and however it comes: nothing is lost, doubled or faded, also not at either end."""
    rate = 8000
    plan = ClipPlan.fitting(3, sample_rate=rate, channels=2, duration_s=seconds)
    signal = noise(2, seconds, rate)
    whole = laid(plan, cut(plan, signal, rate, size))
    np.testing.assert_allclose(whole[: signal.shape[1], : plan.channels], signal.T, atol=1e-6)
    assert not whole[signal.shape[1] :].any()


@pytest.mark.parametrize(("rate", "channels"), [(44100, 2), (48000, 1), (96000, 2), (32000, 6), (22050, 2), (8000, 1)])
def test_encoded_clips_decode_to_the_track(rate, channels):
    """Music of any rate and number of channels, to what such a bit rate loses; at the same places as without encoding."""
    seconds = 11.0
    t = np.arange(round(seconds * rate)) / rate
    tones = np.stack([0.3 * np.sin(2 * np.pi * 220 * (1 + index) * t) * np.sin(t) for index in range(channels)])
    plan = ClipPlan.fitting(2, sample_rate=rate, channels=channels, duration_s=seconds)
    clips = list(cut(plan, tones.astype(np.float32), rate, 1 << 16))
    decoded = [soundfile.read(io.BytesIO(encoded(clip, plan)), dtype="float32", always_2d=True) for clip in clips]
    assert {found for _, found in decoded} == {plan.rate}
    truth, heard = laid(plan, clips), laid(plan, [samples for samples, _ in decoded])
    assert np.square(truth - heard).sum() < 0.01 * np.square(truth).sum()


@pytest.mark.parametrize("tracks", [2, 5, 33])
@pytest.mark.parametrize("minutes", [1, 10, 25, 60, 600])
def test_long_songs_take_no_more_room(tracks, minutes):
    """They are encoded at lower rates, in the end in one channel, and then only as far as there is room."""
    seconds = 60.0 * minutes
    plan = ClipPlan.fitting(tracks, sample_rate=44100, channels=2, duration_s=seconds)
    assert tracks * plan.playable_s(seconds) * plan.kilobits * 125 <= MOST_BYTES
    assert (plan.channels == 2) == (plan.kilobits >= 64)
    assert plan.playable_s(seconds) == min(seconds, plan.most * STEP_S)


def test_an_hour_of_four_stems_can_be_played_to_its_end():
    """And ten minutes in the best quality."""
    hour = ClipPlan.fitting(5, sample_rate=44100, channels=2, duration_s=3600)
    assert hour.playable_s(3600) == 3600
    assert ClipPlan.fitting(5, sample_rate=44100, channels=2, duration_s=600).kilobits == 128


def test_what_cannot_be_played_is_not_kept():
    """A cutter that has all of its clips holds nothing of what still comes."""
    plan = ClipPlan(rate=8000, channels=1, kilobits=32, most=2)
    cutter = ClipCutter(plan, 8000)
    minute = noise(1, 60.0, 8000)
    clips = [clip for _ in range(5) for clip in cutter.push(minute)]
    assert len(clips) == 2
    assert list(cutter.finish()) == []
    assert len(cutter._rest) <= minute.shape[1]
