"""Compressed audio of any format, decoded and resampled by FFmpeg's libraries."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import av
import numpy as np
import numpy.typing as npt


def decode(
    source: Path | IO[bytes], rate: int, *, layout: str = "stereo", form: str = "fltp", stream: int = 0, **options: Any
) -> npt.NDArray[Any]:
    """An audio stream, (channels, samples). `form` is FFmpeg's name of a sample format; options are those of `av.open`."""
    with av.open(source, mode="r", **options) as container:
        resampler = av.AudioResampler(format=form, layout=layout, rate=rate)
        frames = [out for frame in container.decode(audio=stream) for out in resampler.resample(frame)]
        frames += resampler.resample(None)
    empty = np.zeros((av.AudioLayout(layout).nb_channels, 0), np.float32)
    return np.concatenate([empty, *(frame.to_ndarray() for frame in frames)], axis=1)
