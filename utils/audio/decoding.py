"""What every decoder offers, and the errors for files that break off or are damaged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from utils.audio.channels import Block
from utils.audio.paths import shown
from utils.core.errors import InputUnreadable

BLOCK_FRAMES = 1 << 16

HIGHEST_SAMPLE_RATE = 6_000_000  # DSD1024 is decoded at 5.6 MHz


@dataclass(frozen=True)
class AudioInfo:
    """What the header of a file says. `frames` is None if it does not state the length."""

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
        """What the user should know about the part read so far."""

    @property
    def held_frames(self) -> int | None:
        """How many samples the file really holds, if that is known before reading it."""

    @property
    def tolerated_frames(self) -> int:
        """How many samples may be missing at the end before the file counts as cut off."""

    def blocks(self, start: int, stop: int | None) -> Iterator[Block]:
        """(samples, channels) blocks from `start` to `stop`, or to the end. Reads nothing past `stop`."""

    def close(self) -> None: ...


class Declined(Exception):
    """A decoder's reason for not taking a file."""

    def __init__(self, reason: str, *, empty: bool = False) -> None:
        super().__init__(reason)
        self.empty = empty


def cropped(blocks: Iterator[Block], start: int, stop: int | None) -> Iterator[Block]:
    """The samples from `start` to `stop` of blocks that begin at sample 0. Asks for no block past `stop`."""
    position = 0
    while stop is None or position < stop:
        block = next(blocks, None)
        if block is None:
            return
        kept = block[max(start - position, 0) : None if stop is None else stop - position]
        position += len(block)
        if len(kept):
            yield kept


def cut_off_error(info: AudioInfo, held: int) -> InputUnreadable:
    """The error for a file that ends earlier than its header says."""
    held_s, total_s = held / info.sample_rate, (info.frames or 0) / info.sample_rate
    preview = f', or separate what is there with "preview": {{"start": 0, "duration": {int(held_s * 10) / 10}}}'
    return InputUnreadable(
        f"'{shown(info.path)}' is cut off: it holds {held_s:.1f} s of {total_s:.1f} s.",
        hint=f"Get a complete copy of the file{preview if held_s >= 0.1 else ''}.",
    )


def damage_error(info: AudioInfo, position: int, reason: object) -> InputUnreadable:
    """The error for a file that cannot be decoded from sample `position` on."""
    return InputUnreadable(
        f"'{shown(info.path)}' is damaged: decoding failed at {position / info.sample_rate:.1f} s ({reason}).",
        hint="Get an intact copy of the file, or separate a part before the damage with `preview`.",
    )
