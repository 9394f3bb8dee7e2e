"""Where instruments are placed between left and right."""

import numpy as np
import pytest
import torch

from training import evaluation
from training.composing import STEMS
from training.mixing import Bank, Mixer
from training.panning import aside, later, spread, wavering
from training.soundfonts import SAMPLE_RATE

SAMPLES = 8192


@pytest.fixture
def sound():
    """A second of mono noise in two channels."""
    noise = 0.1 * np.random.default_rng(0).standard_normal(SAMPLE_RATE).astype(np.float32)
    return np.stack([noise, noise], axis=1)


def sides(sound):
    """The fraction of a sound's energy in the side signal."""
    return np.square(sound[:, 0] - sound[:, 1]).sum() / np.square(sound).sum() / 2


def test_a_place_takes_from_the_other_side(sound):
    """At the extreme one channel is silent and the other unchanged; in the centre nothing changes."""
    assert np.array_equal(aside(sound, 0.0), sound)
    for place, silent in ((1.0, 0), (-1.0, 1)):
        moved = aside(sound, place)
        assert not moved[:, silent].any()
        assert np.array_equal(moved[:, 1 - silent], sound[:, 1 - silent])


def test_a_second_take_comes_later(sound):
    """The sound is delayed by that time, and its length is unchanged."""
    late = later(sound[:, 0], 0.01)
    assert not late[:441].any()
    assert np.array_equal(late[441:], sound[:-441, 0])


def test_a_chorus_moves_the_pitch_by_cents():
    """A tone's pitch varies audibly, but by less than a quarter of a semitone."""
    tone = np.sin(2 * np.pi * 1000 * np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE).astype(np.float32)
    swinging = wavering(tone, np.random.default_rng(1))[SAMPLE_RATE:]
    crossings = np.flatnonzero((swinging[:-1] < 0) & (swinging[1:] >= 0))
    exact = crossings - swinging[crossings] / (swinging[crossings + 1] - swinging[crossings])
    pitches = SAMPLE_RATE * 20 / (exact[20:] - exact[:-20])
    cents = 1200 * np.log2(pitches / 1000)
    assert 2 < cents.max() < 20
    assert -20 < cents.min() < -2


def test_most_layers_leave_the_middle(sound):
    """Centred sounds keep their length; a quarter stay centred, the others are panned or wide."""
    rng = np.random.default_rng(2)
    spreads = [spread(sound, rng) for _ in range(60)]
    assert all(one.shape == sound.shape and one.dtype == np.float32 for one in spreads)
    still = sum(sides(one) < 1e-9 for one in spreads)
    assert 5 < still < 30
    assert sum(sides(one) > 0.3 for one in spreads) > 15


def narrow(stems):
    """For each stem the number of examples (examples, stems, 2, samples) that are almost mono."""
    side, middle = (stems[:, :, 0] - stems[:, :, 1]).square().sum(2), stems.sum(dim=2).square().sum(2)
    return dict(zip(STEMS, (side < 0.1 * middle).float().mean(dim=0).tolist(), strict=True))


def test_bass_and_voice_stand_in_the_middle_more_often(tmp_path, monkeypatch):
    """Given equally wide clips, the bass becomes narrow with `places`; in held-out songs all stems are alike."""
    clips = np.random.default_rng(3).integers(-3000, 3000, (2, 4, 150_000, 2), dtype=np.int16)
    (tmp_path / "held_out").mkdir()
    np.save(tmp_path / "held_out" / "shard-0000.npy", clips)
    mixer = Mixer(Bank(tmp_path / "held_out"), SAMPLES, seed=3)
    usual = narrow(torch.stack([mixer.draw().stems for _ in range(60)]))
    assert usual["bass"] > 0.4
    assert usual["other"] < 0.3
    assert usual["bass"] > usual["vocals"] > usual["drums"]

    monkeypatch.setattr(evaluation, "SONG_SAMPLES", SAMPLES)
    monkeypatch.setattr(evaluation, "SONGS", 60)
    songs = evaluation.held_out_songs(tmp_path)
    assert max(narrow(torch.stack([torch.from_numpy(song.stems) for song in songs])).values()) < 0.35
