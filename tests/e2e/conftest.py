"""Small models and a song, made once for the tests of real jobs."""

import numpy as np
import pytest
import soundfile

from tools.fixtures.audio_separator import make_mdx, make_vr
from tools.fixtures.demucs import make_repo
from tools.fixtures.networks import write_network
from tools.fixtures.song import song


@pytest.fixture(scope="session")
def repo(tmp_path_factory):
    """Tiny networks in the demucs package's own format."""
    folder = tmp_path_factory.mktemp("repo")
    make_repo(folder)
    return folder


@pytest.fixture(scope="session")
def family_models(tmp_path_factory):
    """A models directory with a model of each family but AudioSep's."""
    folder = tmp_path_factory.mktemp("models")
    make_repo(folder / "demucs")
    write_network(folder / "bsroformer", "mdx23c", name="my_net")
    write_network(folder / "bsroformer", "apollo", name="my_apollo")
    make_vr(folder / "audio-separator", "my_vr")
    make_mdx(folder / "audio-separator", "my_mdx")
    return folder


@pytest.fixture
def separate(repo, songs, tmp_path):
    """A request of dsu-demucs for the short song; fields replace its own."""

    def request(**fields):
        basis = {"cmd": "separate", "input": str(songs / "short.wav"), "output": str(tmp_path / "out")}
        return {**basis, "model": "tiny", "repo": str(repo), "shifts": 0, **fields}

    return request


@pytest.fixture(scope="session")
def songs(tmp_path_factory):
    """`short.wav`, four seconds, and `long.wav`, five minutes, which no test lets run to its end."""
    folder = tmp_path_factory.mktemp("songs")
    samples = song(4.0)
    soundfile.write(folder / "short.wav", samples, 44100)
    soundfile.write(folder / "long.wav", np.tile(samples, (75, 1)), 44100)
    return folder
