"""SDR and its variants, of signals that come in blocks. Blocks are (channels, samples); channels count together."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Signal = npt.NDArray[np.float32]

# Added to energies, as published programs do, so that a perfect estimate has a finite score.
EPSILON = 1e-8


@dataclass
class PairEnergies:
    """Sums over samples, of which ratios are made."""

    truth: float = 0.0
    estimate: float = 0.0
    error: float = 0.0
    product: float = 0.0

    def add(self, truth: Signal, estimate: Signal) -> None:
        exact, other = truth.astype(np.float64).ravel(), estimate.astype(np.float64).ravel()
        error = exact - other
        self.truth += float(exact @ exact)
        self.estimate += float(other @ other)
        self.error += float(error @ error)
        self.product += float(exact @ other)

    @property
    def sdr(self) -> float | None:
        """The energy of the truth over that of the error, in dB. None if the truth is silent."""
        return 10 * math.log10((self.truth + EPSILON) / (self.error + EPSILON)) if self.truth else None

    @property
    def si_sdr(self) -> float | None:
        """The same for a truth that is scaled to fit the estimate best. None if one of them is silent or none is left."""
        if not self.truth or not self.product:
            return None
        scaled = self.product * self.product / self.truth
        return 10 * math.log10((scaled + EPSILON) / (max(self.estimate - scaled, 0.0) + EPSILON))


@dataclass
class SecondBySecond:
    """The SDR of each second, one after another. What is left at the end is no frame."""

    length: int
    values: list[float] = field(default_factory=list)
    _current: PairEnergies = field(default_factory=PairEnergies)
    _taken: int = 0

    def add(self, truth: Signal, estimate: Signal) -> None:
        start = 0
        while start < truth.shape[1]:
            end = min(truth.shape[1], start + self.length - self._taken)
            self._current.add(truth[:, start:end], estimate[:, start:end])
            self._taken += end - start
            start = end
            if self._taken == self.length:
                sdr = self._current.sdr
                if sdr is not None and self._current.estimate:
                    self.values.append(sdr)
                self._current, self._taken = PairEnergies(), 0

    @property
    def median(self) -> float | None:
        """Over all frames in which neither signal is silent."""
        return float(np.median(self.values)) if self.values else None
