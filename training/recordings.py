"""Recorded music from free games, cut into clips: isolated guitars, and music without vocals.

Guitars are used as `other`. The music has no separate stems: all of it counts as drums, bass and other together, to
which vocals are mixed.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from training.clips import CLIP_SAMPLES, as_stored, levelled, save_clips
from training.decoding import decode
from training.mixing import recordings_path
from training.soundfonts import SAMPLE_RATE, Signal
from training.sources import GUITARS_FOLDER, MUSIC_ARCHIVE, MUSIC_FOLDERS

SILENT = 1e-5  # mean square of a frame
SOUNDING = 0.5  # the least fraction of a clip's frames that are not silent
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
    """The recordings of one kind, the number of clips to cut from each, and the seed of the positions."""

    recordings: Callable[[], Iterator[Read]]
    clips: int
    seed: int


KINDS = {"guitar": Kind(guitars, 24, seed=6), "backing": Kind(backings, 6, seed=7)}


def make_recordings(folder: Path) -> None:
    """Write the clips of each kind, one file per kind, unless it exists."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, kind in KINDS.items():
        target = recordings_path(folder, name)
        if not target.exists():
            clips = cut(kind.recordings(), kind.clips, kind.seed)
            save_clips(target, np.stack([as_stored(levelled(clip)) for clip in clips]))


def cut(recordings: Iterator[Read], count: int, seed: int) -> Iterator[Signal]:
    """At most `count` clips of each recording, at random positions, without mostly silent ones."""
    rng = np.random.default_rng(seed)
    for read in recordings:
        sound = decode(io.BytesIO(read()), SAMPLE_RATE).T
        starts = rng.permutation(max(0, len(sound) // CLIP_SAMPLES))[:count] * CLIP_SAMPLES
        yield from (clip for clip in (sound[start : start + CLIP_SAMPLES] for start in starts) if sounds(clip))


def sounds(clip: Signal) -> bool:
    """Whether enough of a clip is not silent."""
    loudness = np.square(clip.reshape(-1, FRAME, clip.shape[1])).mean(axis=(1, 2))
    return bool((loudness > SILENT).mean() > SOUNDING)
