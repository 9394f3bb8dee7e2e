"""The report of a job, as a consumer of its stream: which files it has, and what they show.

What draws and encodes is imported when a report is asked for, since few are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from utils import __version__
from utils.core.errors import OutputError
from utils.core.job import Job
from utils.core.recipes import MIX_TITLE
from utils.core.requests import Separate
from utils.engine.pipeline.arrangement import Arrangement
from utils.engine.pipeline.song import Samples
from utils.engine.pipeline.targets import report_target
from utils.engine.pipeline.track import Track

if TYPE_CHECKING:
    from utils.audio.report.writer import ReportWriter


class JobReport:
    """What a request asks for of `report.png` and `report.html`, as a context manager; perhaps nothing."""

    def __init__(self, request: Separate, arrangement: Arrangement, track: Track, frames: int, job: Job) -> None:
        self._request, self._arrangement, self._track = request, arrangement, track
        self._targets: dict[str, Path] = {}  # by what they are called in the reply
        for field, extension in (("report", "png"), ("report_html", "html")):
            if not getattr(request, field):
                continue
            target = report_target(request, arrangement, track, extension)
            if target.exists() and not request.overwrite:
                job.warn(f"`{target.name}` was not written: it exists, and `overwrite` is false.")
            else:
                self._targets[field] = target
        self._writer = self._open(frames) if self._targets else None

    def _open(self, frames: int) -> ReportWriter:
        from utils.audio.report.writer import ReportWriter

        return ReportWriter(
            [MIX_TITLE, *self._arrangement.selection.names],
            sample_rate=self._arrangement.sample_rate,
            channels=self._arrangement.channels,
            duration_s=frames / self._arrangement.sample_rate,
            page=self._targets.get("report_html"),
        )

    def __enter__(self) -> Self:
        if self._writer is not None:
            self._writer.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.__exit__(kind, error, trace)

    def add(self, name: str, samples: Samples) -> None:
        """The next samples (channels, n) of a stem or the mix."""
        if self._writer is not None:
            self._writer.add(name, samples)

    def save(self, settings: Mapping[str, object], job: Job) -> dict[str, str]:
        """Write its files; their paths as the reply has them. Failing is not fatal: the stems are complete already."""
        if self._writer is None:
            return {}
        from utils.audio.report.facts import Facts

        arrangement, writer = self._arrangement, self._writer
        facts = Facts(self._track.name, arrangement.model, __version__, arrangement.compute.device, settings)
        theme, scale = self._request.report_look
        saves: dict[str, Callable[[Path], None]] = {
            "report": lambda target: writer.save_picture(target, facts, theme=theme, scale=scale),
            "report_html": lambda _: writer.save_page(facts),
        }
        saved = {}
        for field, target in self._targets.items():
            try:
                saves[field](target)
                saved[field] = str(target)
            except OutputError as error:
                job.warn(f"`{target.name}` was not written. {error.message}")
        return saved
