"""Scores beside independent ones: torch's transform with the filters of transformers, and formulas over whole signals."""

import json

import numpy as np
import pytest
import soundfile
import torch
from transformers.audio_utils import mel_filter_bank

from utils.commandline import dsu
from utils.core.errors import InputNotFound, InvalidRequest
from utils.scoring.pairs import Pair, match
from utils.scoring.scores import score
from utils.scoring.spectra import mel_filters

RATE = 22050


def write(path, samples, rate=RATE):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples.T, rate, subtype="FLOAT")
    return path


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


@pytest.fixture(scope="module")
def signals():
    """A stem with a second of silence in it, and an estimate that bleeds, lacks something and is a bit too loud."""
    rng = np.random.default_rng(5)
    truth = rng.standard_normal((2, 5 * RATE + 777)) * np.repeat(rng.uniform(0.01, 0.3, 6), RATE)[: 5 * RATE + 777]
    truth[:, 2 * RATE : 3 * RATE] = 0
    kernel = np.hanning(9) / np.hanning(9).sum()
    dull = np.stack([np.convolve(channel, kernel, mode="same") for channel in truth])
    estimate = 1.05 * (0.8 * truth + 0.2 * dull) + 0.003 * rng.standard_normal(truth.shape)
    return truth.astype(np.float32), estimate.astype(np.float32)


@pytest.fixture
def pair(signals, tmp_path):
    return Pair("vocals", write(tmp_path / "true.wav", signals[0]), write(tmp_path / "given.wav", signals[1]))


def sdr(truth, estimate):
    return 10 * np.log10(np.sum(truth.astype(float) ** 2) / np.sum((truth.astype(float) - estimate) ** 2))


def in_db(samples):
    """The mel spectrogram, at most 80 dB below its highest value."""
    spectrum = torch.stft(
        torch.from_numpy(samples), 4096, 1024, window=torch.hann_window(4096), return_complex=True, pad_mode="constant"
    ).abs()
    filters = mel_filter_bank(2049, 512, 0.0, RATE / 2, RATE, norm="slaney", mel_scale="slaney")
    levels = 20 * torch.log10((torch.from_numpy(filters.T).float() @ spectrum).clamp_min(1e-10))
    return levels.clamp_min(levels.max() - 80).numpy()


@pytest.mark.filterwarnings("ignore:At least one mel filter has all zero values")
def test_scores_are_those_of_the_formulas(pair, signals):
    """Each of them, over the whole signal in memory."""
    truth, estimate = signals
    found = score(pair)
    assert (found.samples, found.sample_rate) == (truth.shape[1], RATE)
    assert found.sdr == pytest.approx(sdr(truth, estimate), abs=1e-3)
    best = np.vdot(truth, estimate) / np.vdot(truth, truth)
    assert found.si_sdr == pytest.approx(sdr(best * truth, estimate), abs=1e-2)
    assert found.si_sdr > found.sdr
    seconds = [slice(i * RATE, (i + 1) * RATE) for i in (0, 1, 3, 4)]  # not the silent one, nor what is left
    assert found.seconds == 4
    assert found.sdr_median == pytest.approx(
        np.median([sdr(truth[:, one], estimate[:, one]) for one in seconds]), abs=1e-3
    )
    more = in_db(estimate) - in_db(truth)
    assert found.bleedless == pytest.approx(100 / (1 + more[more > 0].mean()), rel=1e-3)
    assert found.fullness == pytest.approx(100 / (1 - more[more < 0].mean()), rel=1e-3)


@pytest.mark.filterwarnings("ignore:At least one mel filter has all zero values")
@pytest.mark.parametrize("rate", [8000, 44100, 96000])
def test_filters_are_slaneys(rate):
    """At any rate."""
    expected = mel_filter_bank(2049, 512, 0.0, rate / 2, rate, norm="slaney", mel_scale="slaney")
    np.testing.assert_allclose(mel_filters(rate), expected, atol=1e-6)


def test_a_perfect_estimate_has_the_best_scores(signals, tmp_path):
    """Finite ones, whatever the format."""
    truth = np.round(signals[0] * 2**15) / 2**15
    write(tmp_path / "a.wav", truth)
    soundfile.write(tmp_path / "a.flac", truth.T, RATE, subtype="PCM_24")
    found = score(Pair("a", tmp_path / "a.wav", tmp_path / "a.flac"))
    assert found.sdr == found.si_sdr or found.si_sdr == pytest.approx(found.sdr, abs=3)
    assert found.sdr > 100
    assert (found.bleedless, found.fullness) == (100, 100)


def test_of_silence_there_are_no_scores(signals, tmp_path):
    """A silent truth has none; a silent estimate lacks everything."""
    silence = write(tmp_path / "silence.wav", 0 * signals[0])
    sound = write(tmp_path / "sound.wav", signals[0])
    found = score(Pair("a", silence, sound))
    assert {found.sdr, found.si_sdr, found.sdr_median, found.bleedless, found.fullness} == {None}
    found = score(Pair("a", sound, silence))
    assert found.sdr == pytest.approx(0, abs=1e-4)
    assert (found.si_sdr, found.sdr_median, found.bleedless) == (None, None, 100)
    assert found.fullness < 5


@pytest.mark.parametrize(
    ("change", "rate", "message"),
    [
        (lambda samples: samples, 44100, "has 22050 Hz and 'given.wav' has 44100"),
        (lambda samples: samples[:1], RATE, "has 2 channels and 'given.wav' has 1"),
        (lambda samples: samples[:, :-5], RATE, "has 111027 samples and 'given.wav' has 111022"),
    ],
)
def test_files_that_do_not_fit_are_refused(signals, tmp_path, change, rate, message):
    """With what each of them has."""
    given = write(tmp_path / "given.wav", change(signals[1]), rate)
    with pytest.raises(InvalidRequest) as caught:
        score(Pair("a", write(tmp_path / "true.wav", signals[0]), given))
    assert message in caught.value.message.replace(f"{tmp_path}/", "")


def test_what_one_has_more_can_be_left_out(pair, signals, tmp_path):
    """The scores are those of the part that both have."""
    longer = write(tmp_path / "longer.wav", np.pad(signals[1], ((0, 0), (0, 9999))))
    assert score(pair._replace(estimate=longer), trim=True).sdr == score(pair).sdr


def test_files_of_folders_are_matched_by_name(tmp_path):
    """Whatever the extension and the case; or by the name in brackets, as several programs write it. No song is missing."""
    for name in ("one/vocals.wav", "one/drums.wav", "one/mixture.wav", "two/Vocals.wav", "two/other.wav"):
        touch(tmp_path / "true" / name)
    for name in (
        "one/vocals.flac",
        "one/song (other)_(Drums)_model.wav",
        "two/x_(vocals)_model (v2).wav",
        "two/bass.wav",
    ):
        touch(tmp_path / "given" / name)
    found = match(tmp_path / "true", tmp_path / "given")
    assert [(pair.name, pair.estimate.name) for pair in found.pairs] == [
        ("one/drums", "song (other)_(Drums)_model.wav"),
        ("one/vocals", "vocals.flac"),
        ("two/vocals", "x_(vocals)_model (v2).wav"),
    ]
    assert (found.missing, found.extra) == (["two/other"], ["two/bass"])


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (("true", "true/a.wav"), InvalidRequest, "two files or two folders"),
        (("true", "nothing"), InputNotFound, "no file or folder"),
        (("true", "other"), InvalidRequest, "No file in"),
        (("twice", "true"), InvalidRequest, "have the same name"),
        (("true", "songs"), InvalidRequest, "could both be the estimate"),
    ],
)
def test_what_cannot_be_matched_is_said(tmp_path, words, error, message):
    """Before anything is read."""
    for name in ("true/a.wav", "other/b.wav", "twice/a.wav", "twice/a.flac", "songs/1 (a) x.wav", "songs/2_(A).wav"):
        touch(tmp_path / name)
    with pytest.raises(error, match=message):
        match(*(tmp_path / word for word in words))


def test_people_read_a_table_and_programs_json(signals, tmp_path, capsys):
    """`dsu score`: a table of 80 columns with the mean, or one document with the same numbers. What is missing has a status."""
    long = "a stem with a name that is far too long for a table"
    for name in ("vocals", long, "drums"):
        write(tmp_path / "true" / f"{name}.wav", signals[0])
    for name in ("vocals", long):
        write(tmp_path / "given" / f"{name}.wav", signals[1])
    words = ["score", str(tmp_path / "true"), str(tmp_path / "given")]
    assert dsu.main(words, None, None) == 1
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert max(map(len, lines)) <= 80
    assert err == "dsu score: There is no estimate of drums.\n"
    assert dsu.main([*words, "--json"], None, None) == 1
    found = json.loads(capsys.readouterr()[0])
    assert [one["stem"] for one in found["scores"]] == [long, "vocals"]
    assert lines[0].split() == ["SDR", "SI-SDR", "SDR", "1", "s", "bleedless", "fullness"]
    assert lines[-1].split()[:2] == ["mean", f"{found['mean']['sdr']:.2f}"]
    assert lines[1].startswith("…")
    assert found["missing"] == ["drums"]
    (tmp_path / "true" / "drums.wav").unlink()
    assert dsu.main(words, None, None) == 0


def test_mistakes_have_a_status(tmp_path, capsys):
    """2 for what was typed, 1 for files that are not there."""
    assert dsu.main(["score", "one"], None, None) == 2
    assert dsu.main(["score", "--colour"], None, None) == 2
    assert dsu.main(["score", str(tmp_path / "a"), str(tmp_path / "b")], None, None) == 1
    assert capsys.readouterr()[1].count("\n") == 3
