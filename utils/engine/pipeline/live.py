"""Tells of stems while their job runs: which stretches are finished, as soon as others can have their samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from utils.audio.channels import Block
from utils.core.job import Job
from utils.core.replies import Segment, StreamBegun
from utils.core.requests import Streaming


class Live:
    """The listeners of one file's stems. All methods are called from the thread that writes.

    `show` makes readable what was written, before a line tells of it.
    """

    def __init__(self, streaming: Streaming, begun: StreamBegun, show: Callable[[], None], job: Job) -> None:
        self._begun = begun
        self._show = show
        self._job = job
        self._least = streaming.every_s * begun.sample_rate
        self._told = self._heard = 0  # what lies between them is finished and waits to be told
        job.announce(begun)

    def add(self, blocks: Mapping[str, Sequence[Block]]) -> None:
        """Take the next (samples, channels) blocks of every stem, which were written."""
        self._heard += sum(map(len, next(iter(blocks.values()))))
        if self._heard - self._told >= self._least:
            self._tell()

    def finish(self, blocks: Mapping[str, Sequence[Block]]) -> None:
        """Take the last blocks, and tell what has not been told."""
        self.add(blocks)
        self._tell()

    def _tell(self) -> None:
        if self._heard > self._told:
            self._show()
            begun = self._begun
            self._job.announce(
                Segment(
                    start=self._told,
                    frames=self._heard - self._told,
                    sample_rate=begun.sample_rate,
                    stems=begun.stems,
                )
            )
            self._told = self._heard
