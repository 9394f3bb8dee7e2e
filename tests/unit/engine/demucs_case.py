"""Shared by the Demucs tests: an engine, a song, and a way to separate and read the stems."""

from pathlib import Path

import numpy as np
import soundfile

from utils.core.job import Job
from utils.core.requests import DemucsSeparate
from utils.core.settings import Settings
from utils.engine import programs

RATE = 44100


def make_engine(models_dir, **settings):
    engine = programs.make_engine("dsu-demucs", Settings(models_dir=Path(models_dir), device="cpu", **settings))
    engine.start()
    return engine


def write_song(path, seconds, seed=0, channels=2, rate=RATE, level=0.2):
    """Write noise with a beat and a slight offset, so that no network can be right by accident."""
    rng = np.random.default_rng(seed)
    frames = round(seconds * rate)
    beat = 1 + 0.5 * np.sign(np.sin(2 * np.pi * 2 * np.arange(frames) / rate))
    samples = (level * beat[:, None] * rng.standard_normal((frames, channels)) + 0.01).astype(np.float32)
    soundfile.write(path, samples, rate, subtype="FLOAT")
    return samples.T


def separate(engine, song, out, job=None, **fields):
    """Run one request with float output; returns the reply and the stems as arrays."""
    request = DemucsSeparate(input=str(song), output=str(out), pcm_type=fields.pop("pcm_type", "FLOAT"), **fields)
    done = engine.separate(request, job or Job())
    return done, {name: soundfile.read(path, dtype="float32", always_2d=True)[0].T for name, path in done.paths.items()}


def sdr_db(reference, estimate):
    noise = np.sum((reference - estimate) ** 2)
    return np.inf if noise == 0 else 10 * np.log10(np.sum(reference**2) / noise)
