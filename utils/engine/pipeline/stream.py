"""A song as a stream of finished stems: the interface between separation and its consumers.

`utils.engine.pipeline.files` is one consumer, which writes files; pictures, players and trainers are others.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np

from utils.audio.scanning import AudioStats
from utils.core.errors import DsuError, InvalidRequest
from utils.core.job import Job
from utils.core.requests import SongShare
from utils.engine.pipeline.arrangement import Arrangement, Heard
from utils.engine.pipeline.blending import LOCAL, Unblended
from utils.engine.pipeline.chunking import ENDLESS
from utils.engine.pipeline.demix import Lane, Runner, Stretch, demix
from utils.engine.pipeline.seeking import demix_anywhere
from utils.engine.pipeline.song import Samples, SongBuffer, SongFile
from utils.engine.pipeline.track import Audio, Blocks, Levelled

SILENCE_SAMPLES = 1 << 16

# Shares of the total work, for progress. A survey reads and transforms the song.
SCAN, SURVEY, SEPARATE, WRITE = 3.0, 4.0, 92.0, 5.0


@dataclass(frozen=True)
class Part:
    """A finished stretch of a song: its stems by name, and the mix at the same position. All are (channels, samples)."""

    start: int
    stems: dict[str, Samples]
    mix: Samples


@dataclass
class Spent:
    """What the work took so far: seconds, where reading and separating overlap, and whether half precision was enough."""

    decode_s: float = 0.0
    survey_s: float = 0.0
    infer_s: float = 0.0
    overflowed: bool = False


def stream(
    arrangement: Arrangement, audio: Audio, job: Job, *, start_s: float | None = None, share: SongShare | None = None
) -> Stream:
    """Separate a song, or a share of it. It is scanned at once; the networks run while the result is iterated over.

    With `start_s`, the work begins there and goes where the job wants it; it keeps the song in a temporary file.

    Iterating raises `OutOfMemory` if not even a single chunk fits; an arrangement with a smaller `chunk_s` may succeed.
    """
    begin_stages(job, survey=arrangement.survey is not None)
    started = time.perf_counter()
    audio = audio if arrangement.level is None else Levelled(audio, arrangement.level)
    anywhere = SongFile(arrangement.channels) if start_s is not None else None
    with job.step("read"), ExitStack() as stack:
        if anywhere is not None:
            stack.enter_context(anywhere)
        stats = audio.scan(
            arrangement.sample_rate,
            arrangement.channels,
            job,
            partial(_report, job, "scan"),
            anywhere.append if anywhere is not None else None,
        )
        stack.pop_all()  # the stream closes it
    if start_s is not None:
        job.allow_seeking()
        asked_s = job.sought()  # while it waited
        job.seek(start_s if asked_s is None else asked_s)
    within = None
    if share is not None:
        if share.of > stats.frames:
            raise InvalidRequest(f"The song has {stats.frames} samples, too few for {share.of} shares.", field="share")
        within = range(*(stats.frames * number // share.of for number in (share.number - 1, share.number)))
    return Stream(arrangement, audio, job, stats, Spent(decode_s=time.perf_counter() - started), anywhere, within)


def begin_stages(job: Job, *, survey: bool) -> None:
    job.begin_stages(scan=SCAN, **({"survey": SURVEY} if survey else {}), separate=SEPARATE, write=WRITE)


@dataclass
class Stream:
    """Yields the parts of a song once: in order, or as the job wants them. Its `stats` are those of the whole song at the end."""

    arrangement: Arrangement
    audio: Audio
    job: Job
    stats: AudioStats
    spent: Spent = field(default_factory=Spent)
    anywhere: SongFile | None = None  # the song, where parts may come in any order
    within: range | None = None  # the samples that are wanted, where those are not all

    @property
    def frames(self) -> int:
        """How many samples come out."""
        return self.stats.frames if self.within is None else len(self.within)

    def __iter__(self) -> Generator[Part]:
        with self.anywhere or nullcontext():
            yield from self._parts()

    def _parts(self) -> Generator[Part]:
        if self.stats.peak == 0.0:  # silence has silent stems; no network needs to run
            rate, frames = self.arrangement.sample_rate, self.frames
            for start in range(0, frames, SILENCE_SAMPLES):
                self.job.checkpoint()
                self.job.progress("separate", start / rate, frames / rate)
                length = min(SILENCE_SAMPLES, frames - start)
                silence = np.zeros((self.arrangement.channels, length), dtype=np.float32)
                yield Part(start, dict.fromkeys(self.arrangement.selection.names, silence), silence)
            self.job.progress("separate", frames / rate, frames / rate)
            return
        heard = self.heard
        lanes = self.arrangement.lanes(heard)
        blend = self.arrangement.blend(heard) if self.arrangement.blend is not None else Unblended()
        if self.anywhere is not None and not isinstance(blend, LOCAL):
            raise InvalidRequest(
                f"`{self.arrangement.model}` goes through a song from its start to its end, so it cannot begin elsewhere.",
                hint="Leave out `start_at`.",
                field="start_at",
            )
        if self.within is not None and (self.arrangement.fits_length or not isinstance(blend, LOCAL)):
            raise InvalidRequest(
                f"`{self.arrangement.model}` goes through a song from its start to its end, so nobody can do a part of it.",
                hint="Leave out `share`.",
                field="share",
            )
        with closing(self._stretches(lanes)) as stretches:
            for stretch in stretches:
                yield from self._rendered(blend.push(stretch))
        yield from self._rendered(blend.finish())

    @cached_property
    def heard(self) -> Heard:
        """What is known of the song, once its survey is done."""
        return Heard(self.stats, self._survey())

    def _survey(self) -> tuple[float, ...]:
        if self.arrangement.survey is None:
            return ()

        def counted(blocks: Iterable[Samples]) -> Iterator[Samples]:
            done = 0
            for block in blocks:
                yield block
                done += block.shape[1]
                self.job.progress("survey", done, self.stats.frames)

        started = time.perf_counter()
        with self.job.step("read"), self._open() as blocks:
            found = self.arrangement.survey(counted(blocks), self.stats.frames, self.job)
        self.spent.survey_s = time.perf_counter() - started
        _report(self.job, "survey", 1.0)
        self.job.checkpoint()
        return found

    def _stretches(self, lanes: list[Lane]) -> Generator[Stretch]:
        arrangement, job = self.arrangement, self.job
        if self.anywhere is not None:
            song, rate = self.anywhere, arrangement.sample_rate
            with Runner(arrangement.compute, job, arrangement.free_memory) as runner:
                yield from demix_anywhere(song, lanes, channels=arrangement.channels, rate=rate, runner=runner, job=job)
            self._account(runner)
            return
        with (
            self._open() as blocks,
            Runner(arrangement.compute, job, arrangement.free_memory) as runner,
        ):
            buffer = SongBuffer(iter(blocks), channels=arrangement.channels, total=self.stats.frames)
            yield from demix(
                buffer,
                lanes,
                channels=arrangement.channels,
                rate=arrangement.sample_rate,
                runner=runner,
                job=job,
                lanes_of=lambda total: arrangement.lanes(Heard(replace(self.stats, frames=total))),
                within=self.within,
            )
        if self.stats.frames == ENDLESS:
            self.stats = self.audio.scan(arrangement.sample_rate, arrangement.channels, job, lambda _: None)
        for warning in blocks.warnings:
            job.warn(warning)
        self.spent.decode_s += blocks.busy_s
        self._account(runner)

    def _account(self, runner: Runner) -> None:
        self.spent.infer_s += runner.busy_s
        self.spent.overflowed = runner.overflowed

    def _rendered(self, stretches: Iterable[Stretch]) -> Iterator[Part]:
        for stretch in stretches:
            rows: Samples = stretch.rows.numpy()
            if not np.isfinite(rows).all():
                raise DsuError(
                    f"The network returned NaN or infinity {stretch.start / self.arrangement.sample_rate:.1f} s into the song.",
                    hint="The checkpoint is probably damaged: delete it and download it again.",
                )
            with self.job.step("separate"):
                stems = {output.name: output.render(rows, stretch.mix) for output in self.arrangement.selection.outputs}
            yield Part(stretch.start, stems, stretch.mix)

    def _open(self) -> AbstractContextManager[Blocks]:
        return self.audio.open(self.arrangement.sample_rate, self.arrangement.channels, self.job)


def _report(job: Job, stage: str, fraction: float) -> None:
    job.progress(stage, fraction, 1.0)
