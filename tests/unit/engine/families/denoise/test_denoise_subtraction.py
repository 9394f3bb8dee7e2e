"""The noise reduction itself, block by block, against the same formulas over a whole song."""

import numpy as np
import pytest
import soundfile
import torch
from plain_denoise import agreement_db, denoised, drums, hiss

from utils.core.errors import InputEmpty
from utils.core.job import Job
from utils.engine.families.denoise.follower import Follower, Pace, survey_jumps
from utils.engine.families.denoise.noise import measure
from utils.engine.families.denoise.subtraction import Subtraction
from utils.engine.families.denoise.windows import levels_of
from utils.engine.pipeline.demix import Stretch

RATE = 44100
AGREEMENT_DB = 90.0


def blocks_of(samples, sizes):
    """The song, (samples, channels), as blocks (channels, n) of these sizes in turn."""
    start, turn = 0, 0
    while start < len(samples):
        size = sizes[turn % len(sizes)]
        yield np.ascontiguousarray(samples[start : start + size].T)
        start, turn = start + size, turn + 1


def streamed(song, noise, folder, *, rate=RATE, sizes=(65536,), attack=0.01, release=0.1, factor=0.9):
    """The denoised song, (samples, channels), and the mix that came out with it."""
    path = folder / "noise.wav"
    soundfile.write(path, noise, rate, subtype="FLOAT")
    channels = song.shape[1]
    jumps = survey_jumps(blocks_of(song, sizes), rate, channels, Job())
    subtraction = Subtraction(
        measure(path, sample_rate=rate, longest=len(song), checkpoint=lambda: None),
        [Follower(Pace.of(rate, attack_s=attack, release_s=release), jump) for jump in jumps],
        factor=factor,
        sample_rate=rate,
        total=len(song),
    )
    stretches, start = [], 0
    for block in blocks_of(song, sizes):
        stretches += subtraction.push(Stretch(start, torch.from_numpy(block)[None], block))
        start += block.shape[1]
    stretches += subtraction.finish()
    position = 0
    for stretch in stretches:
        assert stretch.start == position
        assert stretch.rows.shape == (1, *stretch.mix.shape)
        position += stretch.mix.shape[1]
    rows = torch.cat([stretch.rows[0] for stretch in stretches], dim=-1).numpy().T
    return rows, np.concatenate([stretch.mix for stretch in stretches], axis=1).T


@pytest.mark.parametrize("rate", [8000, 44100, 48000, 96000])
@pytest.mark.parametrize("release", [0.1, 0.5])
def test_it_is_what_the_formulas_say(tmp_path, rate, release):
    """At any rate, for each channel by itself."""
    song, noise = drums(rate, 2.3, channels=2), hiss(rate, 1.1)
    found, _ = streamed(song, noise, tmp_path, rate=rate, release=release)
    for channel in range(2):
        expected = denoised(song[:, channel], noise[:, 0], rate, release=release)
        assert agreement_db(found[:, channel], expected) > AGREEMENT_DB


@pytest.mark.parametrize("samples", [1, 511, 1024, 2204, 2205, 2206, 2717, 2718, 5000, 44032])
def test_short_songs_keep_their_length(tmp_path, samples):
    """Also those that are shorter than a frame, or than the stretch of a level, which stay as they are."""
    song, noise = drums(RATE, 1.0)[-samples:], hiss(RATE, 0.5)
    found, mix = streamed(song, noise, tmp_path)
    np.testing.assert_array_equal(mix, song)
    assert agreement_db(found[:, 0], denoised(song[:, 0], noise[:, 0], RATE)) > AGREEMENT_DB


@pytest.mark.parametrize("samples", [1, 511, 1024, 2205])
def test_noise_that_is_too_short_is_an_error(tmp_path, samples):
    """However short; the shortest do not even fill a frame."""
    soundfile.write(tmp_path / "noise.wav", hiss(RATE, 0.5)[:samples], RATE)
    with pytest.raises(InputEmpty, match="too short to measure the noise"):
        measure(tmp_path / "noise.wav", sample_rate=RATE, longest=RATE, checkpoint=lambda: None)


@pytest.mark.parametrize("sizes", [(100,), (512,), (3000, 1, 77), (20000, 511)])
def test_blocks_of_any_size_give_the_same(tmp_path, sizes):
    """Nothing depends on where blocks begin."""
    song, noise = drums(RATE, 1.7, channels=2), hiss(RATE, 0.7)
    whole, _ = streamed(song, noise, tmp_path, sizes=(len(song),))
    found, mix = streamed(song, noise, tmp_path, sizes=sizes)
    np.testing.assert_array_equal(mix, song)
    assert agreement_db(found, whole) > AGREEMENT_DB


def test_settings_are_those_of_the_formulas(tmp_path):
    """How much is subtracted, and how fast a rising level is followed."""
    song, noise = drums(RATE, 1.5), hiss(RATE, 1.0)
    for settings in ({"factor": 0.3}, {"attack": 0.2}, {"attack": 0.0, "release": 0.0}):
        expected = denoised(song[:, 0], noise[:, 0], RATE, **settings)
        assert agreement_db(streamed(song, noise, tmp_path, **settings)[0][:, 0], expected) > AGREEMENT_DB
    unchanged = streamed(song, noise, tmp_path, factor=0.0)[0]
    assert agreement_db(unchanged, song) > AGREEMENT_DB


def test_the_estimate_is_held_back_after_a_jump():
    """By no more than half above what it was, until the jump no longer counts; a second jump in that time goes on."""
    follower = Follower(Pace(attack=1, release=1, hold=3), jump=1.0)
    assert [follower.push(level) for level in (1.0, 1.5, 8.0, 8.5, 8.0, 8.2, 2.0)] == pytest.approx(
        [1.0, 1.5, 2.25, 2.25, 2.25, 8.2, 2.0]
    )
    assert [follower.push(level) for level in (4.0, 9.0, 8.0, 8.0, 8.0)] == pytest.approx([3.0, 3.0, 3.0, 3.0, 8.0])


def test_little_is_kept_of_a_song(tmp_path):
    """While a song goes by, no more is waiting than a level and a frame need."""
    path = tmp_path / "noise.wav"
    soundfile.write(path, hiss(RATE, 0.5), RATE)
    total = 40 * RATE
    noise = measure(path, sample_rate=RATE, longest=total, checkpoint=lambda: None)
    followers = [Follower(Pace.of(RATE, attack_s=0.01, release_s=0.1), 0.1)]
    subtraction = Subtraction(noise, followers, factor=0.9, sample_rate=RATE, total=total)
    given = 0
    for start in range(0, total, RATE):
        block = np.full((1, RATE), 0.1, dtype=np.float32)
        stretches = list(subtraction.push(Stretch(start, torch.from_numpy(block)[None], block)))
        given += sum(stretch.mix.shape[1] for stretch in stretches)
        assert start + RATE - given < 8 * 2048
        assert subtraction._waiting.shape[1] < 16
        assert subtraction._estimates.shape[1] < 16


@pytest.mark.parametrize(("samples", "count"), [(0, 0), (2205, 0), (2206, 1), (2717, 1), (2718, 2), (44100, 82)])
def test_levels_of_a_song(samples, count):
    """A level needs the whole of its stretch, and a sample behind it."""
    assert levels_of(samples, RATE) == count
