"""A picture of a separation: the waveform and the spectrogram of the mix and of each stem, one below the other.

All rows share one scale of loudness, so that they show how much of the mix went where. The memory that a signal takes
while it is read depends on the width of the picture, not on the length of the song.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from utils.audio import temporary
from utils.audio.channels import Block
from utils.audio.disk import output_error
from utils.audio.paths import os_path

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont
    from PIL.ImageFont import ImageFont as BitmapFont

FloatArray = npt.NDArray[np.float64]

FRAME = 4096
LONGEST_HOP = 2048
SHORTEST_HOP = 128
LOWEST_HZ, HIGHEST_HZ = 40.0, 18000.0
BANDS = 96
FLOOR_DB = -80.0

# The layout of the picture, in pixels.
PLOT_WIDTH = 1000
LEFT, RIGHT, TOP, BOTTOM = 150, 24, 48, 34
WAVE_HEIGHT, GAP, ROW_GAP = 60, 4, 18
ROW_HEIGHT = WAVE_HEIGHT + GAP + BANDS

PAPER, INK, FAINT = (252, 252, 253), (33, 37, 41), (160, 166, 173)
MIX_COLOUR = (73, 80, 87)
STEM_COLOURS = ((214, 69, 65), (44, 127, 184), (65, 160, 93), (143, 90, 190), (217, 129, 30), (0, 150, 150))
# From silence to full level; values in between are interpolated.
HEAT = np.array([(10, 8, 30), (62, 20, 98), (150, 38, 108), (226, 82, 70), (252, 166, 60), (252, 250, 190)], float)


@dataclass(frozen=True)
class Row:
    """What is drawn of one signal."""

    name: str
    cells: Cells
    level_db: float


class Sketch:
    """Gathers what a picture needs of several signals, block by block."""

    def __init__(self, names: Sequence[str], sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._gatherers = {name: _Gatherer(sample_rate) for name in names}

    def add(self, name: str, block: Block) -> None:
        """The next samples (channels, n) of a signal."""
        self._gatherers[name].add(block)

    def save(self, target: Path, *, title: str) -> None:
        """Draw the signals in their order and write a PNG, which appears under its name when complete. Call it once."""
        duration_s = max(gatherer.samples for gatherer in self._gatherers.values()) / self._sample_rate
        rows = [Row(name, gatherer.finish(), gatherer.level_db) for name, gatherer in self._gatherers.items()]
        picture = draw(rows, title=title, duration_s=duration_s)
        part = temporary.part_path(target)
        try:
            picture.save(os_path(part), format="PNG", optimize=True)
            os.replace(os_path(part), os_path(target))  # noqa: PTH105 - a Path would undo the extended form
        except OSError as error:
            raise output_error(error, target) from error
        finally:
            temporary.remove(part)


# Gathering ----------------------------------------------------------------------------------------------------------


class _Gatherer:
    """Extremes and spectra of a signal, in cells of equal length that are joined in pairs when there are too many.

    A cell is one frame of the spectrum, or several if even the longest hop gives too many frames.
    """

    def __init__(self, sample_rate: int) -> None:
        self.samples = 0
        self._energy = 0.0
        self._hop = SHORTEST_HOP
        self._frames_in_cell = 1
        self._rest = np.zeros(FRAME // 2, dtype=np.float32)  # so that the first frame is centred on the first sample
        self._frames = Cells.none()  # of the last cell, which is not full yet
        self._cells = Cells.none()
        self._window = np.hanning(FRAME)
        # The first bin of each band. Bands are equally wide to the ear.
        edges_hz = np.geomspace(LOWEST_HZ, min(HIGHEST_HZ, 0.45 * sample_rate), BANDS)
        self._starts = np.round(edges_hz * FRAME / sample_rate).astype(np.intp)

    def add(self, block: Block) -> None:
        mono = block.mean(axis=0)
        self.samples += len(mono)
        self._energy += float(np.square(mono, dtype=np.float64).sum())
        self._rest = np.concatenate([self._rest, mono])
        self._advance()

    @property
    def level_db(self) -> float:
        return float(10 * np.log10(max(self._energy / max(self.samples, 1), 1e-12)))

    def finish(self) -> Cells:
        self._rest = np.concatenate([self._rest, np.zeros(FRAME // 2 + self._hop, dtype=np.float32)])
        self._advance()
        return self._cells.and_then(self._frames.joined(self._frames_in_cell))

    def _advance(self) -> None:
        while (count := (len(self._rest) - FRAME) // self._hop + 1) > 0:
            room = (2 * PLOT_WIDTH - len(self._cells)) * self._frames_in_cell - len(self._frames)
            count = min(count, room)
            self._frames = self._frames.and_then(self._next_frames(count))
            self._rest = self._rest[count * self._hop :]
            full = len(self._frames) // self._frames_in_cell * self._frames_in_cell
            self._cells = self._cells.and_then(self._frames.part(0, full).joined(self._frames_in_cell))
            self._frames = self._frames.part(full, None)
            if len(self._cells) == 2 * PLOT_WIDTH:  # from now on, cells are twice as long
                self._cells = self._cells.joined(2)
                if self._hop < LONGEST_HOP:
                    self._hop *= 2
                else:
                    self._frames_in_cell *= 2

    def _next_frames(self, count: int) -> Cells:
        frames = np.lib.stride_tricks.sliding_window_view(self._rest, FRAME)[:: self._hop][:count]
        around = frames[:, (FRAME - self._hop) // 2 : (FRAME + self._hop) // 2]
        spectra = np.abs(np.fft.rfft(frames * self._window)) / (FRAME / 4)
        power = np.maximum.reduceat(np.square(spectra), self._starts, axis=1)
        return Cells(around.min(axis=1).astype(float), around.max(axis=1).astype(float), power)


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


# Drawing ------------------------------------------------------------------------------------------------------------


def draw(rows: Sequence[Row], *, title: str, duration_s: float) -> Image:
    """The whole picture."""
    from PIL import Image, ImageDraw, ImageFont

    height = TOP + len(rows) * (ROW_HEIGHT + ROW_GAP) - ROW_GAP + BOTTOM
    picture = Image.new("RGB", (LEFT + PLOT_WIDTH + RIGHT, height), PAPER)
    pen = ImageDraw.Draw(picture)
    large, small = ImageFont.load_default(18), ImageFont.load_default(13)
    pen.text((LEFT, 14), title, INK, large)
    loudest = max(float(row.cells.power.max()) for row in rows)
    peak = max(float(np.maximum(row.cells.high, -row.cells.low).max()) for row in rows)
    for number, row in enumerate(rows):
        top = TOP + number * (ROW_HEIGHT + ROW_GAP)
        colour = MIX_COLOUR if number == 0 else STEM_COLOURS[(number - 1) % len(STEM_COLOURS)]
        name = row.name if len(row.name) <= 15 else f"{row.name[:14]}…"  # as much as the margin holds
        pen.text((16, top + 6), name, colour, large)
        pen.text((16, top + 32), f"{row.level_db:.1f} dBFS RMS" if row.level_db > FLOOR_DB else "silent", INK, small)
        _draw_wave(pen, row, top, colour, peak or 1.0)
        heat = Image.fromarray(heat_map(row.cells.power, loudest))
        picture.paste(heat.resize((PLOT_WIDTH, BANDS)), (LEFT, top + WAVE_HEIGHT + GAP))
    _draw_times(pen, duration_s, height - BOTTOM + 6, small)
    return picture


def heat_map(power: FloatArray, loudest: float) -> npt.NDArray[np.uint8]:
    """The colours (bands, cells, 3) of power (cells, bands): high frequencies on top, `loudest` the brightest."""
    level_db = 10 * np.log10(np.maximum(power.T, 1e-20) / max(loudest, 1e-12))
    position = np.clip(1 - level_db / FLOOR_DB, 0, 1)[::-1] * (len(HEAT) - 1)
    channels = [np.interp(position, np.arange(len(HEAT)), HEAT[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).astype(np.uint8)


def _draw_wave(pen: ImageDraw, row: Row, top: int, colour: tuple[int, int, int], peak: float) -> None:
    middle, half = top + WAVE_HEIGHT / 2, WAVE_HEIGHT / 2 - 1
    columns = len(row.cells)
    pen.line((LEFT, middle, LEFT + PLOT_WIDTH - 1, middle), FAINT)
    for x in range(PLOT_WIDTH):
        first = x * columns // PLOT_WIDTH
        cells = slice(first, max(first + 1, (x + 1) * columns // PLOT_WIDTH))
        up, down = row.cells.high[cells].max() / peak, row.cells.low[cells].min() / peak
        pen.line((LEFT + x, middle - half * up, LEFT + x, middle - half * down), colour)


def _draw_times(pen: ImageDraw, duration_s: float, y: int, font: FreeTypeFont | BitmapFont) -> None:
    """The time axis: five to ten round numbers of seconds."""
    if duration_s <= 0:
        return
    steps = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600)
    step = next((step for step in steps if duration_s / step <= 10), 7200)
    for second in (number * step for number in range(int(duration_s / step) + 1)):
        x = LEFT + round((PLOT_WIDTH - 1) * second / duration_s)
        pen.line((x, y - 5, x, y - 1), INK)
        pen.text((x, y), f"{int(second // 60)}:{second % 60:04.1f}", INK, font, anchor="ma")
