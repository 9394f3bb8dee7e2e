"""What the program says on stderr while it works: lines of a log as the package writes them, and a bar as tqdm draws it.

Programs that start it read the percentages of the bar, and the names of files in the last line of the log.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import IO

from msgspec import UNSET

from utils.commandline.bars import blocks, shown_time
from utils.commandline.display import Display
from utils.core.errors import InvalidRequest
from utils.core.replies import Downloading, Event, LoadingModel, Progress, Restoring, Separating

LEVELS = ("debug", "info", "warning", "error", "critical")
CELLS = 10


class Log:
    """Writes `2026-01-31 12:00:00.000 - INFO - MODULE - TEXT` for messages from a level on."""

    def __init__(self, out: IO[str], level: str) -> None:
        """Raises `InvalidRequest` for a level that there is not."""
        if level not in LEVELS:
            raise InvalidRequest(f"--log-level takes one of {', '.join(LEVELS)}, not {level!r}.")
        self._out = out
        self._shown = LEVELS[LEVELS.index(level) :]
        self._in_line = False  # whether a bar stands where the next line would begin

    def shows(self, level: str) -> bool:
        return level in self._shown

    def say(self, level: str, module: str, text: str) -> None:
        if self.shows(level):
            now = datetime.now().astimezone()
            self.end_bar()
            self._out.write(
                f"{now:%Y-%m-%d %H:%M:%S}.{now.microsecond // 1000:03} - {level.upper()} - {module} - {text}\n"
            )
            self._out.flush()

    def bar(self, text: str) -> None:
        """Draw over the line that was drawn last."""
        self._out.write(f"\r{text}")
        self._out.flush()
        self._in_line = True

    def end_bar(self) -> None:
        if self._in_line:
            self._out.write("\n")
            self._in_line = False


class Messages(Display):
    """A display of jobs: shows in the log and its bar what they do."""

    def __init__(self, log: Log, clock: Callable[[], float] = time.monotonic) -> None:
        self.log = log
        self._clock = clock
        self._began: float | None = None
        self._shown = -1
        self._downloading = ""

    def event(self, event: Event) -> None:
        if isinstance(event, Progress):
            percent = event.percent if event.part_percent is UNSET else event.part_percent
            if self._began is not None or percent < 100:  # a song that failed at once has no bar to be filled
                self._progress(percent)
        elif isinstance(event, Downloading):
            if event.file != self._downloading:  # once, however often it is tried
                self._downloading = event.file
                self.log.say("info", "separator", f"Downloading file {event.file} of {event.model}")
            self._progress(event.percent)
        elif isinstance(event, LoadingModel):
            self.log.say("info", "separator", f"Loading model {event.model}...")
        elif isinstance(event, Separating | Restoring):
            self.next_bar()
            self._progress(0.0)

    def line(self, text: str) -> None:
        self.log.say("info", "cli", text)

    def complete(self) -> None:
        """Whatever the last event said, the bar is full."""
        self._progress(100.0)

    def next_bar(self) -> None:
        """The next progress is that of something else."""
        self.log.end_bar()
        self._began, self._shown = None, -1

    def _progress(self, percent: float) -> None:
        done = int(percent)
        if self._began is None or done < self._shown:
            self.next_bar()
            self._began = self._clock()
        if done > self._shown:
            self._shown = done
            self.log.bar(drawn(done, self._clock() - self._began))


def drawn(percent: int, elapsed_s: float) -> str:
    """A bar with a hundred steps, as narrow as tqdm draws it where there is no terminal."""
    rate = percent / elapsed_s if elapsed_s > 0 else 0.0
    left, speed = (shown_time((100 - percent) / rate), f"{rate:5.2f}it/s") if rate else ("?", "?it/s")
    cells = blocks(percent / 100, CELLS)
    return f"{percent:3}%|{cells}| {percent}/100 [{shown_time(elapsed_s)}<{left}, {speed}]"


def duration(seconds: float) -> str:
    """As `00:01:02`."""
    return time.strftime("%H:%M:%S", time.gmtime(int(seconds)))
