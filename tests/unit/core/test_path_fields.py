"""Texts that are no paths."""

import os

import pytest

from utils.core import path_fields
from utils.core.errors import InputUnreadable, InvalidRequest, OutputNotWritable
from utils.core.path_fields import require_paths
from utils.core.requests import LoadModel, NetworkSeparate


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("a\0b", "zero character"),
        ("~nosuchuserhere/a.wav", "no home directory"),
        ("a/\ud800", "half a character"),
        ("x" * 256, "too long"),
        ("../" + "é" * 256 + "/a", "too long"),
    ],
)
@pytest.mark.parametrize(
    ("field", "kind"), [("input", InputUnreadable), ("output", OutputNotWritable), ("model_path", InvalidRequest)]
)
def test_each_field_says_what_is_wrong_with_it(field, kind, path, reason):
    """One error with the field's name, in text that can be sent."""
    with pytest.raises(kind, match=reason) as caught:
        require_paths(NetworkSeparate(**{"input": "a.wav", field: path}))
    assert caught.value.field == field
    assert caught.value.message.encode().isascii() or "é" in caught.value.message
    assert "\0" not in caught.value.message


def test_the_name_of_a_model_is_looked_for_as_a_file():
    """So it is none if no file could have it, also where nothing is separated."""
    with pytest.raises(InvalidRequest, match="too long") as caught:
        require_paths(LoadModel(model="x" * 256))
    assert caught.value.field == "model"


@pytest.mark.parametrize("path", ["a.wav", "~/a.wav", "x" * 255, "\udcff.wav", "~"])
def test_unusual_names_are_paths(path):
    """Bytes that are no text, long names and home directories are fine."""
    require_paths(NetworkSeparate(input=path, output=path, model_path=path))


def test_a_name_is_as_long_as_its_file_system_allows(monkeypatch):
    """A song's name in Japanese has three bytes for each character; exFAT, network drives and Windows count characters."""
    request = NetworkSeparate(input="歌" * 100 + ".wav")

    def take(path):
        raise FileNotFoundError(2, os.strerror(2))

    monkeypatch.setattr(path_fields.os, "lstat", take)
    require_paths(request)
