"""Decodes through libsndfile: WAV and its relatives, AIFF, FLAC, MP3, Ogg Vorbis, Opus and more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import soundfile

from utils.audio.channels import Block
from utils.audio.decoding import BLOCK_FRAMES, AudioInfo, Declined, cropped, cut_off_error, damage_error
from utils.audio.guarded import GuardedFile
from utils.audio.headers import promised_frames
from utils.audio.paths import shown

_UNKNOWN_FRAMES = 1 << 60  # for a FLAC stream without a length, libsndfile reports nearly 2**63
_SEEKABLE = ("PCM_", "FLOAT", "DOUBLE", "ULAW", "ALAW")  # to the exact sample, FLAC included; others are read from 0
_LOSSY = ("MPEG_LAYER", "VORBIS", "OPUS")

# An error loses the whole step, so damaged FLAC files are read in steps of about one FLAC block.
_STEP_FRAMES = {"FLAC": 1 << 12}
_DEFAULT_STEP_FRAMES = 1 << 14

# Headers may be off by a little without any music missing.
_TOLERATED_S = 0.01
_TOLERATED_LOSSY_S = 0.1


class SndfileDecoder:
    """A file that libsndfile can read."""

    def __init__(self, path: Path) -> None:
        self.warnings: list[str] = []
        self._file = GuardedFile(path, "rb")
        try:
            self._promised = promised_frames(cast(BinaryIO, self._file))
            self._file.seek(0)
            try:
                self._sound = soundfile.SoundFile(self._file)
            except soundfile.LibsndfileError as error:
                raise Declined(f"libsndfile: {_reason(error)}") from error
            self._held = self._sound.frames
            self.info = self._describe(path)
        except BaseException:
            self._file.close()
            raise
        self._is_lossy = self.info.subtype.startswith(_LOSSY)

    @property
    def held_frames(self) -> int | None:
        """What libsndfile found, if that can differ from what the header promises."""
        return self._held if self._promised is not None else None

    @property
    def tolerated_frames(self) -> int:
        return int((_TOLERATED_LOSSY_S if self._is_lossy else _TOLERATED_S) * self.info.sample_rate)

    def _describe(self, path: Path) -> AudioInfo:
        sound = self._sound
        if sound.frames >= _UNKNOWN_FRAMES:
            raise Declined("libsndfile: the length is unknown")
        if sound.format == "OGG" and sound.channels > 2:
            raise Declined("libsndfile: does not reorder the channels of Ogg files")
        frames = max(self._promised or 0, sound.frames)
        if frames == 0:
            raise Declined("libsndfile: no samples", empty=True)
        return AudioInfo(path, sound.samplerate, sound.channels, sound.format, sound.subtype, frames)

    def blocks(self, start: int, stop: int | None) -> Iterator[Block]:
        if not self.info.subtype.startswith(_SEEKABLE):
            return cropped(self._read(0, stop), start, stop)
        start = min(start, self._held)
        try:
            self._sound.seek(start)
        except soundfile.LibsndfileError as error:
            raise damage_error(self.info, start, _reason(error)) from error
        return self._read(start, stop)

    def _read(self, position: int, stop: int | None) -> Iterator[Block]:
        end = stop if stop is not None else _UNKNOWN_FRAMES
        while position < end:
            buffer = np.empty((min(BLOCK_FRAMES, end - position), self.info.channels), np.float32)
            filled = self._fill(buffer, position)
            position += filled
            if filled:
                yield buffer[:filled]
            if filled < len(buffer):
                self._require_complete(position)
                return

    def _fill(self, buffer: Block, position: int) -> int:
        """Read into the buffer, step by step; how many samples there were."""
        step = _STEP_FRAMES.get(self.info.container, _DEFAULT_STEP_FRAMES)
        filled = 0
        while filled < len(buffer):
            target = buffer[filled : filled + step]
            try:
                count = len(self._sound.read(out=target))
            except soundfile.LibsndfileError as error:
                if self._file.fault is None and self._file.at_end:
                    raise cut_off_error(self.info, position + filled) from error
                reason = self._file.fault.strerror if self._file.fault is not None else _reason(error)
                raise damage_error(self.info, position + filled, reason) from error
            filled += count
            if count < len(target):
                break
        return filled

    def _require_complete(self, position: int) -> None:
        """The file ended at `position`; raise if its header promised more."""
        if self._file.fault is not None:
            raise damage_error(self.info, position, self._file.fault.strerror) from self._file.fault
        missing = (self.info.frames or 0) - position
        if missing > self.tolerated_frames:
            raise cut_off_error(self.info, position)
        if missing > 0 and not self._is_lossy:
            self.warnings.append(f"'{shown(self.info.path)}' ends {missing} samples earlier than its header says.")

    def close(self) -> None:
        self._sound.close()
        self._file.close()


def _reason(error: soundfile.LibsndfileError) -> str:
    return str(error.error_string).removeprefix("Error : ").rstrip(".")
