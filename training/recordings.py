"""Recorded music of free games, cut into clips: guitars, recorded apart, and music without voices.

A guitar is a sound for `other`. Of the music nobody knows which part of it is drums, bass or other; all three are known
to be everything but the voice that is mixed to it.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

from training.clips import CLIP_SAMPLES, as_stored, levelled, save_clips
from training.fluid import SAMPLE_RATE, Signal
from training.mixing import recordings_path
from training.sources import GUITARS_FOLDER, MUSIC_ARCHIVE, MUSIC_FOLDERS

SILENT = 1e-5  # energy
SOUNDING = 0.5  # how much of a clip must not be silent
FRAME = 2100

Read = Callable[[], bytes]


def guitars() -> Iterator[Read]:
    return (path.read_bytes for path in sorted(GUITARS_FOLDER.glob("*/*/guitar.ogg")))


def backings() -> Iterator[Read]:
    for folder in MUSIC_FOLDERS:
        yield from (path.read_bytes for path in sorted(folder.rglob("*.o*")))
    with zipfile.ZipFile(MUSIC_ARCHIVE) as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".ogg"):
                yield lambda name=name: archive.read(name)  # type: ignore[misc]


class Kind(NamedTuple):
    """Recordings of one kind, how many clips are cut out of each, and the seed that says where."""

    recordings: Callable[[], Iterator[Read]]
    clips: int
    seed: int


KINDS = {"guitar": Kind(guitars, 24, seed=6), "backing": Kind(backings, 6, seed=7)}


def make_recordings(folder: Path) -> None:
    """The clips of each kind, one file each, unless they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, kind in KINDS.items():
        target = recordings_path(folder, name)
        if not target.exists():
            clips = cut(kind.recordings(), kind.clips, kind.seed)
            save_clips(target, np.stack([as_stored(levelled(clip)) for clip in clips]))


def cut(recordings: Iterator[Read], count: int, seed: int) -> Iterator[Signal]:
    """At most `count` clips of each recording, at random places, none of them mostly silent."""
    rng = np.random.default_rng(seed)
    for read in recordings:
        sound = decoded(read())
        starts = rng.permutation(max(0, len(sound) // CLIP_SAMPLES))[:count] * CLIP_SAMPLES
        yield from (clip for clip in (sound[start : start + CLIP_SAMPLES] for start in starts) if sounds(clip))


def sounds(clip: Signal) -> bool:
    """Whether enough of a clip can be heard."""
    loudness = np.square(clip.reshape(-1, FRAME, clip.shape[1])).mean(axis=(1, 2))
    return bool((loudness > SILENT).mean() > SOUNDING)


def decoded(content: bytes) -> Signal:
    """(samples, 2) of a compressed recording."""
    with av.open(io.BytesIO(content), mode="r") as container:
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=SAMPLE_RATE)
        frames = [out for frame in container.decode(audio=0) for out in resampler.resample(frame)]
        frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray() for frame in frames], axis=1).T
