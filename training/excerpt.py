"""The real excerpt that the stempeg package carries: for evaluation only, never for training or for any choice."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import av
import numpy as np

from tools.metrics import Signal

PACKAGE = "stempeg"
FILE = "The Easton Ellises - Falcon 69.stem.mp4"


def excerpt_path() -> Path | None:
    """Where the excerpt is, if the package is installed. The package itself is not imported."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "data" / FILE
    return path if path.exists() else None


def read_excerpt(path: Path) -> tuple[Signal, Signal]:
    """The mix (channels, samples) of the first stream, and the stems (drums, bass, other, vocals) of the others."""
    with av.open(str(path)) as container:
        count = len(container.streams.audio)
    streams = [_read_stream(path, number) for number in range(count)]
    length = min(stream.shape[1] for stream in streams)
    mix, *stems = (stream[:, :length] for stream in streams)
    return mix, np.stack(stems)


def _read_stream(path: Path, number: int) -> Signal:
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=44100)
        frames = [out for frame in container.decode(audio=number) for out in resampler.resample(frame)]
        frames += resampler.resample(None)
        return np.concatenate([frame.to_ndarray() for frame in frames], axis=1)
