"""Writes a stream of stems to files, which appear together and complete or not at all, and a report next to them."""

from __future__ import annotations

import os
import time
from contextlib import closing
from dataclasses import dataclass

from msgspec import UNSET

from utils.core.job import Job
from utils.core.replies import Done, Timing
from utils.core.requests import Separate
from utils.engine.pipeline.arrangement import Arrangement
from utils.engine.pipeline.background import WriteBehind
from utils.engine.pipeline.graph import open_stream
from utils.engine.pipeline.outlets import Outlets
from utils.engine.pipeline.sharing import JoinedStream, ShareOutlets
from utils.engine.pipeline.stream import Part
from utils.engine.pipeline.track import Track


@dataclass(frozen=True)
class ModelLoad:
    """How long loading took before a separation, and whether everything was in the cache."""

    seconds: float
    from_cache: bool


def write_stems(request: Separate, arrangement: Arrangement, track: Track, loaded: ModelLoad, job: Job) -> Done:
    """Separate a track into files. Raises `OutOfMemory` if not even a single chunk fits."""
    started = time.perf_counter()
    stems = (
        open_stream(arrangement, track, job, start_s=request.start_at, share=request.share)
        if request.shares is None
        else JoinedStream(arrangement, track, job, request.shares)
    )
    outlets = (
        Outlets(request, arrangement, track, stems.stats, job)
        if request.share is None
        else ShareOutlets(request, arrangement, track, stems.frames, job)
    )
    with job.step("write"), outlets:
        with WriteBehind[Part](outlets.take) as writer, closing(iter(stems)) as parts:
            for part in parts:
                writer.put(part)
        encoding = time.perf_counter()
        written = outlets.commit(stems.stats)
        settings = {
            **arrangement.settings,
            **track.settings,
            **outlets.settings,
            "precision": "fp32" if stems.spent.overflowed else arrangement.compute.precision,
        }
        reported = outlets.save_report(settings)
    job.finish("write")
    ended = time.perf_counter()
    elapsed = ended - started
    spent = stems.spent
    names = arrangement.selection.names
    paths = list(dict.fromkeys(written.paths.values()))  # one file may hold all stems
    folder = os.path.commonpath([path.parent for path in paths]) if paths else ""
    duration = stems.frames / arrangement.sample_rate
    return Done(
        elapsed=round(elapsed, 3),
        output_dir=folder,
        files=[path.relative_to(folder).as_posix() for path in paths],
        stems=names,
        paths={name: str(written.paths[name]) for name in names if name in written.paths},
        duration=round(duration, 3),
        speed=round(duration / elapsed, 2) if elapsed > 0 else 0.0,
        sample_rate=outlets.output.file_rate,
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
