"""What the tests of reliability share: their record, models, songs, and workers."""

import inspect
import re
import shutil
import sys

import numpy as np
import pytest
import soundfile
from forked_workers import Forge
from loopback_server import Site
from scenario import Scenario

from tools.fixtures.demucs import make_repo
from tools.fixtures.models import make_models
from tools.fixtures.song import song

if sys.platform != "linux":  # workers are forked, and what they take is read in /proc
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture
def scenario(request):
    """The record of this test. What was lost fails it at its end."""
    options = request.config.option
    made = Scenario(
        section=inspect.getdoc(request.module).splitlines()[0].rstrip("."),
        says=inspect.getdoc(request.function).splitlines()[0],
        is_long=options.long,
        scale=options.scale,
    )
    yield made
    if options.record is not None:
        made.save(options.record / (re.sub(r"\W+", "_", request.node.nodeid) + ".json"))
    assert not made.lost, "\n".join(made.lost)


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A models directory with tiny models of each family."""
    folder = tmp_path_factory.mktemp("models")
    make_models(folder)
    return folder


@pytest.fixture(scope="session")
def demucs_models(tmp_path_factory):
    """A models directory with tiny Demucs models alone."""
    folder = tmp_path_factory.mktemp("demucs_models")
    make_repo(folder / "demucs")
    return folder


@pytest.fixture(scope="session")
def songs(tmp_path_factory):
    """Two songs of half a second."""
    folder = tmp_path_factory.mktemp("songs")
    samples = song(1.0)
    for number, name in enumerate(("first.wav", "second.wav")):
        soundfile.write(folder / name, samples[number * 22050 :][:22050].astype(np.float32), 44100)
    return folder


@pytest.fixture(scope="session")
def forge():
    """Starts workers without their start-up."""
    with Forge() as made:
        yield made


@pytest.fixture
def site():
    """A server on this machine."""
    made = Site()
    yield made
    made.close()


@pytest.fixture
def empty(tmp_path):
    """Make a folder without what is in it."""

    def clear(path):
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        return path

    return clear
