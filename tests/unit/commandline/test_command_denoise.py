"""What `dsu-denoise` has of its own, over an engine without models."""

import pytest
from scripted_engine import ScriptedEngine

from utils.commandline.denoise import PROGRAM, find_models, main, results
from utils.commandline.existing import Results
from utils.core.errors import InvalidRequest
from utils.core.requests import Denoise


def request(*words):
    return PROGRAM.parse(words).request


def test_a_song_the_noise_and_the_result():
    """Without --noise the files stand in this order, and the result goes beside the song unless it is named."""
    options = PROGRAM.parse(["takes/a.wav", "hiss.wav"])
    assert (options.tracks, options.request.noise) == (("takes/a.wav",), "hiss.wav")
    assert (options.request.output, options.request.output_dir) == (None, "takes")
    assert request("a.wav", "hiss.wav", "--out", "clean").output_dir == "clean"
    assert request("a.wav", "hiss.wav", "b.flac").output == "b.flac"
    assert request("a.wav", "hiss.wav", "clean").output_dir == "clean"


def test_many_songs_with_the_noise_as_an_option():
    """Then all files are songs."""
    options = PROGRAM.parse(["a.wav", "b.wav", "-n", "hiss.wav", "--out", "clean"])
    assert (options.tracks, options.request.noise) == (("a.wav", "b.wav"), "hiss.wav")
    assert options.request.output_dir == "clean"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.wav"], "a recording of its noise"),
        (["a.wav", "b.wav", "c.wav", "d.wav"], "any number of songs and give the noise"),
        (["a.wav", "hiss.wav", "b.wav", "--out", "c.wav"], "optionally the result"),
        (["a.wav", "b.wav", "--noise", "hiss.wav"], "Name a directory in --out"),
        (["a.wav", "b.wav", "--noise", "hiss.wav", "--out", "c.wav"], "Several songs cannot go into one file"),
        ([], "Name at least one song"),
        (["a.wav", "hiss.wav", "--drums", "--slow"], "not allowed with"),
        (["a.wav", "hiss.wav", "--amount", "11"], "--amount takes a number of at most 10"),
    ],
)
def test_what_makes_no_sense_is_an_error(words, message):
    """In the words of the options."""
    with pytest.raises(InvalidRequest, match=message):
        PROGRAM.parse(words)


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        ([], "mode", "default"),
        (["--drums"], "mode", "drums"),
        (["--slow"], "mode", "slow"),
        (["--amount", "0.5"], "subtraction_factor", 0.5),
        (["--attack", "0.02"], "attack_time", 0.02),
        (["--release", "0.2"], "release_time", 0.2),
    ],
)
def test_a_denoising_option_sets_its_field(words, field, value):
    """Each option ends up in the request's field of the same meaning."""
    assert getattr(request("a.wav", "hiss.wav", *words), field) == value


def test_it_needs_no_model(tmp_path):
    """Nothing is looked for or downloaded, and the songs are handed to the engine."""
    (tmp_path / "a.wav").touch()
    engine = ScriptedEngine()
    assert main([str(tmp_path / "a.wav"), "hiss.wav"], lambda settings: engine, lambda *_: []) == 0
    assert (find_models(engine, Denoise()), engine.listed) == ([], [])
    assert [asked.input for asked in engine.requests] == [str(tmp_path / "a.wav")]


def test_the_result_of_a_song_is_known():
    """For --skip-existing."""
    assert results(request("a.wav", "hiss.wav"), []) == Results("envelope_matched", ("denoised",))
