"""What pickles ask for, found without reading them as pickles."""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict

import pytest

from utils.store.pickles import LARGEST_BYTES, first_unusual_global

PROTOCOLS = [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_first_unusual_name(tmp_path, protocol):
    """What containers need is passed over; the first other name is given."""
    path = tmp_path / "a"
    path.write_bytes(pickle.dumps([OrderedDict(a=1), zipfile.ZipFile, pickle.Pickler], protocol=protocol))
    assert first_unusual_global(path) == "zipfile.ZipFile"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_name_whose_module_was_mentioned_before(tmp_path, protocol):
    """A string that is taken from the pickle's memory is followed."""
    path = tmp_path / "a"
    path.write_bytes(pickle.dumps([zipfile.ZipFile.__module__, "other", zipfile.ZipFile], protocol=protocol))
    assert first_unusual_global(path) == "zipfile.ZipFile"


def test_pickles_before_the_content(tmp_path):
    """The old format's content is its fourth pickle."""
    path = tmp_path / "a"
    path.write_bytes(pickle.dumps(1) * 3 + pickle.dumps(zipfile.ZipFile))
    assert first_unusual_global(path) == "zipfile.ZipFile"


def test_pickle_in_an_archive(tmp_path):
    """In a zip file the content is the member called data.pkl; one that is far too large is left alone."""
    with zipfile.ZipFile(tmp_path / "a", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", pickle.dumps(zipfile.ZipFile))
    assert first_unusual_global(tmp_path / "a") == "zipfile.ZipFile"
    with zipfile.ZipFile(tmp_path / "b", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("b/data.pkl", pickle.dumps(zipfile.ZipFile) + bytes(LARGEST_BYTES))
    assert first_unusual_global(tmp_path / "b") is None


@pytest.mark.parametrize(
    "content", [b"", b"text", b"\x80\x04\x93.", b"\x80\x04\x95" + b"\xff" * 8, pickle.dumps({"a": 1})]
)
def test_nothing_unusual(tmp_path, content):
    """Bytes that ask for nothing, or make no sense, give no name and no error."""
    path = tmp_path / "a"
    path.write_bytes(content)
    assert first_unusual_global(path) is None
    assert first_unusual_global(tmp_path / "none") is None
