"""Songs to samples and back, as demucs offers it."""

from __future__ import annotations

import shutil
import subprocess
import wave
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dsu_client.audio import write_wav
from dsu_client.compat.samples import rate_and_channels, read_song, resampled, to_array, to_host, with_channels


class AudioFile:
    """A song of any format that DSU reads."""

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)

    def __len__(self) -> int:
        """The number of streams; more than the first are not read."""
        return 1

    @property
    def duration(self) -> float:
        """Its length in seconds."""
        rate = self.samplerate()
        return float(self.read(streams=0, samplerate=rate).shape[-1] / rate)

    def channels(self, stream: int = 0) -> int:
        """How many it has; two of more than two are read."""
        del stream
        return rate_and_channels(self.path)[1]

    def samplerate(self, stream: int = 0) -> int:
        """Its own rate."""
        del stream
        return rate_and_channels(self.path)[0]

    def read(
        self,
        seek_time: float | None = None,
        duration: float | None = None,
        streams: int | slice = slice(None),
        samplerate: int | None = None,
        channels: int | None = None,
    ) -> Any:
        """Its samples, `(channels, samples)` of the first stream, or with one dimension more where `streams` is a slice."""
        asked = (("start", seek_time), ("duration", duration))
        preview = {name: float(value) for name, value in asked if value is not None}
        samples = read_song(self.path, samplerate or "source", channels or 2, preview or None)
        return to_host(samples if isinstance(streams, int) else samples[None])


def convert_audio_channels(wav: Any, channels: int = 2) -> Any:
    """The samples with that many channels."""
    return to_host(with_channels(to_array(wav), channels), like=wav)


def convert_audio(wav: Any, from_samplerate: int, to_samplerate: int, channels: int) -> Any:
    """The samples with that many channels, at another rate."""
    return to_host(resampled(with_channels(to_array(wav), channels), from_samplerate, to_samplerate), like=wav)


def prevent_clip(wav: Any, mode: str | None = "rescale") -> Any:
    """The samples within -1 and 1, in one of four ways."""
    samples = to_array(wav)
    if mode == "rescale":
        samples = samples / np.maximum(1.01 * np.abs(samples).max(initial=0), 1)
    elif mode == "clamp":
        samples = samples.clip(-0.99, 0.99)
    elif mode == "tanh":
        samples = np.tanh(samples)
    elif mode not in (None, "none"):
        raise ValueError(f"Invalid mode {mode}")
    return to_host(samples, like=wav)


def save_audio(
    wav: Any,
    path: str | PathLike[str],
    samplerate: int,
    bitrate: int = 320,
    clip: Literal["rescale", "clamp", "tanh", "none"] = "rescale",
    bits_per_sample: Literal[16, 24, 32] = 16,
    as_float: bool = False,
    preset: Literal[2, 3, 4, 5, 6, 7] = 2,
) -> None:
    """Write `.wav`; or `.flac` and `.mp3` with ffmpeg, which must be installed for them."""
    target = Path(path)
    suffix = target.suffix.lower()
    samples = to_array(prevent_clip(wav, clip)).clip(-1, 1)
    if suffix == ".wav" and as_float:
        write_wav(target, samples, samplerate)
    elif suffix == ".wav":
        with wave.open(str(target), "wb") as file:
            file.setnchannels(len(samples))
            file.setsampwidth(bits_per_sample // 8)
            file.setframerate(samplerate)
            file.writeframes(_pcm(samples, bits_per_sample))
    elif suffix == ".flac":
        depth = ["-sample_fmt", "s16" if bits_per_sample == 16 else "s32"]
        _encode(samples, target, samplerate, depth)
    elif suffix == ".mp3":
        _encode(samples, target, samplerate, ["-b:a", f"{bitrate}k", "-compression_level", str(preset)])
    else:
        raise ValueError(f"Invalid suffix for path: {suffix}")


def _pcm(samples: NDArray[np.float32], bits: int) -> bytes:
    """Interleaved whole numbers. 24 bits are the upper bytes of 32."""
    if bits == 16:
        return (samples.T * (2**15 - 1)).astype("<i2").tobytes()
    if bits == 24:
        whole = (samples.T * (2**23 - 1)).astype("<i4") << 8
        return np.ascontiguousarray(whole).view(np.uint8).reshape(-1, 4)[:, 1:].tobytes()
    raise ValueError(f"Invalid bits_per_sample: {bits}")


def _encode(samples: NDArray[np.float32], path: Path, rate: int, options: list[str]) -> None:
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        raise FileNotFoundError(f"`{path.suffix}` needs ffmpeg, which is not installed; `.wav` does not.")
    head = [ffmpeg, "-y", "-loglevel", "error", "-f", "f32le", "-ar", str(rate), "-ac", str(len(samples)), "-i", "-"]
    subprocess.run([*head, *options, str(path)], input=samples.T.astype("<f4").tobytes(), check=True)  # noqa: S603
