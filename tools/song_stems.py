"""The synthetic song as true stems, of any length, in blocks: 16-bit numbers whose sum is the mix exactly.

The same seed gives the same samples. It decides on the singer and the syllables, on the balance of the stems, and on
the bar with which the song begins. Memory does not grow with the song.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from tools.song import BEAT_S, BEATS_IN_BAR, SAMPLE_RATE, Signal, bass, chords, drums
from tools.voice import Singer, sing_phrase

Samples = npt.NDArray[np.int16]  # (samples, 2)

BARS = 4  # of a phrase; nothing sounds on from one phrase into the next
PHRASE_S = BARS * BEATS_IN_BAR * BEAT_S
# The peaks of the stems. They and what a seed adds sum to less than full scale, so that the mix never clips.
PEAKS = {"drums": 0.36, "bass": 0.14, "other": 0.14, "vocals": 0.12}
BALANCE_DB = 1.8
FULL_SCALE = 32767
ECHO_S = (0.11, 0.13)  # of the voice, left and right
ECHO = 0.12
WIDTH_SAMPLES = 200  # between the two sides of the chords

LOWEST_RATE, HIGHEST_RATE = 8000, 192000


def song_blocks(seconds: float, *, seed: int = 0, rate: int = SAMPLE_RATE) -> Iterator[dict[str, Samples]]:
    """The stems in blocks of at most a phrase, together exactly as long as asked."""
    chance = np.random.default_rng([seed, 0])
    singer = Singer(size=float(chance.uniform(0.9, 1.2)), breath=float(chance.uniform(0.01, 0.04)))
    peaks = {stem: peak * 10 ** (chance.uniform(-BALANCE_DB, BALANCE_DB) / 20) for stem, peak in PEAKS.items()}
    skipped = round(int(chance.integers(BARS)) * PHRASE_S / BARS * rate)
    band = _band()
    left = round(seconds * rate)
    number = 0
    while left > 0:
        number += 1
        voice = sing_phrase(np.random.default_rng([seed, number]), singer)
        stems = {**band, "vocals": np.stack([voice + _echo(voice, late_s) for late_s in ECHO_S], axis=1)}
        block = {
            stem: _quantised(stems[stem] * (peak / np.abs(stems[stem]).max()), rate)[skipped : skipped + left]
            for stem, peak in peaks.items()
        }
        yield block
        left -= len(block["drums"])
        skipped = 0


def _band() -> dict[str, Signal]:
    """A phrase of what plays the same in each, as (samples, 2): the chords wide, the rest about in the middle."""
    beat, low, wide = drums(PHRASE_S), bass(PHRASE_S), chords(PHRASE_S)
    return {
        "drums": np.stack([beat, 0.9 * beat], axis=1),
        "bass": np.stack([low, low], axis=1),
        "other": np.stack([1.3 * wide, 0.7 * np.roll(wide, WIDTH_SAMPLES)], axis=1),
    }


def _echo(voice: Signal, late_s: float) -> Signal:
    return np.asarray(ECHO * np.roll(voice, round(late_s * SAMPLE_RATE)))


def _quantised(phrase: Signal, rate: int) -> Samples:
    """At another rate, by its spectrum (a phrase begins and ends in silence), in 16 bits."""
    if rate != SAMPLE_RATE:
        frames = round(PHRASE_S * rate)
        spectrum = np.fft.rfft(phrase, axis=0)[: frames // 2 + 1]
        phrase = np.fft.irfft(spectrum, frames, axis=0) * (rate / SAMPLE_RATE)
    return np.asarray(np.round(FULL_SCALE * phrase), np.int16)


def mix_of(stems: Mapping[str, Samples]) -> Samples:
    """Their sum, which fits into 16 bits."""
    return np.asarray(np.sum(list(stems.values()), axis=0, dtype=np.int32), np.int16)


def write_song(
    path: Path, seconds: float, *, seed: int = 0, rate: int = SAMPLE_RATE, with_stems: bool = True
) -> list[Path]:
    """Write the mix, and the stems into `NAME_stems` beside it; the paths of all files.

    Files get their names when they are whole: one that was cut off is never taken for a song.
    """
    targets = {"": path}
    if with_stems:
        folder = path.with_name(f"{path.stem}_stems")
        targets |= {stem: folder / f"{stem}.wav" for stem in PEAKS}
    parts = {name: target.with_name(f".{target.name}.part") for name, target in targets.items()}
    try:
        with told_as_oserror(path):
            _fill(parts, song_blocks(seconds, seed=seed, rate=rate), rate)
        for name, part in parts.items():
            part.replace(targets[name])
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)
    return list(targets.values())


@contextmanager
def told_as_oserror(path: Path) -> Iterator[None]:
    """Around writing: what libsndfile cannot write (a full disk, a folder that is read-only) is an error of the system."""
    try:
        yield
    except soundfile.LibsndfileError as error:
        raise OSError(errno.EIO, error.error_string.rstrip("."), str(path)) from error


def _fill(parts: Mapping[str, Path], blocks: Iterator[dict[str, Samples]], rate: int) -> None:
    """Write the song into open files: the mix into that of no name, a stem into that of its name."""
    files: dict[str, soundfile.SoundFile] = {}
    try:
        for name, part in parts.items():
            part.parent.mkdir(parents=True, exist_ok=True)
            files[name] = soundfile.SoundFile(part, "w", rate, 2, "PCM_16", format="WAV")
        for block in blocks:
            everything = {"": mix_of(block), **block}
            for name, file in files.items():
                file.write(everything[name])
    finally:
        for file in files.values():
            file.close()
