"""A bar on terminals, lines elsewhere."""

import io

import pytest
from scripted_engine import Terminal

from utils.commandline.display import describe_done, describe_download, describe_result, open_display
from utils.core.replies import Downloading, FileDone, LoadingModel, ModelDownloaded, Progress, Separating

EVENTS = [
    Downloading(model="m", file="net.th", percent=0.0, received_bytes=0, total_bytes=10, eta=None),
    Downloading(model="m", file="net.th", percent=50.0, received_bytes=5, total_bytes=10, eta=None),
    LoadingModel(model="m"),
    Separating(input="[live] song.wav"),
    Progress(percent=50.0, stage="separate", eta=1.0),
]


def shown(out):
    with open_display(out) as display:
        for event in EVENTS:
            display.event(event)
        display.line("song.wav [ok]")
    return out.getvalue()


def test_a_pipe_gets_lines_only():
    """Without a terminal there is a line for each download and what was said, and no control characters."""
    assert shown(io.StringIO()) == "Downloading net.th of m\nsong.wav [ok]\n"


def test_a_download_that_is_tried_again_is_told_once():
    """Also one that goes on where it was cut off."""
    out = io.StringIO()
    with open_display(out) as display:
        for file, received in (("a.th", 5), ("a.th", 0), ("a.th", 10), ("b.th", 0)):
            display.event(
                Downloading(model="m", file=file, percent=0.0, received_bytes=received, total_bytes=10, eta=None)
            )
    assert out.getvalue() == "Downloading a.th of m\nDownloading b.th of m\n"


def test_a_connection_is_seen_on_a_terminal_and_adds_no_line_elsewhere():
    """Until there is an answer."""
    start = Downloading(model="m", file="a.th", percent=0.0, received_bytes=0, total_bytes=10, eta=None)
    asked = Downloading(
        model="m", file="a.th", percent=0.0, received_bytes=0, total_bytes=10, eta=None, connecting="example.org"
    )
    for out, told in (
        (io.StringIO(), "Downloading a.th of m\n"),
        (Terminal(), "Connecting to example.org for m (a.th)"),
    ):
        with open_display(out) as display:
            for event in (start, asked, asked):
                display.event(event)
        assert told in out.getvalue()
        assert out.getvalue().count("Downloading") <= 1


def test_a_terminal_gets_a_bar():
    """On a terminal the bar names the song, brackets and all, and shows percentages."""
    text = shown(Terminal())
    assert "50.0 %" in text
    assert "[live] song.wav" in text
    assert "song.wav [ok]" in text


@pytest.mark.parametrize(("failed", "colour"), [(True, "31"), (False, "32")])
def test_the_end_has_a_colour_on_a_terminal(monkeypatch, failed, colour):
    """Red where something failed, green where not; none in a pipe, nor where colours are not wanted."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)

    def ended(out):
        with open_display(out) as display:
            display.total("2 done", failed=failed)
        return out.getvalue()

    assert f"\x1b[1;{colour}m2 done" in ended(Terminal())
    assert ended(io.StringIO()) == "2 done\n"
    monkeypatch.setenv("NO_COLOR", "1")
    assert f";{colour}m" not in ended(Terminal())


def test_a_song_is_described_by_its_stems():
    """The line of a song says where its stems are."""
    done = FileDone(
        input="song.wav", index=0, ok=True, paths={"drums": "/o/song/drums.wav", "bass": "/o/song/bass.wav"}
    )
    assert describe_done(done).replace("\\", "/") == "song.wav -> /o/song: drums.wav bass.wav"


@pytest.mark.parametrize(("size_bytes", "told"), [(336_000_000, "336.0 MB"), (None, "84.1 MB")])
def test_a_model_is_described_by_its_files(size_bytes, told):
    """The line of a model says how large it is, as far as that is known, and where its files are."""
    done = ModelDownloaded(model="bag", path="/m/a.th", size_bytes=84_141_911, sha256="", files=["/m/a.th", "/m/b.th"])
    assert describe_download(done, size_bytes) == f"bag ({told}) -> /m/a.th, /m/b.th"


def test_a_failed_result_is_described_by_its_error():
    """With `--verbose` a song that failed has its code."""
    result = {"status": "error", "code": "input_empty", "message": "It is empty."}
    assert describe_result(result) == "input_empty: It is empty."
