"""How loud a stream of samples is, as ITU-R BS.1770-4 defines it: FFmpeg's `ebur128` measures it, in bounded memory."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np

from utils.audio.channels import Block
from utils.audio.resampling import StreamResampler

# The quietest that the standard counts; FFmpeg says this of silence, too, and of less than 0.4 s.
_QUIETEST_LUFS = -70.0
# In WAV order, as everywhere.
_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
_INTEGRATED = "lavfi.r128.I"
_OVERSAMPLING = 4  # as the standard asks of true peaks


class LoudnessMeter:
    """The integrated loudness of a stream."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        from av.filter import Graph

        self._rate, self._layout = sample_rate, _LAYOUTS[channels]
        self._taken = 0
        self._lufs = _QUIETEST_LUFS
        self._graph = Graph()
        form = f"time_base=1/{sample_rate}:sample_rate={sample_rate}:sample_fmt=fltp:channel_layout={self._layout}"
        steps = [
            self._graph.add("abuffer", form),
            self._graph.add("aformat", "sample_fmts=dbl"),
            self._graph.add("ebur128", "metadata=1"),
            self._graph.add("abuffersink"),
        ]
        for step, following in pairwise(steps):
            step.link_to(following)
        self._graph.configure()

    def add(self, block: Block) -> None:
        """Listen to the next (channels, samples)."""
        from av import AudioFrame

        if not block.shape[1]:
            return
        frame = AudioFrame.from_ndarray(
            np.ascontiguousarray(block, dtype=np.float32), format="fltp", layout=self._layout
        )
        frame.sample_rate, frame.time_base, frame.pts = self._rate, Fraction(1, self._rate), self._taken
        self._taken += block.shape[1]
        self._graph.push(frame)
        self._listen()

    def finish(self) -> float | None:
        """The loudness in LUFS; None of what is silent or shorter than 0.4 s. Call it once."""
        self._graph.push(None)
        self._listen()
        return self._lufs if self._lufs > _QUIETEST_LUFS else None

    def _listen(self) -> None:
        import av

        while True:
            try:
                measured = self._graph.pull().metadata
            except (av.BlockingIOError, av.EOFError):
                return
            self._lufs = float(measured.get(_INTEGRATED, self._lufs))  # the last one may be too short to have it


class TruePeakMeter:
    """The highest absolute value of the signal that a stream of samples stands for, also between them."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._resampler = StreamResampler(sample_rate, _OVERSAMPLING * sample_rate, channels)
        self._peak = 0.0

    def add(self, block: Block) -> None:
        """Take the next (samples, channels)."""
        for finer in self._resampler.push(block):
            self._peak = max(self._peak, float(np.abs(finer).max(initial=0.0)))

    def finish(self) -> float:
        """The peak. Call it once."""
        self._peak = max(self._peak, float(np.abs(self._resampler.finish()).max(initial=0.0)))
        return self._peak
