"""Shared by the tests of networks: an engine, and a way to separate and read the stems."""

from pathlib import Path

import numpy as np
import soundfile
import yaml
from demucs_case import write_song

from utils.core.job import Job
from utils.core.requests import NetworkSeparate
from utils.core.settings import Settings
from utils.engine.programs import make_engine

RATE = 44100


class Case:
    """One engine and a folder to work in."""

    def __init__(self, folder, **settings):
        self.folder = folder
        settings = Settings(models_dir=folder / "models", device="cpu", threads=1, **settings)
        self.engine = make_engine("dsu-bsroformer", settings)
        self.engine.start()

    def song(self, seconds=1.7, name="song.wav", **options):
        write_song(self.folder / name, seconds, **options)
        return self.folder / name

    def run(self, files=None, song=None, job=None, **fields):
        """Separate; returns the reply and the stems (channels, samples) by name."""
        song = song or self.song()
        if files is not None:
            fields = {"model_path": str(files.checkpoint), "config_path": str(files.config), **fields}
        fields = {"output": str(self.folder / "out"), "pcm_type": "FLOAT", "clip": "none", **fields}
        done = self.engine.separate(NetworkSeparate(input=str(song), **fields), job or Job())
        return done, {name: read(path) for name, path in done.paths.items()}


def read(path):
    return soundfile.read(Path(path), dtype="float32", always_2d=True)[0].T


def member(files):
    """A network as `ensemble` names it."""
    return {"model_path": str(files.checkpoint), "config_path": str(files.config)}


def edit(path, section, **values):
    """Change a configuration."""
    config = yaml.safe_load(path.read_text())
    config[section].update(values)
    path.write_text(yaml.safe_dump(config))


def close(one, other, atol=1e-5):
    """The same stems with the same samples, or nearly."""
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_allclose(one[name], other[name], atol=atol, rtol=0)
