"""Paths as Windows needs them, checked on any system, and as people can read them."""

from pathlib import Path

import pytest

from utils.audio.paths import absolute, extended, os_path, shown

LONG = "x" * 250


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("song.wav", r"C:\work\song.wav"),
        (r"C:\music\song.wav", r"C:\music\song.wav"),
        ("C:/music/a/../song.wav", r"C:\music\song.wav"),
        (rf"C:\{LONG}", rf"\\?\C:\{LONG}"),
        (LONG, rf"\\?\C:\work\{LONG}"),
        (r"C:\wait...\song.wav", r"\\?\C:\wait...\song.wav"),
        (r"C:\space \song.wav", r"\\?\C:\space \song.wav"),
        (rf"\\server\share\{LONG}", rf"\\?\UNC\server\share\{LONG}"),
        (rf"\\?\C:\{LONG}", rf"\\?\C:\{LONG}"),
        (r"\\.\pipe\name", r"\\.\pipe\name"),
    ],
)
def test_windows_gets_the_extended_form_where_it_needs_it(path, expected):
    """Long paths and trailing dots get the prefix that makes Windows take them as they are."""
    assert extended(path, cwd=r"C:\work") == expected


def test_only_windows_gets_another_form():
    """Elsewhere a path is handed on unchanged."""
    path = Path("a...") / LONG
    assert os_path(path, windows=False) == str(path)
    assert os_path(path, windows=True).startswith("\\\\?\\")


def test_a_path_that_is_no_text_can_be_shown():
    """Bytes that are no UTF-8 do not make a message that cannot be sent."""
    assert shown(Path("caf\udce9.wav")) == "caf?.wav"
    assert shown(Path("Björk 🎵.wav")) == "Björk 🎵.wav"


def test_the_absolute_form_has_no_dots():
    """A path is made absolute and collapsed without following links."""
    assert absolute(Path("a/../b")) == Path.cwd() / "b"
