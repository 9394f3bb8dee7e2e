"""Samples of a host: torch tensors where torch is installed, else NumPy arrays; and songs read by the worker."""

from __future__ import annotations

import importlib
import importlib.util
import wave
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .host import worker

# Comes with every DSU, and is quick.
READER = "dsu_mini"


def to_array(samples: Any) -> NDArray[np.float32]:
    """A tensor, array or nested list as an array of float32."""
    if hasattr(samples, "detach"):
        samples = samples.detach().cpu().numpy()
    return np.asarray(samples, dtype=np.float32)


def to_host(samples: NDArray[np.float32], like: Any = None) -> Any:
    """An array as what the host works with: a tensor on the device of `like` where torch is installed."""
    if isinstance(like, np.ndarray) or importlib.util.find_spec("torch") is None:
        return samples
    tensor = importlib.import_module("torch").from_numpy(np.ascontiguousarray(samples))
    return tensor if like is None else tensor.to(like.device)


def with_channels(samples: NDArray[np.float32], channels: int) -> NDArray[np.float32]:
    """The song with that many channels: mono is their mean, and mono is heard from all of them."""
    have = samples.shape[-2]
    if have == channels:
        return samples
    if channels == 1:
        return np.asarray(samples.mean(axis=-2, keepdims=True), np.float32)
    if have == 1:
        return samples.repeat(channels, axis=-2)
    if have >= channels:
        return samples[..., :channels, :]
    raise ValueError("The audio file has fewer channels than requested but is not mono.")


def read_song(
    path: str | PathLike[str],
    rate: int | Literal["source"],
    channels: int,
    preview: dict[str, float] | None = None,
) -> NDArray[np.float32]:
    """Any song that the worker can read, at this rate.

    Two stems of which one is the mix without the other sum to the mix, so separating with the smallest model is reading.
    """
    whole = None if preview else _read_plain(Path(path), rate, channels)
    if whole is not None:
        return whole
    options: Any = {"preview": preview} if preview else {}
    stems = worker().separate(path, model=READER, two_stems="vocals", output_sample_rate=rate, **options)
    return with_channels(np.sum(list(stems.values()), axis=0, dtype=np.float32), channels)


def rate_and_channels(path: str | PathLike[str]) -> tuple[int, int]:
    """Those of a song that the worker can read, by its beginning."""
    stems = worker().separate(
        path, model=READER, stems=["vocals"], output_sample_rate="source", channels="source", preview={"duration": 0.1}
    )
    return stems.sample_rate, len(stems["vocals"])


def _read_plain(path: Path, rate: int | Literal["source"], channels: int) -> NDArray[np.float32] | None:
    """A WAV file of 16 bits that already is as it is wanted; None for all others."""
    try:
        with wave.open(str(path), "rb") as song:
            form = (song.getsampwidth(), song.getnchannels(), song.getframerate())
            if form != (2, channels, song.getframerate() if rate == "source" else rate):
                return None
            data = song.readframes(song.getnframes())
    except (wave.Error, EOFError, OSError):
        return None
    if not data:
        return None  # the worker says what is wrong
    return np.ascontiguousarray(np.frombuffer(data, "<i2").reshape(-1, channels).T / np.float32(32768), np.float32)


def resampled(samples: NDArray[np.float32], rate: int, wanted: int) -> NDArray[np.float32]:
    """The song at another rate, by the resampler of the worker."""
    if rate == wanted:
        return samples
    stems = worker().separate(samples, sample_rate=rate, model=READER, two_stems="vocals", output_sample_rate=wanted)
    return with_channels(np.sum(list(stems.values()), axis=0, dtype=np.float32), samples.shape[0])
