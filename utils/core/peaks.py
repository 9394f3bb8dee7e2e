"""How loud songs and stems should be. Pure numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class PeakRange:
    """A range of peaks. What is louder or quieter is brought to the nearer end of it; silence stays silence."""

    lowest: float
    highest: float

    def gain(self, peak: float) -> float:
        if peak > self.highest:
            return self.highest / peak
        if 0 < peak < self.lowest:
            return self.lowest / peak
        return 1.0


@dataclass(frozen=True)
class Loudness:
    """How loud a job's files are to be, by one gain for all of them."""

    lufs: float | Literal["input"] | None = None  # of the song; or the files together as loud as the song is
    true_peak_db: float | None = None  # the highest of any file; the gain is lowered for it

    def gain(self, song_lufs: float | None, stems_lufs: float | None) -> float | None:
        """The gain for what was measured; None where nothing could be, because it is silent or very short."""
        loud, wanted = (stems_lufs, song_lufs) if self.lufs == "input" else (song_lufs, self.lufs)
        return None if loud is None or wanted is None else 10 ** ((wanted - loud) / 20)

    def gain_below(self, true_peak: float) -> float:
        """The highest gain with which nothing is above the ceiling."""
        if self.true_peak_db is None or not true_peak:
            return math.inf
        return float(10 ** (self.true_peak_db / 20) / true_peak)
