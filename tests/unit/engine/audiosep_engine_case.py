"""Shared by the AudioSep tests: tiny networks in the real file formats, an engine, and a way to read stems."""

from __future__ import annotations

import soundfile
import torch
from demucs_case import write_song

from utils.core.job import Job
from utils.core.requests import AudioSepSeparate
from utils.core.settings import Settings
from utils.engine.programs import make_engine

RATE = 32000


class AudioSepCase:
    """One engine and a folder to work in."""

    def __init__(self, folder, files, **settings):
        self.folder = folder
        self.files = files
        settings = Settings(models_dir=folder / "models", device="cpu", threads=1, **settings)
        self.engine = make_engine("dsu-audiosep", settings)
        self.engine.start()

    @property
    def parts(self):
        """The files as requests name them."""
        return {
            "config_path": str(self.files.config),
            "checkpoint_path": str(self.files.checkpoint),
            "clap_checkpoint_path": str(self.files.clap_checkpoint),
            "roberta_dir": str(self.files.roberta_dir),
        }

    def song(self, seconds=1.7, name="song.wav", rate=RATE, **options):
        write_song(self.folder / name, seconds, rate=rate, **options)
        return self.folder / name

    def request(self, song, **fields):
        """A request for one text, with unclipped float stems, into `out` by default."""
        target = {} if "output" in fields else {"output_dir": str(self.folder / "out")}
        text = {} if "texts" in fields else {"text": "drums"}
        return AudioSepSeparate(
            **{"input": str(song), "pcm_type": "FLOAT", "clip": "none", **target, **text, **self.parts, **fields}
        )

    def run(self, song=None, job=None, **fields):
        """The reply and the stems (channels, samples) by name."""
        done = self.engine.separate(self.request(song or self.song(), **fields), job or Job())
        return done, {name: read(path) for name, path in done.paths.items()}

    @property
    def model(self):
        """The active model."""
        with self.engine.cache.lease() as lease:
            return lease.get(self.engine.cache.active)

    def whole(self, song, *texts):
        """The output of the network for each text, in one pass over each channel of the whole file."""
        model = self.model
        with torch.inference_mode():
            mix = torch.from_numpy(read(song))[:, None]
            return model.backend(mix, model.conditions(texts)).transpose(0, 1).numpy()


def read(path):
    return soundfile.read(path, dtype="float32", always_2d=True)[0].T
