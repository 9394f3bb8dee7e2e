"""`bigshifts` and `pitch_shift`: what they average and hear, and that stems stay where they are in the song."""

import numpy as np
import pytest
import soundfile
from network_case import RATE, close

from tools.fixtures.networks import write_network
from utils.core.errors import InvalidRequest
from utils.core.requests import NetworkMember
from utils.engine.families.networks.network import NetworkView

pytestmark = pytest.mark.slow


class Echo:
    """In place of a network: both of its stems are what it hears, but for what `change` does to them."""

    def __init__(self, monkeypatch, change=lambda mix: mix):
        self.heard = []

        def view(_, mix):
            self.heard.append(mix.numpy().copy())
            return change(mix)[:, None].expand(-1, 2, -1, -1)

        monkeypatch.setattr(NetworkView, "__call__", view)


def sdr_db(truth, estimate):
    return 10 * np.log10(np.sum(truth**2) / np.sum((truth - estimate) ** 2))


def tones(path, *frequencies, seconds=1.7, rate=RATE):
    times = np.arange(round(seconds * rate)) / rate
    fade = np.minimum(1, np.minimum(times, times[::-1]) / 0.05)
    left = sum(np.sin(2 * np.pi * f * times + f) for f in frequencies) * fade / (2 * len(frequencies))
    samples = np.stack([left, 0.5 * left]).astype(np.float32)
    soundfile.write(path, samples.T, rate, subtype="FLOAT")
    return path, samples


def test_shifts_cut_the_song_at_other_places_and_average(case, files, monkeypatch):
    """Each sample is the mean of as many separations; where chunks begin differs by equal parts of a hop."""
    song, samples = tones(case.folder / "song.wav", 220, 1000)
    echo = Echo(monkeypatch)
    done, stems = case.run(files, song, overlap=2, chunk_seconds=0.4, bigshifts=3)
    np.testing.assert_allclose(stems["vocals"], samples, atol=1e-6)
    assert done.settings["bigshifts"] == 3
    once = len(echo.heard)
    case.run(files, song, overlap=2, chunk_seconds=0.4)
    assert once == pytest.approx(3 * (len(echo.heard) - once), abs=3)


def test_shifts_equal_separations_of_a_shifted_song(case, files):
    """By hand: with a song that begins later, chunks begin earlier in it. Far from its ends, the mean of such stems is the same."""
    hop = round(0.4 * RATE) // 2
    song = case.song()
    sound, _ = soundfile.read(song, dtype="float32", always_2d=True)
    by_hand = []
    for number in range(3):
        later = case.folder / f"later {number}.wav"
        silence = np.zeros((number * hop // 3, 2), np.float32)
        soundfile.write(later, np.concatenate([silence, sound]), RATE, subtype="FLOAT")
        _, stems = case.run(files, later, overlap=2, chunk_seconds=0.4)
        by_hand.append(stems["vocals"][:, len(silence) :])
    _, stems = case.run(files, song, overlap=2, chunk_seconds=0.4, bigshifts=3)
    middle = slice(round(0.5 * RATE), round(1.2 * RATE))
    np.testing.assert_allclose(stems["vocals"][:, middle], np.mean(by_hand, axis=0)[:, middle], atol=2e-6)
    assert np.abs(by_hand[0] - by_hand[1])[:, middle].max() > 1e-4


@pytest.mark.parametrize("seconds", [0.001, 0.11, 0.35])
def test_short_songs_can_be_shifted(case, files, seconds):
    """Also those that are shorter than a chunk, or than a shift."""
    _, plain = case.run(files, case.song(seconds), chunk_seconds=0.4)
    _, stems = case.run(files, case.song(seconds), chunk_seconds=0.4, bigshifts=5)
    assert stems["vocals"].shape == plain["vocals"].shape
    assert np.isfinite(stems["vocals"]).all()


@pytest.mark.parametrize(("semitones", "rate"), [(-12, RATE), (-3.5, 32000), (2, RATE), (12, 32000)])
def test_what_was_heard_higher_is_as_high_and_as_long_as_before(case, files, monkeypatch, semitones, rate):
    """Whatever the song's rate: stems have the length of the song, are aligned to the sample, and add up to it."""
    song, samples = tones(case.folder / "song.wav", 220, 1000, 5000, rate=rate)
    Echo(monkeypatch, lambda mix: mix / 2)
    done, stems = case.run(files, song, pitch_shift=semitones, output_sample_rate="source")
    assert done.settings["pitch_shift"] == semitones
    for stem in stems.values():
        assert stem.shape == samples.shape
        assert sdr_db(samples / 2, stem) > 60


def test_the_network_hears_another_pitch(case, files, monkeypatch):
    """A tone is as many semitones higher for it, and ends sooner; stems have the network's rate."""
    song, _ = tones(case.folder / "song.wav", 1000)
    echo = Echo(monkeypatch)
    for semitones in (-5, 0, 7):
        echo.heard.clear()
        done, _ = case.run(files, song, pitch_shift=semitones, chunk_seconds=0.5)
        heard = echo.heard[1][0, 0]
        found = np.fft.rfftfreq(len(heard), 1 / RATE)[np.abs(np.fft.rfft(heard * np.hanning(len(heard)))).argmax()]
        assert 12 * np.log2(found / 1000) == pytest.approx(semitones, abs=0.1)
        assert done.sample_rate == RATE


def test_members_of_an_ensemble_hear_the_same_pitch(case, trio, monkeypatch):
    """So that their stems still fit together."""
    song, samples = tones(case.folder / "song.wav", 220, 1000)
    Echo(monkeypatch)
    members = [NetworkMember(model_path=str(one.checkpoint), config_path=str(one.config)) for one in trio[:2]]
    _, stems = case.run(song=song, ensemble=members, pitch_shift=3, bigshifts=2)
    assert sdr_db(samples, stems["vocals"]) > 60


def test_a_restoring_network_has_no_use_for_them(case, tmp_path):
    """Its chunks sum to one pass over the song, and its work is about the highest frequencies."""
    files = write_network(tmp_path / "nets", "apollo")
    for field, value in (("bigshifts", 2), ("pitch_shift", 3)):
        with pytest.raises(InvalidRequest, match=f"`{field}` is for networks that separate") as caught:
            case.run(files, **{field: value})
        assert caught.value.field == field


def test_nothing_changes_where_they_are_not_asked_for(case, files):
    """One shift and no semitones are the plain separation."""
    done, plain = case.run(files)
    _, stems = case.run(files, bigshifts=1, pitch_shift=0)
    close(plain, stems, atol=0)
    assert not {"bigshifts", "pitch_shift"} & set(done.settings)
