"""What the tests beside the real audio-separator share: its process, and the songs."""

import pytest
from audio_separator_peer import Peer
from audio_separator_songs import write_songs


@pytest.fixture(scope="module")
def peer():
    peer = Peer()
    yield peer
    peer.close()


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    """A folder with the songs that both programs are given."""
    return write_songs(tmp_path_factory.mktemp("songs"))
