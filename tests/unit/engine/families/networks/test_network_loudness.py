"""`loudness` and `true_peak`: one gain for all stems, by what BS.1770 says of the song or of the stems together."""

import numpy as np
import pytest
import soundfile
from loudness_case import lufs, true_peak
from network_case import RATE
from scipy import signal

from utils.core.errors import InvalidRequest
from utils.core.job import Job
from utils.core.package_request import PackageSeparate
from utils.core.requests import NetworkSeparate, Streaming
from utils.engine.families.networks.network import NetworkView


@pytest.fixture
def song(case):
    """Two seconds of noise below 10 kHz with a true peak that lies between samples."""
    white = 0.05 * np.random.default_rng(3).standard_normal((2, 2 * RATE))
    samples = signal.sosfilt(signal.butter(8, 10000, fs=RATE, output="sos"), white, axis=1)
    soundfile.write(case.folder / "song.wav", samples.T, RATE, subtype="FLOAT")
    return case.folder / "song.wav"


@pytest.fixture(autouse=True)
def network(monkeypatch):
    """One that gives three quarters of the song as one stem and an eighth as the other."""

    def share(view, mix):
        shares = mix.new_tensor([0.75, 0.125])[view._options.get("stems", [0, 1])]
        return mix[:, None] * shares[:, None, None]

    monkeypatch.setattr(NetworkView, "__call__", share)


def read(path):
    return soundfile.read(path, always_2d=True)[0].T


def test_the_song_is_brought_to_a_loudness_and_stems_keep_their_sum(case, files, song):
    """All stems have the gain that the song needs, so with the rest they sum to a song of that loudness."""
    before = read(song)
    done, stems = case.run(files, song, loudness=-14, stems=["vocals", "instrumental"])
    assert lufs(sum(stems.values()), RATE) == pytest.approx(-14, abs=0.05)
    assert 20 * np.log10(done.gain) == pytest.approx(-14 - lufs(before, RATE), abs=0.05)
    np.testing.assert_allclose(sum(stems.values()), before * done.gain, atol=1e-5)
    assert done.settings["song_lufs"] == pytest.approx(lufs(before, RATE), abs=0.05)


def test_what_is_written_is_as_loud_as_the_song(case, files, song):
    """A stem alone, or several together."""
    _, alone = case.run(files, song, loudness="input", stems=["other"])
    assert lufs(alone["other"], RATE) == pytest.approx(lufs(read(song), RATE), abs=0.05)
    done, both = case.run(files, song, loudness="input")
    assert lufs(sum(both.values()), RATE) == pytest.approx(lufs(read(song), RATE), abs=0.05)
    np.testing.assert_allclose(both["vocals"], 6 * both["other"], atol=1e-5)
    assert done.settings["stems_lufs"] < done.settings["song_lufs"]


def test_a_ceiling_lowers_the_gain_of_all(case, files, song):
    """The highest true peak of any stem is at the ceiling then; a warning says by how much that is less than asked."""
    job = Job()
    done, stems = case.run(files, song, job, loudness=-2, true_peak=-3)
    assert 20 * np.log10(max(map(true_peak, stems.values()))) == pytest.approx(-3, abs=0.1)
    np.testing.assert_allclose(stems["vocals"], read(song) * 0.75 * done.gain, atol=1e-5)
    (warning,) = job.warnings
    assert "dB less than the loudness needs, so" in warning
    assert warning.endswith("none of them has a true peak above -3 dB.")
    quiet = Job()
    done, _ = case.run(files, song, quiet, true_peak=-3)
    assert (done.gain, quiet.warnings) == (1.0, [])


@pytest.mark.parametrize("clip", ["rescale", "clamp"])
def test_files_of_whole_numbers_do_not_clip(case, files, song, clip):
    """`rescale` takes less gain instead; `clamp` cuts off what the gain made too high."""
    done, stems = case.run(files, song, loudness=0, pcm_type="PCM_24", clip=clip)
    whole = read(song) * 0.75 * done.gain
    assert np.abs(stems["vocals"]).max() == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(stems["vocals"], np.clip(whole, -1, 1), atol=1e-4)
    assert (np.abs(whole).max() > 1.5) == (clip == "clamp")


def test_what_has_no_loudness_keeps_its_level(case, files):
    """Less than 0.4 s, with a warning."""
    job = Job()
    done, _ = case.run(files, case.song(0.2), job, loudness=-14)
    assert done.gain == 1
    assert "shorter than 0.4 s" in job.warnings[0]


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (NetworkSeparate(loudness=-14, clip="rescale_each"), "gain of its own by `clip`"),
        (NetworkSeparate(true_peak=-1, stream=Streaming(pipe=5, files=False)), "listeners hear"),
        (PackageSeparate(loudness="input"), "level of its own"),
    ],
)
def test_where_there_cannot_be_one_gain_the_request_is_refused(request_, reason):
    """Before anything is read."""
    with pytest.raises(InvalidRequest, match=reason) as caught:
        _ = request_.asked_loudness
    assert caught.value.field in ("loudness", "true_peak")
