"""Gathers the report of a separation while its signals go by, and saves it: a picture and, on request, a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from utils.audio.channels import Block
from utils.audio.report.cells import Gatherer
from utils.audio.report.clips import ClipPlan
from utils.audio.report.facts import Facts, Row
from utils.audio.report.page import Page, require_space
from utils.audio.report.picture import save_picture
from utils.core.requests import Theme


class ReportWriter:
    """A report that is being made, as a context manager. The first of its signals is the mix."""

    def __init__(
        self, names: Sequence[str], *, sample_rate: int, channels: int, duration_s: float, page: Path | None = None
    ) -> None:
        """Raises `DiskFull` if there is no room for the page."""
        self._sample_rate = sample_rate
        self._duration_s = duration_s
        self._gatherers = {name: Gatherer(sample_rate) for name in names}
        self._rows: list[Row] = []
        self._page: Page | None = None
        if page is not None:
            plan = ClipPlan.fitting(len(names), sample_rate=sample_rate, channels=channels, duration_s=duration_s)
            require_space(page.parent, plan, len(names), duration_s)
            self._page = Page(page, names, plan, sample_rate)

    def __enter__(self) -> Self:
        if self._page is not None:
            self._page.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._page is not None:
            self._page.close()

    def add(self, name: str, block: Block) -> None:
        """The next samples (channels, n) of a signal. Signals may come one after the other or side by side."""
        self._gatherers[name].add(block)
        if self._page is not None:
            self._page.add(name, block)

    def save_picture(self, target: Path, facts: Facts, *, theme: Theme = "light", scale: int = 1) -> None:
        save_picture(
            self._finished(),
            facts,
            target,
            sample_rate=self._sample_rate,
            duration_s=self._duration_s,
            theme=theme,
            scale=scale,
        )

    def save_page(self, facts: Facts) -> None:
        """Save the page to the file that it was opened for, if it was. Call it once."""
        if self._page is not None:
            self._page.save(self._finished(), facts, self._duration_s)

    def _finished(self) -> list[Row]:
        """What was gathered. From now on nothing can be added."""
        if not self._rows:
            self._rows = [Row(name, gatherer.finish(), gatherer.level_db) for name, gatherer in self._gatherers.items()]
        return self._rows
