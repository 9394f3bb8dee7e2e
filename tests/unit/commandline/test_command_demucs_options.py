"""What users of demucs type becomes a request, or a sentence about what is wrong with it."""

from pathlib import Path

import pytest

from utils.commandline.demucs import PROGRAM, request_for
from utils.commandline.options import NoCommandLine
from utils.core.errors import InvalidRequest


def one(*words):
    return PROGRAM.parse([*words, "song.wav"])


def request(*words, song="song.wav"):
    """The request for one song."""
    return request_for(Path(song), PROGRAM.parse([*words, song]))


def test_plain_song_gets_the_defaults_of_demucs():
    """Without options: htdemucs, one time shift, 16-bit WAV, below `separated`; stems are rescaled one by one."""
    plain = request()
    assert (plain.model, plain.folder, plain.format, plain.pcm_type) == ("htdemucs", "separated", "wav", None)
    assert (plain.shifts, plain.overlap, plain.split, plain.segment) == (1, 0.25, True, None)
    assert (plain.clip, plain.other_method, plain.name_template) == ("rescale_each", None, None)


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        (["-n", "htdemucs_ft"], "model", "htdemucs_ft"),
        (["--name", "htdemucs_ft"], "model", "htdemucs_ft"),
        (["-s", "955717e8"], "model", "955717e8"),
        (["--repo", "nets"], "repo", "nets"),
        (["--two-stems", "bass", "--other-method", "add"], "other_method", "add"),
        (["--two-stems", "bass", "--other-method", "add"], "rest_name", None),
        (["--two-stems", "bass", "--other-method", "minus"], "rest_name", "minus_bass"),
        (["--mp3", "--mp3-bitrate", "192"], "bitrate", 192),
        (["--mp3", "--mp3-bitrate", "192", "--bitrate", "128"], "bitrate", 128),
        (["--mp3"], "bitrate", None),
        (["--mp3-bitrate", "192"], "bitrate", None),
        (["--mp3-preset", "7"], "format", "wav"),
        (["--flac", "--float32"], "pcm_type", None),
        (["--flac", "--int24"], "pcm_type", "PCM_24"),
        (["--mp3", "--int24"], "pcm_type", None),
        (["--clip-mode", "rescale"], "clip", "rescale_each"),
        (["--clip-mode", "rescale_all"], "clip", "rescale"),
        (["--clip-mode", "clamp"], "clip", "clamp"),
        (["--shifts", "2"], "shifts", 2),
        (["--overlap", "0.1"], "overlap", 0.1),
        (["--segment", "7"], "segment", 7.0),
        (["--no-split"], "split", False),
        (["-j", "2"], "jobs", 2),
        (["--jobs", "2"], "jobs", 2),
        (["--seed", "5"], "seed", 5),
    ],
)
def test_option_sets_its_field(words, field, value):
    """Each option of demucs ends up in the request's field of the same meaning."""
    assert getattr(request(*words), field) == value


@pytest.mark.parametrize(
    ("words", "template", "ending"),
    [
        (["--filename", "{track}/{stem}.{ext}"], None, "wav"),
        (["--filename", "{track}_{stem}.{ext}"], "{model}/{track}_{stem}", "wav"),
        (["--filename", "{stem}.wav"], "{model}/{stem}", "wav"),
        (["--filename", "../{track}/{stem}.wav"], "{track}/{stem}", "wav"),
        (["--filename", "{stem}.FLAC"], "{model}/{stem}", "flac"),
        (["--filename", "{track}.{trackext}/{stem}.{ext}"], "{model}/{track}.wav/{stem}", "wav"),
        (["--mp3", "--filename", "{stem}.{trackext}"], "{model}/{stem}", "wav"),
        (["--flac", "--filename", "{ext}/{stem}.{ext}"], "{model}/flac/{stem}", "flac"),
    ],
)
def test_filename_becomes_a_name_template_below_the_model(words, template, ending):
    """The template of demucs counts from OUT/MODEL and carries the extension; the request's does neither."""
    found = request(*words)
    assert (found.name_template, found.format) == (template, ending)


def test_each_song_has_its_own_extension():
    """`{trackext}` is that of the song; of a name without one, demucs takes the name."""
    options = PROGRAM.parse(["--filename", "{trackext}/{track}.{stem}.{ext}", "a.mp3", "b.{x}", "c"])
    found = [request_for(Path(track), options).name_template for track in options.tracks]
    assert found == ["{model}/mp3/{track}.{stem}", "{model}/{{x}}/{track}.{stem}", "{model}/c/{track}.{stem}"]


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--shifts", "-1"], "--shifts takes a whole number of at least 0"),
        (["--overlap", "1"], "--overlap takes a number below 1"),
        (["--filename", "{title}.{ext}"], "{title}"),
        (["--filename", "{track"], "brace"),
        (["--filename", "{stem}"], ".{ext}"),
        (["--filename", "../../{stem}.wav"], "leads out of the folder"),
        (["--filename", "/{stem}.wav"], "leads out of the folder"),
        (["--filename", "{stem}.xyz"], ".wav"),
    ],
)
def test_what_cannot_be_honoured_is_refused(words, part):
    """It is an error that names the option, not one of reading the command line."""
    with pytest.raises(InvalidRequest) as caught:
        one(*words)
    assert part in caught.value.message
    assert not isinstance(caught.value, NoCommandLine)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--other-method", "plus"], "--other-method"),
        (["--segmnt", "7"], "--segment"),
        (["--segment", "7", "--no-split"], "--segment"),
        (["-n", "one", "-s", "two"], "-n"),
        (["--mp3-preset", "9"], "--mp3-preset"),
        (["--fl"], "--float32"),
    ],
)
def test_what_cannot_be_read_is_told(words, part):
    """A wrong or unknown option, or two that exclude each other."""
    with pytest.raises(NoCommandLine) as caught:
        one(*words)
    assert part in caught.value.message


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        (["--ov", "0.5"], "overlap", 0.5),
        (["--se", "4"], "segment", 4.0),
        (["--re", "nets"], "repo", "nets"),
        (["--j", "3"], "jobs", 3),
        (["--no"], "split", False),
        (["--sample-r", "22050"], "output_sample_rate", 22050),
    ],
)
def test_beginnings_mean_the_options_of_demucs(words, field, value):
    """An option of our own does not make a beginning ambiguous that demucs understands."""
    assert getattr(request(*words), field) == value
