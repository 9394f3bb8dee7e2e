"""Recorded music as clips, and what mixtures and the loss make of it."""

import zipfile

import numpy as np
import pytest
import soundfile
import torch

from training import recordings
from training.clips import CLIP_SAMPLES, LOUDNESS
from training.composing import STEMS
from training.decoding import decode
from training.mixing import Bank, Mixer, recordings_path
from training.recordings import make_recordings
from training.soundfonts import SAMPLE_RATE

pytestmark = pytest.mark.slow

SAMPLES = 8192
OTHER, VOCALS = STEMS.index("other"), STEMS.index("vocals")


def write_music(path, seconds, *, silent_s=0.0, channels=2):
    noise = 0.2 * np.random.default_rng(len(path.name)).standard_normal((round(seconds * SAMPLE_RATE), channels))
    noise[: round(silent_s * SAMPLE_RATE)] = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, noise, SAMPLE_RATE, format="OGG", subtype="VORBIS")


@pytest.fixture
def games(tmp_path, monkeypatch):
    """Very small versions of the folders that the games' packages install."""
    guitar = tmp_path / "songs" / "band" / "song" / "guitar.ogg"
    write_music(guitar, 31, silent_s=12)
    write_music(guitar.with_name("song.ogg"), 1)
    write_music(tmp_path / "music" / "album" / "track.ogg", 21, channels=1)
    write_music(tmp_path / "packed.ogg", 11)
    with zipfile.ZipFile(tmp_path / "music.pk3", "w") as archive:
        archive.write(tmp_path / "packed.ogg", "sound/packed.ogg")
        archive.writestr("sound/readme.txt", "no music")
    monkeypatch.setattr(recordings, "GUITARS_FOLDER", tmp_path / "songs")
    monkeypatch.setattr(recordings, "MUSIC_FOLDERS", (tmp_path / "music",))
    monkeypatch.setattr(recordings, "MUSIC_ARCHIVE", tmp_path / "music.pk3")
    return tmp_path


def test_recordings_become_clips(games):
    """Clips have full length and equal loudness, silent ones are left out, and cutting is repeatable."""
    folder = games / "bank"
    make_recordings(folder)
    guitar, backing = (np.load(recordings_path(folder, kind)) for kind in ("guitar", "backing"))
    assert guitar.shape == (2, CLIP_SAMPLES, 2)
    assert backing.shape == (3, CLIP_SAMPLES, 2)
    assert np.sqrt(np.square(backing / 32768).mean()) == pytest.approx(LOUDNESS, rel=0.05)
    recordings_path(folder, "guitar").unlink()
    make_recordings(folder)
    assert np.array_equal(np.load(recordings_path(folder, "guitar")), guitar)
    assert {path.name for path in folder.iterdir()} == {"guitar.npy", "backing.npy"}


def test_a_recording_of_one_channel_is_on_both(games):
    """Mono music is decoded to two equal channels of the same length."""
    sound = decode(games / "music" / "album" / "track.ogg", SAMPLE_RATE).T
    assert sound.shape == (21 * SAMPLE_RATE, 2)
    assert np.array_equal(sound[:, 0], sound[:, 1])


@pytest.fixture
def bank(tmp_path):
    """Songs in which only the voice sounds, and recordings."""
    songs = np.zeros((2, 4, 150_000, 2), np.int16)
    rng = np.random.default_rng(0)
    songs[:, VOCALS] = rng.integers(-3000, 3000, songs[:, VOCALS].shape)
    np.save(tmp_path / "shard-0000.npy", songs)
    for kind in ("guitar", "backing"):
        np.save(recordings_path(tmp_path, kind), rng.integers(-3000, 3000, (3, 150_000, 2), dtype=np.int16))
    return tmp_path


def test_some_mixtures_are_a_voice_before_recorded_music(bank):
    """They are marked, all their music is in `other`, and the stems still sum to the mix."""
    mixer = Mixer(Bank(bank), SAMPLES, seed=1)
    drawn = [mixer.draw() for _ in range(60)]
    merged = [example for example in drawn if example.merged]
    assert 2 < len(merged) < 25
    for example in merged:
        assert not example.stems[:OTHER].any()
        assert example.stems[OTHER].any()
        torch.testing.assert_close(example.stems.sum(dim=0), example.mix)
    assert any(example.stems[VOCALS].any() for example in merged)


def test_some_mixtures_hold_a_recorded_guitar(bank):
    """With songs whose own `other` is silent, the given fraction of examples has a guitar."""
    mixer = Mixer(Bank(bank), SAMPLES, seed=2)
    songs = [example for example in (mixer.draw() for _ in range(90)) if not example.merged]
    heard = [example.stems[OTHER].abs().max() > 1e-3 for example in songs]
    assert 2 < sum(heard) < 30


def test_without_recordings_nothing_is_merged(bank):
    """A bank without recordings, such as the held-out one, is enough."""
    for kind in ("guitar", "backing"):
        recordings_path(bank, kind).unlink()
    mixer = Mixer(Bank(bank), SAMPLES, seed=1)
    assert not any(mixer.draw().merged for _ in range(25))


def test_an_empty_recording_decodes_to_nothing(tmp_path):
    """A file without samples gives an array without samples, in the channels asked for."""
    soundfile.write(tmp_path / "empty.wav", np.zeros((0, 1)), 22050)
    assert decode(tmp_path / "empty.wav", SAMPLE_RATE).shape == (2, 0)
    assert decode(tmp_path / "empty.wav", SAMPLE_RATE, layout="mono", form="dblp").shape == (1, 0)
