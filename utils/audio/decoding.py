"""What a decoder is, and which one reads a file: libsndfile where it can, FFmpeg (through PyAV) for the rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from utils.audio.channels import MAX_CHANNELS, Block
from utils.audio.paths import shown
from utils.core.errors import InputEmpty, InputUnreadable

BLOCK_FRAMES = 1 << 16


@dataclass(frozen=True)
class AudioInfo:
    """A file as its header states it. `frames` is None where the header does not say."""

    path: Path
    sample_rate: int
    channels: int
    container: str
    subtype: str
    frames: int | None


class Decoder(Protocol):
    """One open file. `blocks` may be called once."""

    info: AudioInfo

    @property
    def warnings(self) -> list[str]:
        """What the user should know, as far as it has been read."""

    @property
    def held_frames(self) -> int | None:
        """The samples that are really there, where that can be told before reading."""

    @property
    def tolerated_frames(self) -> int:
        """How many samples may be missing at the end before the file counts as cut off."""

    def blocks(self, start: int, stop: int | None) -> Iterator[Block]:
        """(samples, channels) blocks of `start` up to `stop`, or to the end. Reads nothing past `stop`."""

    def close(self) -> None: ...


class Declined(Exception):
    """A decoder's reason for leaving a file to the next one."""

    def __init__(self, reason: str, *, empty: bool = False) -> None:
        super().__init__(reason)
        self.empty = empty


def open_decoder(path: Path) -> Decoder:
    """The first decoder that takes the file. Raises `InputUnreadable` with the reason of each, or `InputEmpty`."""
    from utils.audio.ffmpeg import FfmpegDecoder
    from utils.audio.sndfile import SndfileDecoder

    reasons: list[Declined] = []
    for open_one in (SndfileDecoder, FfmpegDecoder):
        try:
            decoder: Decoder = open_one(path)
        except Declined as reason:
            reasons.append(reason)
        else:
            return _with_few_channels(decoder)
    if any(reason.empty for reason in reasons):
        raise InputEmpty(f"'{shown(path)}' holds no samples. Choose a file with audio in it.")
    raise InputUnreadable(
        f"'{shown(path)}' cannot be read as audio ({'; '.join(str(reason) for reason in reasons)}).",
        hint="Check that the file is audio and whole; converting it to WAV or FLAC may help.",
    )


def _with_few_channels(decoder: Decoder) -> Decoder:
    if decoder.info.channels <= MAX_CHANNELS:
        return decoder
    decoder.close()
    raise InputUnreadable(
        f"'{shown(decoder.info.path)}' has {decoder.info.channels} channels; at most {MAX_CHANNELS} can be read.",
        hint="Mix it down to stereo first.",
    )


def selected(blocks: Iterator[Block], start: int, stop: int | None) -> Iterator[Block]:
    """The samples `start` to `stop` of blocks that begin at 0; asks for no block past `stop`."""
    position = 0
    while stop is None or position < stop:
        block = next(blocks, None)
        if block is None:
            return
        part = block[max(start - position, 0) : None if stop is None else stop - position]
        position += len(block)
        if len(part):
            yield part


def cut_off(info: AudioInfo, held: int) -> InputUnreadable:
    """The error for a file that ends before its header says."""
    held_s, total_s = held / info.sample_rate, (info.frames or 0) / info.sample_rate
    preview = f', or separate what is there with "preview": {{"start": 0, "duration": {_rounded_down(held_s)}}}'
    return InputUnreadable(
        f"'{shown(info.path)}' is cut off: it holds {held_s:.1f} s of {total_s:.1f} s.",
        hint=f"Fetch the file again{preview if held_s >= 0.1 else ''}.",
    )


def _rounded_down(seconds: float) -> float:
    return int(seconds * 10) / 10


def broken(info: AudioInfo, position: int, reason: object) -> InputUnreadable:
    """The error for a file that cannot be decoded from `position` on."""
    return InputUnreadable(
        f"'{shown(info.path)}' is damaged: it cannot be decoded at {position / info.sample_rate:.1f} s ({reason}).",
        hint="Fetch the file again, or separate a part before the damage with `preview`.",
    )
