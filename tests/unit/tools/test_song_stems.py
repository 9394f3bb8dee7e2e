"""The synthetic song in stems."""

import numpy as np
import pytest
import soundfile

from tools.song import SAMPLE_RATE
from tools.song_stems import BALANCE_DB, PEAKS, PHRASE_S, mix_of, song_blocks, write_song
from tools.voice import VOWELS, Singer, sing_phrase, sung

SECONDS = 9.0  # into the second phrase


def whole(seconds=SECONDS, **options):
    blocks = list(song_blocks(seconds, **options))
    return {stem: np.concatenate([block[stem] for block in blocks]) for stem in PEAKS}


@pytest.fixture(scope="module")
def stems():
    return whole()


def share(samples, lowest_hz, highest_hz, rate=SAMPLE_RATE):
    """The part of the energy that lies in a band."""
    energy = np.abs(np.fft.rfft(samples.astype(float), axis=0)) ** 2
    frequencies = np.fft.rfftfreq(len(samples), 1 / rate)
    return energy[(frequencies >= lowest_hz) & (frequencies < highest_hz)].sum() / energy.sum()


def test_the_song_is_as_long_as_asked(stems):
    """To the sample, in stereo, with the four stems that separators know."""
    assert list(stems) == ["drums", "bass", "other", "vocals"]
    assert {stem.shape for stem in stems.values()} == {(round(SECONDS * SAMPLE_RATE), 2)}


def test_the_same_seed_is_the_same_song(stems):
    """A second run has equal samples; another seed has not."""
    again, other = whole(), whole(seed=1)
    assert all(np.array_equal(stems[stem], again[stem]) for stem in stems)
    assert not np.array_equal(stems["vocals"], other["vocals"])


def test_a_longer_song_begins_as_a_shorter_one(stems):
    """The length decides on nothing but the end."""
    shorter = whole(5.0)
    assert all(np.array_equal(shorter[stem], stems[stem][: len(shorter[stem])]) for stem in stems)


def test_no_stem_is_silent_and_none_is_mono(stems):
    """Each can be heard in every four seconds; all but the bass differ from left to right."""
    for stem, samples in stems.items():
        parts = samples[: 8 * SAMPLE_RATE].astype(float).reshape(2, -1, 2) / 32768
        assert (parts.std(axis=1) > 0.005).all(), stem
        assert np.array_equal(samples[:, 0], samples[:, 1]) == (stem == "bass")


def test_each_stem_has_what_it_is_called_after(stems):
    """Bass is low, drums are low and high, chords in between, a voice between its fundamental and its hisses."""
    assert share(stems["bass"], 0, 250) > 0.9
    assert share(stems["drums"], 0, 250) > 0.5
    assert share(stems["drums"], 4000, 22050) > 0.1
    assert share(stems["other"], 150, 2000) > 0.9
    assert share(stems["vocals"], 200, 5000) > 0.9
    assert share(stems["vocals"], 5000, 11000) > 0.001


@pytest.mark.parametrize("seed", range(3))
def test_the_mix_never_clips(seed):
    """Whatever the seed, the sum is that of the stems as whole numbers, and below full scale."""
    assert sum(PEAKS.values()) * 10 ** (BALANCE_DB / 20) < 1
    for block in song_blocks(2 * PHRASE_S, seed=seed):
        total = np.sum([stem.astype(np.int64) for stem in block.values()], axis=0)
        assert np.abs(total).max() < 32767
        assert np.array_equal(mix_of(block), total)


def test_another_rate_is_the_same_song(stems):
    """As long in seconds, with the same energy where both rates reach."""
    other = whole(rate=16000)
    assert len(other["bass"]) == round(SECONDS * 16000)
    assert other["bass"].std() == pytest.approx(stems["bass"].std(), rel=0.02)
    assert share(other["bass"], 0, 250, 16000) > 0.9


def test_the_files_sum_to_the_mix(tmp_path):
    """16-bit files, equal to the last number, and nothing beside them."""
    paths = write_song(tmp_path / "song.wav", 2.0)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(paths)
    mix, *parts = (soundfile.read(path, dtype="int16")[0].astype(int) for path in paths)
    assert {path.stem for path in (tmp_path / "song_stems").iterdir()} == set(PEAKS)
    assert np.array_equal(np.sum(parts, axis=0), mix)
    assert soundfile.info(paths[0]).subtype == "PCM_16"


def test_a_song_that_cannot_be_finished_is_not_there(tmp_path, monkeypatch):
    """What was written so far does not stay, under no name."""

    def broken(*_, **__):
        yield next(song_blocks(1.0))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tools.song_stems.song_blocks", broken)
    with pytest.raises(OSError, match="No space"):
        write_song(tmp_path / "song.wav", 2.0)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_the_voice_wavers_around_its_note():
    """A held tone has vibrato: its spectrum is wider than a steady tone's, with the middle at the note."""
    tone = sung(220.0, 1.5, VOWELS["a"], Singer())
    energy = np.abs(np.fft.rfft(tone * np.hanning(len(tone)))) ** 2
    frequencies = np.fft.rfftfreq(len(tone), 1 / SAMPLE_RATE)
    near = (frequencies > 190) & (frequencies < 250)
    middle = (energy[near] * frequencies[near]).sum() / energy[near].sum()
    spread = np.sqrt((energy[near] * (frequencies[near] - middle) ** 2).sum() / energy[near].sum())
    assert middle == pytest.approx(220, abs=2)
    assert 1.5 < spread < 8


def test_vowels_differ_by_their_formants():
    """The second formant of `i` lies where `u` has next to nothing."""
    bright, dark = (sung(220.0, 0.5, VOWELS[vowel], Singer()) for vowel in "iu")
    assert share(bright, 1800, 2500) > 10 * share(dark, 1800, 2500)


def test_a_phrase_is_silent_at_both_ends():
    """So phrases can follow each other without a click."""
    phrase = sing_phrase(np.random.default_rng(0), Singer())
    assert np.abs(phrase[[0, -1]]).max() < 1e-3
    assert np.abs(phrase).max() > 0.1
