"""Where the parts of a stream go: to the files of the stems, to a report, and to those who listen while the job runs."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from utils import __version__
from utils.audio.canvas import Canvas
from utils.audio.channels import Block
from utils.audio.formats import OutputFormat, rate_like
from utils.audio.resampling import resampled_frames
from utils.audio.scanning import AudioStats
from utils.audio.stem_files import StemPlan
from utils.audio.tagging import TagSet
from utils.audio.writing import StemSet, UnwrittenStems, Written, open_stems
from utils.core.job import Job
from utils.core.recipes import MIX_TITLE
from utils.core.replies import StreamBegun
from utils.core.requests import Separate
from utils.engine.pipeline.arrangement import Arrangement
from utils.engine.pipeline.chunking import ENDLESS
from utils.engine.pipeline.live import Live
from utils.engine.pipeline.loudness import JobLoudness
from utils.engine.pipeline.report import JobReport
from utils.engine.pipeline.song import Samples
from utils.engine.pipeline.stream import Part
from utils.engine.pipeline.targets import stem_targets
from utils.engine.pipeline.track import STEREO, Track


class Outlets:
    """All of them for one job, as a context manager. Parts are taken on one thread, in order.

    With `start_at` they may come in any order. Then they wait in a canvas, which is what others may read, and are written
    from start to end once all are there.
    """

    def __init__(self, request: Separate, arrangement: Arrangement, track: Track, stats: AudioStats, job: Job) -> None:
        self._request, self._arrangement, self._track, self._job = request, arrangement, track, job
        self._frames = None if stats.frames == ENDLESS else stats.frames
        self._targets = stem_targets(request, arrangement, track, job.songs)
        self.output = _output_format(request, arrangement, track)
        # A stereo network turns a mono song into stereo stems; `"channels":"source"` makes them mono again.
        self._channels = 1 if request.channels == "source" and track.info.channels == 1 else arrangement.channels
        # Players of stem.m4a expect stereo.
        self._file_channels = STEREO if self.output.name == "stem.m4a" else self._channels
        self.report = JobReport(request, arrangement, track, stats.frames, job)
        asked = {name: arrangement.request_for(name, request) for name in self._targets}
        self._outputs = {name: _output_format(each, arrangement, track) for name, each in asked.items()}
        self.loudness = JobLoudness(request.asked_loudness, arrangement.sample_rate, self._file_channels)
        self._files = self._open_files(stats)
        self._canvas = self._open_canvas()
        self._live: Live | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.report)
            stack.enter_context(self._files)
            if self._canvas is not None:
                stack.enter_context(self._canvas)
            self._live = self._open_live()
            if self._live is not None:
                stack.enter_context(self._live)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def take(self, part: Part) -> None:
        """Take a part: the next one or, where they come in any order, whichever is finished."""
        if not self._comes_in_any_order:
            written = self._write(part)
            if self._live is not None:
                self._live.add(written)
            return
        blocks = {name: samples.T for name, samples in part.stems.items()}
        if self._canvas is not None:
            self._canvas.put(part.start, {**blocks, MIX_TITLE: part.mix.T} if self._needs_mix else blocks)
        if self._live is not None:
            self._live.add({name: [block] for name, block in blocks.items()}, start=part.start)

    def commit(self, stats: AudioStats) -> Written:
        """All parts were taken, of a song with these statistics: complete the files, and give them their names."""
        job = self._job
        if self._frames is None:
            self._files.ends_at(self._lengths(stats))
        if self._live is not None:
            self._live.finish({} if self._comes_in_any_order else self._files.finish())
        if self._canvas is not None:
            for start, signals in self._canvas.blocks():
                job.checkpoint()
                named = {name: np.ascontiguousarray(block.T) for name, block in signals.items()}
                mix = named.pop(MIX_TITLE, np.zeros((self._arrangement.channels, 0), np.float32))
                self._write(Part(start, named, mix))
        written = self._files.commit(
            on_progress=lambda fraction: job.progress("write", fraction, 1.0),
            checkpoint=job.checkpoint,
            on_publish=job.settle,
            gain=self.loudness.gain(job),
        )
        for warning in written.warnings:
            job.warn(warning)
        return written

    @property
    def settings(self) -> dict[str, object]:
        """The numbers used, known at the end."""
        return self.loudness.settings

    def save_report(self, settings: Mapping[str, object]) -> dict[str, str]:
        """Write the report, if there is to be one. Returns its files."""
        return self.report.save(settings, self._job)

    def _write(self, part: Part) -> dict[str, list[Block]]:
        """Write the next part. Returns what that is in the files."""
        written, mix = {}, self._fitted(part.mix)
        stems = {name: self._fitted(samples) for name, samples in part.stems.items()}
        for name, samples in stems.items():
            written[name] = self._files.write(name, samples)
            self.report.add(name, part.stems[name])
        if self._is_joint:
            self._files.write(MIX_TITLE, mix)
        self.report.add(MIX_TITLE, part.mix)
        self.loudness.add(mix, list(stems.values()))
        return written

    def _fitted(self, samples: Samples) -> Samples:
        """With as many channels as the files have."""
        mixed = samples if len(samples) == self._channels else samples.mean(axis=0, keepdims=True)
        return np.ascontiguousarray(np.broadcast_to(mixed, (self._file_channels, mixed.shape[1])))

    @property
    def _comes_in_any_order(self) -> bool:
        return self._request.start_at is not None

    @property
    def _is_joint(self) -> bool:
        """Whether one file holds all stems, and the mix."""
        return isinstance(self._files, StemSet) and MIX_TITLE in self._targets

    @property
    def _needs_mix(self) -> bool:
        request = self._request
        return request.report or request.report_html or self._is_joint or request.loudness is not None

    def _open_files(self, stats: AudioStats) -> StemSet | UnwrittenStems:
        request, arrangement, track, streaming = self._request, self._arrangement, self._track, self._request.streaming
        known = self._lengths(stats) if self._frames is not None else {}
        frames = {name: known.get(name) for name in self._targets}
        if streaming is not None and not streaming.files:
            names = arrangement.selection.names
            rate, length = arrangement.sample_rate, frames[names[0]]
            plan = StemPlan(self.output, rate, self._file_channels, length, ends_late=length is None)
            return UnwrittenStems(names, plan)
        with self._job.step("read"):
            tags = TagSet(source=track.tags(self._job), model=arrangement.model, version=__version__)
        return open_stems(
            self._targets,
            folder=Path(request.folder).expanduser().absolute(),
            output=self._outputs,
            model_rate=arrangement.sample_rate,
            channels=self._file_channels,
            frames=frames,
            tags=tags,
            overwrite=request.overwrite,
            growing=streaming is not None and streaming.pipe is None and not self._comes_in_any_order,
        )

    def _lengths(self, stats: AudioStats) -> dict[str, int]:
        """The length of each stem: exactly the duration of the input, at the output's rate."""
        return {name: _frames(stats, self._arrangement, self._track, each) for name, each in self._outputs.items()}

    def _open_canvas(self) -> Canvas | None:
        if not (self._comes_in_any_order and isinstance(self._files, StemSet)) or self._frames is None:
            return None
        arrangement, beside = self._arrangement, next(iter(self._targets.values()))
        names = [*arrangement.selection.names, *([MIX_TITLE] if self._needs_mix else [])]
        targets = {name: self._targets.get(name, beside) for name in names}
        return Canvas(targets, rate=arrangement.sample_rate, channels=arrangement.channels, frames=self._frames)

    def _open_live(self) -> Live | None:
        streaming, arrangement, plan = self._request.streaming, self._arrangement, self._files.plan
        if streaming is None:
            return None
        source = self._canvas or self._files
        growing: Mapping[str, Path] = {} if streaming.pipe is not None else source.growing
        rate, channels, frames = (
            (arrangement.sample_rate, arrangement.channels, self._frames)
            if self._comes_in_any_order
            else (plan.output.file_rate, plan.channels, plan.frames)
        )
        begun = StreamBegun(
            input=self._track.title,
            stems={name: str(growing[name]) if name in growing else None for name in arrangement.selection.names},
            sample_rate=rate,
            channels=channels,
            frames=frames,
        )
        return Live(streaming, begun, source.show, self._job)


def _frames(stats: AudioStats, arrangement: Arrangement, track: Track, output: OutputFormat) -> int:
    """Exactly the duration of the input, at the output's rate."""
    if output.sample_rate == arrangement.sample_rate:
        return stats.frames
    return resampled_frames(stats.source_frames, track.info.sample_rate, output.sample_rate)


def _output_format(request: Separate, arrangement: Arrangement, track: Track) -> OutputFormat:
    rate = request.output_sample_rate or arrangement.file_rate
    if rate == "source":
        rate = rate_like(track.info.sample_rate, request.audio_format)
    return OutputFormat(
        name=request.audio_format,
        sample_type=request.sample_type_for(track.info.subtype),
        bitrate=request.bitrate,
        sample_rate=rate or arrangement.stem_rate,
        clip=request.clip,
        level=request.level,
        loudness=request.asked_loudness,
    )
