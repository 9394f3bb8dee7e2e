"""A graph of streams: models that hear the song or each other's stems, and stems that are combined, all in one pass.

Nothing runs by itself. Whoever needs samples takes them from the step that makes them, which takes what it needs from the
steps before it; what other readers of those have not taken yet waits for them. The result that is farthest behind is
always the next to advance, so that what waits is never longer than the steps' chunks.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import torch

from utils.audio.channels import mix_channels
from utils.audio.resampling import StreamResampler, resampled_frames
from utils.audio.scanning import AudioStats
from utils.core.errors import DsuError, InvalidRequest
from utils.core.job import Job, StepJob
from utils.core.recipes import HINT
from utils.core.requests import Separate, SongShare
from utils.engine.pipeline.arrangement import Arrangement
from utils.engine.pipeline.blending import Blend
from utils.engine.pipeline.demix import Stretch
from utils.engine.pipeline.song import Samples
from utils.engine.pipeline.stream import Part, Spent, Stream, begin_stages, stream
from utils.engine.pipeline.track import Audio, Blocks, Levelled

K = TypeVar("K")

MIX = ""  # among the names of steps and stems


class Tap(NamedTuple):
    """Where samples come from: a stem of a step, or the song itself."""

    step: str = MIX
    stem: str = MIX


SONG = Tap()


class Sound(NamedTuple):
    """The form of samples, and how many there are."""

    sample_rate: int
    channels: int
    frames: int


@dataclass(frozen=True)
class Separation:
    """A step with a model."""

    arrangement: Arrangement
    input: Tap = SONG
    work: float = 1.0  # its share of the whole, for progress


@dataclass(frozen=True)
class Mixing:
    """A step that makes one stem of several, at the rate of the graph. The stem has the name of the step."""

    inputs: tuple[Tap, ...]
    blend: Callable[[int], Blend]  # for a sample rate


@dataclass(frozen=True)
class Recording:
    """Stems of a step that an earlier pass has recorded."""

    stems: Mapping[str, Audio]
    sample_rate: int
    channels: int


GraphStep = Separation | Mixing | Recording


@dataclass(frozen=True, kw_only=True)
class GraphArrangement(Arrangement):
    """An arrangement of several steps, each after those that it hears."""

    steps: Mapping[str, GraphStep]
    results: Mapping[str, Tap]  # by the names of the selection
    requests: Mapping[str, Separate] = field(
        default_factory=dict
    )  # of results that are written differently from the others
    begins: bool = True  # whether nothing of the job has run before it
    earlier_work: float = 0.0  # of passes before this one
    later_work: float = 0.0  # of passes after it
    scans: dict[tuple[int, int], AudioStats] = field(default_factory=dict)  # of the song, by rate and channels

    def request_for(self, stem: str, request: Separate) -> Separate:
        return self.requests.get(stem, request)

    @property
    def goes_along(self) -> bool:
        return False  # its steps need to know how long the song is


class SilentStem(Exception):
    """A step has heard nothing but zeros, which is only known now. A file of zeros has silent stems, whatever the model."""

    def __init__(self, step: str) -> None:
        super().__init__(step)
        self.step = step


def open_stream(
    arrangement: Arrangement, audio: Audio, job: Job, *, start_s: float | None = None, share: SongShare | None = None
) -> Stream | GraphStream:
    """The parts of a song, of one model or of several steps. Of one, they may begin at `start_s`, or be those of a share."""
    if not isinstance(arrangement, GraphArrangement):
        return stream(arrangement, audio, job, start_s=start_s, share=share)
    for name, asked in {"start_at": start_s, "share": share}.items():
        if asked is not None:
            raise InvalidRequest(
                "Several models go through a song side by side, from its start to its end.",
                hint=f"Leave out `{name}`, or name one model.",
                field=name,
            )
    audio = audio if arrangement.level is None else Levelled(audio, arrangement.level)
    return GraphStream(arrangement, audio, job)


# Samples that several read ------------------------------------------------------------------------------------------


class Well:
    """What one step gives, for several readers, each at a pace of its own. It gives more when one of them has none left."""

    def __init__(self, sounds: Mapping[str, Sound], parts: Callable[[], Generator[Mapping[str, Samples]]]) -> None:
        self.sounds = sounds
        self.is_silent = False
        self._parts = parts
        self._running: Generator[Mapping[str, Samples]] | None = None
        self._waiting: dict[str, list[deque[Samples]]] = {}

    def reader(self, stem: str) -> Iterator[Samples]:
        """All of a stem, from the start; so readers come before anything runs."""
        waiting = deque[Samples]()
        self._waiting.setdefault(stem, []).append(waiting)
        return self._read(waiting)

    def _read(self, waiting: deque[Samples]) -> Iterator[Samples]:
        while waiting or self.advance():
            if waiting:
                yield waiting.popleft()

    def advance(self) -> bool:
        """Make the next part. False at the end."""
        if self._running is None:
            self._running = self._parts()
        part = next(self._running, None)
        if part is None:
            return False
        for stem, readers in self._waiting.items():
            for waiting in readers:
                waiting.append(part[stem])
        return True

    @property
    def waiting_s(self) -> float:
        """How much waits for the reader that is farthest behind, in seconds."""
        return max(
            (
                sum(block.shape[1] for block in waiting) / self.sounds[stem].sample_rate
                for stem, readers in self._waiting.items()
                for waiting in readers
            ),
            default=0.0,
        )

    def close(self) -> None:
        if self._running is not None:
            self._running.close()


def converted(blocks: Iterable[Samples], source: Sound, target: Sound) -> Iterator[Samples]:
    """Samples in another form, exactly as many as there are to be."""
    if source == target:
        yield from blocks
        return
    resampler = StreamResampler(source.sample_rate, target.sample_rate, target.channels)
    due = target.frames

    def ready() -> Iterator[Samples]:
        for block in blocks:
            yield from resampler.push(mix_channels(block.T, target.channels))
        yield resampler.finish()
        yield np.zeros((due, target.channels), np.float32)  # a length that was rounded twice may lack a sample

    for block in ready():
        kept = np.ascontiguousarray(block[:due].T)
        due -= kept.shape[1]
        if kept.shape[1]:
            yield kept


def _finite(step: str, samples: Samples) -> Samples:
    """Raise if a step made samples that are no numbers any more: later ones would make silence or noise of them."""
    if np.isfinite(samples).all():
        return samples
    raise InvalidRequest(
        f"The step `{step}` gives samples that are infinite. Lower its gain, or that of the steps before it.",
        hint=HINT,
        field=f"recipe.steps.{step.partition('.')[0]}",
    )


class SharedSong:
    """The song for one step: scanned once for all, and decoded once for all that take it in one form."""

    def __init__(self, audio: Audio, scans: dict[tuple[int, int], AudioStats]) -> None:
        self._audio = audio
        self._scans = scans
        self.reader: Iterator[Samples] | None = None  # surveys, which come before, read the song by themselves

    def scan(
        self,
        sample_rate: int,
        channels: int,
        job: Job,
        on_progress: Callable[[float], None],
        keep: Callable[[Samples], None] | None = None,
    ) -> AudioStats:
        del keep  # a graph goes through a song from its start to its end
        if isinstance(self._audio, Levelled) or (sample_rate, channels) not in self._scans:
            self._scans[sample_rate, channels] = self._audio.scan(sample_rate, channels, job, on_progress)
        return self._scans[sample_rate, channels]

    def open(self, sample_rate: int, channels: int, job: Job) -> AbstractContextManager[Blocks]:
        if self.reader is None:
            return self._audio.open(sample_rate, channels, job)
        return nullcontext(_Taken(self.reader))


class StepStem:
    """A stem of another step as the song of a model. Its statistics are not known: nobody has heard it to its end."""

    def __init__(self, blocks: Iterable[Samples], source: Sound, *, is_silent: bool) -> None:
        self._blocks = blocks
        self._source = source
        self._is_silent = is_silent
        self.was_heard = is_silent

    def scan(
        self,
        sample_rate: int,
        channels: int,
        job: Job,
        on_progress: Callable[[float], None],
        keep: Callable[[Samples], None] | None = None,
    ) -> AudioStats:
        del channels, job, keep
        on_progress(1.0)
        frames = resampled_frames(self._source.frames, self._source.sample_rate, sample_rate)
        peak = 0.0 if self._is_silent else math.nan
        return AudioStats(frames, self._source.frames, math.nan, math.nan, peak)

    def open(self, sample_rate: int, channels: int, job: Job) -> AbstractContextManager[Blocks]:
        frames = resampled_frames(self._source.frames, self._source.sample_rate, sample_rate)
        return nullcontext(_Taken(self._listened(Sound(sample_rate, channels, frames), job)))

    def _listened(self, target: Sound, job: Job) -> Iterator[Samples]:
        for block in converted(self._blocks, self._source, target):
            job.checkpoint()
            self.was_heard = self.was_heard or bool(block.any())
            yield block


@dataclass(frozen=True)
class _Taken:
    blocks: Iterable[Samples]
    warnings: list[str] = field(default_factory=list)
    busy_s: float = 0.0

    def __iter__(self) -> Iterator[Samples]:
        return iter(self.blocks)


# Running --------------------------------------------------------------------------------------------------------------


def in_turns(readers: Mapping[K, Iterator[Samples]], sample_rates: Mapping[K, int]) -> Iterator[tuple[K, Samples]]:
    """All blocks of several readers. The one that is farthest behind in time is always next."""
    reached_s = dict.fromkeys(readers, 0.0)
    while reached_s:
        behind = min(reached_s, key=reached_s.__getitem__)
        block = next(readers[behind], None)
        if block is None:
            del reached_s[behind]
        else:
            reached_s[behind] += block.shape[1] / sample_rates[behind]
            yield behind, block


class Queue(Generic[K]):
    """Samples by name, which come at different times and leave together."""

    def __init__(self, names: Iterable[K], channels: int) -> None:
        empty: Samples = np.zeros((channels, 0), dtype=np.float32)
        self._samples = dict.fromkeys(names, empty)

    def add(self, name: K, samples: Samples) -> None:
        held = self._samples[name]
        self._samples[name] = np.concatenate([held, samples], axis=1) if held.shape[1] else samples

    def take(self) -> dict[K, Samples] | None:
        """What there is of every name; None if of one there is nothing."""
        length = min(samples.shape[1] for samples in self._samples.values())
        if not length:
            return None
        taken = {name: samples[:, :length] for name, samples in self._samples.items()}
        self._samples = {name: samples[:, length:].copy() for name, samples in self._samples.items()}
        return taken


class _GraphProgress:
    """How far all steps are together, by the work that each is."""

    def __init__(self, job: Job, arrangement: GraphArrangement) -> None:
        self._job = job
        self._work = {name: step.work for name, step in arrangement.steps.items() if isinstance(step, Separation)}
        self._earlier = arrangement.earlier_work
        self._total = self._earlier + sum(self._work.values()) + arrangement.later_work
        self._reached: dict[str, dict[str, float]] = {}  # by stage
        self.duration_s = 1.0

    def of(self, step: str) -> StepJob:
        return StepJob(self._job, lambda stage, fraction: self._report(step, stage, fraction))

    def _report(self, step: str, stage: str, fraction: float) -> None:
        reached = self._reached.setdefault(stage, {})
        reached[step] = fraction
        done = sum(self._work[name] * share for name, share in reached.items())
        if stage == "separate":
            done += self._earlier
        total = self._total if stage == "separate" else sum(self._work.values())
        self._job.progress(stage, done / total * self.duration_s, self.duration_s)


class GraphStream:
    """As a `Stream`, of all steps together."""

    def __init__(self, arrangement: GraphArrangement, audio: Audio, job: Job) -> None:
        self.arrangement = arrangement
        self._audio = audio
        self._job = job
        self._decode_s = 0.0
        separations = [step.arrangement for step in arrangement.steps.values() if isinstance(step, Separation)]
        if arrangement.begins:
            begin_stages(job, survey=any(each.survey is not None for each in separations))
        self._progress = _GraphProgress(job, arrangement)
        self.stats = SharedSong(audio, arrangement.scans).scan(
            arrangement.sample_rate, arrangement.channels, job, lambda fraction: job.progress("scan", fraction, 1.0)
        )
        self._progress.duration_s = self.stats.frames / arrangement.sample_rate
        self._sound = Sound(arrangement.sample_rate, arrangement.channels, self.stats.frames)
        self._streams: dict[str, Stream] = {}
        self._songs: dict[str, SharedSong] = {}
        self._mixes: dict[tuple[int, int], Well] = {}
        self.wells: dict[str, Well] = {}
        for name, step in arrangement.steps.items():
            self.wells[name] = self._well_of(name, step)

    @property
    def spent(self) -> Spent:
        parts = [one.spent for one in self._streams.values()]
        return Spent(
            decode_s=self._decode_s + sum(part.decode_s for part in parts),
            survey_s=sum(part.survey_s for part in parts),
            infer_s=sum(part.infer_s for part in parts),
            overflowed=any(part.overflowed for part in parts),
        )

    @property
    def frames(self) -> int:
        """How many samples come out."""
        return self.stats.frames

    def __iter__(self) -> Generator[Part]:
        """The results with the song, in step."""
        taps = {MIX: SONG, **self.arrangement.results}
        readers = {name: self._reader(tap) for name, tap in taps.items()}
        queue = Queue(taps, self._sound.channels)
        start = 0
        with self._running():
            for name, block in in_turns(readers, dict.fromkeys(taps, self._sound.sample_rate)):
                queue.add(name, block)
                if (samples := queue.take()) is not None:
                    mix = samples.pop(MIX)
                    yield Part(start, samples, mix)
                    start += mix.shape[1]

    def recorded(self, taps: Iterable[Tap]) -> Generator[tuple[Tap, Samples]]:
        """All samples of these stems, each in the form that its step gives it."""
        sounds = {tap: self.wells[tap.step].sounds[tap.stem] for tap in taps}
        readers = {tap: self.wells[tap.step].reader(tap.stem) for tap in sounds}
        with self._running():
            yield from in_turns(readers, {tap: sound.sample_rate for tap, sound in sounds.items()})

    @contextmanager
    def _running(self) -> Iterator[None]:
        """Surveys first, which read the song by themselves. At the end of the song every step is brought to its own end."""
        for name, one in self._streams.items():
            if one.stats.peak != 0.0:
                _ = one.heard
                if (song := self._songs.get(name)) is not None:
                    sound = Sound(one.arrangement.sample_rate, one.arrangement.channels, one.stats.frames)
                    song.reader = self._mix(sound).reader(MIX)
        wells = [*self._mixes.values(), *self.wells.values()]
        with ExitStack() as stack:
            for well in wells:
                stack.callback(well.close)
            yield
            for well in wells:
                while well.advance():
                    pass

    # What the steps give ----------------------------------------------------------------------------------------------

    def _mix(self, sound: Sound) -> Well:
        form = (sound.sample_rate, sound.channels)
        if form not in self._mixes:
            self._mixes[form] = Well({MIX: sound}, lambda: self._decoded(sound))
        return self._mixes[form]

    def _reader(self, tap: Tap) -> Iterator[Samples]:
        """A stem in the form of the graph."""
        if tap == SONG:
            return self._mix(self._sound).reader(MIX)
        well = self.wells[tap.step]
        return converted(well.reader(tap.stem), well.sounds[tap.stem], self._sound)

    def _well_of(self, name: str, step: GraphStep) -> Well:
        if isinstance(step, Mixing):
            readers = [self._reader(tap) for tap in step.inputs]
            return Well({name: self._sound}, lambda: self._mixed(name, step, readers))
        if isinstance(step, Recording):
            frames = {
                stem: audio.scan(step.sample_rate, step.channels, self._job, lambda _: None).frames
                for stem, audio in step.stems.items()
            }
            sounds = {stem: Sound(step.sample_rate, step.channels, count) for stem, count in frames.items()}
            return Well(sounds, lambda: self._replayed(step))
        arrangement = step.arrangement
        song = self._song_for(name, step.input)
        with in_step(name):
            found = self._streams[name] = stream(arrangement, song, self._progress.of(name))
        sound = Sound(arrangement.sample_rate, arrangement.channels, found.stats.frames)
        well = Well(dict.fromkeys(arrangement.selection.names, sound), lambda: self._separated(name, found, song))
        well.is_silent = found.stats.peak == 0.0
        return well

    def _song_for(self, name: str, tap: Tap) -> Audio:
        """What a model hears."""
        if tap == SONG:
            song = self._songs[name] = SharedSong(self._audio, self.arrangement.scans)
            return song
        before = self.arrangement.steps[tap.step]
        if isinstance(before, Recording):
            return before.stems[tap.stem]
        well = self.wells[tap.step]
        blocks: Iterable[Samples] = () if well.is_silent else well.reader(tap.stem)
        return StepStem(blocks, well.sounds[tap.stem], is_silent=well.is_silent)

    def _decoded(self, sound: Sound) -> Generator[Mapping[str, Samples]]:
        with self._audio.open(sound.sample_rate, sound.channels, self._job) as blocks:
            for block in blocks:
                yield {MIX: block}
        for warning in blocks.warnings:
            self._job.warn(warning)
        self._decode_s += blocks.busy_s

    def _separated(self, name: str, found: Stream, song: Audio) -> Generator[Mapping[str, Samples]]:
        with in_step(name), closing(iter(found)) as parts:
            for part in parts:
                yield part.stems
        if isinstance(song, StepStem) and not song.was_heard and found.stats.peak != 0.0:
            raise SilentStem(name)

    def _mixed(self, name: str, step: Mixing, readers: Sequence[Iterator[Samples]]) -> Generator[Mapping[str, Samples]]:
        blend = step.blend(self._sound.sample_rate)
        places = range(len(readers))
        queue = Queue(places, self._sound.channels)
        start = 0
        for place, block in in_turns(dict(enumerate(readers)), dict.fromkeys(places, self._sound.sample_rate)):
            queue.add(place, block)
            if (samples := queue.take()) is not None:
                rows = torch.from_numpy(np.stack(list(samples.values())))
                for stretch in blend.push(Stretch(start, rows, samples[0])):
                    yield {name: _finite(name, stretch.rows[0].numpy())}
                start += rows.shape[-1]
        for stretch in blend.finish():
            yield {name: _finite(name, stretch.rows[0].numpy())}

    def _replayed(self, step: Recording) -> Generator[Mapping[str, Samples]]:
        with ExitStack() as stack:
            opened = {
                stem: iter(stack.enter_context(audio.open(step.sample_rate, step.channels, self._job)))
                for stem, audio in step.stems.items()
            }
            queue = Queue(opened, step.channels)
            for stem, block in in_turns(opened, dict.fromkeys(opened, step.sample_rate)):
                queue.add(stem, block)
                if (samples := queue.take()) is not None:
                    yield samples


@contextmanager
def in_step(name: str) -> Iterator[None]:
    """Errors know the step that they come from."""
    try:
        yield
    except DsuError as error:
        error.step = error.step or name
        raise
