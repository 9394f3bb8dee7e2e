"""Separation with the networks of `models/`: all architectures and file formats, stems, quality, reports."""

import zlib
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
from network_case import RATE, close, edit, read
from PIL import Image

from models.architectures import OWN
from models.bs_roformer import BSRoformer
from tools.fixtures.networks import FORMS, write_network
from utils import __version__
from utils.audio.report.drawing import LEFT, PALETTES, PLOT_WIDTH, RIGHT
from utils.audio.writing import StemSet
from utils.core.errors import (
    InvalidRequest,
)
from utils.core.job import Job
from utils.engine.families.networks import network

pytestmark = pytest.mark.slow

# Kinds and files ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", OWN)
def test_each_kind_separates(case, tmp_path, kind):
    """From files alone, with the type detected: stems have the song's length, none is silent, all differ."""
    done, stems = case.run(write_network(tmp_path, kind))
    assert list(stems) == done.stems
    assert done.stems == (["restored"] if kind == "apollo" else ["vocals", "other"])
    for samples in stems.values():
        assert samples.shape == (2, round(1.7 * RATE))
        assert 0.01 < samples.std() < 1
    assert len({samples.tobytes() for samples in stems.values()}) == len(stems)


def test_tags_that_would_inflate_are_left_out(case, tmp_path):
    """The separation goes on without them, and says so."""
    body = b"TPE1" + (4 + 30).to_bytes(4, "big") + b"\0\x80" + bytes(4) + zlib.compress(bytes(20_000))[:30]
    song = tmp_path / "bomb.mp3"
    sound, rate = soundfile.read(case.song())
    soundfile.write(song, sound, rate)
    song.write_bytes(b"ID3\x03\0\0\0\0\0" + bytes([len(body)]) + body + song.read_bytes())
    job = Job()
    done, _ = case.run(write_network(tmp_path, "bs_roformer"), song=song, job=job)
    assert done.stems == ["vocals", "other"]
    assert job.warnings == ["The tags of 'bomb.mp3' were not read: they are compressed."]


@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_a_checkpoint_gives_the_same(case, tmp_path, form):
    """Plain, wrapped, prefixed, legacy and safetensors files hold the same network; half precision comes close."""
    _, plain = case.run(write_network(tmp_path / "plain", "bs_roformer"))
    _, stems = case.run(write_network(tmp_path / form, "bs_roformer", form=form))
    close(plain, stems, atol=5e-3 if form == "half" else 0)


@pytest.mark.parametrize("kind", OWN)
def test_a_type_that_is_named_is_taken(case, tmp_path, kind):
    """An explicit `model_type` is respected, for all three in the protocol's documentation."""
    files = write_network(tmp_path, kind)
    _, worked_out = case.run(files)
    _, named = case.run(files, model_type=kind)
    close(worked_out, named, atol=0)


def test_a_mono_network_separates_each_channel_by_itself(case, tmp_path):
    """The channels of a stereo song are separated independently."""
    net = write_network(tmp_path, "bs_roformer", changes={"stereo": False})
    song = case.song()
    _, both = case.run(net, song)
    for channel in (0, 1):
        alone = tmp_path / f"{channel}.wav"
        soundfile.write(alone, read(song)[channel], RATE, subtype="FLOAT")
        _, stems = case.run(net, alone)
        for name in both:
            np.testing.assert_allclose(both[name][channel], stems[name][0], atol=1e-5)
    assert not np.allclose(both["vocals"][0], both["vocals"][1], atol=1e-3)


def test_a_configuration_can_ask_for_a_scaled_song(case, files):
    """With `normalize` the level of the song does not matter: a quieter song has the same stems, only quieter."""
    loud, quiet = case.song(level=0.2), case.folder / "quiet.wav"
    soundfile.write(quiet, read(loud).T * 0.1, RATE, subtype="FLOAT")
    _, plain = case.run(files, loud)
    edit(files.config, "inference", normalize=True)
    _, of_loud = case.run(files, loud)
    _, of_quiet = case.run(files, quiet)
    for name in of_loud:
        np.testing.assert_allclose(of_quiet[name], 0.1 * of_loud[name], atol=1e-4)
    assert not np.allclose(plain["vocals"], of_loud["vocals"], atol=1e-3)


@pytest.mark.parametrize("seconds", [0.3, 1.0, 2.00003, 3.14159])
@pytest.mark.parametrize("overlap", [1, 2, 3])
def test_songs_of_any_length(case, files, seconds, overlap):
    """Songs shorter than a chunk, of exactly one, and of odd lengths come back complete up to both ends."""
    song = case.song(seconds)
    _, stems = case.run(files, song, overlap=overlap)
    for samples in stems.values():
        assert samples.shape[1] == soundfile.info(song).frames
        assert np.isfinite(samples).all()
        assert np.abs(samples[:, :2]).max() > 0
        assert np.abs(samples[:, -2:]).max() > 0


@pytest.mark.parametrize(("channels", "rate"), [(1, RATE), (6, RATE), (2, 48000), (1, 22050)])
def test_songs_of_any_kind(case, files, channels, rate):
    """Mono, 5.1 and other sample rates give stereo stems at the network's rate with the song's length."""
    song = case.song(1.5, channels=channels, rate=rate)
    done, stems = case.run(files, song)
    assert done.sample_rate == RATE
    assert {samples.shape for samples in stems.values()} == {(2, round(1.5 * RATE))}
    done, stems = case.run(files, song, output_sample_rate="source")
    assert done.sample_rate == rate
    assert {samples.shape for samples in stems.values()} == {(2, round(1.5 * rate))}


def test_silence_has_silent_stems(case, files):
    """No network runs."""
    song = case.song(level=0.0)
    soundfile.write(song, np.zeros((5000, 2)), RATE)
    _, stems = case.run(files, song)
    assert all(not samples.any() for samples in stems.values())


# Which stems --------------------------------------------------------------------------------------------------------


def test_files_are_laid_out_as_track_and_stem(case, files):
    """Files are `OUT/TRACK/STEM.wav`, and the reply lists them as documented in the protocol."""
    done, _ = case.run(files)
    assert done.output_dir == str(case.folder / "out" / "song")
    assert done.files == ["vocals.wav", "other.wav"]
    assert sorted(path.name for path in (case.folder / "out" / "song").iterdir()) == sorted(done.files)


def test_one_stem_alone_is_what_it_is_among_all(case, files):
    """Only the needed head runs, and its result is the same."""
    _, everything = case.run(files)
    done, one = case.run(files, stems=["OTHER"])
    assert done.stems == ["other"]
    np.testing.assert_allclose(one["other"], everything["other"], atol=1e-6)


def test_of_many_heads_only_those_asked_for_run(case, tmp_path, monkeypatch):
    """A network of 53 stems computes two of them if two are asked for, and their files have its names for them."""
    names = [f"stem {number}" for number in range(51)] + ["back-vocal", "bowed_strings"]
    net = write_network(tmp_path, "bs_roformer", stems=names)
    asked = []
    forward = BSRoformer.forward

    def noting(self, mix, stems=None):
        asked.append(stems)
        return forward(self, mix, stems)

    monkeypatch.setattr(BSRoformer, "forward", noting)
    done, stems = case.run(net, stems=["BACK-vocal", "bowed_strings"])
    assert (done.stems, list(stems)) == (["back-vocal", "bowed_strings"], ["back-vocal", "bowed_strings"])
    assert {tuple(one) for one in asked} == {(51, 52)}


@pytest.mark.parametrize("fields", [{"extract_instrumental": True}, {"stems": ["vocals", "instrumental"]}])
def test_the_instrumental_is_the_mix_minus_the_vocals(case, files, fields):
    """The equality is sample-exact, whatever the other stems are."""
    song = case.song()
    _, stems = case.run(files, song, **fields)
    assert list(stems)[-1] == "instrumental"
    np.testing.assert_allclose(stems["instrumental"], read(song) - stems["vocals"], atol=1e-7)
    assert ("other" in stems) == ("stems" not in fields)


def test_two_stems_are_the_stem_and_the_rest(case, files):
    """`no_vocals` is the mix minus the vocals."""
    song = case.song()
    done, stems = case.run(files, song, two_stems="vocals")
    assert done.stems == ["vocals", "no_vocals"]
    np.testing.assert_allclose(stems["no_vocals"], read(song) - stems["vocals"], atol=1e-7)


@pytest.mark.parametrize(
    ("instruments", "target", "name"),
    [
        (["vocals", "other"], "vocals", "instrumental"),
        (["noreverb", "reverb"], "noreverb", "reverb"),
        (["vocals", "other"], "other", "vocals"),
        (["Vocals", "Instrumental"], "Instrumental", "Vocals"),
        (["dry"], "dry", "instrumental"),
        (["Instrumental"], "Instrumental", "vocals"),
        (["Vocals", "Instrumental"], None, "instrumental"),
    ],
)
def test_what_is_left_is_called_after_the_configuration(case, tmp_path, instruments, target, name):
    """The complement of vocals is the instrumental; for another single target, the configuration names it."""
    net = write_network(tmp_path, "mdx23c", stems=instruments, target=target)
    song = case.song()
    _, stems = case.run(net, song, extract_instrumental=True)
    assert list(stems)[-1] == name
    taken = "Vocals" if target is None else target
    np.testing.assert_allclose(stems[name], read(song) - stems[taken], atol=1e-7)
    assert len({stem.lower() for stem in stems}) == len(stems)


def test_an_unknown_stem_names_those_there_are(case, files):
    """The error lists the stems, and nothing is written."""
    with pytest.raises(InvalidRequest, match="vocals, other"):
        case.run(files, stems=["drums"])
    assert not (case.folder / "out").exists()


# How well, how fast -------------------------------------------------------------------------------------------------


def test_numbers_come_from_the_preset_and_then_from_the_request(case, files):
    """The reply reports the preset and the values used; explicit fields take precedence."""
    song = case.song(0.5)
    assert case.run(files, song)[0].settings == {
        "overlap": 1,
        "chunk_seconds": 1.0,
        "batch_size": 1,
        "use_tta": False,
        "precision": "fp32",
    }
    settings = case.run(files, song, quality="balanced")[0].settings
    assert (settings["quality"], settings["overlap"], settings["use_tta"]) == ("balanced", 2, False)
    settings = case.run(files, song, quality="best", overlap=3, chunk_seconds=0.5)[0].settings
    assert (settings["overlap"], settings["use_tta"], settings["chunk_seconds"]) == (3, True, 0.5)
    assert case.run(files, song, quality="best", use_tta=False)[0].settings["use_tta"] is False
    assert case.run(files, song, num_overlap=5)[0].settings["overlap"] == 5


def test_augmentation_is_the_mean_of_three_views(case, files):
    """The views are plain, channel-swapped and polarity-inverted, each reverted before averaging."""
    song = case.song()
    turns = [lambda x: x, lambda x: x[::-1], lambda x: -x]
    views = []
    for number, turn in enumerate(turns):
        turned = case.folder / f"{number}.wav"
        soundfile.write(turned, turn(read(song)).T, RATE, subtype="FLOAT")
        views.append({name: turn(stem) for name, stem in case.run(files, turned)[1].items()})
    expected = {name: np.mean([view[name] for view in views], axis=0) for name in views[0]}
    close(case.run(files, song, use_tta=True)[1], expected)
    assert not np.allclose(views[0]["vocals"], expected["vocals"], atol=1e-3)


def test_options_do_not_stay(case, files):
    """Options of one job do not affect the next one."""
    song = case.song()
    _, before = case.run(files, song)
    case.run(
        files,
        song,
        quality="best",
        chunk_seconds=0.4,
        batch_size=3,
        extract_instrumental=True,
        stems=["other"],
        precision="bf16",
        seed=3,
        use_fast=False,
    )
    done, after = case.run(files, song)
    close(before, after, atol=0)
    assert done.settings == {"overlap": 1, "chunk_seconds": 1.0, "batch_size": 1, "use_tta": False, "precision": "fp32"}


@pytest.mark.parametrize("fields", [{"batch_size": 3}, {"use_fast": False}])
def test_what_changes_speed_does_not_change_the_result(case, files, fields):
    """Larger batches and `use_fast` give the same result."""
    song = case.song()
    close(case.run(files, song)[1], case.run(files, song, **fields)[1])


def test_more_overlap_shows_the_network_more_windows(case, files, monkeypatch):
    """Doubling the overlap doubles the windows and changes the result."""
    shown = []
    real = network.NetworkView.__call__
    monkeypatch.setattr(network.NetworkView, "__call__", lambda self, mix: shown.append(1) or real(self, mix))
    song = case.song(4.0)
    _, one = case.run(files, song, overlap=2)
    windows = len(shown)
    _, two = case.run(files, song, overlap=4)
    assert 1.6 < (len(shown) - windows) / windows < 2.4
    assert not np.allclose(one["vocals"], two["vocals"], atol=1e-3)


# Reports ------------------------------------------------------------------------------------------------------------


def test_a_picture_is_written_on_request(case, files):
    """The picture is next to the stems with a similar name, and the reply has its path; silence can be drawn too."""
    done, _ = case.run(files, report=True)
    assert done.report == str(case.folder / "out" / "song" / "report.png")
    assert sorted(path.name for path in (case.folder / "out" / "song").iterdir()) == [
        "other.wav",
        "report.png",
        "vocals.wav",
    ]
    done, _ = case.run(files, report=True, name_template="{track}_({stem})")
    assert done.report == str(case.folder / "out" / "song_(report).png")
    silence = case.folder / "silence.wav"
    soundfile.write(silence, np.zeros((5000, 2)), RATE)
    assert case.run(files, silence, report=True)[0].report.endswith("report.png")
    assert case.run(files)[0].report is msgspec.UNSET


def test_a_picture_that_exists_is_kept_without_overwrite(case, files):
    """The stems are written, and a warning explains why there is no picture."""
    target = case.folder / "out" / "song" / "report.png"
    target.parent.mkdir(parents=True)
    target.write_bytes(b"mine")
    job = Job()
    done, _ = case.run(files, job=job, report=True, overwrite=False)
    assert done.report is msgspec.UNSET
    assert target.read_bytes() == b"mine"
    assert any("report.png" in warning for warning in job.warnings)


def test_a_picture_looks_as_asked(case, files):
    """In the colours and the size of the request; without a picture these are an error, before a model is loaded."""
    done, _ = case.run(files, report=True, report_theme="dark", report_scale=2)
    picture = Image.open(done.report)
    assert picture.width == 2 * (LEFT + PLOT_WIDTH + RIGHT)
    assert picture.getpixel((2, 2)) == PALETTES["dark"].paper
    job = Job()
    with pytest.raises(InvalidRequest, match="report_theme"):
        case.run(files, job=job, report_html=True, report_theme="dark")
    assert job.warnings == []


def test_a_page_that_plays_the_stems_is_written_on_request(case, files):
    """Beside the stems, with or without a picture, under a similar name; it has the mix, the stems and what made them."""
    done, _ = case.run(files, report_html=True)
    assert done.report_html == str(case.folder / "out" / "song" / "report.html")
    assert done.report is msgspec.UNSET
    assert {path.name for path in (case.folder / "out" / "song").iterdir()} == {
        "other.wav",
        "report.html",
        "vocals.wav",
    }
    text = Path(done.report_html).read_text(encoding="utf-8")
    assert text.count("data-clip=") == 3
    assert f"<dt>DSU</dt><dd>{__version__}</dd>" in text
    assert all(f"<dt>{name.replace('_', ' ')}</dt>" in text for name in done.settings)
    done, _ = case.run(files, report=True, report_html=True, name_template="{track}_({stem})")
    assert [Path(path).name for path in (done.report, done.report_html)] == ["song_(report).png", "song_(report).html"]


def test_a_report_that_cannot_be_written_is_a_warning(case, files):
    """The stems are complete, so the job has succeeded; nothing half-written stays."""
    folder = case.folder / "out" / "song"
    (folder / "report.html").mkdir(parents=True)
    job = Job()
    done, _ = case.run(files, job=job, report=True, report_html=True)
    assert (done.report, done.report_html) == (str(folder / "report.png"), msgspec.UNSET)
    assert any("`report.html` was not written." in warning for warning in job.warnings)
    assert len(list(folder.iterdir())) == 4


def test_a_job_that_fails_leaves_no_report(case, files, monkeypatch):
    """Neither its page nor the sound that was kept for it."""
    monkeypatch.setattr(StemSet, "commit", lambda *unused, **unused_too: 1 / 0)
    song = case.song()
    before = sorted(case.folder.rglob("*"))
    with pytest.raises(ZeroDivisionError):
        case.run(files, song, report=True, report_html=True)
    assert sorted(case.folder.rglob("*")) == before
