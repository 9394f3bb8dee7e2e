"""Gathers what a picture of a separation shows while the stems are written, and saves it next to them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from utils.audio import temporary
from utils.audio.cells import Gatherer
from utils.audio.channels import Block
from utils.audio.disk import output_error
from utils.audio.paths import os_path

if TYPE_CHECKING:
    from utils.audio.drawing import Theme


class Sketch:
    """Gathers what a picture needs of several signals, block by block."""

    def __init__(self, names: Sequence[str], sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._gatherers = {name: Gatherer(sample_rate) for name in names}

    def add(self, name: str, block: Block) -> None:
        """The next samples (channels, n) of a signal."""
        self._gatherers[name].add(block)

    def save(self, target: Path, *, title: str, note: str = "", theme: Theme = "light", scale: int = 1) -> None:
        """Draw the signals in their order and write a PNG, which appears under its name when complete. Call it once."""
        from utils.audio.drawing import Drawing, Row

        duration_s = max(gatherer.samples for gatherer in self._gatherers.values()) / self._sample_rate
        rows = [Row(name, gatherer.finish(), gatherer.level_db) for name, gatherer in self._gatherers.items()]
        drawing = Drawing(rows, self._sample_rate, duration_s, theme=theme, scale=scale)
        picture = drawing.draw(title=title, note=note)
        part = temporary.part_path(target)
        try:
            picture.save(os_path(part), format="PNG", optimize=True)
            os.replace(os_path(part), os_path(target))  # noqa: PTH105 - a Path would undo the extended form
        except OSError as error:
            raise output_error(error, target) from error
        finally:
            temporary.remove(part)
