"""What users of demucs type becomes a request, or a sentence about what is wrong with it."""

import pytest

from utils.commandline.demucs import PROGRAM
from utils.core.errors import InvalidRequest


def one(*words):
    return PROGRAM.parse([*words, "song.wav"])


def test_plain_song_gets_the_defaults_of_demucs():
    """Without options: htdemucs, 16-bit WAV, below `separated`."""
    request = one().request
    assert (request.model, request.folder, request.format, request.sample_type) == (
        "htdemucs",
        "separated",
        "wav",
        "PCM_16",
    )
    assert (request.shifts, request.overlap, request.other_method) == (None, 0.25, "minus")


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        (["-n", "htdemucs_ft"], "model", "htdemucs_ft"),
        (["--name", "htdemucs_ft"], "model", "htdemucs_ft"),
        (["--repo", "nets"], "repo", "nets"),
        (["--other-method", "add"], "other_method", "add"),
        (["--mp3", "--mp3-bitrate", "192"], "bitrate", 192),
        (["--mp3", "--mp3-bitrate", "192", "--bitrate", "128"], "bitrate", 128),
        (["--shifts", "2"], "shifts", 2),
        (["--overlap", "0.1"], "overlap", 0.1),
        (["--segment", "7"], "segment", 7.0),
        (["-j", "2"], "jobs", 2),
        (["--jobs", "2"], "jobs", 2),
        (["--seed", "5"], "seed", 5),
    ],
)
def test_option_sets_its_field(words, field, value):
    """Each option of demucs ends up in the request's field of the same meaning."""
    assert getattr(one(*words).request, field) == value


@pytest.mark.parametrize(
    ("words", "template"),
    [
        (["--filename", "{track}/{stem}.{ext}"], None),
        (["--filename", "{track}_{stem}.{ext}"], "{model}/{track}_{stem}"),
        (["--filename", "{stem}.wav"], "{model}/{stem}"),
        (["--filename", "{track}.{trackext}/{stem}.{ext}"], "{model}/{track}.wav/{stem}"),
        (["--flac", "--filename", "{ext}/{stem}.{ext}"], "{model}/flac/{stem}"),
    ],
)
def test_filename_becomes_a_name_template_below_the_model(words, template):
    """The template of demucs counts from OUT/MODEL and carries the extension; the request's does neither."""
    assert one(*words).request.name_template == template


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--no-split"], "--segment"),
        (["--mp3-preset", "2"], "--mp3-bitrate"),
        (["--mp3-bitrate", "320"], "--mp3"),
        (["--format", "ogg", "--mp3-bitrate", "320"], "--mp3"),
        (["--shifts", "-1"], "--shifts takes a whole number of at least 0"),
        (["--overlap", "1"], "--overlap takes a number below 1"),
        (["--filename", "{title}.{ext}"], "{title}"),
        (["--filename", "{track"], "brace"),
        (["--filename", "{stem}"], ".{ext}"),
        (["--filename", "{stem}.flac"], ".wav"),
        (["--other-method", "plus"], "--other-method"),
        (["--segmnt", "7"], "--segment"),
        (["--segment", "7", "--no-split"], "--segment"),
    ],
)
def test_what_cannot_be_honoured_is_refused(words, part):
    """A wrong, unknown or unsupported option is an error that names it."""
    with pytest.raises(InvalidRequest) as caught:
        one(*words)
    assert part in caught.value.message


def test_trackext_needs_songs_of_one_extension():
    """One template serves all songs, so `{trackext}` must mean the same for each."""
    words = ["--filename", "{track}.{trackext}.{stem}.{ext}"]
    assert PROGRAM.parse([*words, "a.mp3", "b.mp3"]).request.name_template == "{model}/{track}.mp3.{stem}"
    for tracks in (["a.mp3", "b.wav"], ["folder"]):
        with pytest.raises(InvalidRequest, match="one extension"):
            PROGRAM.parse([*words, *tracks])


def test_help_leaves_out_what_is_refused(capsys):
    """What demucs has and this program has not is explained to those who type it, not offered."""
    with pytest.raises(SystemExit):
        PROGRAM.parse(["--help"])
    text = capsys.readouterr().out
    assert "--no-split" not in text
    assert "--mp3-preset" not in text
