"""How loud the noise is thought to be: the level of a song, smoothed, and held back where the song suddenly gets louder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch

from utils.audio.scanning import Moments
from utils.core.job import Job
from utils.engine.families.denoise.windows import HOP, Levels
from utils.engine.pipeline.song import Samples

HOLD_S = 0.05  # how long a jump of the level counts
JUMP = 2.0  # a rise of more than so many standard deviations of all changes is a jump
HEADROOM = 1.5  # during a jump, the most that the estimate may be above what it was before


@dataclass(frozen=True)
class Pace:
    """How fast the estimate follows, in steps from one level to the next."""

    attack: int
    release: int
    hold: int

    @classmethod
    def of(cls, sample_rate: int, *, attack_s: float, release_s: float) -> Pace:
        steps = (max(1, int(seconds * sample_rate / HOP)) for seconds in (attack_s, release_s, HOLD_S))
        return cls(*steps)


class Follower:
    """The estimate for one channel, level by level."""

    def __init__(self, pace: Pace, jump: float) -> None:
        self._pace = pace
        self._jump = jump  # a rise by more than this is a jump
        self._level: float | None = None  # the last one
        self._smooth = 0.0
        self._held = 0  # levels for which the last jump still counts
        self._most: float | None = None  # the most that the estimate may be, while a jump counts

    def push(self, level: float) -> float:
        """The estimate at the next level."""
        if self._level is None:
            self._level = self._smooth = level
        before = self._smooth
        steps = self._pace.attack if level > before else self._pace.release
        self._smooth = level / steps + (1 - 1 / steps) * before
        if level - self._level > self._jump:
            if self._most is None:
                self._most = HEADROOM * before
            self._held = self._pace.hold
        elif self._held == 0:
            self._most = None
        self._held = max(0, self._held - 1)
        self._level = level
        return self._smooth if self._most is None else min(self._smooth, self._most)


def survey_jumps(blocks: Iterable[Samples], sample_rate: int, channels: int, job: Job) -> tuple[float, ...]:
    """The rise of the level that counts as a jump, for each channel of a song."""
    levels = Levels(sample_rate, channels)
    moments = [Moments() for _ in range(channels)]
    last: torch.Tensor | None = None
    for block in blocks:
        job.checkpoint()
        found = levels.push(torch.from_numpy(block))
        if found.shape[1] == 0:
            continue
        # The first level counts as no change.
        changes = torch.diff(found, prepend=found[:, :1] if last is None else last).numpy()
        for moment, values in zip(moments, changes, strict=True):
            moment.add(values)
        last = found[:, -1:]
    return tuple(JUMP * moment.population_std for moment in moments)
