"""The first bytes of files."""

import pytest

from utils.store.likeness import unlike


@pytest.mark.parametrize(
    ("name", "start"),
    [("a.ckpt", b"PK\x03\x04"), ("a.th", b"\x80\x02"), ("a.onnx", b"\x08\x07"), ("a.safetensors", b"\1" + bytes(7) + b"{"),
     ("a.yaml", b"audio:")],
)  # fmt: skip
def test_files_as_they_should_be(name, start):
    """Nothing is wrong with the usual beginnings."""
    assert unlike(name, start) is None


@pytest.mark.parametrize("name", ["a.ckpt", "a.onnx", "a.safetensors", "a.pth"])
@pytest.mark.parametrize("start", [b"", b"<!DOCTYPE html>", b"\xef\xbb\xbf <HTML>", b"{}", b"Please log in."])
def test_what_is_sent_in_place_of_networks(name, start):
    """Pages, messages and nothing at all are no networks."""
    assert unlike(name, start) is not None


@pytest.mark.parametrize(
    ("start", "words"), [(b"", "is empty"), (b"<html>", "web page"), (b"version https://git-lfs", "LFS")]
)
def test_what_no_file_should_be_is_named(start, words):
    """Also for files whose usual beginning is not known."""
    assert words in unlike("a.yaml", start)
