"""Reads through FFmpeg (PyAV) what libsndfile does not: M4A, AAC, WMA, MP4, Matroska, WebM and many more.

The first audio stream is taken. Priming and padding are left out as far as the container tells of them. A packet
that cannot be decoded becomes silence, so that what follows stays in place; too many of them are an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from utils.audio.channels import Block
from utils.audio.decoding import BLOCK_FRAMES, AudioInfo, Declined, broken, cut_off, selected
from utils.audio.guarded import GuardedFile
from utils.audio.paths import shown

_MAX_DAMAGED_PACKETS = 50
_TOLERATED_S = 1.0

# Other containers give no length, or guess it from the bit rate.
_TELL_THE_LENGTH = {"mov", "matroska", "asf", "ogg", "flac", "wav", "aiff", "caf", "avi", "w64"}
_TELL_IT_EXACTLY = {"mov"}

# A playlist must not make us open other files.
_OPTIONS = {"protocol_whitelist": ""}


class FfmpegDecoder:
    """A file that FFmpeg can read."""

    held_frames: int | None = None

    def __init__(self, path: Path) -> None:
        self.warnings: list[str] = []
        self._damaged = 0
        self._position = 0
        self._file = GuardedFile(path, "rb")
        try:
            self._container = _open(self._file)
            self._stream = self._first_audio()
            self._arrays = self._decode()
            self._first = self._peek()
        except BaseException:
            self._file.close()
            raise
        self.info = self._describe(path)

    def _first_audio(self) -> av.AudioStream:
        streams = self._container.streams.audio
        if not streams:
            raise Declined("FFmpeg: there is no audio stream in it")
        if len(streams) > 1:
            name = shown(self._file.path)
            self.warnings.append(f"'{name}' has {len(streams)} audio streams; the first one is used.")
        return streams[0]

    def _peek(self) -> Block:
        """The first samples: they settle rate and channels, and show that something can be decoded."""
        try:
            first = next(self._arrays, None)
        except av.FFmpegError as error:
            raise Declined(f"FFmpeg: {error.strerror}") from error
        if first is None:
            reason = "nothing in it can be decoded" if self._damaged else "no samples"
            raise Declined(f"FFmpeg: {reason}", empty=not self._damaged)
        return first

    def _describe(self, path: Path) -> AudioInfo:
        codec = self._stream.codec_context
        container = self._container.format.name.split(",")[0]
        frames = self._stated_frames() if container in _TELL_THE_LENGTH else None
        return AudioInfo(path, codec.sample_rate, self._first.shape[1], container, codec.name, frames)

    def _stated_frames(self) -> int | None:
        rate = self._stream.codec_context.sample_rate
        if self._stream.duration is not None and self._stream.time_base is not None:
            return round(self._stream.duration * self._stream.time_base * rate)
        if self._container.duration is not None:
            return round(self._container.duration * rate / av.time_base)
        return None

    def blocks(self, start: int, stop: int | None) -> Iterator[Block]:
        return selected(self._gather(stop), start, stop)

    def _gather(self, stop: int | None) -> Iterator[Block]:
        """Blocks of a useful size from FFmpeg's short frames."""
        self._position = len(self._first)
        waiting, count = [self._first], len(self._first)
        while array := self._next():
            waiting.append(array[0])
            count += len(array[0])
            self._position += len(array[0])
            if count >= BLOCK_FRAMES or (stop is not None and self._position >= stop):
                yield np.concatenate(waiting)
                waiting, count = [], 0
        if waiting:
            yield np.concatenate(waiting)
        self._require_whole()

    def _next(self) -> tuple[Block] | None:
        try:
            array = next(self._arrays, None)
        except av.FFmpegError as error:
            raise broken(self.info, self._position, error.strerror) from error
        if array is None:
            return None
        if array.shape[1] != self.info.channels:
            raise broken(self.info, self._position, "the number of channels changes")
        return (array,)

    def _decode(self) -> Iterator[Block]:
        """The samples of each frame. The last is cut to its stated duration, where encoders put their padding."""
        previous: av.AudioFrame | None = None
        for packet in self._container.demux(self._stream):
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                if previous is not None:
                    yield _samples(previous)
                    previous = None
                yield from self._silence_for(packet)
                continue
            for frame in frames:
                if previous is not None:
                    yield _samples(previous)
                previous = frame
        if previous is not None:
            yield _samples(previous)[: self._stated_length(previous)]

    def _silence_for(self, packet: av.Packet) -> Iterator[Block]:
        self._damaged += 1
        if self._damaged > _MAX_DAMAGED_PACKETS:
            raise av.error.InvalidDataError(0, f"more than {_MAX_DAMAGED_PACKETS} damaged packets")
        codec = self._stream.codec_context
        if packet.duration and packet.time_base:
            frames = round(packet.duration * packet.time_base * codec.sample_rate)
            yield np.zeros((frames, codec.channels), np.float32)

    def _stated_length(self, frame: av.AudioFrame) -> int:
        container = self._container.format.name.split(",")[0]
        time_base, duration = frame.time_base, getattr(frame, "duration", None)
        if container not in _TELL_IT_EXACTLY or not duration or not time_base or 2 * time_base * frame.sample_rate > 1:
            return frame.samples
        return round(duration * time_base * frame.sample_rate)

    def _require_whole(self) -> None:
        if self._file.fault is not None:
            raise broken(self.info, self._position, self._file.fault.strerror) from self._file.fault
        if self._damaged:
            name = shown(self.info.path)
            self.warnings.append(f"{self._damaged} damaged packets of '{name}' became silence.")
        missing = (self.info.frames or 0) - self._position
        if self.info.container in _TELL_IT_EXACTLY and missing > _TOLERATED_S * self.info.sample_rate:
            raise cut_off(self.info, self._position)

    def close(self) -> None:
        self._container.close()
        self._file.close()


def _open(file: GuardedFile) -> av.container.InputContainer:
    try:
        return av.open(file, "r", container_options=_OPTIONS)
    except av.FFmpegError as error:
        raise Declined(f"FFmpeg: {error.strerror}") from error


def _samples(frame: av.AudioFrame) -> Block:
    """A frame as (samples, channels) floats with full scale at 1."""
    array = frame.to_ndarray()
    channels = frame.layout.nb_channels
    array = array.T if frame.format.is_planar else array.reshape(-1, channels)
    return np.ascontiguousarray(_to_float(array))


def _to_float(array: NDArray[np.generic]) -> Block:
    kind = array.dtype
    if np.issubdtype(kind, np.floating):
        return array.astype(np.float32)
    if kind == np.uint8:
        return (array.astype(np.float32) - 128) / 128
    return (array / -float(np.iinfo(kind).min)).astype(np.float32)
