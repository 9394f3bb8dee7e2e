"""The input of a separation: a file, or samples in memory. Metadata is read once, samples as often as needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from utils.audio.formats import most_channels
from utils.audio.paths import shown
from utils.audio.reading import AudioInfo, AudioReader, open_audio, probe
from utils.audio.resampling import resampled
from utils.audio.scanning import AudioStats, Moments, scan
from utils.audio.tag_bounds import TagsRefused
from utils.audio.tagging import Tags, read_tags
from utils.core.errors import InvalidRequest
from utils.core.job import Job
from utils.core.peaks import PeakRange
from utils.core.requests import AudioFormat, Separate
from utils.core.settings import LOWEST_SAMPLE_RATE
from utils.engine.pipeline.background import ReadAhead
from utils.engine.pipeline.song import Samples

STEREO = 2
BLOCK_SAMPLES = 1 << 16


class Blocks(Protocol):
    """A song from start to end, as blocks of (channels, samples)."""

    @property
    def warnings(self) -> list[str]:
        """Warnings for the user; complete once all blocks have been read."""

    @property
    def busy_s(self) -> float:
        """How long reading and decoding took so far, perhaps beside other work."""

    def __iter__(self) -> Iterator[Samples]: ...


class Audio(Protocol):
    """Audio that a stream can read, at any sample rate and number of channels."""

    def scan(
        self,
        sample_rate: int,
        channels: int,
        job: Job,
        on_progress: Callable[[float], None],
        keep: Callable[[Samples], None] | None = None,
    ) -> AudioStats:
        """Statistics from one pass over all samples. `keep` gets them, as `open` would give them."""

    def open(self, sample_rate: int, channels: int, job: Job) -> AbstractContextManager[Blocks]:
        """The same samples as blocks. May be called more than once."""


@dataclass(frozen=True)
class Track:
    """A file, or part of it, with the name and index that its outputs are named after.

    A name may begin with folders, `Album/Song`, which hold the outputs.
    """

    path: Path
    info: AudioInfo
    name: str
    index: int = 1  # its number in a batch of files
    start_s: float = 0.0
    duration_s: float | None = None

    @classmethod
    def of(
        cls,
        request: Separate,
        *,
        name: str | None = None,
        index: int = 1,
        lowest_rate: int = LOWEST_SAMPLE_RATE,
    ) -> Track:
        """The input of a request. It is probed before anything expensive starts, so a missing or broken file fails early."""
        path = Path(request.input_path).expanduser()
        preview = request.preview
        return cls(
            path,
            probe(path, lowest_rate=lowest_rate),
            request.track_name(name or path.stem),
            index,
            start_s=preview.start if preview else 0.0,
            duration_s=preview.duration if preview else None,
        )

    @property
    def title(self) -> str:
        """What clients know the input by."""
        return self.path.name

    @property
    def settings(self) -> dict[str, object]:
        """What `done` tells of how the input was read, if that is more than that it was."""
        return {}

    def tags(self, job: Job) -> Tags | None:
        """What the file says of itself."""
        try:
            return read_tags(self.path)
        except TagsRefused as reason:
            job.warn(f"The tags of '{shown(self.path.name)}' were not read: {reason}.")
            return None

    def channels_in(self, audio_format: AudioFormat) -> int:
        """The number of channels in the file, or stereo if the format cannot hold that many."""
        return self.info.channels if self.info.channels <= most_channels(audio_format) else STEREO

    def scan(
        self,
        sample_rate: int,
        channels: int,
        job: Job,
        on_progress: Callable[[float], None],
        keep: Callable[[Samples], None] | None = None,
    ) -> AudioStats:
        return scan(
            self.path,
            sample_rate=sample_rate,
            channels=channels,
            start_s=self.start_s,
            duration_s=self.duration_s,
            checkpoint=job.checkpoint,
            on_progress=on_progress,
            keep=keep,
        )

    @contextmanager
    def open(self, sample_rate: int, channels: int, job: Job) -> Iterator[Blocks]:
        """The samples, decoded ahead in a thread."""
        with (
            open_audio(
                self.path,
                sample_rate=sample_rate,
                channels=channels,
                start_s=self.start_s,
                duration_s=self.duration_s,
                checkpoint=job.checkpoint,
            ) as reader,
            ReadAhead(iter(reader)) as blocks,
        ):
            yield _DecodedSong(reader, blocks)


@dataclass(frozen=True)
class _DecodedSong:
    reader: AudioReader
    blocks: ReadAhead[Samples]

    @property
    def warnings(self) -> list[str]:
        return self.reader.warnings

    @property
    def busy_s(self) -> float:
        return self.blocks.busy_s

    def __iter__(self) -> Iterator[Samples]:
        return iter(self.blocks)


@dataclass(frozen=True)
class Levelled:
    """Audio at another level, by a gain that its peak decides."""

    audio: Audio
    level: PeakRange
    _gains: dict[tuple[int, int], float] = field(default_factory=dict)  # by rate and channels, once it was scanned

    def scan(
        self,
        sample_rate: int,
        channels: int,
        job: Job,
        on_progress: Callable[[float], None],
        keep: Callable[[Samples], None] | None = None,
    ) -> AudioStats:
        if keep is not None:
            raise InvalidRequest(
                "The level of this song is changed before it is separated, so it goes from its start to its end.",
                hint="Leave out `start_at`.",
                field="start_at",
            )
        stats = self.audio.scan(sample_rate, channels, job, on_progress)
        self._gains[sample_rate, channels] = gain = self.level.gain(stats.peak)
        return replace(stats, mean=stats.mean * gain, std=stats.std * gain, peak=stats.peak * gain)

    @contextmanager
    def open(self, sample_rate: int, channels: int, job: Job) -> Iterator[Blocks]:
        with self.audio.open(sample_rate, channels, job) as blocks:
            yield _Louder(blocks, self._gains[sample_rate, channels])


@dataclass(frozen=True)
class _Louder:
    blocks: Blocks
    gain: float

    @property
    def warnings(self) -> list[str]:
        return self.blocks.warnings

    @property
    def busy_s(self) -> float:
        return self.blocks.busy_s

    def __iter__(self) -> Iterator[Samples]:
        for block in self.blocks:
            yield block * np.float32(self.gain)


@dataclass(frozen=True)
class Waveform:
    """Samples in memory, (channels, samples)."""

    samples: Samples
    sample_rate: int

    def scan(
        self,
        sample_rate: int,
        channels: int,
        job: Job,
        on_progress: Callable[[float], None],
        keep: Callable[[Samples], None] | None = None,
    ) -> AudioStats:
        job.checkpoint()
        samples = self._at(sample_rate, channels)
        moments = Moments()
        moments.add(samples.mean(axis=0, dtype=np.float64))
        on_progress(1.0)
        if keep is not None:
            keep(samples)
        peak = float(np.abs(samples).max(initial=0.0))
        return AudioStats(samples.shape[1], self.samples.shape[1], moments.mean, moments.std, peak)

    def open(self, sample_rate: int, channels: int, job: Job) -> AbstractContextManager[Blocks]:
        del job
        return nullcontext(_WaveformBlocks(self._at(sample_rate, channels)))

    def _at(self, sample_rate: int, channels: int) -> Samples:
        if len(self.samples) != channels:
            raise ValueError(f"the audio has {len(self.samples)} channels, but the model takes {channels}")
        if sample_rate == self.sample_rate:
            return self.samples
        return np.ascontiguousarray(resampled(self.samples.T, self.sample_rate, sample_rate).T)


@dataclass(frozen=True)
class _WaveformBlocks:
    samples: Samples
    warnings: list[str] = field(default_factory=list)
    busy_s: float = 0.0

    def __iter__(self) -> Iterator[Samples]:
        for start in range(0, self.samples.shape[1], BLOCK_SAMPLES):
            yield self.samples[:, start : start + BLOCK_SAMPLES]
