"""The real excerpt in the stempeg package. It is only for evaluation, never for training."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import av
import numpy as np

from tools.metrics import Signal
from training.decoding import decode

PACKAGE = "stempeg"
FILE = "The Easton Ellises - Falcon 69.stem.mp4"


def excerpt_path() -> Path | None:
    """The path of the excerpt, or None without the package, which is located but not imported."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "data" / FILE
    return path if path.exists() else None


def read_excerpt(path: Path) -> tuple[Signal, Signal]:
    """The mix (channels, samples), which is the first stream, and the stems: drums, bass, other, vocals."""
    with av.open(str(path)) as container:
        count = len(container.streams.audio)
    streams = [decode(path, 44100, stream=number) for number in range(count)]
    length = min(stream.shape[1] for stream in streams)
    mix, *stems = (stream[:, :length] for stream in streams)
    return mix, np.stack(stems)
