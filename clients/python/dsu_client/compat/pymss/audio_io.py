"""Songs to samples and back, as pymss offers it."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsu_client.compat.demucs.audio import save_audio as save
from dsu_client.compat.host import worker
from dsu_client.compat.samples import READER, with_channels

AUDIO_PARAMS = {
    "wav_bit_depth": "FLOAT",
    "flac_bit_depth": "PCM_24",
    "mp3_bit_rate": "320k",
    "m4a_bit_rate": "512k",
    "m4a_codec": "aac",
    "m4a_aac_at_quality": 2,
}


def load_audio(
    path: str | PathLike[str],
    sr: int | None = None,
    mono: bool = False,
    offset: float = 0.0,
    duration: float | None = None,
) -> tuple[NDArray[np.float32], int]:
    """The samples of any song that DSU reads, `(channels, samples)` or one row for mono, and their rate."""
    asked = {"start": offset or None, "duration": duration}
    preview = {name: value for name, value in asked.items() if value is not None}
    options: Any = {"preview": preview} if preview else {}
    stems = worker().separate(
        path, model=READER, two_stems="vocals", output_sample_rate=sr or "source", channels="source", **options
    )
    samples = np.asarray(np.sum(list(stems.values()), axis=0), np.float32)
    if mono or len(samples) == 1:
        return with_channels(samples, 1)[0], stems.sample_rate
    return samples, stems.sample_rate


def save_audio(
    path: str | PathLike[str],
    audio: Any,
    sr: int,
    output_format: str,
    audio_params: Mapping[str, Any],
) -> None:
    """Write samples of the shape `(samples,)` or `(samples, channels)` as wav, or with ffmpeg as flac or mp3."""
    kind = output_format.lower()
    rows = np.atleast_2d(np.asarray(audio, np.float32).T)
    depth = audio_params.get(f"{kind}_bit_depth", AUDIO_PARAMS.get(f"{kind}_bit_depth", "PCM_16"))
    save(
        rows,
        path,
        sr,
        bitrate=kilobits(audio_params.get("mp3_bit_rate", "320k")),
        clip="none",
        bits_per_sample=24 if depth == "PCM_24" else 16,
        as_float=depth == "FLOAT",
    )


def file_options(output_format: str, audio_params: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `separate` for files like these."""
    kind = output_format.lower()
    known = {**AUDIO_PARAMS, **audio_params}
    options: dict[str, Any] = {"format": "ogg" if kind == "vorbis" else kind}
    if f"{kind}_bit_depth" in known:
        options["pcm_type"] = known[f"{kind}_bit_depth"]
    if f"{kind}_bit_rate" in known:
        options["bitrate"] = kilobits(known[f"{kind}_bit_rate"])
    return options


def kilobits(rate: str | int) -> int:
    """A bit rate as pymss takes it: `"320k"`, or bits."""
    text = str(rate).strip().lower()
    return round(float(text[:-1])) if text.endswith("k") else round(float(text) / 1000)
