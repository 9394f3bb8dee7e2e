"""The file of one stem: resampled, held to its exact length, spooled if necessary, encoded."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils.audio.channels import Block
from utils.audio.disk import output_error
from utils.audio.encoders import Encoder, open_encoder
from utils.audio.formats import MAX_RIFF_BYTES, OutputFormat
from utils.audio.resampling import StreamResampler
from utils.audio.spooling import SAMPLE_BYTES, Spool
from utils.audio.temporary import HeldFile
from utils.core.errors import UnsupportedFormat
from utils.core.job import JobCancelled

_SILENCE_FRAMES = 1 << 16


@dataclass(frozen=True)
class StemPlan:
    """What all stems of a set have in common. `frames` is at the file's rate."""

    output: OutputFormat
    model_rate: int
    channels: int
    frames: int

    @property
    def is_spooled(self) -> bool:
        output = self.output
        own_gains = output.clip == "rescale_each" or output.level is not None
        return own_gains or (output.clip == "rescale" and not output.holds_overs)

    @property
    def needed_bytes(self) -> int:
        encoded = self.output.size_bytes(self.frames, self.channels)
        return encoded + (self.frames * self.channels * SAMPLE_BYTES if self.is_spooled else 0)

    def require_size(self) -> None:
        if self.output.name == "aiff" and self.output.size_bytes(self.frames, self.channels) > MAX_RIFF_BYTES:
            raise UnsupportedFormat(
                "These stems are larger than the 4 GiB that an AIFF file can have.",
                hint='Use "format": "wav" or "flac".',
                field="format",
            )

    def encoder(self, path: Path) -> Encoder:
        return open_encoder(path, self.output, channels=self.channels, frames=self.frames)


class StemFile:
    """A stem being written: resampled, cut or filled to the exact length, with its peak."""

    def __init__(self, target: Path, plan: StemPlan) -> None:
        self.target = target
        self.part: HeldFile | None = None
        self.peak = 0.0
        self.gain = 1.0  # what spooled samples are multiplied by
        self._spool_part: HeldFile | None = None
        self._plan = plan
        self._due = plan.frames
        self._resampler = StreamResampler(plan.model_rate, plan.output.file_rate, plan.channels)
        self._spool: Spool | None = None
        self._encoder: Encoder | None = None
        self._is_abandoned = False
        self._lock = threading.Lock()

    def open(self) -> None:
        """Create the file that blocks are written to: the spool, or else the final format."""
        try:
            self.part = HeldFile(self.target)
            if self._plan.is_spooled:
                self._spool_part = HeldFile(self.target)
        except OSError as error:
            raise output_error(error, self.target) from error
        if self._spool_part is not None:
            self._spool = Spool(self._spool_part.path, self._plan.channels)
        else:
            self._encoder = self._plan.encoder(self.part.path)

    def write(self, block: Block) -> None:
        """Append a (channels, samples) block at the model's rate."""
        for ready in self._resampler.push(np.ascontiguousarray(block.T)):
            self._append(ready)

    def finish(self) -> None:
        """Write what the resampler still holds, then silence up to the exact length."""
        self._append(self._resampler.finish())
        silence = np.zeros((min(self._due, _SILENCE_FRAMES), self._plan.channels), np.float32)
        while self._due:
            self._append(silence)
        if self._encoder is not None:
            self._encoder.close()

    def _append(self, block: Block) -> None:
        block = block[: self._due]
        if not len(block):
            return
        self._due -= len(block)
        if self._spool is not None:
            self.peak = max(self.peak, float(np.abs(block).max()))
            self._spool.write(block)
        elif self._encoder is not None:
            self._encoder.write(np.clip(block, -1.0, 1.0) if self._plan.output.clip == "clamp" else block)

    def encode(self, on_block: Callable[[int], None]) -> None:
        """Encode the spooled floats times the gain. `on_block` gets the length of each block."""
        if self._spool is None or self._spool_part is None or self.part is None:
            return
        with self._lock:
            if self._is_abandoned:
                raise JobCancelled
            self._encoder = encoder = self._plan.encoder(self.part.path)
        for block in self._spool.blocks():
            on_block(len(block))
            encoder.write(block if self.gain == 1.0 else block * np.float32(self.gain))
        encoder.close()
        self._spool.close()
        self._spool_part.discard()

    def abandon(self) -> None:
        """Close and remove the temporary files, even while they are being written."""
        with self._lock:
            self._is_abandoned = True
            for file in (self._encoder, self._spool):
                if file is not None:
                    file.abandon()
            for part in (self.part, self._spool_part):
                if part is not None:
                    part.discard()
