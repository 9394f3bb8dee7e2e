"""From one input file to finished stems: the main path, as a list of named steps.

An engine decides on a `Recipe` (which networks, which chunks, which stems); this module reads, runs the recipe and
writes, and knows nothing of any particular model.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from utils import __version__
from utils.audio.naming import lay_out
from utils.audio.picture import Sketch
from utils.audio.reading import AudioReader, open_audio, probe
from utils.audio.resampling import resampled_frames
from utils.audio.scanning import AudioStats, scan
from utils.audio.tagging import TagSet, read_tags
from utils.audio.writing import OutputFormat, StemSet, Written, open_stems
from utils.core.errors import DsuError, OutOfMemory, OutputError
from utils.core.job import Job
from utils.core.replies import Done, Restoring, Separating, Timing
from utils.core.requests import Separate
from utils.engine.background import ReadAhead, WriteBehind
from utils.engine.blending import Blend, Unblended
from utils.engine.demix import Compute, Lane, Runner, demix
from utils.engine.parts import Part
from utils.engine.song import Samples, Scale, Song
from utils.engine.stems import Selection

SILENCE_BLOCK = 1 << 16
MIX = "the mix"
REPORT = "report"  # what stands for a stem in the name of the picture
SMALLEST_DEVIATION = 1e-8  # keeps the scale of silence finite


@dataclass(frozen=True)
class Recipe:
    """How one request is carried out with one model."""

    model: str
    sample_rate: int
    channels: int
    selection: Selection
    template: str  # the layout of the files where the request names none
    compute: Compute
    lanes: Callable[[int, Scale], list[Lane]]  # for a song of so many samples, with the scale that normalises it
    settings: dict[str, object]  # the numbers used, echoed in `done`
    free_memory: Callable[[], bool]  # release what the job does not need; False if there is nothing
    shorter: Callable[[], Recipe | None]  # the same with shorter chunks, where that is possible
    blend: Callable[[], Blend] | None = None  # where lanes have rows of their own: how rows become stems
    targets: Mapping[str, Path] | None = None  # the stems' files where the request names them one by one
    event: type[Separating | Restoring] = Separating  # what is announced


@dataclass(frozen=True)
class Loaded:
    """What the engine can say of the load before the separation."""

    seconds: float
    from_cache: bool


@dataclass(frozen=True)
class Named:
    """What the files of a result are called after, and the number of the input among many."""

    track: str
    index: int


def separate(
    request: Separate, recipe: Recipe, loaded: Loaded, job: Job, *, track: str | None = None, index: int = 1
) -> Done:
    """Separate one file; where memory runs out even for single chunks, again with shorter ones.

    `track` and `index` name the result where it is one of many.
    """
    named = Named(track or Path(request.input or "").stem, index)
    while True:
        try:
            return _separate_once(request, recipe, loaded, job, named)
        except OutOfMemory:
            shorter = recipe.shorter()
            if shorter is None:
                raise
            job.warn("Memory ran out; the separation was started again with chunks half as long.")
            recipe = shorter


def check_input(request: Separate) -> Path:
    """The input file, known to exist and to be audio, before anything expensive starts."""
    path = Path(request.input or "").expanduser()
    probe(path)
    return path


def _separate_once(request: Separate, recipe: Recipe, loaded: Loaded, job: Job, named: Named) -> Done:
    started = time.perf_counter()
    path = Path(request.input or "").expanduser()
    job.announce(recipe.event(input=path.name))
    job.begin_stages(scan=3, separate=92, write=5)
    stats = _scan(path, request, recipe, job)
    scanned = time.perf_counter()
    output = _output_format(request, recipe, path)
    frames = _output_frames(stats, output, recipe, path)
    targets = _targets(request, recipe, named)
    folder = Path(request.folder).expanduser().absolute()
    sketch = Sketch([MIX, *recipe.selection.names], recipe.sample_rate) if request.report else None
    tags = TagSet(source=read_tags(path), model=recipe.model, version=__version__)
    with open_stems(
        targets,
        folder=folder,
        output=output,
        model_rate=recipe.sample_rate,
        channels=recipe.channels,
        frames=frames,
        tags=tags,
        overwrite=request.overwrite,
    ) as files:
        spent = _fill(_Outputs(files, recipe, sketch), path, request, recipe, stats, job)
        encoding = time.perf_counter()
        written = files.commit(
            on_progress=lambda fraction: job.progress("write", fraction, 1.0), checkpoint=job.checkpoint
        )
    for warning in written.warnings:
        job.warn(warning)
    picture = _save_picture(sketch, request, recipe, named, job) if sketch is not None else UNSET
    job.finish("write")
    ended = time.perf_counter()
    timing = Timing(
        load=round(loaded.seconds, 3),
        decode=round(scanned - started + spent.decode_s, 3),
        infer=round(spent.infer_s, 3),
        encode=round(ended - encoding + spent.encode_s, 3),
    )
    done = _done(written, recipe, loaded, stats, output.file_rate, timing, ended - started)
    return msgspec.structs.replace(done, report=picture)


def _done(
    written: Written,
    recipe: Recipe,
    loaded: Loaded,
    stats: AudioStats,
    sample_rate: int,
    timing: Timing,
    elapsed: float,
) -> Done:
    folder = Path(os.path.commonpath([path.parent for path in written.paths.values()]))
    duration = stats.frames / recipe.sample_rate
    return Done(
        elapsed=round(elapsed, 3),
        output_dir=str(folder),
        files=[path.relative_to(folder).as_posix() for path in written.paths.values()],
        stems=list(written.paths),
        paths={name: str(path) for name, path in written.paths.items()},
        duration=round(duration, 3),
        speed=round(duration / elapsed, 2) if elapsed > 0 else 0.0,
        sample_rate=sample_rate,
        model=recipe.model,
        device=recipe.compute.device,
        model_from_cache=loaded.from_cache,
        timing=timing,
        gain=written.gain,
        settings=dict(recipe.settings),
    )


def _scan(path: Path, request: Separate, recipe: Recipe, job: Job) -> AudioStats:
    return scan(
        path,
        sample_rate=recipe.sample_rate,
        channels=recipe.channels,
        start_s=request.preview.start if request.preview else 0.0,
        duration_s=request.preview.duration if request.preview else None,
        checkpoint=job.checkpoint,
        on_progress=lambda fraction: job.progress("scan", fraction, 1.0),
    )


def _open(path: Path, request: Separate, recipe: Recipe, job: Job) -> AudioReader:
    return open_audio(
        path,
        sample_rate=recipe.sample_rate,
        channels=recipe.channels,
        start_s=request.preview.start if request.preview else 0.0,
        duration_s=request.preview.duration if request.preview else None,
        checkpoint=job.checkpoint,
    )


def _output_format(request: Separate, recipe: Recipe, path: Path) -> OutputFormat:
    rate = request.output_sample_rate
    if rate == "source":
        rate = probe(path).sample_rate
    return OutputFormat(
        name=request.format,
        sample_type=request.sample_type,
        bitrate=request.bitrate,
        sample_rate=rate or recipe.sample_rate,
        clip=request.clip,
    )


def _output_frames(stats: AudioStats, output: OutputFormat, recipe: Recipe, path: Path) -> int:
    """Exactly as many samples as the input lasts, at the output's rate."""
    if output.sample_rate == recipe.sample_rate:
        return stats.frames
    return resampled_frames(stats.source_frames, probe(path).sample_rate, output.sample_rate)


def _save_picture(sketch: Sketch, request: Separate, recipe: Recipe, named: Named, job: Job) -> str | UnsetType:
    """The picture beside the stems, named as they are. The stems are there already, so its failure is not the job's."""
    (target,) = _laid_out(request, recipe, named, [REPORT], "png").values()
    if target.exists() and not request.overwrite:
        job.warn(f"The picture was left out: `{target.name}` exists, and `overwrite` is false.")
        return UNSET
    try:
        sketch.save(target, title=f"{named.track}  ·  {recipe.model}")
    except OutputError as error:
        job.warn(f"The picture was left out. {error.message}")
        return UNSET
    return str(target)


def _targets(request: Separate, recipe: Recipe, named: Named) -> Mapping[str, Path]:
    if recipe.targets is not None:
        return recipe.targets
    return _laid_out(request, recipe, named, recipe.selection.names, request.format)


def _laid_out(request: Separate, recipe: Recipe, named: Named, names: Sequence[str], extension: str) -> dict[str, Path]:
    folder = Path(request.folder).expanduser().absolute()
    relative = lay_out(
        request.name_template or recipe.template,
        names,
        track=named.track,
        model=recipe.model,
        index=named.index,
        extension=extension,
    )
    return {name: folder / path for name, path in relative.items()}


@dataclass
class _Spent:
    decode_s: float = 0.0
    infer_s: float = 0.0
    encode_s: float = 0.0


class _Outputs:
    """Where finished samples go: into the stems' files, and into a sketch where a picture was asked for."""

    def __init__(self, files: StemSet, recipe: Recipe, sketch: Sketch | None) -> None:
        self._files = files
        self._recipe = recipe
        self._sketch = sketch

    def write(self, parts: Iterable[Part]) -> None:
        for part in parts:
            stems = _finite(part, self._recipe)
            for output in self._recipe.selection.outputs:
                self._write_stem(output.name, np.ascontiguousarray(output.render(stems, part.mix)))
            if self._sketch is not None:
                self._sketch.add(MIX, part.mix)

    def write_silence(self, frames: int, job: Job) -> None:
        """Silence has silent stems; no network needs to be asked."""
        for size in _blocks(frames):
            job.checkpoint()
            silence = np.zeros((self._recipe.channels, size), dtype=np.float32)
            for name in self._recipe.selection.names:
                self._write_stem(name, silence)
            if self._sketch is not None:
                self._sketch.add(MIX, silence)

    def _write_stem(self, name: str, samples: Samples) -> None:
        self._files.write(name, samples)
        if self._sketch is not None:
            self._sketch.add(name, samples)


def _fill(outputs: _Outputs, path: Path, request: Separate, recipe: Recipe, stats: AudioStats, job: Job) -> _Spent:
    """Write all samples of all stems; returns the seconds spent on each part."""
    if stats.peak == 0.0:
        outputs.write_silence(stats.frames, job)
        return _Spent()
    lanes = recipe.lanes(stats.frames, Scale(stats.mean, stats.std + SMALLEST_DEVIATION))
    blend = recipe.blend() if recipe.blend is not None else Unblended()
    with (
        _open(path, request, recipe, job) as reader,
        ReadAhead(iter(reader)) as blocks,
        WriteBehind[Part](lambda part: outputs.write(blend.push(part))) as writer,
        Runner(recipe.compute, job, recipe.free_memory) as runner,
    ):
        song = Song(iter(blocks), channels=recipe.channels, total=stats.frames)
        demix(
            song,
            lanes,
            channels=recipe.channels,
            runner=runner,
            device=recipe.compute.device,
            job=job,
            sink=writer.put,
        )
    outputs.write(blend.finish())
    for warning in reader.warnings:
        job.warn(warning)
    return _Spent(blocks.busy_s, runner.busy_s, writer.busy_s)


def _finite(part: Part, recipe: Recipe) -> Samples:
    stems: Samples = part.stems.numpy()
    if not np.isfinite(stems).all():
        raise DsuError(
            f"The network gave samples that are no numbers {part.start / recipe.sample_rate:.1f} s into the song.",
            hint='Half precision overflows with some models: use "precision":"fp32". Else the checkpoint is damaged.',
        )
    return stems


def _blocks(frames: int) -> Iterator[int]:
    for start in range(0, frames, SILENCE_BLOCK):
        yield min(SILENCE_BLOCK, frames - start)
