"""A picture of a separation: the waveform and the spectrogram of the mix and of each stem, one below the other.

Spectrograms share one scale of loudness, so that they show how much of the mix went where. The waveform of a quiet stem
is drawn larger, and says by how much.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from utils.audio.report.cells import BANDS, FloatArray, band_edges_hz
from utils.audio.report.facts import Facts, Row, Scales
from utils.audio.report.lettering import Lettering
from utils.core.requests import Theme

Colour = tuple[int, int, int]

FLOOR_DB = -80.0

# The layout of the picture, in pixels at a scale of 1.
PLOT_WIDTH = 1000
LEFT, RIGHT, TOP, BOTTOM = 196, 24, 66, 74
WAVE_HEIGHT, GAP, ROW_GAP = 60, 4, 18
ROW_HEIGHT = WAVE_HEIGHT + GAP + BANDS
MARGIN = 16
AXIS_WIDTH = 52  # left of the plots, for their figures
LARGE, SMALL, TINY = 18, 13, 11
SHORTEST_TICK = 44  # the room that a time takes on the axis
LEGEND_WIDTH = 250  # at the right of the last line
NOTE_LINES, LINE_HEIGHT = 2, 16

MIX_COLOUR = (112, 122, 134)
STEM_COLOURS = ((214, 69, 65), (44, 127, 184), (65, 160, 93), (143, 90, 190), (217, 129, 30), (0, 150, 150))
NIGHT, DAY = (10, 10, 16), (255, 255, 250)  # of spectrograms: silence, and full level
FREQUENCIES_HZ = {100: "100 Hz", 1000: "1 kHz", 10000: "10 kHz"}
TIME_STEPS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600)


@dataclass(frozen=True)
class Palette:
    """The colours of a theme."""

    paper: Colour
    ink: Colour
    faint: Colour


PALETTES: dict[Theme, Palette] = {
    "light": Palette(paper=(252, 252, 253), ink=(33, 37, 41), faint=(160, 166, 173)),
    "dark": Palette(paper=(20, 22, 26), ink=(228, 231, 235), faint=(98, 105, 114)),
}


class Drawing:
    """One picture. Places and sizes in its code are those of a picture at a scale of 1."""

    def __init__(
        self, rows: Sequence[Row], sample_rate: int, duration_s: float, *, theme: Theme = "light", scale: int = 1
    ) -> None:
        self._rows = rows
        self._sample_rate = sample_rate
        self._duration_s = duration_s
        self._palette = PALETTES[theme]
        self._scale = scale
        self._height = TOP + len(rows) * (ROW_HEIGHT + ROW_GAP) - ROW_GAP + BOTTOM
        size = (self._px(LEFT + PLOT_WIDTH + RIGHT), self._px(self._height))
        self._picture = Image.new("RGB", size, self._palette.paper)
        self._pen = ImageDraw.Draw(self._picture)
        self._large, self._small, self._tiny = (Lettering(self._px(points)) for points in (LARGE, SMALL, TINY))

    def draw(self, facts: Facts) -> Image.Image:
        width = LEFT + PLOT_WIDTH - MARGIN
        self._write(self._large, MARGIN, 12, self._large.cut(facts.title, self._px(width)), self._palette.ink)
        scales = Scales.of(self._rows)
        for number, row in enumerate(self._rows):
            top = TOP + number * (ROW_HEIGHT + ROW_GAP)
            self._draw_row(row, top, colour_of(number), scales)
            if (closeness := facts.closeness.get(row.name)) is not None:
                for y, text in (
                    (76, f"SDR {closeness.sdr_db:.1f} dB"),
                    (94, f"{closeness.over_mix_db:+.1f} dB over mix"),
                ):
                    self._write(self._small, MARGIN, top + y, text, self._palette.ink)
        self._draw_times(TOP - 6, above=True)
        self._draw_times(self._height - BOTTOM + 4, above=False)
        self._draw_scale(scales.power)
        self._draw_note([f"{name} {value}" for name, value in facts.entries.items()], width - LEGEND_WIDTH)
        return self._picture

    def _draw_row(self, row: Row, top: int, colour: Colour, scales: Scales) -> None:
        room = self._px(LEFT - AXIS_WIDTH - MARGIN)
        self._write(self._large, MARGIN, top + 4, self._large.cut(row.name, room), colour)
        self._write(self._small, MARGIN, top + 32, row.level, self._palette.ink)
        gain_db = scales.gain_db(row)
        if gain_db:
            self._write(self._small, MARGIN, top + 52, f"waveform +{gain_db} dB", self._palette.faint)
        if scales.peak > 0:
            full_db = 20 * math.log10(scales.full(row))
            for y, name in ((top - 2, f"{full_db:.0f} dB"), (top + WAVE_HEIGHT // 2 - 7, "-∞")):
                self._write_axis(y, name)
        self._draw_wave(row, top, colour, scales.full(row))
        self._draw_heat(row, top + WAVE_HEIGHT + GAP, colour, scales.power)

    def _draw_wave(self, row: Row, top: int, colour: Colour, full: float) -> None:
        middle, half = self._px(top + WAVE_HEIGHT / 2), self._px(WAVE_HEIGHT / 2 - 1)
        left, width, columns = self._px(LEFT), self._px(PLOT_WIDTH), len(row.cells)
        self._pen.line((left, middle, left + width - 1, middle), self._palette.faint)
        for x in range(width):
            first = x * columns // width
            cells = slice(first, max(first + 1, (x + 1) * columns // width))
            up, down = row.cells.high[cells].max() / full, row.cells.low[cells].min() / full
            self._pen.line((left + x, middle - half * up, left + x, middle - half * down), colour)

    def _draw_heat(self, row: Row, top: int, colour: Colour, loudest: float) -> None:
        heat = heat_image(row.cells.power, loudest, colour).convert("RGB")
        self._picture.paste(heat.resize((self._px(PLOT_WIDTH), self._px(BANDS))), (self._px(LEFT), self._px(top)))
        for name, band in frequency_marks(self._sample_rate):
            y = top + BANDS - 1 - band
            self._line(LEFT - 4, y, LEFT - 1, y)
            self._write_axis(y - 7, name)

    def _draw_times(self, y: float, *, above: bool) -> None:
        """An axis of round times, as many as there is room for."""
        for second in round_times(self._duration_s, PLOT_WIDTH // SHORTEST_TICK // 2):
            x = LEFT + (PLOT_WIDTH - 1) * second / self._duration_s
            name = time_of(second)
            self._line(x, y, x, y + 4)
            left = x * self._scale - self._tiny.width(name) / 2
            self._tiny.draw(self._pen, (left, self._px(y - 15 if above else y + 5)), name, self._palette.ink)

    def _draw_scale(self, loudest: float) -> None:
        """What the brightness of spectrograms means: the loudest band is at the right end."""
        left, top, width = LEFT + PLOT_WIDTH - 160, self._height - 16, 100
        ramp = np.repeat(10 ** (np.linspace(FLOOR_DB, 0, 256) / 10)[:, None], 2, axis=1)
        heat = heat_image(ramp, 1.0, MIX_COLOUR).convert("RGB")
        self._picture.paste(heat.resize((self._px(width), self._px(8))), (self._px(left), self._px(top)))
        loudest_db = 10 * math.log10(max(loudest, 1e-12))
        low, high = f"{loudest_db + FLOOR_DB:.0f} dB", f"{loudest_db:.0f} dB"
        before = left * self._scale - self._tiny.width(low) - self._px(6)
        self._tiny.draw(self._pen, (before, self._px(top - 4)), low, self._palette.ink)
        self._write(self._tiny, left + width + 6, top - 4, high, self._palette.ink)

    def _draw_note(self, details: Sequence[str], width: float) -> None:
        """As many lines as there is room for; what does not fit into the last one is cut off."""
        lines = [""]
        for detail in details:
            longer = f"{lines[-1]} · {detail}" if lines[-1] else detail
            if len(lines) == NOTE_LINES or self._tiny.width(longer) <= self._px(width):
                lines[-1] = longer
            else:
                lines.append(detail)
        for number, line in enumerate(reversed(lines)):
            y = self._height - 20 - number * LINE_HEIGHT
            self._write(self._tiny, MARGIN, y, self._tiny.cut(line, self._px(width)), self._palette.ink)

    def _px(self, length: float) -> int:
        return round(length * self._scale)

    def _line(self, *ends: float) -> None:
        self._pen.line([self._px(value) for value in ends], self._palette.ink, width=self._scale)

    def _write(self, lettering: Lettering, x: float, y: float, text: str, colour: Colour) -> None:
        lettering.draw(self._pen, (self._px(x), self._px(y)), text, colour)

    def _write_axis(self, y: float, text: str) -> None:
        """A figure left of a plot, ending at it."""
        x = self._px(LEFT - 6) - self._tiny.width(text)
        self._tiny.draw(self._pen, (x, self._px(y)), text, self._palette.ink)


def colour_of(number: int) -> Colour:
    """The colour of a row; the first one is the mix."""
    return MIX_COLOUR if number == 0 else STEM_COLOURS[(number - 1) % len(STEM_COLOURS)]


def heat_image(power: FloatArray, loudest: float, colour: Colour) -> Image.Image:
    """Power (cells, bands) in shades of a colour: high frequencies on top, `loudest` the brightest."""
    level_db = 10 * np.log10(np.maximum(power.T, 1e-20) / max(loudest, 1e-12))
    shades = np.rint(255 * np.clip(1 - level_db / FLOOR_DB, 0, 1))[::-1].astype(np.uint8)
    stops = np.array([NIGHT, [channel // 2 for channel in colour], colour, DAY], float)
    position = np.linspace(0, len(stops) - 1, 256)
    palette = [np.interp(position, np.arange(len(stops)), stops[:, channel]) for channel in range(3)]
    image = Image.fromarray(shades)
    image.putpalette(np.stack(palette, axis=-1).astype(np.uint8).tobytes())
    return image


def frequency_marks(sample_rate: int) -> list[tuple[str, float]]:
    """The frequencies of an axis, each with its place among the bands."""
    edges_hz = band_edges_hz(sample_rate)
    return [
        (name, float(np.interp(math.log(hz), np.log(edges_hz), np.arange(BANDS))))
        for hz, name in FREQUENCIES_HZ.items()
        if hz < edges_hz[-1]
    ]


def round_times(duration_s: float, most: int) -> range:
    """About as many round times as asked for, in seconds; none of nothing."""
    if duration_s <= 0:
        return range(0)
    step = next((step for step in TIME_STEPS_S if duration_s / step <= most), None)
    return range(0, int(duration_s) + 1, step or 3600 * math.ceil(duration_s / 3600 / most))


def time_of(second: int) -> str:
    minutes, seconds = divmod(second, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
