"""The chunk loop from any place of a song to any other: what is finished first is decided while it runs.

The chunks, what is added up and in which order do not change, so neither does any sample. A run begins with the first chunk
that touches the position. Its first samples are those to which no earlier chunk adds; what lies before is left to the run
that comes from there, which repeats the few chunks that touch both.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

from utils.core.job import Job
from utils.engine.pipeline.demix import Accumulator, Lane, Runner, Stretch, row_count, run_turn, turns, work
from utils.engine.pipeline.song import SongAccess


class Gaps:
    """What is not finished of a song, as stretches in order."""

    def __init__(self, total: int) -> None:
        self._gaps = [(0, total)] if total else []

    def __bool__(self) -> bool:
        return bool(self._gaps)

    def at(self, position: int) -> tuple[int, int]:
        """The unfinished stretch at or next after a position; after the last one comes the first."""
        ahead = [(max(start, position), end) for start, end in self._gaps if end > position]
        return ahead[0] if ahead else self._gaps[0]

    def begin_of(self, position: int) -> int:
        """Where the unfinished stretch around a position begins."""
        return next(start for start, end in self._gaps if start <= position < end)

    def close(self, start: int, end: int) -> None:
        """Everything between is finished."""
        cut = [part for low, high in self._gaps for part in ((low, min(high, start)), (max(low, end), high))]
        self._gaps = sorted({(low, high) for low, high in cut if low < high})


def demix_anywhere(
    song: SongAccess, lanes: Sequence[Lane], *, channels: int, rate: int, runner: Runner, job: Job
) -> Iterator[Stretch]:
    """As `demix`, from where the job wants it on and then from the beginning; stretches come as they are finished."""
    plan = list(turns(lanes, runner.batch_size, song.total))
    reached = list(
        accumulate((turn.end for turn in plan), max)
    )  # up to here, each turn and those before it add something
    gaps, position = Gaps(song.total), _sought(job, rate, song.total) or 0
    total, done, ran = work(lanes), 0, [False] * len(plan)
    job.progress("separate", 0, total / rate)
    while gaps:
        position, end = gaps.at(position)
        index = bisect_right(reached, position)
        position = max(gaps.begin_of(position), reached[index - 1] if index else 0)
        accumulator = Accumulator(row_count(lanes), channels, end, runner.compute.device, first=position)
        while position < end:
            job.checkpoint()
            turn = plan[index]
            with job.step("separate"):
                run_turn(song, turn, runner, accumulator, job)
                start, rows = accumulator.take_until(turn.final)
                stretch = Stretch(start, rows.cpu(), song.read(start, rows.shape[-1]))
            done += 0 if ran[index] else turn.work
            ran[index] = True
            job.progress("separate", done / rate, total / rate)
            index += 1
            position = start + rows.shape[-1]
            gaps.close(start, position)
            if rows.shape[-1] > 0:
                yield stretch
            wanted = _sought(job, rate, song.total)
            if wanted is not None and gaps:
                wanted, _ = gaps.at(wanted)
                if not position <= wanted < end or bisect_right(reached, wanted) > index:
                    position = wanted
                    break


def _sought(job: Job, rate: int, total: int) -> int | None:
    """The sample where the listener wants the work to go on, if that is news. After the end comes the beginning."""
    wanted_s = job.sought()
    if wanted_s is None:
        return None
    wanted = round(min(wanted_s * rate, total))  # a product of any two numbers may be infinite
    return wanted if wanted < total else 0
