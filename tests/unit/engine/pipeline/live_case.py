"""Shared by the tests of live stems: a network that costs nothing, a song, and a way to separate it."""

import contextlib

import numpy as np
import soundfile
import torch

from utils.audio.reading import probe
from utils.core.job import Job
from utils.core.requests import Separate
from utils.engine.pipeline.arrangement import Arrangement
from utils.engine.pipeline.chunking import plan_faded
from utils.engine.pipeline.demix import Compute, Lane
from utils.engine.pipeline.files import ModelLoad, write_stems
from utils.engine.pipeline.outputs import Offer
from utils.engine.pipeline.track import Track

SECONDS = 2.0
RATE = 44100
FRAMES = round(SECONDS * RATE)
# Requests for files of different kinds.
FORMATS = {
    "wav": {"pcm_type": "PCM_16"},
    "float wav": {"pcm_type": "FLOAT"},
    "flac": {"format": "flac", "clip": "clamp"},
    "other rate": {"pcm_type": "FLOAT", "output_sample_rate": 32000},
    "opus": {"format": "opus"},
    "mono": {"pcm_type": "FLOAT", "channels": "source"},
}


class Louder:
    """A network whose stems are the mix, louder and softer."""

    def input_length(self, length):
        return length

    def __call__(self, mix):
        return torch.stack([3 * mix, mix / 2], dim=1)


def louder_lanes(heard):
    return [Lane(Louder(), plan_faded(heard.stats.frames, chunk=5000, overlaps=2), np.ones(2), mirrored=True)]


def arranged(**fields):
    common = {
        "model": "louder",
        "sample_rate": RATE,
        "channels": 2,
        "selection": Offer(("loud", "soft")).select(stems=None, two_stems=None),
        "lanes": louder_lanes,
        "compute": Compute("cpu", 1),
        "settings": {},
    }
    return Arrangement(**{**common, **fields})


def write_noise(path, frames=FRAMES):
    soundfile.write(path, np.random.default_rng(0).standard_normal((frames, 2)) / 5, RATE, subtype="FLOAT")
    return path


def separate(song, folder, listener=None, arrangement=None, **fields):
    """Separate a song. A listener is a context manager with a `job`."""
    request = Separate(input=str(song), output=str(folder), **fields)
    with listener or contextlib.nullcontext():
        job = listener.job if listener else Job()
        track = Track(song, probe(song), "song")
        return write_stems(request, arrangement or arranged(), track, ModelLoad(0.0, True), job)
