"""What is typed becomes a request, or a sentence about what is wrong with it."""

import pytest

from utils import __version__
from utils.commandline.options import Options, parse
from utils.core.errors import InvalidRequest


def one(*words: str) -> Options:
    return parse([*words, "song.wav"])


def test_plain_song_gets_the_defaults_of_demucs():
    """Without options: htdemucs, 16-bit WAV, below `separated`."""
    options = one()
    request = options.request
    assert options.tracks == ("song.wav",)
    assert (request.model, request.folder, request.format, request.sample_type) == (
        "htdemucs",
        "separated",
        "wav",
        "PCM_16",
    )
    assert (request.shifts, request.overlap, request.name_template, request.bitrate) == (None, 0.25, None, None)
    assert options.settings == {}


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        (["-n", "htdemucs_ft"], "model", "htdemucs_ft"),
        (["--repo", "nets"], "repo", "nets"),
        (["-o", "out"], "output", "out"),
        (["--out", "out"], "output", "out"),
        (["--two-stems", "vocals"], "two_stems", "vocals"),
        (["--two-stems=vocals"], "two_stems", "vocals"),
        (["--other-method", "minus"], "other_method", "minus"),
        (["--stems", "drums, bass"], "stems", ["drums", "bass"]),
        (["--mp3"], "format", "mp3"),
        (["--mp3"], "bitrate", 320),
        (["--mp3", "--mp3-bitrate", "192"], "bitrate", 192),
        (["--format", "ogg", "--bitrate", "128"], "bitrate", 128),
        (["--flac"], "format", "flac"),
        (["--int24"], "pcm_type", "PCM_24"),
        (["--float32"], "pcm_type", "FLOAT"),
        (["--shifts", "2"], "shifts", 2),
        (["--overlap", "0.1"], "overlap", 0.1),
        (["--segment", "7"], "segment", 7.0),
        (["-j", "2"], "jobs", 2),
        (["--clip-mode", "clamp"], "clip", "clamp"),
        (["--sample-rate", "48000"], "output_sample_rate", 48000),
        (["--sample-rate", "source"], "output_sample_rate", "source"),
        (["--seed", "5"], "seed", 5),
        (["--precision", "bf16"], "precision", "bf16"),
        (["--overwrite"], "overwrite", True),
    ],
)
def test_option_sets_its_field(words, field, value):
    """Each option ends up in the request's field of the same meaning."""
    assert getattr(one(*words).request, field) == value


def test_existing_results_are_replaced_unless_skipped():
    """`--overwrite` says what happens anyway; `--skip-existing` is for the command line, not for the request."""
    assert one("--skip-existing").skip_existing
    assert not one("--overwrite").skip_existing


def test_options_about_the_machine_are_settings():
    """Device, threads and folders of models are not part of the request; those not given are left out."""
    words = ["-d", "cpu", "--threads", "2", "--models-dir", "m", "--offline", "--allow-unsafe-checkpoints"]
    assert one(*words).settings == {
        "device": "cpu",
        "threads": 2,
        "models_dir": "m",
        "offline": True,
        "allow_unsafe_checkpoints": True,
    }


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
        (["--bitrate", "320"], "wav"),
        (["--sample-rate", "high"], "'high'"),
        (["--shifts", "-1"], "--shifts"),
        (["--overlap", "1"], "--overlap"),
        (["--sample-rate", "10"], "--sample-rate"),
        (["--filename", "{title}.{ext}"], "{title}"),
        (["--filename", "{track"], "brace"),
        (["--filename", "{stem}"], ".{ext}"),
        (["--filename", "{stem}.flac"], ".wav"),
        (["--mp3", "--flac"], "--mp3"),
        (["--format", "wma"], "wma"),
        (["--segmnt", "7"], "--segmnt"),
        (["--overwrite", "--skip-existing"], "--overwrite"),
        (["--segment", "7", "--no-split"], "--segment"),
    ],
)
def test_what_cannot_be_honoured_is_refused(words, part):
    """A wrong, unknown or unsupported option is an error that names it."""
    with pytest.raises(InvalidRequest) as caught:
        one(*words)
    assert part in caught.value.message


def test_no_song_is_an_error_unless_models_are_listed():
    """There must be something to separate."""
    with pytest.raises(InvalidRequest, match="song or folder"):
        parse(["-n", "htdemucs"])
    assert parse(["--list-models"]).list_models


def test_trackext_needs_songs_of_one_extension():
    """One template serves all songs, so `{trackext}` must mean the same for each."""
    words = ["--filename", "{track}.{trackext}.{stem}.{ext}"]
    assert parse([*words, "a.mp3", "b.mp3"]).request.name_template == "{model}/{track}.mp3.{stem}"
    for tracks in (["a.mp3", "b.wav"], ["folder"]):
        with pytest.raises(InvalidRequest, match="one extension"):
            parse([*words, *tracks])


def test_help_names_every_option_that_works(capsys):
    """`--help` lists what can be used, and not what is refused."""
    with pytest.raises(SystemExit) as caught:
        parse(["--help"])
    text = capsys.readouterr().out
    assert caught.value.code == 0
    assert all(word in text for word in ("--two-stems", "--repo", "--print-paths", "--worker"))
    assert "--no-split" not in text


def test_version_is_the_project_s(capsys):
    """`--version` prints the one version there is."""
    with pytest.raises(SystemExit):
        parse(["--version"])
    assert capsys.readouterr().out.strip() == f"dsu-demucs {__version__}"
