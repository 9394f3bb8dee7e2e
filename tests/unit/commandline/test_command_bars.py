"""Bars in the form of tqdm, as programs read them from a pipe."""

import io
import re
import threading

import pytest

from utils.commandline.bars import Bars, TextBar, blocks, open_bars, shown_time
from utils.core.errors import DownloadFailed
from utils.core.replies import Downloading


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_a_bar_has_the_form_of_tqdm():
    """Percentage, bar, amounts, time passed and left, speed; 120 columns, written over itself."""
    out, clock = io.StringIO(), Clock()
    bar = TextBar(out, 18.0, "seconds", clock)
    clock.now = 1.0
    bar.reach(1.5)
    first, second = out.getvalue().split("\r")[1:]
    assert re.fullmatch(r"  0%\| +\| 0.0/18.0 \[00:00<\?, \?seconds/s\]", first)
    assert re.fullmatch(r"  8%\|█+[▏▎▍▌▋▊▉]? +\| 1.5/18.0 \[00:01<00:11,  1.50seconds/s\]", second)
    assert (len(first), len(second)) == (120, 120)


def test_a_bar_is_drawn_once_for_each_percent():
    """Smaller steps write nothing; the last one always does."""
    out = io.StringIO()
    bar = TextBar(out, 1000, "seconds", Clock())
    for done in range(1001):
        bar.reach(done)
    assert [int(percent) for percent in re.findall(r"(\d+)%", out.getvalue())] == list(range(101))


def test_bytes_are_counted_in_thousands():
    """A download shows what tqdm shows of one."""
    out, clock = io.StringIO(), Clock()
    bar = TextBar(out, 84_141_911, "B", clock)
    clock.now = 2.0
    bar.reach(42_000_000)
    assert "| 42M/84.1M [00:02<00:02, 21MB/s]" in out.getvalue()


@pytest.mark.parametrize(("seconds", "text"), [(0, "00:00"), (61.4, "01:01"), (3725, "1:02:05")])
def test_time_is_short(seconds, text):
    """Hours only where there are some."""
    assert shown_time(seconds) == text


def test_blocks_are_filled_in_eighths():
    """A bar is as long as it should be, however full."""
    assert [blocks(eighths / 16, 2) for eighths in (0, 3, 8, 16)] == ["  ", "▍ ", "█ ", "██"]
    assert {len(blocks(part / 100, 7)) for part in range(101)} == {7}


def test_each_pass_has_a_bar_of_its_own():
    """Networks that advance together are shown one after the other, each from 0 to 100 %."""
    err = io.StringIO()
    bars = Bars(io.StringIO(), err)
    bars.passes = 4
    for done in range(41):
        bars.counted("separate", done, 40.0)
    lines = err.getvalue().split("\n")
    assert lines.pop() == ""
    assert len(lines) == 4
    for line in lines:
        assert re.findall(r"(\d+)%", line) == ["0", "10", "20", "30", "40", "50", "60", "70", "80", "90", "100"]


def test_only_the_networks_are_counted():
    """Reading and writing are not what demucs shows."""
    err = io.StringIO()
    Bars(io.StringIO(), err).counted("write", 1, 2)
    assert err.getvalue() == ""


def test_a_sentence_ends_an_unfinished_bar():
    """It is on a line of its own."""
    err = io.StringIO()
    bars = Bars(io.StringIO(), err)
    bars.counted("separate", 0, 1.0)
    bars.line("Memory ran out.")
    assert err.getvalue().endswith("?seconds/s]\nMemory ran out.\n")


def test_an_error_is_not_written_behind_an_unfinished_bar():
    """Whoever leaves the bars, also by an exception, begins a line."""
    err = io.StringIO()

    def fail():
        with open_bars(io.StringIO(), err) as bars:
            bars.counted("separate", 0, 1.0)
            raise DownloadFailed("No connection.")

    with pytest.raises(DownloadFailed):
        fail()
    assert err.getvalue().endswith("?seconds/s]\n")


def test_a_download_of_unknown_size_has_no_bar():
    """There is nothing to fill."""
    err = io.StringIO()
    event = Downloading(model="m", file="f", percent=0.0, received_bytes=0, total_bytes=None, eta=None)
    Bars(io.StringIO(), err).event(event)
    assert "%" not in err.getvalue()


def test_bars_are_redrawn_while_nothing_happens():
    """A reader that waits for a sign of life gets one although no chunk has ended."""
    drawn = threading.Event()

    class Err(io.StringIO):
        def write(self, text):
            if "0%" in self.getvalue() and "0%" in text:
                drawn.set()
            return super().write(text)

    with open_bars(io.StringIO(), Err()) as bars:
        bars.counted("separate", 0, 1.0)
        assert drawn.wait(timeout=60)
