"""Writes a stream of stems to files, which appear together and complete or not at all, and a picture next to them."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from msgspec import UNSET, UnsetType

from utils import __version__
from utils.audio.formats import rate_like
from utils.audio.naming import lay_out, safe_name
from utils.audio.picture import Sketch
from utils.audio.resampling import resampled_frames
from utils.audio.tagging import TagSet, read_tags
from utils.audio.writing import OutputFormat, open_stems
from utils.core.errors import OutputError
from utils.core.job import Job
from utils.core.replies import Done, Timing
from utils.core.requests import Separate
from utils.engine.pipeline.background import WriteBehind
from utils.engine.pipeline.chorus import open_stream
from utils.engine.pipeline.recipe import Recipe
from utils.engine.pipeline.stream import Part
from utils.engine.pipeline.track import Track

MIX = "the mix"
REPORT = "report"  # takes the place of the stem in the picture's name


@dataclass(frozen=True)
class ModelLoad:
    """How long loading took before a separation, and whether everything was in the cache."""

    seconds: float
    from_cache: bool


def write_stems(request: Separate, recipe: Recipe, track: Track, loaded: ModelLoad, job: Job) -> Done:
    """Separate a track into files. Raises `OutOfMemory` if not even a single chunk fits."""
    started = time.perf_counter()
    stems = open_stream(recipe, track, job)
    output = _output_format(request, recipe, track)
    # A stereo network turns a mono song into stereo stems; `"channels":"source"` makes them mono again.
    channels = 1 if request.channels == "source" and track.info.channels == 1 else recipe.channels
    sketch = Sketch([MIX, *recipe.selection.names], recipe.sample_rate) if request.report else None
    with job.step("read"):
        tags = TagSet(source=read_tags(track.path), model=recipe.model, version=__version__)
    files = open_stems(
        _targets(request, recipe, track),
        folder=Path(request.folder).expanduser().absolute(),
        output=output,
        model_rate=recipe.sample_rate,
        channels=channels,
        # Exactly the duration of the input, at the output's rate.
        frames=stems.stats.frames
        if output.sample_rate == recipe.sample_rate
        else resampled_frames(stems.stats.source_frames, track.info.sample_rate, output.sample_rate),
        tags=tags,
        overwrite=request.overwrite,
    )

    def write(part: Part) -> None:
        for name, samples in part.stems.items():
            mixed = samples if len(samples) == channels else samples.mean(axis=0, keepdims=True)
            files.write(name, np.ascontiguousarray(mixed))
            if sketch is not None:
                sketch.add(name, samples)
        if sketch is not None:
            sketch.add(MIX, part.mix)

    with job.step("write"), files:
        with WriteBehind[Part](write) as writer, closing(iter(stems)) as parts:
            for part in parts:
                writer.put(part)
        encoding = time.perf_counter()
        written = files.commit(
            on_progress=lambda fraction: job.progress("write", fraction, 1.0), checkpoint=job.checkpoint
        )
    for warning in written.warnings:
        job.warn(warning)
    report = _save_picture(sketch, request, recipe, track, job) if sketch is not None else UNSET
    job.finish("write")
    ended = time.perf_counter()
    elapsed = ended - started
    spent = stems.spent
    folder = Path(os.path.commonpath([path.parent for path in written.paths.values()]))
    duration = stems.stats.frames / recipe.sample_rate
    return Done(
        elapsed=round(elapsed, 3),
        output_dir=str(folder),
        files=[path.relative_to(folder).as_posix() for path in written.paths.values()],
        stems=list(written.paths),
        paths={name: str(path) for name, path in written.paths.items()},
        duration=round(duration, 3),
        speed=round(duration / elapsed, 2) if elapsed > 0 else 0.0,
        sample_rate=output.file_rate,
        model=recipe.model,
        device=recipe.compute.device,
        model_from_cache=loaded.from_cache,
        timing=Timing(
            load=round(loaded.seconds, 3),
            decode=round(spent.decode_s, 3),
            infer=round(spent.infer_s, 3),
            encode=round(ended - encoding + writer.busy_s, 3),
            survey=round(spent.survey_s, 3) if recipe.survey is not None else UNSET,
        ),
        gain=written.gain,
        settings={**recipe.settings, "precision": "fp32" if spent.overflowed else recipe.compute.precision},
        report=report,
    )


def _output_format(request: Separate, recipe: Recipe, track: Track) -> OutputFormat:
    rate = request.output_sample_rate or recipe.file_rate
    if rate == "source":
        rate = rate_like(track.info.sample_rate, request.audio_format)
    return OutputFormat(
        name=request.audio_format,
        sample_type=request.sample_type_for(track.info.subtype),
        bitrate=request.bitrate,
        sample_rate=rate or recipe.sample_rate,
        clip=request.clip,
        level=request.level,
    )


def _targets(request: Separate, recipe: Recipe, track: Track) -> Mapping[str, Path]:
    """The file of each stem. If the request names a file, it is that of the main stem; the others go next to it."""
    names = recipe.selection.names
    if request.file is None:
        return _laid_out(request, recipe, track, names, request.audio_format)
    path = Path(request.file).expanduser().absolute()
    return {
        name: path if name == recipe.main else path.with_name(f"{path.stem}_{safe_name(name)}{path.suffix}")
        for name in names
    }


def _laid_out(request: Separate, recipe: Recipe, track: Track, names: Sequence[str], extension: str) -> dict[str, Path]:
    *folders, own = track.name.split("/")
    folder = Path(request.folder).expanduser().absolute().joinpath(*map(safe_name, folders))
    relative = lay_out(
        [(name, request.template_of(name)) for name in names],
        track=own,
        model=recipe.model,
        index=track.index,
        extension=extension,
    )
    return {name: folder / path for name, path in relative.items()}


def _save_picture(sketch: Sketch, request: Separate, recipe: Recipe, track: Track, job: Job) -> str | UnsetType:
    """Save the picture next to the stems, with a similar name. Failing is not fatal: the stems are complete already."""
    (target,) = _laid_out(request, recipe, track, [REPORT], "png").values()
    if target.exists() and not request.overwrite:
        job.warn(f"The picture was not saved: `{target.name}` exists, and `overwrite` is false.")
        return UNSET
    try:
        settings = [f"{name.replace('_', ' ')} {value}" for name, value in recipe.settings.items()]
        note = " · ".join([*settings, recipe.compute.device, f"DSU {__version__}"])
        sketch.save(target, title=f"{track.name}  ·  {recipe.model}", note=note)
    except OutputError as error:
        job.warn(f"The picture was not saved. {error.message}")
        return UNSET
    return str(target)
