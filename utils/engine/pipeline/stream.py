"""A song as a stream of finished stems: the seam between separating and whatever is done with the result.

Writing files is one consumer (`utils.engine.pipeline.files`); pictures, players and trainers are others.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from utils.audio.scanning import AudioStats
from utils.core.errors import DsuError
from utils.core.job import Job
from utils.engine.pipeline.background import ReadAhead
from utils.engine.pipeline.blending import Unblended
from utils.engine.pipeline.demix import Lane, Runner, Stretch, demix
from utils.engine.pipeline.recipe import Heard, Recipe
from utils.engine.pipeline.song import Samples, SongBuffer
from utils.engine.pipeline.track import Audio, Blocks

SILENCE_SAMPLES = 1 << 16

# Shares of the whole work, in per cent, for progress. A survey reads the song and transforms it.
SCAN, SURVEY, SEPARATE, WRITE = 3.0, 4.0, 92.0, 5.0


@dataclass(frozen=True)
class Part:
    """A finished stretch of a song: each stem by name, and the mix at the same place. All are (channels, samples)."""

    start: int
    stems: dict[str, Samples]
    mix: Samples


@dataclass
class Spent:
    """Seconds of work so far. Reading and separating overlap."""

    decode_s: float = 0.0
    survey_s: float = 0.0
    infer_s: float = 0.0


def stream(recipe: Recipe, audio: Audio, job: Job) -> Stream:
    """Separate a song. It is scanned at once; the networks run while the result is iterated over.

    Raises `OutOfMemory` where not even single chunks fit; a recipe with a smaller `chunk_s` may.
    """
    job.begin_stages(scan=SCAN, **({"survey": SURVEY} if recipe.survey else {}), separate=SEPARATE, write=WRITE)
    started = time.perf_counter()
    with job.step("read"):
        stats = audio.scan(recipe.sample_rate, recipe.channels, job, partial(_report, job, "scan"))
    return Stream(recipe, audio, job, stats, Spent(decode_s=time.perf_counter() - started))


@dataclass(frozen=True)
class Stream:
    """Yields the parts of a song in order, once."""

    recipe: Recipe
    audio: Audio
    job: Job
    stats: AudioStats
    spent: Spent = field(default_factory=Spent)

    def __iter__(self) -> Generator[Part]:
        if self.stats.peak == 0.0:
            yield from self._silence()
            return
        surveyed = self._survey()
        lanes = self.recipe.lanes(Heard(self.stats, surveyed))
        blend = self.recipe.blend() if self.recipe.blend is not None else Unblended()
        for stretch in self._stretches(lanes):
            yield from self._rendered(blend.push(stretch))
        yield from self._rendered(blend.finish())

    def _silence(self) -> Iterator[Part]:
        """Silence has silent stems; no network needs to run."""
        for start in range(0, self.stats.frames, SILENCE_SAMPLES):
            self.job.checkpoint()
            length = min(SILENCE_SAMPLES, self.stats.frames - start)
            silence = np.zeros((self.recipe.channels, length), dtype=np.float32)
            yield Part(start, dict.fromkeys(self.recipe.selection.names, silence), silence)

    def _survey(self) -> float:
        if self.recipe.survey is None:
            return 0.0
        started = time.perf_counter()
        with self.job.step("read"), self._open() as blocks:
            found = self.recipe.survey(self._counted(blocks), self.stats.frames, self.job)
        self.spent.survey_s = time.perf_counter() - started
        _report(self.job, "survey", 1.0)
        return found

    def _counted(self, blocks: Iterable[Samples]) -> Iterator[Samples]:
        done = 0
        for block in blocks:
            yield block
            done += block.shape[1]
            self.job.progress("survey", done, self.stats.frames)

    def _stretches(self, lanes: list[Lane]) -> Iterator[Stretch]:
        recipe, job = self.recipe, self.job
        with (
            self._open() as reader,
            ReadAhead(iter(reader)) as blocks,
            Runner(recipe.compute, job, recipe.free_memory) as runner,
        ):
            song = SongBuffer(iter(blocks), channels=recipe.channels, total=self.stats.frames)
            yield from demix(song, lanes, channels=recipe.channels, runner=runner, job=job)
        for warning in reader.warnings:
            job.warn(warning)
        self.spent.decode_s += blocks.busy_s
        self.spent.infer_s += runner.busy_s

    def _rendered(self, stretches: Iterable[Stretch]) -> Iterator[Part]:
        for stretch in stretches:
            rows: Samples = stretch.rows.numpy()
            if not np.isfinite(rows).all():
                raise DsuError(
                    f"The network gave NaN or infinity {stretch.start / self.recipe.sample_rate:.1f} s into the song.",
                    hint='Half precision overflows with some models: use "precision":"fp32". Otherwise the checkpoint is '
                    "damaged.",
                )
            with self.job.step("separate"):
                stems = {output.name: output.render(rows, stretch.mix) for output in self.recipe.selection.outputs}
            yield Part(stretch.start, stems, stretch.mix)

    def _open(self) -> AbstractContextManager[Blocks]:
        return self.audio.open(self.recipe.sample_rate, self.recipe.channels, self.job)


def _report(job: Job, stage: str, fraction: float) -> None:
    job.progress(stage, fraction, 1.0)
