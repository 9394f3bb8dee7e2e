"""Several models over one song, each with an arrangement of its own. Their stems are combined as they come.

Unlike the lanes of an `ensemble`, members may be of different families and give different stems: what only one of them has
is taken from it. All go through the song side by side, so that none has to keep its result until the others are done.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass

import numpy as np
import torch

from utils.audio.scanning import AudioStats
from utils.core.errors import InvalidRequest
from utils.core.job import Job
from utils.engine.pipeline.arrangement import Arrangement
from utils.engine.pipeline.blending import Average, Blend, QuietestSong, blend_for
from utils.engine.pipeline.demix import Stretch
from utils.engine.pipeline.outputs import Output, Selection
from utils.engine.pipeline.song import Samples
from utils.engine.pipeline.stream import Part, Spent, Stream, stream
from utils.engine.pipeline.track import Audio

# Other names of ways to combine.
SAME = {"uvr_max_spec": "max_fft", "uvr_min_spec": "min_fft"}
QUIETEST_SONG = "ensemble_wav"
MIX = ""  # among the names of stems


@dataclass(frozen=True)
class Member:
    """A model's arrangement, what its stems are called in the result, and how much it counts in an average."""

    arrangement: Arrangement
    names: Mapping[str, str]
    weight: float


@dataclass(frozen=True, kw_only=True)
class ChorusArrangement(Arrangement):
    """An arrangement that is those of its members."""

    members: tuple[Member, ...]
    algorithm: str

    def singers(self) -> dict[str, list[int]]:
        """Which members have each stem, in the order of the first that does."""
        found: dict[str, list[int]] = {}
        for index, member in enumerate(self.members):
            for name in member.names.values():
                found.setdefault(name, []).append(index)
        return found

    def blend_of(self, singers: Sequence[int]) -> Blend:
        """What makes one stem of those of these members."""
        if self.algorithm == QUIETEST_SONG:
            return QuietestSong()
        make = blend_for(SAME.get(self.algorithm, self.algorithm), len(singers))
        return Average([self.members[index].weight for index in singers]) if make is None else make()


def chorus(members: Sequence[Member], algorithm: str, wanted: Sequence[str] | None) -> ChorusArrangement:
    """One arrangement for all. Raises `InvalidRequest` for models that do not go together, or a stem that none has."""
    first = members[0].arrangement
    for what in ("sample_rate", "channels"):
        values = {member.arrangement.model: getattr(member.arrangement, what) for member in members}
        if len(set(values.values())) > 1:
            listed = ", ".join(f"`{model}` {value}" for model, value in values.items())
            raise InvalidRequest(
                f"The models of an ensemble must share one {what.replace('_', ' ')}: {listed}.", field="ensemble"
            )
    names = list(dict.fromkeys(name for member in members for name in member.names.values()))
    lower = [name.lower() for name in wanted or names]
    kept = [name for name in names if name.lower() in lower]
    if not kept:
        raise InvalidRequest(f"These models have no such stem; they have {', '.join(names)}.", field="single_stem")
    return ChorusArrangement(
        model="+".join(member.arrangement.model for member in members),
        sample_rate=first.sample_rate,
        channels=first.channels,
        selection=Selection(tuple(Output(name, ()) for name in kept), ()),
        lanes=lambda _: [],
        compute=first.compute,
        settings={"ensemble_algorithm": algorithm},
        file_rate=first.file_rate,
        members=tuple(members),
        algorithm=algorithm,
    )


def open_stream(arrangement: Arrangement, audio: Audio, job: Job) -> Stream | ChorusStream:
    """The parts of a song, of one model or of several."""
    if not isinstance(arrangement, ChorusArrangement):
        return stream(arrangement, audio, job)
    return ChorusStream(arrangement, [stream(member.arrangement, audio, job) for member in arrangement.members])


@dataclass(frozen=True)
class ChorusStream:
    """As a `Stream`, of all members together."""

    arrangement: ChorusArrangement
    streams: Sequence[Stream]

    @property
    def stats(self) -> AudioStats:
        return self.streams[0].stats

    @property
    def spent(self) -> Spent:
        parts = [one.spent for one in self.streams]
        return Spent(
            decode_s=sum(part.decode_s for part in parts),
            survey_s=sum(part.survey_s for part in parts),
            infer_s=sum(part.infer_s for part in parts),
            overflowed=any(part.overflowed for part in parts),
        )

    def __iter__(self) -> Generator[Part]:
        wanted = self.arrangement.selection.names
        singers = {name: indices for name, indices in self.arrangement.singers().items() if name in wanted}
        blends = {name: self.arrangement.blend_of(indices) for name, indices in singers.items()}
        channels = self.arrangement.channels
        sung = [Queue((MIX, *member.names.values()), channels) for member in self.arrangement.members]
        ready = Queue((MIX, *singers), channels)
        given = start = 0
        with ExitStack() as stack:
            parts = [stack.enter_context(closing(iter(one))) for one in self.streams]
            while start < self.stats.frames:
                behind = min(range(len(parts)), key=lambda index: sung[index].length)
                length = sung[behind].length
                if length == 0:
                    part = next(parts[behind])
                    names = self.arrangement.members[behind].names
                    sung[behind].add({MIX: part.mix, **{names[own]: stem for own, stem in part.stems.items()}})
                    continue
                blocks = [queue.take(length) for queue in sung]
                mix = blocks[0][MIX]
                ready.add({MIX: mix})
                for name, indices in singers.items():
                    rows = torch.from_numpy(np.stack([blocks[index][name] for index in indices]))
                    for stretch in blends[name].push(Stretch(start, rows, mix)):
                        ready.add({name: stretch.rows[0].numpy()})
                start += length
                for part in ready.parts(given):
                    yield part
                    given += part.mix.shape[1]
            for one in parts:  # each has tidied up once it is at its end
                next(one, None)
        for name, blend in blends.items():
            for stretch in blend.finish():
                ready.add({name: stretch.rows[0].numpy()})
        yield from ready.parts(given)


class Queue:
    """Samples by name, which come at different times and leave together."""

    def __init__(self, names: Iterable[str], channels: int) -> None:
        empty: Samples = np.zeros((channels, 0), dtype=np.float32)
        self._samples = dict.fromkeys(names, empty)

    @property
    def length(self) -> int:
        """How many samples there are of every name."""
        return min(int(samples.shape[1]) for samples in self._samples.values())

    def add(self, samples: Mapping[str, Samples]) -> None:
        for name, more in samples.items():
            self._samples[name] = np.concatenate([self._samples[name], more], axis=1)

    def take(self, length: int) -> dict[str, Samples]:
        taken = {name: samples[:, :length] for name, samples in self._samples.items()}
        self._samples = {name: samples[:, length:].copy() for name, samples in self._samples.items()}
        return taken

    def parts(self, start: int) -> Iterable[Part]:
        """What is complete, as the part that begins at `start`."""
        if self.length:
            samples = self.take(self.length)
            yield Part(start, {name: stem for name, stem in samples.items() if name != MIX}, samples[MIX])
