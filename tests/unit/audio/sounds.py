"""Sounds and files that the audio tests make on the fly."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import soundfile

from utils.audio.reading import open_audio

RATE = 44100


def tones(frames, channels=2, *, rate=RATE, peak=0.5):
    """(channels, frames): each channel a slowly swelling tone of its own."""
    time = np.arange(frames) / rate
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * 0.7 * time)
    pitches = 220.0 * (1 + np.arange(channels))[:, None]
    return (peak * swell * np.sin(2 * np.pi * pitches * time + 0.3)).astype(np.float32)


def noise(frames, channels=2, *, peak=0.9, seed=0):
    """(channels, frames) of even noise."""
    return np.random.default_rng(seed).uniform(-peak, peak, (channels, frames)).astype(np.float32)


def save(path, sound, rate=RATE, **kwargs):
    """Write (channels, frames) with libsndfile and return the path."""
    kwargs.setdefault("format", {"opus": "OGG", "aif": "AIFF"}.get(path.suffix[1:]))
    soundfile.write(path, sound.T, rate, **kwargs)
    return path


def save_with_ffmpeg(path, sound, codec, container, rate=RATE, *, sample_format=None):
    """Encode (channels, frames) with FFmpeg and return the path."""
    layout = {1: "mono", 2: "stereo"}[len(sound)]
    with av.open(str(path), "w", format=container) as out:
        stream = out.add_stream(codec, rate=rate, layout=layout)
        stream.bit_rate = 256000
        if sample_format:
            stream.codec_context.format = av.AudioFormat(sample_format)
        for start in range(0, sound.shape[1], 1 << 15):
            block = np.ascontiguousarray(sound[:, start : start + (1 << 15)])
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
            for ready in av.AudioResampler(sample_format or "fltp", layout, rate).resample(frame):
                out.mux(stream.encode(ready))
        out.mux(stream.encode(None))
    return path


def save_video(path):
    """A video without sound."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for _ in range(5):
            out.mux(stream.encode(av.VideoFrame(32, 32, "yuv420p")))
        out.mux(stream.encode(None))
    return path


def read(path, *, rate=RATE, channels=2, **part):
    """Everything a reader gives, as one array."""
    with open_audio(Path(path), sample_rate=rate, channels=channels, **part) as reader:
        blocks = list(reader)
    return np.concatenate(blocks, axis=1)


def sdr(reference, sound):
    """How far `sound` is from `reference`, in dB; infinite where they are equal."""
    error = float(np.sum((reference.astype(np.float64) - sound) ** 2))
    return np.inf if error == 0 else 10 * np.log10(float(np.sum(reference.astype(np.float64) ** 2)) / error)


def cut(path, part):
    """Keep just the first part (0 to 1) of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    return path


def set_data_size(path, size):
    """Change what the `data` chunk of a WAV file says of its size."""
    data = bytearray(path.read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", size)
    path.write_bytes(data)
    return path
