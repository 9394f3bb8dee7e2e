"""What a family decides for one request: the networks, their chunks, and the stems to make from their output."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal, Self

from utils.audio.scanning import AudioStats
from utils.core.job import Job
from utils.core.peaks import PeakRange
from utils.core.requests import Separate
from utils.engine.pipeline.blending import Blend
from utils.engine.pipeline.demix import Compute, Lane
from utils.engine.pipeline.outputs import Selection
from utils.engine.pipeline.song import Samples

# An additional pass over the song, for facts that the scan does not find. It maps the song's blocks and number of samples
# to numbers.
Survey = Callable[[Iterable[Samples], int, Job], tuple[float, ...]]


@dataclass(frozen=True)
class Heard:
    """What is known about a song before the networks run."""

    stats: AudioStats
    surveyed: tuple[float, ...] = ()  # the result of the arrangement's survey


@dataclass(frozen=True)
class Arrangement:
    """How one request is carried out."""

    model: str
    sample_rate: int
    channels: int
    selection: Selection  # the stems to give, over the rows that the lanes add up to
    lanes: Callable[[Heard], list[Lane]]
    compute: Compute
    settings: dict[str, object]  # the numbers used, echoed in `done`
    chunk_s: float | None = None  # the longest chunk, where shorter ones are possible when memory runs out
    blend: Callable[[Heard], Blend] | None = None  # where rows are not stems yet: what makes them
    survey: Survey | None = None
    normalises: bool = False  # the networks hear the song at a scale that depends on all of it
    fits_length: bool = False  # the chunks are as long as the song
    level: PeakRange | None = None  # that the song is brought to before the networks hear it
    main: str | None = None  # the stem that gets the file, where a request names one
    file_rate: int | Literal["source"] | None = None  # of stems, where the request does not say; None is the model's
    own_rate: int | None = None  # of the networks, where the song is read at another, so that they hear another pitch
    free_memory: Callable[[], bool] = lambda: False  # release memory that the job does not need; False if there is none

    def request_for(self, stem: str, request: Separate) -> Separate:
        """The request as it is for one of the stems."""
        del stem
        return request

    @property
    def stem_rate(self) -> int:
        """The rate of the stems, as far as the networks decide."""
        return self.own_rate or self.sample_rate

    def pitched(self, semitones: float) -> Self:
        """The same for networks that hear the song so much higher: it is read at a rate that they take for their own.

        Their stems have that rate, too, so they are as high and as long as the song.
        """
        if not semitones:
            return self
        return replace(self, sample_rate=round(self.sample_rate * 2 ** (-semitones / 12)), own_rate=self.stem_rate)

    @property
    def listens_first(self) -> bool:
        """Whether the networks can only start when all of the song has been heard."""
        return self.normalises or self.survey is not None or self.level is not None

    @property
    def goes_along(self) -> bool:
        """Whether the networks can keep up with a song that is still coming, if they are told of a stretch of it at most."""
        return self.survey is None and self.level is None and not self.fits_length
