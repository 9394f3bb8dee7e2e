"""Tells of stems while their job runs, and gives their samples to whoever listens at a pipe."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Self

from utils.audio.channels import Block
from utils.audio.frames import FrameWriter
from utils.audio.pipes import Pipe, PipeGone, open_pipe
from utils.core.job import Job, JobCancelled
from utils.core.replies import Segment, StreamBegun
from utils.core.requests import Streaming


class Live:
    """The listeners of one file's stems, as a context manager. Its other methods are called from the thread that writes.

    A slow reader of the pipe slows the work down. If it is not there, or goes, the job goes on without it, as long as there
    are files; else it has nobody to work for and is cancelled. `show` makes readable what was written to files that grow,
    before a line tells of it.
    """

    def __init__(self, streaming: Streaming, begun: StreamBegun, show: Callable[[], None], job: Job) -> None:
        self._streaming = streaming
        self._begun = begun
        self._show = show
        self._job = job
        self._least = streaming.every_s * begun.sample_rate
        self._told = self._heard = 0  # what lies between them is finished and waits to be told
        self._pipe: Pipe | None = None
        self._is_complete = False

    def __enter__(self) -> Self:
        begun = self._begun
        self._job.announce(begun)
        end = self._streaming.pipe
        if end is not None:
            try:
                self._pipe = open_pipe(
                    end, "write", field="stream.pipe", wait_s=self._streaming.wait_s, checkpoint=self._job.checkpoint
                )
            except PipeGone as reason:
                self._without_pipe(reason)
        self._say(
            lambda writer: writer.begin(
                input=begun.input,
                stems=list(begun.stems),
                sample_rate=begun.sample_rate,
                channels=begun.channels,
                frames=begun.frames,
            )
        )
        return self

    def __exit__(self, *unused: object) -> None:
        if self._pipe is not None:
            if not self._is_complete:  # a reader that does not take this line sees the end of the pipe instead
                with contextlib.suppress(PipeGone, JobCancelled):
                    FrameWriter(self._pipe).end(complete=False)
            self._pipe.close()

    def add(self, blocks: Mapping[str, Sequence[Block]], *, start: int | None = None) -> None:
        """Take (samples, channels) blocks of every stem, which were written: the next ones, or those from `start` on."""
        begin = self._heard if start is None else start
        if begin != self._heard:
            self._tell()
            self._told = self._heard = begin
        self._say(lambda writer: writer.frames(begin, blocks))
        self._heard += sum(map(len, next(iter(blocks.values()), ())))
        if self._heard - self._told >= self._least:
            self._tell()

    def finish(self, blocks: Mapping[str, Sequence[Block]]) -> None:
        """Take the last blocks, and tell what has not been told."""
        self.add(blocks)
        self._tell()
        self._say(lambda writer: writer.end(complete=True))
        self._is_complete = True

    def _say(self, say: Callable[[FrameWriter], None]) -> None:
        if self._pipe is not None:
            try:
                say(FrameWriter(self._pipe))
            except PipeGone as reason:
                self._pipe.close()
                self._pipe = None
                self._without_pipe(reason)

    def _without_pipe(self, reason: PipeGone) -> None:
        if not self._streaming.files:
            raise JobCancelled(message=f"The job ended without its listener: {reason}.") from reason
        self._job.warn(f"The stems went to files only: {reason}.")

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
