"""What the tests of VR and MDX networks share: a song, a network that costs nothing, and a run of the chunk loop."""

import json

import numpy as np
import soundfile
import torch

from utils.core.job import Job
from utils.engine.backends.torch import TorchBackend
from utils.engine.families.vr.bands import read_layout
from utils.engine.families.vr.lanes import loudest_bin, vr_lanes
from utils.engine.families.vr.model import VrModel, load_vr
from utils.engine.families.vr.package import band_parameters
from utils.engine.pipeline.demix import Compute, Runner, demix
from utils.engine.pipeline.song import SongBuffer
from utils.store.audio_separator_models import AudioSeparatorSource, VrParameters, own_audio_separator

EDGE = 4096  # samples at both ends that stand outside comparisons
TONES = ((0.2, 110), (0.15, 440), (0.1, 1900), (0.1, 5200), (0.05, 9000), (0.05, 13000))


class Toy(torch.nn.Module):
    """A mask that depends on the signal and on where in the window it is."""

    def __init__(self, offset):
        super().__init__()
        self.offset = offset

    def predict_mask(self, magnitude):
        kernel = torch.tensor([[[0.1, 0.2, 0.4, 0.2, 0.1]]])
        bins, frames = magnitude.shape[2:]
        padded = torch.nn.functional.pad(magnitude, (2, 2)).reshape(-1, 1, frames + 4)
        smooth = torch.nn.functional.conv1d(padded, kernel).reshape(magnitude.shape)
        sloped = 20 * (smooth - 0.3 * smooth.roll(5, -1)) * (1 + torch.arange(bins)[:, None] / 100)
        return torch.sigmoid(sloped - 1)[..., self.offset : -self.offset]


def toy_model(bands, *, modern, primary="Vocals", net=None):
    """A VR model with real bands around a network that costs nothing."""
    layout = read_layout(band_parameters(bands), bands, modern=modern)
    source = AudioSeparatorSource(bands, None, (primary, f"No {primary}"), VrParameters(bands), None, bands)
    net = net or Toy(64 if modern else 128)
    backend = TorchBackend(net, "predict_mask")
    return VrModel(source, backend, layout, "cpu", offset=net.offset, window_multiple=16)


def loaded(files):
    return load_vr(own_audio_separator(files.checkpoint), device="cpu")


def numbers(files):
    return json.loads(files.numbers.read_text())


def song(seconds, *, rate=44100, hop=4096, seed=0):
    """Tones and noise with a beat, as many samples as a whole number of hops."""
    count = int(seconds * rate) // hop * hop
    rng, times = np.random.default_rng(seed), np.arange(count) / rate
    tones = sum(
        level * np.sin(2 * np.pi * pitch * times * (1 + 0.02 * np.sin(times * number)))
        for number, (level, pitch) in enumerate(TONES)
    )
    noise = 0.1 * rng.standard_normal((2, count)) * (0.5 + 0.5 * np.sin(2 * np.pi * 2 * times))
    samples = np.stack([tones, 0.7 * tones]) + noise
    return (0.9 * samples / np.abs(samples).max()).astype(np.float32)


def write(path, samples, rate=44100):
    soundfile.write(path, samples.T, rate, subtype="FLOAT")
    return path


def blocks(samples, size=30000):
    return [samples[:, start : start + size] for start in range(0, samples.shape[1], size)]


def run(lanes, samples, *, job=None, sink=None, kind=SongBuffer):
    """All rows of the result; every sample must come once, in order."""
    total = samples.shape[1]
    rows = max(lane.rows.stop for lane in lanes)
    out, job = np.zeros((rows, 2, total), dtype=np.float32), job or Job()
    job.begin_stages(separate=1)
    reached = 0

    def keep(stretch):
        nonlocal reached
        assert stretch.start == reached
        reached += stretch.rows.shape[-1]
        out[..., stretch.start : reached] = stretch.rows.numpy()

    stream = kind(iter(blocks(samples)), channels=2, total=total)
    with Runner(Compute("cpu", 1), job, lambda: False) as runner:
        for stretch in demix(stream, lanes, channels=2, rate=44100, runner=runner, job=job):
            (sink or keep)(stretch)
    assert sink is not None or reached == total
    return out


def separated(model, options, samples, needed=(0, 1), **details):
    loudest = loudest_bin(model, blocks(samples), samples.shape[1])
    return run(vr_lanes(model, options, samples=samples.shape[1], loudest=loudest, needed=needed), samples, **details)


def sdr_db(reference, estimate):
    noise = np.sum((reference.astype(np.float64) - estimate) ** 2)
    return np.inf if noise == 0 else 10 * np.log10(np.sum(reference.astype(np.float64) ** 2) / noise)


def inside(stems):
    return stems[..., EDGE:-EDGE]


def inverted_by_hand(mix, stem):
    """What inverting a spectrum means: every bin is as loud as the louder of song and stem, turns as the song does, and
    has the stem taken out. In plain sums, frame by frame.
    """
    frame, hop = 2048, 1024
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame) / frame)
    length = mix.shape[1]
    padded = [np.pad(signal.astype(np.float64), ((0, 0), (hop, 2 * frame))) for signal in (mix, stem)]
    total, weight = np.zeros_like(padded[0]), np.zeros(padded[0].shape[1])
    for start in range(0, length + hop, hop):
        song_bins, stem_bins = (np.fft.rfft(signal[:, start : start + frame] * window) for signal in padded)
        loud = np.maximum(np.abs(song_bins), np.abs(stem_bins))
        rest = loud * np.exp(1j * np.angle(song_bins)) - stem_bins
        total[:, start : start + frame] += np.fft.irfft(rest) * window
        weight[start : start + frame] += window**2
    return (total / np.maximum(weight, 1e-12))[:, hop : hop + length]
