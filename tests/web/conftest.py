"""Servers and songs for the tests of `dsu serve`."""

import pytest
from web_server import WebServer, write_song


@pytest.fixture(scope="session")
def song(tmp_path_factory):
    """A second of music, of which every sample is known."""
    return write_song(tmp_path_factory.mktemp("songs") / "song.wav")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server with a worker that needs no torch, for all tests of a module."""
    with WebServer(tmp_path_factory.mktemp("data") / "server") as running:
        yield running
        assert running.stderr == ""


@pytest.fixture
def data(tmp_path):
    """A data folder of a test's own."""
    return tmp_path / "server"
