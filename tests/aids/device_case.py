"""Shared by the tests of devices: engines on any device, a song, and a job of each family with a small model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from tools.fixtures.audio_separator import make_mdx, make_vr
from tools.fixtures.demucs import make_repo
from tools.fixtures.networks import write_network
from tools.fixtures.song import song
from utils.core.job import Job
from utils.core.requests import Apollo, AudioSeparatorSeparate, DemucsSeparate, Denoise, NetworkMember, NetworkSeparate
from utils.core.settings import Settings
from utils.engine.programs import make_engine


class DeviceCase:
    """Engines, and jobs on a song of a little more than one chunk."""

    def __init__(self, folder, device):
        self.folder, self.device = folder, device
        self.song = folder / "song.wav"
        soundfile.write(self.song, song(1.2), 44100, subtype="FLOAT")

    def engine(self, device=None, **settings):
        settings = {"max_cached_models": 3, "default_precision": "fp32", **settings}
        models = self.folder / "models"
        engine = make_engine("dsu", Settings(models_dir=models, device=device or self.device, threads=1, **settings))
        engine.start()
        return engine

    def run(self, engine, kind, job=None, **fields):
        """The stems (channels, samples) by name."""
        if kind in (Apollo, Denoise):
            fields = {"output": str(self.folder / "out.wav"), **fields}
        elif "output_dir" not in fields:
            fields = {"output": str(self.folder / "out"), **fields}
        done = engine.separate(kind(input=str(self.song), pcm_type="FLOAT", clip="none", **fields), job or Job())
        return {name: read(path) for name, path in done.paths.items()}


def read(path):
    return soundfile.read(Path(path), dtype="float32", always_2d=True)[0].T


def files(network):
    """A network as requests name it."""
    return {"model_path": str(network.checkpoint), "config_path": str(network.config)}


def two_networks(folder, kind="mask_unet", **options):
    return [files(write_network(folder, kind, name=name, seed=seed, **options)) for seed, name in enumerate("ab")]


# A job of each family: its type of request and the fields, given a folder for its model ------------------------------


def of_networks(folder):
    return NetworkSeparate, files(write_network(folder, "mel_band_roformer"))


def of_an_ensemble(folder):
    members = [NetworkMember(**each) for each in two_networks(folder)]
    return NetworkSeparate, {"ensemble": members, "ensemble_type": "max_fft"}


def of_demucs(folder):
    make_repo(folder / "models" / "demucs")
    return DemucsSeparate, {"model": "tiny_bag", "shifts": 1}


def of_vr(folder):
    return AudioSeparatorSeparate, {"model": str(make_vr(folder, "vr").checkpoint)}


def of_mdx(folder):
    return AudioSeparatorSeparate, {"model": str(make_mdx(folder, "mdx").checkpoint)}


def of_apollo(folder):
    return Apollo, {"model_path": str(write_network(folder, "apollo").checkpoint)}


def of_denoise(folder):
    soundfile.write(folder / "noise.wav", 0.01 * np.random.default_rng(0).standard_normal((88200, 2)), 44100)
    return Denoise, {"noise_path": str(folder / "noise.wav")}


JOBS = {make.__name__: make for make in (of_networks, of_an_ensemble, of_demucs, of_vr, of_mdx, of_apollo, of_denoise)}
