"""One stem's file on its way: resampled, held to its exact length, spooled where needed, encoded."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils.audio import parts
from utils.audio.channels import Block
from utils.audio.encoders import Encoder, open_encoder
from utils.audio.formats import MAX_RIFF_BYTES, OutputFormat
from utils.audio.resampling import StreamResampler
from utils.audio.spooling import SAMPLE_BYTES, Spool
from utils.core.errors import UnsupportedFormat
from utils.core.job import JobCancelled

_SILENCE_FRAMES = 1 << 16


@dataclass(frozen=True)
class StemPlan:
    """What all stems of a set have in common. `frames` counts at the file's rate."""

    output: OutputFormat
    model_rate: int
    channels: int
    frames: int

    @property
    def is_spooled(self) -> bool:
        return self.output.clip == "rescale" and not self.output.holds_overs

    @property
    def needed_bytes(self) -> int:
        encoded = self.output.size_bytes(self.frames, self.channels)
        return encoded + (self.frames * self.channels * SAMPLE_BYTES if self.is_spooled else 0)

    def require_size(self) -> None:
        if self.output.name == "aiff" and self.output.size_bytes(self.frames, self.channels) > MAX_RIFF_BYTES:
            raise UnsupportedFormat(
                "AIFF files end at 4 GiB and these stems are larger.",
                hint='Use "format": "wav" or "flac".',
                field="format",
            )

    def encoder(self, path: Path) -> Encoder:
        return open_encoder(path, self.output, channels=self.channels, frames=self.frames)


class StemFile:
    """One stem on its way: resampled, cut or filled to the exact length, its peak remembered."""

    def __init__(self, target: Path, plan: StemPlan) -> None:
        self.target = target
        self.part = parts.part_path(target)
        self.peak = 0.0
        self._spool_path = parts.part_path(target)
        self._plan = plan
        self._due = plan.frames
        self._resampler = StreamResampler(plan.model_rate, plan.output.file_rate, plan.channels)
        self._spool: Spool | None = None
        self._encoder: Encoder | None = None
        self._is_abandoned = False
        self._lock = threading.Lock()

    def open(self) -> None:
        """Create the file that blocks are written to first."""
        if self._plan.is_spooled:
            self._spool = Spool(self._spool_path, self._plan.channels)
        else:
            self._encoder = self._plan.encoder(self.part)

    def write(self, block: Block) -> None:
        self._pass_on(self._resampler.push(np.ascontiguousarray(block.T)))

    def finish(self) -> None:
        """Write what the resampler still holds, then silence up to the exact length."""
        self._pass_on(self._resampler.finish())
        silence = np.zeros((min(self._due, _SILENCE_FRAMES), self._plan.channels), np.float32)
        while self._due:
            self._pass_on(silence)
        if self._encoder is not None:
            self._encoder.close()

    def _pass_on(self, block: Block) -> None:
        block = block[: self._due]
        if not len(block):
            return
        self._due -= len(block)
        if self._spool is not None:
            self.peak = max(self.peak, float(np.abs(block).max()))
            self._spool.write(block)
        elif self._encoder is not None:
            self._encoder.write(np.clip(block, -1.0, 1.0) if self._plan.output.clip == "clamp" else block)

    def encode(self, gain: float, on_block: Callable[[int], None]) -> None:
        """Write the spooled floats, times `gain`, to the file; `on_block` learns how many samples were done."""
        if self._spool is None:
            return
        encoder = self._open_encoder()
        for block in self._spool.blocks():
            on_block(len(block))
            encoder.write(block if gain == 1.0 else block * np.float32(gain))
        encoder.close()
        self._spool.close()
        parts.remove(self._spool_path)

    def _open_encoder(self) -> Encoder:
        with self._lock:
            if self._is_abandoned:
                raise JobCancelled
            self._encoder = self._plan.encoder(self.part)
            return self._encoder

    def abandon(self) -> None:
        """Close and remove the temporary files, whatever is being done with them."""
        with self._lock:
            self._is_abandoned = True
            for file in (self._encoder, self._spool):
                if file is not None:
                    file.abandon()
            parts.remove(self.part)
            parts.remove(self._spool_path)
