"""Progress as demucs shows it: bars in the form of tqdm, which programs that start demucs read from its stderr.

A bar is drawn at least twice a second while it lasts, since some of these programs end a child that is silent.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import IO

from utils.commandline.display import Display
from utils.core.replies import Downloading, Event

COLUMNS = 120
REDRAWN_S = 0.5
EIGHTHS = " ▏▎▍▌▋▊▉█"


class TextBar:
    """A line that is written over itself: `  8%|███   | 1.5/18.0 [00:01<00:14,  1.11seconds/s]`."""

    def __init__(self, out: IO[str], total: float, unit: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.total = total
        self._out = out
        self._unit = unit
        self._clock = clock
        self._started = clock()
        self._done = 0.0
        self.draw()

    def reach(self, done: float) -> None:
        """Draw the bar again, unless it shows the same percentage."""
        before, self._done = self._done, min(done, self.total)
        if self._percent(before) != self._percent(self._done) or self._done == self.total:
            self.draw()

    def end(self) -> None:
        """What follows is on a line of its own."""
        self._write("\n")

    def draw(self, *, again: bool = False) -> None:
        """Draw the bar; `again` only to show that time goes on.

        Programs that follow a bag take every padded `  0%` for the beginning of the next network, so that comes once.
        """
        elapsed = self._clock() - self._started
        rate = self._done / elapsed if elapsed > 0 else 0.0
        percent = self._percent(self._done)
        left = f"{percent:{1 if again and percent == 0 else 3}d}%|"
        remaining = shown_time((self.total - self._done) / rate) if rate else "?"
        speed = self._amount(rate, f"{rate:5.2f}") if rate else "?"
        right = (
            f"| {self._amount(self._done)}/{self._amount(self.total)} "
            f"[{shown_time(elapsed)}<{remaining}, {speed}{self._unit}/s]"
        )
        width = max(COLUMNS - len(left) - len(right), 1)
        self._write(f"\r{left}{blocks(self._done / self.total if self.total else 1.0, width)}{right}")

    def _percent(self, done: float) -> int:
        return int(100 * done / self.total) if self.total else 100

    def _amount(self, number: float, plain: str | None = None) -> str:
        """Bytes in thousands of them, seconds as they are."""
        if self._unit != "B":
            return plain or str(round(number, 2))
        for prefix in ("", "k", "M"):
            if number < 999.5:
                return f"{number:.3g}{prefix}"
            number /= 1000
        return f"{number:.3g}G"

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


def blocks(fraction: float, width: int) -> str:
    """A bar of characters, the last of which may be filled in part."""
    full, eighths = divmod(round(fraction * width * 8), 8)
    return (EIGHTHS[-1] * full + (EIGHTHS[eighths] if eighths else "")).ljust(width)


def shown_time(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes:02d}:{seconds:02d}"


class Bars(Display):
    """Sentences on `out`, bars on `err`: one for each pass of a network over a song, one for each file downloaded."""

    def __init__(self, out: IO[str], err: IO[str]) -> None:
        self.passes = 1  # over each song: of each network of a bag, for each time shift
        self._out = out
        self._err = err
        self._bar: TextBar | None = None
        self._number = 0
        self._downloading = ""
        self._lock = threading.RLock()

    def event(self, event: Event) -> None:
        if not isinstance(event, Downloading) or not event.total_bytes:
            return
        with self._lock:
            if event.file != self._downloading:  # once, however often it is tried
                self._downloading = event.file
                self.line(f"Downloading {event.file} of {event.model}")
            bar = self._bar or self._begin(event.total_bytes, "B")
            bar.reach(event.received_bytes)
            if event.received_bytes >= event.total_bytes:
                self._end()

    def counted(self, stage: str, done: float, total: float) -> None:
        """Networks go through a song together here. The bars show them one after the other, as demucs runs them."""
        if stage != "separate":
            return
        with self._lock:
            each = total / self.passes
            if done <= 0:
                self._number = 0
                self._begin(each, "seconds")
            while self._bar is not None and done >= each * (self._number + 1) * (1 - 1e-9):
                self._bar.reach(each)
                self._number += 1
                self._end()
                if self._number < self.passes:
                    self._begin(each, "seconds")
            if self._bar is not None:
                self._bar.reach(done - each * self._number)

    def line(self, text: str) -> None:
        self._tell(self._err, text)

    def say(self, text: str) -> None:
        self._tell(self._out, text)

    def close(self) -> None:
        """What others write now, such as why it failed, is on a line of its own."""
        with self._lock:
            self._end()

    def redraw(self) -> None:
        """Show that time goes on."""
        with self._lock:
            if self._bar is not None:
                self._bar.draw(again=True)

    def _begin(self, total: float, unit: str) -> TextBar:
        self._end()
        self._bar = TextBar(self._err, total, unit)
        return self._bar

    def _end(self) -> None:
        if self._bar is not None:
            self._bar.end()
            self._bar = None

    def _tell(self, stream: IO[str], text: str) -> None:
        with self._lock:
            self._end()
            stream.write(text + "\n")
            stream.flush()


@contextlib.contextmanager
def open_bars(out: IO[str], err: IO[str]) -> Iterator[Bars]:
    """Bars that are redrawn while the body runs, and end with it."""
    bars, over = Bars(out, err), threading.Event()

    def redraw() -> None:
        while not over.wait(REDRAWN_S):
            bars.redraw()

    thread = threading.Thread(target=redraw, name="dsu-bars", daemon=True)
    thread.start()
    try:
        yield bars
    finally:
        over.set()
        thread.join()
        bars.close()
