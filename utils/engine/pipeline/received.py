"""Samples that come through a pipe: a song that can be heard once, while it comes, or recorded before it is heard.

Nothing is read ahead of the work, so a writer goes no faster than the stems leave.
"""

from __future__ import annotations

import contextlib
import math
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from utils.audio import temporary
from utils.audio.channels import Block
from utils.audio.decoding import BLOCK_FRAMES, AudioInfo
from utils.audio.disk import check_disk_space, output_error
from utils.audio.float_wav import SAMPLE_BYTES, FloatWav
from utils.audio.frames import FrameReader
from utils.audio.pipes import PipeGone, open_pipe
from utils.audio.reading import AudioReader, probe
from utils.audio.resampling import resampled_frames
from utils.audio.scanning import AudioStats, Moments
from utils.audio.tagging import Tags
from utils.core.cleanup import undone_on_exit
from utils.core.errors import InputEmpty, InputNotFound
from utils.core.job import Job
from utils.core.requests import PipedInput, Separate
from utils.engine.pipeline.arrangement import Arrangement
from utils.engine.pipeline.chunking import ENDLESS
from utils.engine.pipeline.song import Samples
from utils.engine.pipeline.track import Track

# A beginning that is quieter says little about what follows. Scaled by it, that would be far too loud for networks.
QUIETEST = 0.01


@contextlib.contextmanager
def arriving(piped: PipedInput, job: Job) -> Iterator[FrameReader]:
    """The samples, from a pipe that somebody writes to. Raises `InputNotFound` and `InvalidRequest`."""
    try:
        pipe = open_pipe(piped.pipe, "read", field="input.pipe", wait_s=piped.wait_s, checkpoint=job.checkpoint)
    except PipeGone as reason:
        raise InputNotFound(f"No samples came: {reason}.", field="input.pipe") from reason
    with contextlib.closing(pipe):
        yield FrameReader(pipe, piped.channels, piped.frames)


@contextlib.contextmanager
def recorded(piped: PipedInput, blocks: FrameReader, job: Job) -> Iterator[Path]:
    """The file of the whole song, as long as the context lasts. Raises `InputError` and `DiskFull`."""
    target = Path(tempfile.gettempdir()) / "dsu-input.wav"
    temporary.remove_stale_parts([target.parent])
    check_disk_space(target.parent, (piped.frames or 0) * piped.channels * SAMPLE_BYTES)
    try:
        held = temporary.HeldFile(target)
    except OSError as error:
        raise output_error(error, target) from error
    with undone_on_exit(held.discard):
        try:
            file = FloatWav(held.path, piped.sample_rate, piped.channels)
            try:
                with job.step("read"):
                    for block in blocks:
                        job.checkpoint()
                        file.write(block)
                file.close()
            finally:
                file.abandon()
            if file.frames == 0:
                raise _empty()
            yield held.path
        finally:
            held.discard()


def must_be_recorded(piped: PipedInput, request: Separate) -> bool:
    """Whether this request needs the whole song, with whatever model. A report is as wide as the song is long."""
    is_drawn = (request.report or request.report_html) and piped.frames is None
    return piped.record_first or is_drawn or request.start_at is not None or request.preview is not None


@dataclass(frozen=True)
class RecordedTrack(Track):
    """A song that came through a pipe and waits in a file."""

    @property
    def settings(self) -> dict[str, object]:
        return {"input": "recorded first"}

    @property
    def title(self) -> str:
        return self.name


@dataclass
class _Arrival:
    """What has come of a song in the form of a network, and what is known of it."""

    reader: AudioReader
    head: list[Samples]
    stats: AudioStats
    given: int = 0  # samples that went on to the network


@dataclass(frozen=True)
class ArrivingTrack(Track):
    """A song that is heard while it comes, once and in one form."""

    piped: PipedInput = field(kw_only=True)
    frames: FrameReader = field(kw_only=True)
    statistics_s: float | None = None  # how long it is listened to before the networks are
    _arrivals: list[_Arrival] = field(default_factory=list)  # at most one

    @classmethod
    def named(cls, name: str, index: int, piped: PipedInput, frames: FrameReader) -> ArrivingTrack:
        info = AudioInfo(Path(name), piped.sample_rate, piped.channels, "WAV", "FLOAT", piped.frames)
        return cls(info.path, info, name, index, piped=piped, frames=frames)

    @contextlib.contextmanager
    def recorded(self, request: Separate, job: Job) -> Iterator[RecordedTrack]:
        """The song in a file, as long as the context lasts."""
        with recorded(self.piped, self.frames, job) as path:
            preview = request.preview
            yield RecordedTrack(
                path,
                probe(path),
                self.name,
                self.index,
                start_s=preview.start if preview else 0.0,
                duration_s=preview.duration if preview else None,
            )

    def heard_by(self, arrangement: Arrangement) -> ArrivingTrack:
        """The song as these networks hear it."""
        return replace(self, statistics_s=self.piped.statistics_s if arrangement.normalises else None)

    @property
    def title(self) -> str:
        return self.name

    @property
    def settings(self) -> dict[str, object]:
        scaled = {} if self.statistics_s is None else {"statistics_s": self.statistics_s}
        return {"input": "as it came", **scaled}

    def tags(self, job: Job) -> Tags | None:
        del job
        return None

    def scan(
        self,
        sample_rate: int,
        channels: int,
        job: Job,
        on_progress: Callable[[float], None],
        keep: Callable[[Samples], None] | None = None,
    ) -> AudioStats:
        """What is known so far: of a beginning, and at the end of all. Only networks that need to know the loudness wait for it."""
        del keep
        if not self._arrivals:
            reader = AudioReader(
                _PipedSamples(self.info, self.frames), sample_rate, channels, (0.0, None), job.checkpoint
            )
            head: list[Samples] = []
            wanted, came = max(round((self.statistics_s or 0.0) * sample_rate), 1), 0
            while came < wanted and (block := next(reader, None)) is not None:
                head.append(block)
                came += block.shape[1]
                on_progress(min(came / wanted, 1.0))
            self._arrivals.append(_Arrival(reader, head, self._stats(reader, head, is_all=came < wanted)))
        on_progress(1.0)
        return self._arrivals[0].stats

    def _stats(self, reader: AudioReader, head: list[Samples], *, is_all: bool) -> AudioStats:
        source_frames = reader.source_frames if is_all else self.info.frames or ENDLESS
        frames = (
            ENDLESS
            if source_frames == ENDLESS
            else resampled_frames(source_frames, self.info.sample_rate, reader.sample_rate)
        )
        if frames == 0 or not head:
            raise _empty()
        if self.statistics_s is None and not is_all:
            return AudioStats(frames, source_frames, math.nan, math.nan, math.nan)
        beginning = np.concatenate(head, axis=1)
        moments = Moments()
        for start in range(0, beginning.shape[1], BLOCK_FRAMES):
            moments.add(beginning[:, start : start + BLOCK_FRAMES].mean(axis=0, dtype=np.float64))
        peak = float(np.abs(beginning).max())
        if is_all:
            return AudioStats(frames, source_frames, moments.mean, moments.std, peak)
        return AudioStats(frames, source_frames, moments.mean, max(moments.std, QUIETEST), max(peak, QUIETEST))

    @contextlib.contextmanager
    def open(self, sample_rate: int, channels: int, job: Job) -> Iterator[_Coming]:
        """The same samples, once."""
        self.scan(sample_rate, channels, job, lambda _: None)
        try:
            yield _Coming(self._arrivals[0])
        finally:
            self._arrivals[0].reader.close()


@dataclass(frozen=True)
class _Coming:
    arrival: _Arrival
    warnings: list[str] = field(default_factory=list)
    busy_s: float = 0.0

    def __iter__(self) -> Iterator[Samples]:
        arrival, reader = self.arrival, self.arrival.reader
        count = 0
        while arrival.head:
            count += arrival.head[0].shape[1]
            yield arrival.head.pop(0)
        for block in reader:
            count += block.shape[1]
            yield block
        arrival.stats = replace(arrival.stats, frames=count, source_frames=reader.source_frames)


@dataclass
class _PipedSamples:
    """The samples as if they were decoded, so that they are mixed and resampled as those of a file."""

    info: AudioInfo
    frames: FrameReader
    warnings: list[str] = field(default_factory=list)
    held_frames: int | None = None
    tolerated_frames: int = 0

    def blocks(self, start: int, stop: int | None) -> Iterator[Block]:
        del start, stop
        is_empty = True
        for block in self.frames:
            if len(block):
                is_empty = False
                yield block
        if is_empty:
            raise _empty()

    def close(self) -> None: ...


def _empty() -> InputEmpty:
    return InputEmpty("The pipe had no samples.", field="input.pipe")
