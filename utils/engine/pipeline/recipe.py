"""What a family decides for one request: which networks run over which chunks, and which stems are made of their output."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from utils.audio.scanning import AudioStats
from utils.core.job import Job
from utils.engine.pipeline.blending import Blend
from utils.engine.pipeline.demix import Compute, Lane
from utils.engine.pipeline.outputs import Selection
from utils.engine.pipeline.song import Samples

# One more pass over a song, for networks that must know more of it than every scan finds: its blocks and their number of
# samples go in, a number comes out.
Survey = Callable[[Iterable[Samples], int, Job], float]


@dataclass(frozen=True)
class Heard:
    """What is known of a song before networks see it."""

    stats: AudioStats
    surveyed: float = 0.0  # what the recipe's survey found


def _nothing_to_free() -> bool:
    return False


@dataclass(frozen=True)
class Recipe:
    """How one request is carried out."""

    model: str
    sample_rate: int
    channels: int
    selection: Selection  # the stems to give, over the rows that the lanes add up to
    lanes: Callable[[Heard], list[Lane]]
    compute: Compute
    settings: dict[str, object]  # the numbers used, echoed in `done`
    chunk_s: float | None = None  # the longest chunk, where shorter ones are possible when memory runs out
    blend: Callable[[], Blend] | None = None  # where lanes have rows of their own: how rows become stems
    survey: Survey | None = None
    main: str | None = None  # the stem that gets the file, where a request names one
    file_rate: int | Literal["source"] | None = None  # of stems, where the request does not say; None is the model's
    free_memory: Callable[[], bool] = _nothing_to_free  # release what the job does not need; False if there is nothing
