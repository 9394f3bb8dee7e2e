"""What every program understands: output, machine, models at hand, songs."""

import argparse
from dataclasses import replace
from typing import Annotated, Literal

import pytest
from both_programs import PROGRAMS
from msgspec import Meta

from utils import __version__
from utils.commandline import bsroformer, options
from utils.commandline.layout import names_in
from utils.core import requests
from utils.core.errors import InvalidRequest
from utils.core.requests import Preview


@pytest.fixture(params=PROGRAMS, ids=lambda program: program.name)
def program(request):
    return request.param


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        ([], "model", "ready"),
        ([], "folder", "separated"),
        ([], "format", "wav"),
        ([], "preview", None),
        ([], "name_template", None),
        (["-o", "out"], "folder", "out"),
        (["--out", "out"], "folder", "out"),
        (["--format", "opus"], "format", "opus"),
        (["--mp3"], "format", "mp3"),
        (["--mp3"], "bitrate", None),
        (["--flac"], "format", "flac"),
        (["--format", "ogg", "--bitrate", "128"], "bitrate", 128),
        (["--mp3", "--bitrate", "128"], "bitrate", 128),
        (["--int24"], "pcm_type", "PCM_24"),
        (["--float32"], "pcm_type", "FLOAT"),
        (["--sample-type", "24"], "pcm_type", "PCM_24"),
        (["--sample-type", "PCM_32"], "pcm_type", "PCM_32"),
        (["--sample-type", "source"], "pcm_type", "source"),
        (["--preview", "20"], "preview", Preview(start=0, duration=20)),
        (["--preview", "1.5:2.5"], "preview", Preview(start=1.5, duration=2.5)),
        (["--sample-rate", "48000"], "output_sample_rate", 48000),
        (["--sample-rate", "source"], "output_sample_rate", "source"),
        (["--clip-mode", "none"], "clip", "none"),
        (["--overwrite"], "overwrite", True),
        (["--stems", "drums, bass"], "stems", ["drums", "bass"]),
        (["--two-stems", "vocals"], "two_stems", "vocals"),
        (["--two-stems=vocals"], "two_stems", "vocals"),
        (["--batch-size", "4"], "batch_size", 4),
        (["--precision", "bf16"], "precision", "bf16"),
    ],
)
def test_option_sets_its_field(program, words, field, value):
    """Each shared option ends up in the request's field of the same meaning."""
    assert getattr(program.one(*words).request, field) == value


def test_options_about_the_machine_are_settings(program):
    """Device, threads and folders of models are not part of the request; those not given are left out."""
    words = ["-d", "cpu", "--threads", "2", "--models-dir", "m", "--offline", "--allow-unsafe-checkpoints"]
    assert program.one(*words).settings == {
        "device": "cpu",
        "threads": 2,
        "models_dir": "m",
        "offline": True,
        "allow_unsafe_checkpoints": True,
    }
    assert program.one().settings == {}


@pytest.mark.parametrize("switch", ["list_models", "download", "skip_existing", "print_paths", "verbose"])
def test_what_the_program_itself_does_is_off_until_asked_for(program, switch):
    """These are no fields of a request."""
    assert not getattr(program.one().run, switch)
    assert getattr(program.one(f"--{switch.replace('_', '-')}").run, switch)


def test_existing_results_are_replaced_unless_skipped(program):
    """`--overwrite` says what happens anyway; `--skip-existing` is for the command line, not for the request."""
    assert program.one("--skip-existing").request.overwrite
    assert not program.one("--overwrite").run.skip_existing


@pytest.mark.parametrize(
    ("words", "tracks"),
    [
        (["a.wav", "b.wav"], ("a.wav", "b.wav")),
        (["a.wav", "--flac", "b.wav", "-o", "out", "c"], ("a.wav", "b.wav", "c")),
        (["--", "-a.wav", "--b.wav"], ("-a.wav", "--b.wav")),
        (["a.wav", "--", "-b.wav"], ("a.wav", "-b.wav")),
    ],
)
def test_songs_stand_anywhere(program, words, tracks):
    """Before, between and after options; what follows `--` is a song whatever it looks like."""
    assert program.parse(program.typed(*words)).tracks == tracks


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--bitrate", "320"], "--bitrate is for lossy formats; wav is lossless."),
        (["--preview", "a:b"], "--preview: a number of seconds such as 30 or 60:30 is needed, not 'a:b'."),
        (["--sample-rate", "high"], "--sample-rate: a number or `source` is needed, not 'high'."),
        (["--threads", "many"], "--threads: a whole number is needed, not 'many'."),
        (["--bitrate", "much"], "--bitrate: a whole number is needed, not 'much'."),
        (["--batch-size", "0"], "--batch-size takes a whole number of at least 1."),
        (["--batch-size", "999"], "--batch-size takes a whole number of at most 256."),
        (["--stems", "a,,b"], "--stems: names separated by commas are needed, not 'a,,b'."),
        (["--stems", "a", "--two-stems", "b"], "--two-stems: not allowed with argument --stems."),
        (["--mp3", "--flac"], "--flac: not allowed with argument --mp3."),
        (["--int24", "--float32"], "--float32: not allowed with argument --int24."),
        (["--overwrite", "--skip-existing"], "--skip-existing: not allowed with argument --overwrite."),
        (["--format", "wma"], "--format: invalid choice: 'wma'"),
        (["--clip-mode", "hard"], "--clip-mode: invalid choice: 'hard'"),
        (["--oflin"], "There is no option --oflin. Did you mean: --offline"),
        (["--fl"], "Ambiguous option: --fl could match --fl"),
        (["--two-stms=vocals"], "There is no option --two-stms. Did you mean: --two-stems"),
    ],
)
def test_what_is_wrong_is_refused(program, words, message):
    """A wrong or unknown option is an error that names it, and the nearest there is."""
    with pytest.raises(InvalidRequest) as caught:
        program.one(*words)
    assert caught.value.message.startswith(message)


def test_options_may_be_cut_short_and_have_underscores(program):
    """As in programs whose options argparse reads, and in those that write them with `_`; values keep theirs."""
    assert program.one("--two_st=vocals_2", "--sample_ra", "22050", "--offlin").request.two_stems == "vocals_2"
    assert program.one("--print_paths").run.print_paths
    assert program.parse(program.typed("--", "--a_b.wav")).tracks == ("--a_b.wav",)


def test_a_missing_value_is_refused(program):
    """An option at the end that needs a value says so."""
    with pytest.raises(InvalidRequest, match="-o/--out: expected one argument"):
        program.parse(program.typed("song.wav", "-o"))


def test_no_song_is_an_error_unless_only_models_are_asked_for(program):
    """There must be something to separate, to list or to fetch."""
    with pytest.raises(InvalidRequest, match="song or folder") as caught:
        program.parse(program.typed())
    assert caught.value.hint == f"`{program.name} --help` lists the options."
    assert program.parse(["--list-models"]).run.list_models
    assert program.parse(program.typed("--download")).run.download


def test_help_names_every_option_that_works(program, capsys):
    """`--help` lists what can be used, shows examples, and mentions no name of a field."""
    with pytest.raises(SystemExit) as caught:
        program.parse(["--help"])
    text = capsys.readouterr().out
    assert caught.value.code == 0
    assert all(option in text for option in program.one().wording.options)
    assert f"\n  {program.name} " in text
    assert "--worker" in text
    assert "_" not in "".join(word for word in text.split() if word.startswith("--"))


def test_version_is_the_project_s(program, capsys):
    """`--version` prints the one version there is."""
    with pytest.raises(SystemExit):
        program.parse(["--version"])
    assert capsys.readouterr().out.strip() == f"{program.name} {__version__}"


@pytest.mark.parametrize("text", ["much", "nan", "inf", ""])
def test_a_number_is_finite(text):
    """What would make every comparison meaningless is no number here."""
    with pytest.raises(argparse.ArgumentTypeError, match="a number is needed"):
        options.number(text)
    assert options.numbers("1, 2.5") == [1.0, 2.5]


@pytest.mark.parametrize("template", ["{title}", "{stem", "{0}"])
def test_templates_have_known_fields_only(template):
    """An unknown field or a lonely brace is an error that names the option."""
    with pytest.raises(InvalidRequest, match="--names"):
        options.template_fields(template, "--names", {"stem"})
    assert options.template_fields("{stem} {{x}}", "--names", {"stem"}) == {"stem"}


# From fields to options -------------------------------------------------------------------------------------------


class Tuned(requests.NetworkSeparate, frozen=True, kw_only=True, tag_field="cmd", tag="separate"):
    """A request with fields that no command line has heard of."""

    warmth: Annotated[float, Meta(ge=0, le=1, description="How warm it sounds; not `overlap`.")] = 0.5
    echo_count: Annotated[int, Meta(description="Echoes.")] | None = None
    bright: Annotated[bool, Meta(description="Make it 10 % brighter.")] = False
    dithered: Annotated[bool, Meta(description="Skip dither.")] = True
    era: Annotated[Literal["old", "new"], Meta(description="Which era.")] = "new"
    instruments: Annotated[list[str] | None, Meta(description="Only these.")] = None
    region: requests.Preview | None = None


TUNED = replace(bsroformer.PROGRAM.layout, requests=(Tuned,))


def tuned(*words):
    return options.read(TUNED, [*words, "song.wav"]).understand(Tuned).request


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        ([], "warmth", 0.5),
        (["--warmth", "0.25"], "warmth", 0.25),
        (["--echo-count", "3"], "echo_count", 3),
        (["--bright"], "bright", True),
        (["--no-dithered"], "dithered", False),
        (["--era", "old"], "era", "old"),
        (["--instruments", "oboe,harp"], "instruments", ["oboe", "harp"]),
    ],
)
def test_a_new_field_is_an_option(words, field, value):
    """Named like the field, with nothing to write down for it."""
    assert getattr(tuned(*words), field) == value


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--warmth", "2"], "--warmth takes a number of at most 1"),
        (["--era", "golden"], "--era: invalid choice"),
        (["--region", "1"], "There is no option --region"),
    ],
)
def test_a_new_field_is_checked(words, message):
    """By its type and its bounds; what cannot be typed, such as an object, is no option."""
    with pytest.raises(InvalidRequest, match=message):
        tuned(*words)


def test_a_new_field_is_in_the_help(capsys):
    """With its description, the names of options in it, and its default."""
    with pytest.raises(SystemExit):
        tuned("--help")
    text = " ".join(capsys.readouterr().out.split())
    assert "further options: --warmth X how warm it sounds; not --overlap; default 0.5" in text
    assert "--echo-count N echoes" in text
    assert "--bright make it 10 % brighter" in text
    assert "--era {old,new} which era; default new" in text


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        ([], "report", False),
        (["--report"], "report", True),
        (["--report"], "report_html", False),
        (["--report-html"], "report_html", True),
        (["--report", "--report-html"], "report", True),
        (["--report", "--report-theme", "dark"], "report_theme", "dark"),
        (["--report", "--report-scale", "2"], "report_scale", 2),
    ],
)
def test_a_field_that_all_requests_have_is_an_option_of_all_programs(program, words, field, value):
    """Such as the report of a separation."""
    assert getattr(program.one(*words).request, field) == value


@pytest.mark.parametrize("words", [["--report-theme", "dark"], ["--report-html", "--report-scale", "2"]])
def test_the_look_of_a_picture_needs_a_picture(program, words):
    """The message says which option is missing."""
    with pytest.raises(InvalidRequest, match=rf"{words[-2]} is for the picture of a report.*Add --report\."):
        program.one(*words)


def test_every_name_in_a_layout_is_a_field(program):
    """A field that was renamed would leave a line behind that does nothing."""
    layout = program.program.layout
    known = layout.fields.keys()
    assert layout.options.keys() <= known
    assert layout.hidden <= known
    assert {name for items in layout.groups.values() for item in items for name in names_in(item)} <= known


def test_help_fits_80_columns(program, capsys, monkeypatch):
    """In a terminal of the usual width no line is broken."""
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        program.parse(["--help"])
    assert [line for line in capsys.readouterr().out.splitlines() if len(line) > 79] == []
