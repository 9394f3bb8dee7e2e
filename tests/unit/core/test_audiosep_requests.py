"""What may be asked for in words, and where it goes."""

import msgspec
import pytest

from utils.core.errors import InvalidRequest
from utils.core.requests import AudioSepSeparate


def asked(**fields):
    return msgspec.convert({"cmd": "separate", "input": "a.wav", **fields}, AudioSepSeparate)


@pytest.mark.parametrize(
    ("fields", "queries"),
    [
        ({"text": " a dog "}, ["a dog"]),
        ({"texts": ["Drums", "a voice"]}, ["Drums", "a voice"]),
        ({"text": "residual"}, ["residual"]),
    ],
)
def test_texts_are_taken_in_order_and_trimmed(fields, queries):
    """One or several."""
    assert asked(**fields).queries == queries


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"text": "  "}, "text"),
        ({"texts": ["drums", ""]}, "texts"),
        ({"text": "drums", "texts": ["drums"]}, "texts"),
        ({"texts": ["drums", "DRUMS "]}, "texts"),
        ({"text": "Residual", "residual": True}, "text"),
    ],
)
def test_texts_that_say_nothing_or_the_same_are_refused(fields, field):
    """The error names the field."""
    with pytest.raises(InvalidRequest) as caught:
        _ = asked(**fields).queries
    assert caught.value.field == field


@pytest.mark.parametrize("use_chunk", [True, False, "auto"])
def test_the_three_ways_of_cutting_a_song(use_chunk):
    """As the clients say it."""
    assert asked(use_chunk=use_chunk).use_chunk is use_chunk or use_chunk == "auto"


@pytest.mark.parametrize("fields", [{"use_chunk": "never"}, {"texts": []}, {"texts": ["a"] * 33}, {"chunk_seconds": 0}])
def test_other_values_are_refused(fields):
    """By their type."""
    with pytest.raises(msgspec.ValidationError):
        asked(**fields)


@pytest.mark.parametrize(
    ("fields", "folder"),
    [({"output": "out/a.wav"}, "out"), ({"output": "a.wav"}, "."), ({"output_dir": "out"}, "out"), ({}, "output")],
)
def test_the_folder_is_that_of_the_file_or_the_directory(fields, folder):
    """Where the results lie."""
    assert asked(**fields).folder == folder


def test_there_is_one_place_to_write_to():
    """A file or a directory."""
    with pytest.raises(InvalidRequest, match="`output`"):
        _ = asked(output="a.wav", output_dir="out").folder


def test_without_a_text_it_is_speech():
    """What most clients want, and what they got from the first worker of this kind."""
    assert asked().queries == ["speech"]
