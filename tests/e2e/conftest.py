"""A repo of tiny networks and a song, made once for the tests of real jobs."""

import numpy as np
import pytest
import soundfile

from tools.fixtures.demucs import make_repo
from tools.fixtures.song import song


@pytest.fixture(scope="session")
def repo(tmp_path_factory):
    """Tiny networks in the demucs package's own format."""
    folder = tmp_path_factory.mktemp("repo")
    make_repo(folder)
    return folder


@pytest.fixture(scope="session")
def songs(tmp_path_factory):
    """`short.wav`, four seconds, and `long.wav`, five minutes, which no test lets run to its end."""
    folder = tmp_path_factory.mktemp("songs")
    samples = song(4.0)
    soundfile.write(folder / "short.wav", samples, 44100)
    soundfile.write(folder / "long.wav", np.tile(samples, (75, 1)), 44100)
    return folder
