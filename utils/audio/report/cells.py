"""What a picture shows of a signal, gathered block by block: its extremes, its spectra and its level.

The memory that a signal takes while it is read depends on the number of cells, not on the length of the song.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from utils.audio.channels import Block

FloatArray = npt.NDArray[np.float64]

MOST_CELLS = 2000  # twice the columns of a picture
FRAME = 4096
LONGEST_HOP = 2048
SHORTEST_HOP = 128
LOWEST_HZ, HIGHEST_HZ = 40.0, 18000.0
BANDS = 96


def band_edges_hz(sample_rate: int) -> FloatArray:
    """Where each band begins. Bands are equally wide to the ear."""
    return np.geomspace(LOWEST_HZ, min(HIGHEST_HZ, 0.45 * sample_rate), BANDS)


class Gatherer:
    """Extremes of all channels, and their mean spectra, in cells of equal length that are joined in pairs when there are too many.

    A cell is one frame of the spectrum, or several if even the longest hop gives too many frames.
    """

    def __init__(self, sample_rate: int) -> None:
        self.samples = 0
        self._energy = 0.0
        self._hop = SHORTEST_HOP
        self._frames_in_cell = 1
        # So that the first frame is centred on the first sample. The first block tells how many channels there are.
        self._rest: Block = np.zeros((1, FRAME // 2), dtype=np.float32)
        self._frames = Cells.none()  # of the last cell, which is not full yet
        self._cells = Cells.none()
        self._window = np.hanning(FRAME)
        # The first bin of each band.
        self._starts = np.round(band_edges_hz(sample_rate) * FRAME / sample_rate).astype(np.intp)

    def add(self, block: Block) -> None:
        """The next samples (channels, n)."""
        self.samples += block.shape[1]
        self._energy += float(np.square(block, dtype=np.float64).mean(axis=0).sum())
        before = np.broadcast_to(self._rest, (len(block), self._rest.shape[1]))
        self._rest = np.concatenate([before, block], axis=1)
        self._advance()

    @property
    def level_db(self) -> float:
        """The mean power of all channels."""
        return float(10 * np.log10(max(self._energy / max(self.samples, 1), 1e-12)))

    def finish(self) -> Cells:
        silence = np.zeros((len(self._rest), FRAME // 2 + self._hop), dtype=np.float32)
        self._rest = np.concatenate([self._rest, silence], axis=1)
        self._advance()
        return self._cells.and_then(self._frames.joined(self._frames_in_cell))

    def _advance(self) -> None:
        while (count := (self._rest.shape[1] - FRAME) // self._hop + 1) > 0:
            room = (MOST_CELLS - len(self._cells)) * self._frames_in_cell - len(self._frames)
            count = min(count, room)
            self._frames = self._frames.and_then(self._next_frames(count))
            self._rest = self._rest[:, count * self._hop :]
            full = len(self._frames) // self._frames_in_cell * self._frames_in_cell
            self._cells = self._cells.and_then(self._frames.part(0, full).joined(self._frames_in_cell))
            self._frames = self._frames.part(full, None)
            if len(self._cells) == MOST_CELLS:  # from now on, cells are twice as long
                self._cells = self._cells.joined(2)
                if self._hop < LONGEST_HOP:
                    self._hop *= 2
                else:
                    self._frames_in_cell *= 2

    def _next_frames(self, count: int) -> Cells:
        frames = np.lib.stride_tricks.sliding_window_view(self._rest, FRAME, axis=1)[:, :: self._hop][:, :count]
        around = frames[:, :, (FRAME - self._hop) // 2 : (FRAME + self._hop) // 2]
        spectra = np.abs(np.fft.rfft(frames * self._window)) / (FRAME / 4)
        power = np.maximum.reduceat(np.square(spectra).mean(axis=0), self._starts, axis=1)
        return Cells(around.min(axis=(0, 2)).astype(float), around.max(axis=(0, 2)).astype(float), power)


@dataclass(frozen=True)
class Cells:
    """Sections of a signal: their smallest and largest sample, and the largest power of each band."""

    low: FloatArray
    high: FloatArray
    power: FloatArray  # (cells, bands)

    @classmethod
    def none(cls) -> Cells:
        return cls(np.zeros(0), np.zeros(0), np.zeros((0, BANDS)))

    def __len__(self) -> int:
        return len(self.low)

    def part(self, first: int, stop: int | None) -> Cells:
        return Cells(self.low[first:stop], self.high[first:stop], self.power[first:stop])

    def and_then(self, later: Cells) -> Cells:
        return Cells(
            np.concatenate([self.low, later.low]),
            np.concatenate([self.high, later.high]),
            np.concatenate([self.power, later.power]),
        )

    def joined(self, count: int) -> Cells:
        """Each `count` neighbours as one; the last may be fewer."""
        if count == 1 or len(self) == 0:
            return self
        starts = np.arange(0, len(self), count)
        return Cells(
            np.minimum.reduceat(self.low, starts),
            np.maximum.reduceat(self.high, starts),
            np.maximum.reduceat(self.power, starts, axis=0),
        )
