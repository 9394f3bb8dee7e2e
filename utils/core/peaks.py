"""How loud songs and stems should be. Pure numbers."""

from __future__ import annotations

from dataclasses import dataclass


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
