"""Writes a stream of stems to files, which appear together and complete or not at all, and a report next to them."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from msgspec import UNSET

from utils import __version__
from utils.audio.formats import rate_like
from utils.audio.paths import shown
from utils.audio.resampling import resampled_frames
from utils.audio.scanning import AudioStats
from utils.audio.stem_files import StemPlan
from utils.audio.tag_bounds import TagsRefused
from utils.audio.tagging import Tags, TagSet, read_tags
from utils.audio.writing import OutputFormat, StemSet, UnwrittenStems, open_stems
from utils.core.job import Job
from utils.core.replies import Done, StreamBegun, Timing
from utils.core.requests import Separate, Streaming
from utils.engine.pipeline.arrangement import Arrangement
from utils.engine.pipeline.background import WriteBehind
from utils.engine.pipeline.graph import open_stream
from utils.engine.pipeline.live import Live
from utils.engine.pipeline.report import JobReport
from utils.engine.pipeline.song import Samples
from utils.engine.pipeline.stream import Part
from utils.engine.pipeline.targets import MIX, stem_targets
from utils.engine.pipeline.track import STEREO, Track


@dataclass(frozen=True)
class ModelLoad:
    """How long loading took before a separation, and whether everything was in the cache."""

    seconds: float
    from_cache: bool


def write_stems(request: Separate, arrangement: Arrangement, track: Track, loaded: ModelLoad, job: Job) -> Done:
    """Separate a track into files. Raises `OutOfMemory` if not even a single chunk fits."""
    started = time.perf_counter()
    stems = open_stream(arrangement, track, job)
    output = _output_format(request, arrangement, track)
    targets = stem_targets(request, arrangement, track)
    outputs = {name: _output_format(arrangement.request_for(name, request), arrangement, track) for name in targets}
    # A stereo network turns a mono song into stereo stems; `"channels":"source"` makes them mono again.
    channels = 1 if request.channels == "source" and track.info.channels == 1 else arrangement.channels
    file_channels = STEREO if output.name == "stem.m4a" else channels  # players of it expect stereo
    report = JobReport(request, arrangement, track, stems.stats.frames, job)
    with job.step("read"):
        tags = TagSet(source=_source_tags(track, job), model=arrangement.model, version=__version__)
    frames = {name: _frames(stems.stats, arrangement, track, each) for name, each in outputs.items()}
    streaming = request.streaming
    if streaming is None or streaming.files:
        files: StemSet | UnwrittenStems = open_stems(
            targets,
            folder=Path(request.folder).expanduser().absolute(),
            output=outputs,
            model_rate=arrangement.sample_rate,
            channels=file_channels,
            frames=frames,
            tags=tags,
            overwrite=request.overwrite,
            growing=streaming is not None and streaming.pipe is None,
        )
    else:
        names = arrangement.selection.names
        plan = StemPlan(output, arrangement.sample_rate, file_channels, frames[names[0]])
        files = UnwrittenStems(names, plan)

    def fitted(samples: Samples) -> Samples:
        mixed = samples if len(samples) == channels else samples.mean(axis=0, keepdims=True)
        return np.ascontiguousarray(np.broadcast_to(mixed, (file_channels, mixed.shape[1])))

    with job.step("write"), report, files, ExitStack() as stack:
        live = stack.enter_context(_live(streaming, files, track, job)) if streaming is not None else None

        def write(part: Part) -> None:
            written = {}
            for name, samples in part.stems.items():
                written[name] = files.write(name, fitted(samples))
                report.add(name, samples)
            if MIX in files.stems:  # of formats that hold all stems
                files.write(MIX, fitted(part.mix))
            report.add(MIX, part.mix)
            if live is not None:
                live.add(written)

        with WriteBehind[Part](write) as writer, closing(iter(stems)) as parts:
            for part in parts:
                writer.put(part)
        encoding = time.perf_counter()
        rest = files.finish()
        if live is not None:
            live.finish(rest)
        written = files.commit(
            on_progress=lambda fraction: job.progress("write", fraction, 1.0),
            checkpoint=job.checkpoint,
            on_publish=job.settle,
        )
        for warning in written.warnings:
            job.warn(warning)
        settings = {
            **arrangement.settings,
            "precision": "fp32" if stems.spent.overflowed else arrangement.compute.precision,
        }
        reported = report.save(settings, job)
    job.finish("write")
    ended = time.perf_counter()
    elapsed = ended - started
    spent = stems.spent
    names = arrangement.selection.names
    paths = list(dict.fromkeys(written.paths.values()))  # one file may hold all stems
    folder = os.path.commonpath([path.parent for path in paths]) if paths else ""
    duration = stems.stats.frames / arrangement.sample_rate
    return Done(
        elapsed=round(elapsed, 3),
        output_dir=folder,
        files=[path.relative_to(folder).as_posix() for path in paths],
        stems=names,
        paths={name: str(written.paths[name]) for name in names if name in written.paths},
        duration=round(duration, 3),
        speed=round(duration / elapsed, 2) if elapsed > 0 else 0.0,
        sample_rate=output.file_rate,
        model=arrangement.model,
        device=arrangement.compute.device,
        model_from_cache=loaded.from_cache,
        timing=Timing(
            load=round(loaded.seconds, 3),
            decode=round(spent.decode_s, 3),
            infer=round(spent.infer_s, 3),
            encode=round(ended - encoding + writer.busy_s, 3),
            survey=round(spent.survey_s, 3) if arrangement.survey is not None else UNSET,
        ),
        gain=written.gain,
        settings=settings,
        report=reported.get("report", UNSET),
        report_html=reported.get("report_html", UNSET),
    )


def _live(streaming: Streaming, files: StemSet | UnwrittenStems, track: Track, job: Job) -> Live:
    """Who tells of the stems while they are written."""
    growing = files.growing
    begun = StreamBegun(
        input=track.path.name,
        stems={name: str(growing[name]) if name in growing else None for name in files.stems if name != MIX},
        sample_rate=files.plan.output.file_rate,
        channels=files.plan.channels,
        frames=files.plan.frames,
    )
    return Live(streaming, begun, files.show, job)


def _frames(stats: AudioStats, arrangement: Arrangement, track: Track, output: OutputFormat) -> int:
    """Exactly the duration of the input, at the output's rate."""
    if output.sample_rate == arrangement.sample_rate:
        return stats.frames
    return resampled_frames(stats.source_frames, track.info.sample_rate, output.sample_rate)


def _source_tags(track: Track, job: Job) -> Tags | None:
    try:
        return read_tags(track.path)
    except TagsRefused as reason:
        job.warn(f"The tags of '{shown(track.path.name)}' were not read: {reason}.")
        return None


def _output_format(request: Separate, arrangement: Arrangement, track: Track) -> OutputFormat:
    rate = request.output_sample_rate or arrangement.file_rate
    if rate == "source":
        rate = rate_like(track.info.sample_rate, request.audio_format)
    return OutputFormat(
        name=request.audio_format,
        sample_type=request.sample_type_for(track.info.subtype),
        bitrate=request.bitrate,
        sample_rate=rate or arrangement.sample_rate,
        clip=request.clip,
        level=request.level,
    )
