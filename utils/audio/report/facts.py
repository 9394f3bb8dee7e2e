"""What a report tells beside what it shows of the signals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from utils.audio.report.cells import Cells

SILENCE_DB = -100.0
GAIN_STEP_DB, MOST_GAIN_DB = 6, 30


class Closeness(NamedTuple):
    """How close a stem comes to the true one, in dB, and how much closer than the mix would."""

    sdr_db: float
    over_mix_db: float


@dataclass(frozen=True)
class Facts:
    """What was separated by what, and how good it is where the true stems are known."""

    song: str
    model: str
    version: str
    device: str
    settings: Mapping[str, object] = field(default_factory=dict)
    closeness: Mapping[str, Closeness] = field(default_factory=dict)  # by stem

    @property
    def title(self) -> str:
        return f"{self.song}  ·  {self.model}"

    @property
    def entries(self) -> dict[str, str]:
        """What made it, then how."""
        words = {True: "yes", False: "no"}
        settings = {
            name.replace("_", " "): words[value] if isinstance(value, bool) else str(value)
            for name, value in self.settings.items()
        }
        return {"DSU": self.version, "device": self.device, **settings}


@dataclass(frozen=True)
class Row:
    """What is shown of one signal."""

    name: str
    cells: Cells
    level_db: float

    @property
    def peak(self) -> float:
        return float(np.maximum(self.cells.high, -self.cells.low).max())

    @property
    def peak_db(self) -> float:
        return 20 * math.log10(max(self.peak, 1e-10))

    @property
    def level(self) -> str:
        return f"{self.level_db:.1f} dBFS RMS" if self.level_db > SILENCE_DB else "silent"


@dataclass(frozen=True)
class Scales:
    """What all rows of a report share, so that they can be compared: the highest peak, and the loudest band."""

    peak: float
    power: float

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Scales:
        return cls(max(row.peak for row in rows), max(float(row.cells.power.max()) for row in rows))

    def gain_db(self, row: Row) -> int:
        """How many dB larger the waveform of a quiet signal is drawn: whole steps, so that it still fits."""
        if not 0 < row.peak < self.peak:
            return 0
        steps = int(20 * math.log10(self.peak / row.peak) / GAIN_STEP_DB)
        return min(steps * GAIN_STEP_DB, MOST_GAIN_DB)

    def full(self, row: Row) -> float:
        """The sample value that fills the height of a row's waveform."""
        return self.peak / 10 ** (self.gain_db(row) / 20) or 1.0
