"""A song that several workers separate together: the files of one share of it, and the stems of all shares as one song.

A share has the samples that the whole has there: its chunks are those of the whole song, added up in the same order. Only the chunks at its borders are
computed by two workers.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import numpy as np

from utils.audio.formats import OutputFormat
from utils.audio.scanning import AudioStats
from utils.audio.writing import Written, open_stems
from utils.core.errors import InvalidRequest
from utils.core.job import Job
from utils.core.requests import Separate
from utils.engine.pipeline.arrangement import Arrangement
from utils.engine.pipeline.recording import recorded_track
from utils.engine.pipeline.song import Samples, SongBuffer
from utils.engine.pipeline.stream import Part, Spent, begin_stages
from utils.engine.pipeline.targets import stem_targets
from utils.engine.pipeline.track import BLOCK_SAMPLES, Audio, Levelled, Track

ShareFiles = Mapping[str, str]  # the file of each stem


class ShareOutlets:
    """Where the parts of a share go: to files of the samples as they are."""

    def __init__(self, request: Separate, arrangement: Arrangement, track: Track, frames: int, job: Job) -> None:
        self._job = job
        plain = msgspec.structs.replace(request, format="wav")
        self.output = OutputFormat("wav", "FLOAT", None, arrangement.sample_rate, "none")
        self.settings: dict[str, object] = {}
        self._files = open_stems(
            stem_targets(plain, arrangement, track, job.songs),
            folder=Path(request.folder).expanduser().absolute(),
            output=self.output,
            model_rate=arrangement.sample_rate,
            channels=arrangement.channels,
            frames=frames,
            tags=None,
            overwrite=request.overwrite,
        )

    def __enter__(self) -> Self:
        self._files.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.__exit__(kind, error, trace)

    def take(self, part: Part) -> None:
        """Take the next part."""
        for name, samples in part.stems.items():
            self._files.write(name, np.ascontiguousarray(samples))

    def commit(self, stats: AudioStats) -> Written:
        """All parts were taken: complete the files, and give them their names."""
        del stats
        job = self._job
        return self._files.commit(
            on_progress=lambda fraction: job.progress("write", fraction, 1.0),
            checkpoint=job.checkpoint,
            on_publish=job.settle,
        )

    def save_report(self, settings: Mapping[str, object]) -> dict[str, str]:
        """There is none of a part."""
        del settings
        return {}


class JoinedStream:
    """As a `Stream`, of stems that were separated in shares. No network runs."""

    def __init__(self, arrangement: Arrangement, audio: Audio, job: Job, shares: Sequence[ShareFiles]) -> None:
        self.spent = Spent()
        self._arrangement, self._job = arrangement, job
        self._audio = audio if arrangement.level is None else Levelled(audio, arrangement.level)
        begin_stages(job, survey=False)
        started = time.perf_counter()
        with job.step("read"):
            self.stats = self._audio.scan(
                arrangement.sample_rate,
                arrangement.channels,
                job,
                lambda fraction: job.progress("scan", fraction, 1.0),
            )
            self._shares = [self._tracks(number, files) for number, files in enumerate(shares, 1)]
        self.spent.decode_s = time.perf_counter() - started
        total = sum(_length(tracks) for tracks in self._shares)
        if total != self.frames:
            raise InvalidRequest(
                f"The shares have {total} samples, but the song has {self.frames}.",
                hint="Name the shares of this song, all of them, in their order.",
                field="shares",
            )

    @property
    def frames(self) -> int:
        return self.stats.frames

    def __iter__(self) -> Generator[Part]:
        start = 0
        with self._open(self._audio, self.frames) as mix:
            for tracks in self._shares:
                length = _length(tracks)
                with ExitStack() as opened:
                    stems = {name: opened.enter_context(self._open(track, length)) for name, track in tracks.items()}
                    for offset in range(0, length, BLOCK_SAMPLES):
                        count = min(BLOCK_SAMPLES, length - offset)
                        self._job.checkpoint()
                        with self._job.step("read"):
                            blocks = {name: _taken(stem, offset, count) for name, stem in stems.items()}
                            part = Part(start, blocks, _taken(mix, start, count))
                        yield part
                        start += count
                        self._job.progress("separate", start, self.frames)

    def _tracks(self, number: int, files: ShareFiles) -> dict[str, Track]:
        """The stems of a share. Raises `InvalidRequest` if they are not those of this request."""
        arrangement = self._arrangement
        names = arrangement.selection.names
        tracks = {name: recorded_track(Path(path)) for name, path in files.items() if name in names}
        form = {(track.info.sample_rate, track.info.channels, track.info.frames) for track in tracks.values()}
        if (
            len(tracks) < len(names)
            or len(form) > 1
            or next(iter(form))[:2] != (arrangement.sample_rate, arrangement.channels)
        ):
            raise InvalidRequest(
                f"Share {number} does not have the stems of this request: {', '.join(names)} at {arrangement.sample_rate} Hz, "
                f"with {arrangement.channels} channels and all of the same length.",
                hint="Ask for a share and for the whole with the same model and settings.",
                field="shares",
            )
        return tracks

    @contextmanager
    def _open(self, audio: Audio, frames: int) -> Iterator[SongBuffer]:
        arrangement = self._arrangement
        with audio.open(arrangement.sample_rate, arrangement.channels, self._job) as blocks:
            yield SongBuffer(iter(blocks), channels=arrangement.channels, total=frames)
            if audio is self._audio:
                self.spent.decode_s += blocks.busy_s
                for warning in blocks.warnings:
                    self._job.warn(warning)


def _length(tracks: Mapping[str, Track]) -> int:
    return next(iter(tracks.values())).info.frames or 0


def _taken(song: SongBuffer, start: int, count: int) -> Samples:
    """The next samples, which nobody will ask for again."""
    samples = song.read(start, count)
    song.forget_before(start + count)
    return samples
