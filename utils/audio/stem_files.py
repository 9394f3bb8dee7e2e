"""The file of one stem or of several: resampled, held to their exact length, spooled if necessary, encoded."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils.audio.channels import Block
from utils.audio.disk import output_error
from utils.audio.encoders import Contents, Encoder, open_encoder
from utils.audio.float_wav import SAMPLE_BYTES, FloatWav
from utils.audio.formats import MAX_RIFF_BYTES, OutputFormat
from utils.audio.loudness import TruePeakMeter
from utils.audio.resampling import StreamResampler
from utils.audio.temporary import HeldFile
from utils.core.errors import UnsupportedFormat
from utils.core.job import JobCancelled

_SILENCE_FRAMES = 1 << 16


@dataclass(frozen=True)
class StemPlan:
    """How a stem is written. With `waits`, its gain is that of a stem which is known late.

    `frames` is the length at the file's rate. With `ends_late` it is None until the last sample has come.

    With `growing`, others read the samples while they are written: of the final file if that can be, else of a spool.
    """

    output: OutputFormat
    model_rate: int
    channels: int
    frames: int | None
    growing: bool = False
    waits: bool = False
    ends_late: bool = False

    @property
    def is_spooled(self) -> bool:
        return self.has_late_gains or (self.growing and not self._grows) or self._needs_length

    @property
    def has_late_gains(self) -> bool:
        """Whether the gain of a stem depends on its last sample, or on that of another."""
        output = self.output
        own_gains = output.clip == "rescale_each" or output.level is not None
        return (
            self.waits
            or own_gains
            or output.loudness is not None
            or (output.clip == "rescale" and not output.holds_overs)
        )

    @property
    def _grows(self) -> bool:
        """Whether the final file can be read while it grows. Windows does not rename what a player has open."""
        return self.output.is_float_wav and sys.platform != "win32"

    @property
    def _needs_length(self) -> bool:
        """Whether the file begins with its length, which comes late."""
        return self.ends_late and self.output.name in ("wav", "aiff") and not self.output.is_float_wav

    @property
    def needed_bytes(self) -> int:
        """What each stem needs on the disk, as far as that is known."""
        if self.frames is None:
            return 0
        encoded = self.output.size_bytes(self.frames, self.channels)
        return encoded + (self.frames * self.channels * SAMPLE_BYTES if self.is_spooled else 0)

    def require_size(self) -> None:
        if self.frames is None or self.output.name != "aiff":
            return
        if self.output.size_bytes(self.frames, self.channels) > MAX_RIFF_BYTES:
            raise UnsupportedFormat(
                "These stems are larger than the 4 GiB that an AIFF file can have.",
                hint='Use "format": "wav" or "flac".',
                field="format",
            )

    def encoder(self, path: Path, contents: Contents) -> Encoder:
        return open_encoder(path, self.output, channels=self.channels, frames=self.frames or 0, contents=contents)


class StemLine:
    """The samples of a stem as its file has them before they are encoded: resampled, of the exact length."""

    def __init__(self, plan: StemPlan) -> None:
        self._due = plan.frames
        self._given = 0
        self._channels = plan.channels
        output = plan.output
        self._clamps = output.clip == "clamp" and output.level is None and output.loudness is None
        self._resampler = StreamResampler(plan.model_rate, plan.output.file_rate, plan.channels)

    def push(self, block: Block) -> Iterator[Block]:
        """Take a (channels, samples) block at the model's rate, and give (samples, channels) blocks at the file's."""
        for ready in self._resampler.push(np.ascontiguousarray(block.T)):
            yield from self._cut(ready)

    def ends_at(self, frames: int) -> None:
        """Tell the length, where it was not known."""
        self._due = max(frames - self._given, 0)

    def finish(self) -> Iterator[Block]:
        """What the resampler still holds, then silence up to the exact length."""
        yield from self._cut(self._resampler.finish())
        silence = np.zeros((min(self._due or 0, _SILENCE_FRAMES), self._channels), np.float32)
        while self._due:
            yield from self._cut(silence)

    def _cut(self, block: Block) -> Iterator[Block]:
        block = block[: self._due]
        self._given += len(block)
        if self._due is not None:
            self._due -= len(block)
        if len(block):
            yield np.clip(block, -1.0, 1.0) if self._clamps else block


class StemFile:
    """A file being written, with one stem, or with several as its tracks."""

    def __init__(self, target: Path, plan: StemPlan, contents: Contents) -> None:
        self.target = target
        self.plan = plan
        self.contents = contents
        self.part: HeldFile | None = None
        self.encoder: Encoder | None = None
        self.tracks = [StemTrack(self, index) for index in range(len(contents.tracks))]
        self._is_abandoned = False
        self._lock = threading.Lock()

    def open(self) -> None:
        """Create the file that blocks are written to: a spool for each track, or else the final format."""
        try:
            self.part = HeldFile(self.target)
        except OSError as error:
            raise output_error(error, self.target) from error
        if not self.plan.is_spooled:
            self.encoder = self.plan.encoder(self.part.path, self.contents)
            return
        for track in self.tracks:
            track.open_spool()

    def close(self) -> None:
        """Write what the encoder holds, once all tracks are finished; spooled ones are encoded later."""
        if self.encoder is not None:
            self.encoder.close()

    def encode(self, on_block: Callable[[int], None]) -> None:
        """Encode the spooled floats times their gains, all tracks in step. `on_block` gets the length of each block."""
        if self.part is None:
            return
        with self._lock:
            if self._is_abandoned:
                raise JobCancelled
            self.encoder = encoder = self.plan.encoder(self.part.path, self.contents)
        for blocks in zip(*(track.spooled() for track in self.tracks), strict=True):
            for index, block in enumerate(blocks):
                on_block(len(block))
                encoder.write(block, index)
        encoder.close()
        for track in self.tracks:
            track.discard_spool()

    def abandon(self) -> None:
        """Close and remove the temporary files, even while they are being written."""
        with self._lock:
            self._is_abandoned = True
            if self.encoder is not None:
                self.encoder.abandon()
            for track in self.tracks:
                track.abandon()
            if self.part is not None:
                self.part.discard()


class StemTrack:
    """A stem being written, with its peak."""

    def __init__(self, file: StemFile, index: int) -> None:
        self.peak = 0.0
        self.true_peak = 0.0  # where there is a ceiling for it; known at the end
        self.gain = 1.0  # what spooled samples are multiplied by
        output = file.plan.output
        is_limited = output.loudness is not None and output.loudness.true_peak_db is not None
        self._meter = TruePeakMeter(output.file_rate, file.plan.channels) if is_limited else None
        self._file = file
        self._index = index
        self.line = StemLine(file.plan)
        self._spool_part: HeldFile | None = None
        self._spool: FloatWav | None = None

    def open_spool(self) -> None:
        plan, target = self._file.plan, self._file.target
        try:
            self._spool_part = HeldFile(target)
        except OSError as error:
            raise output_error(error, target) from error
        self._spool = FloatWav(self._spool_part.path, plan.output.file_rate, plan.channels)

    @property
    def growing(self) -> Path | None:
        """The file that others may read while it grows."""
        held = self._spool_part or self._file.part
        return held.path if held is not None and self._file.plan.growing else None

    def show(self) -> None:
        """Let others read what was written so far, in a file that grows."""
        file = self._spool or self._file.encoder
        if isinstance(file, FloatWav):
            file.show()

    def write(self, block: Block) -> list[Block]:
        """Append a (channels, samples) block at the model's rate. Returns what that is in the file."""
        return [self._append(ready) for ready in self.line.push(block)]

    def finish(self) -> list[Block]:
        """Append the rest. Returns it."""
        rest = [self._append(ready) for ready in self.line.finish()]
        if self._meter is not None:
            self.true_peak = self._meter.finish()
        return rest

    def _append(self, block: Block) -> Block:
        if self._spool is not None:
            if self._file.plan.has_late_gains:
                self.peak = max(self.peak, float(np.abs(block).max()))
            if self._meter is not None:
                self._meter.add(block)
            self._spool.write(block)
        elif self._file.encoder is not None:
            self._file.encoder.write(block, self._index)
        return block

    def spooled(self) -> Iterator[Block]:
        """What waits on disk, times the gain."""
        output = self._file.plan.output
        clamps = output.clip == "clamp" and output.loudness is not None  # others were clamped before
        if self._spool is not None:
            for block in self._spool.blocks():
                louder = block if self.gain == 1.0 else block * np.float32(self.gain)
                yield np.clip(louder, -1.0, 1.0) if clamps else louder

    def discard_spool(self) -> None:
        if self._spool is not None and self._spool_part is not None:
            self._spool.close()
            self._spool_part.discard()

    def abandon(self) -> None:
        if self._spool is not None:
            self._spool.abandon()
        if self._spool_part is not None:
            self._spool_part.discard()
