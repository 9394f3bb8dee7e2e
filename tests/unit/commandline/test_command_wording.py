"""Fields and commands become options."""

import pytest

from utils.commandline.bsroformer import PROGRAM
from utils.commandline.wording import Wording
from utils.core.failures import TRACEBACK_HINT

WORDING = PROGRAM.parse(["-m", "net", "song.wav"]).wording


@pytest.mark.parametrize(
    ("field", "option"),
    [
        ("model", "--model"),
        ("chunk_seconds", "--chunk-seconds"),
        ("use_tta", "--tta"),
        ("output", "--out"),
        ("output_sample_rate", "--sample-rate"),
        ("preview", "--preview"),
        ("jobs", "`jobs`"),
    ],
)
def test_a_field_is_called_by_its_option(field, option):
    """A field that nobody can type keeps its name."""
    assert WORDING.option(field) == option


@pytest.mark.parametrize(
    ("hint", "told"),
    [
        ("Give in `model_path` the file.", "Give in --model-path the file."),
        ('Use "precision":"fp32".', "Use --precision fp32."),
        ('Use "format": "wav" or "flac".', 'Use --format wav or "flac".'),
        ('Use "pcm_type": "PCM_24".', "Use --int24."),
        ('Set "overwrite":true to replace it.', "Set --overwrite to replace it."),
        ('Use "pcm_type": "PCM_16".', "Use --sample-type PCM_16."),
        ('The nearest it has is "bitrate": 192.', "The nearest it has is --bitrate 192."),
        ('Send {"cmd":"download_model","model":"net"} to fetch it.', "--download fetches it."),
        ('{"cmd":"list_models"} lists them.', "--list-models lists all models."),
        ('Send {"cmd":"cancel"}.', 'Send {"cmd":"cancel"}.'),
        ("Delete `net.ckpt`.", "Delete `net.ckpt`."),
    ],
)
def test_a_hint_for_programs_becomes_one_for_people(hint, told):
    """Fields, settings and commands in it are replaced by what is typed instead."""
    assert WORDING.of_hint(hint) == told


def test_the_advice_to_get_a_traceback_names_an_option_of_the_program():
    """Where a program has none, its users are not told of a worker's option either."""
    assert WORDING.of_hint(TRACEBACK_HINT) == "Run it again with --verbose for a traceback to report."
    assert Wording(()).of_error("An unexpected error occurred.", TRACEBACK_HINT) == "An unexpected error occurred."


def test_only_the_field_of_an_error_is_renamed_in_its_message():
    """Other words in backticks may be names that happen to be the same, such as that of a folder."""
    assert WORDING.of_error("There is no audio in `stems`.", field="inputs") == "There is no audio in `stems`."
    assert WORDING.of_error("`overlap` of `stems` is wrong.", field="overlap") == "--overlap of `stems` is wrong."


def test_an_error_is_one_line():
    """Also one with a hint, and one that came on several."""
    assert WORDING.of_error("Too\n  much.", hint="Use\nless.") == "Too much. Use less."


@pytest.mark.parametrize(
    ("warning", "told"),
    [
        ('It is small. Send {"cmd":"list_models"} for others.', "It is small. --list-models lists all models."),
        ("Three of\n them.", "Three of them."),
        ('Send {"cmd":"cancel"}.', 'Send {"cmd":"cancel"}.'),
    ],
)
def test_a_warning_for_programs_becomes_one_for_people(warning, told):
    """Where a sentence tells what to send, another tells what to type."""
    assert WORDING.of_warning(warning) == told
