"""What a person sees while songs are separated: a bar where stderr is a terminal, one line for each song elsewhere.

Nothing here decides anything; it turns events into text on the stream it is given.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

from utils.core.replies import (
    Downloading,
    Event,
    FileDone,
    LoadingModel,
    ModelDownloaded,
    Progress,
    Restoring,
    Separating,
)

if TYPE_CHECKING:
    import rich.progress


class Display(Protocol):
    """Shows what a job does."""

    def event(self, event: Event) -> None:
        """An event of the job."""

    def counted(self, stage: str, done: float, total: float) -> None:
        """How far a stage of a job is, in its own unit; for displays that make something of it."""
        del stage, done, total

    def doing(self, text: str) -> None:
        """What is done now, where that is shown."""
        del text

    def line(self, text: str) -> None:
        """A sentence that stays: an error, a warning."""

    def say(self, text: str) -> None:
        """A sentence that stays when all is well."""
        self.line(text)

    def total(self, text: str, *, failed: bool) -> None:
        """What became of all songs."""
        del failed
        self.line(text)


class Lines(Display):
    """For pipes and log files: only what stays."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out
        self._downloading = ""

    def event(self, event: Event) -> None:
        if isinstance(event, Downloading) and event.file != self._downloading:  # once, however often it is tried
            self._downloading = event.file
            self.line(f"Downloading {event.file} of {event.model}")

    def line(self, text: str) -> None:
        self._out.write(text + "\n")
        self._out.flush()


class Bar(Display):
    """For terminals: one bar below the lines that stay."""

    def __init__(self, progress: rich.progress.Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("Starting", total=None)

    def event(self, event: Event) -> None:
        if isinstance(event, Progress):
            self._show(event.percent)
        elif isinstance(event, Downloading):
            asked = isinstance(event.connecting, str)
            doing = f"Connecting to {event.connecting} for" if asked else "Downloading"
            self._show(event.percent, f"{doing} {event.model} ({event.file})")
        elif isinstance(event, LoadingModel):
            self._show(None, f"Loading {event.model}")
        elif isinstance(event, Separating | Restoring):
            self._show(None, event.input)

    def doing(self, text: str) -> None:
        self._show(None, text)

    def line(self, text: str) -> None:
        self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def total(self, text: str, *, failed: bool) -> None:
        colour = "red" if failed else "green"
        self._progress.console.print(text, style=f"bold {colour}", markup=False, highlight=False, soft_wrap=True)

    def _show(self, percent: float | None, description: str | None = None) -> None:
        if percent is not None:
            self._progress.update(self._task, completed=percent, total=100.0)
        if description is not None:
            self._progress.update(self._task, description=description.replace("[", r"\["))


@contextlib.contextmanager
def open_display(out: IO[str]) -> Iterator[Display]:
    """The display that suits the stream. The bar disappears at the end; lines stay."""
    if not out.isatty():
        yield Lines(out)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>5.1f} %"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(file=out), transient=True) as progress:
        yield Bar(progress)


# What stays -------------------------------------------------------------------------------------------------------


def describe_done(done: FileDone) -> str:
    """The line for a song whose stems were written."""
    if done.skipped is True:
        return f"{done.input}: skipped, because it is already finished."
    paths = [Path(path) for path in dict.fromkeys((done.paths or {}).values())]
    folders = sorted({str(path.parent) for path in paths})
    return f"{done.input} -> {', '.join(folders)}: {' '.join(path.name for path in paths)}"


def describe_download(done: ModelDownloaded, size_bytes: int | None) -> str:
    """The line for a downloaded model. Where its total size is not known, that of its first file is shown."""
    size = done.size_bytes if size_bytes is None else size_bytes
    return f"{done.model} ({size / 1e6:.1f} MB) -> {', '.join(done.files)}"


def describe_result(result: dict[str, Any]) -> str:
    """How one separation went, for `--verbose`."""
    if result["status"] != "done":
        return f"{result['code']}: {result['message']}"
    timing = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in result["timing"].items())
    settings = ", ".join(f"{name} {value}" for name, value in result.get("settings", {}).items())
    return (
        f"{result['output_dir']}: {result['duration']:.1f} s of audio in {result['elapsed']:.1f} s "
        f"({result['speed']:.1f} times real time) with {result['model']} on {result['device']}; {timing}; {settings}"
    )
