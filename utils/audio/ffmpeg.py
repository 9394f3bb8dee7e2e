"""Reads through FFmpeg (PyAV) what libsndfile does not: M4A, AAC, WMA, MP4, Matroska, WebM and many more.

The first audio stream is taken. Priming and padding are left out as far as the container tells of them. A packet
that cannot be decoded becomes silence, so that what follows stays in place; too many of them are an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import av
import numpy as np
from numpy.typing import NDArray

from utils.audio.channels import Block
from utils.audio.decoding import BLOCK_FRAMES, AudioInfo, Declined, broken, cut_off, selected
from utils.audio.guarded import GuardedFile
from utils.audio.paths import shown

AudioPacket: TypeAlias = "av.Packet[av.AudioStream]"

_MAX_DAMAGED_PACKETS = 50
_TOLERATED_S = 1.0

# Other containers give no length, or guess it from the bit rate.
_TELL_THE_LENGTH = {"mov", "matroska", "asf", "ogg", "flac", "wav", "aiff", "caf", "avi", "w64"}
_TELL_IT_EXACTLY = {"mov"}
_COARSEST_TICK_FRAMES = 2  # two where the time base counts at the core rate of HE-AAC

# A playlist must not make us open other files.
_OPTIONS = {"protocol_whitelist": ""}


class _Damage(Exception):
    """Why decoding cannot go on."""


class FfmpegDecoder:
    """A file that FFmpeg can read."""

    held_frames: int | None = None

    def __init__(self, path: Path) -> None:
        self._notes: list[str] = []
        self._damaged = 0
        self._position = 0
        self._file = GuardedFile(path, "rb")
        try:
            self._container = _open(self._file)
            self._stream = self._first_audio()
            self._sample_rate = self._stream.codec_context.sample_rate
            self._arrays = self._decode()
            self._first = self._peek()
        except BaseException:
            self._file.close()
            raise
        self.info = self._describe(path)

    @property
    def tolerated_frames(self) -> int:
        return int(_TOLERATED_S * self.info.sample_rate)

    @property
    def warnings(self) -> list[str]:
        if not self._damaged:
            return self._notes
        packets = "packet" if self._damaged == 1 else "packets"
        return [*self._notes, f"{self._damaged} damaged {packets} of '{shown(self._file.path)}' became silence."]

    def _first_audio(self) -> av.AudioStream:
        streams = self._container.streams.audio
        if not streams:
            raise Declined("FFmpeg: there is no audio stream in it")
        if len(streams) > 1:
            name = shown(self._file.path)
            self._notes.append(f"'{name}' has {len(streams)} audio streams; the first one is used.")
        return streams[0]

    def _peek(self) -> Block:
        """The first samples: they settle rate and channels, and show that something can be decoded."""
        try:
            first = next(self._arrays, None)
        except _Damage as damage:
            raise Declined(f"FFmpeg: {damage}") from damage
        if first is None:
            reason = "nothing in it can be decoded" if self._damaged else "no samples"
            raise Declined(f"FFmpeg: {reason}", empty=not self._damaged)
        return first

    @property
    def _kind(self) -> str:
        return self._container.format.name.split(",")[0]

    def _describe(self, path: Path) -> AudioInfo:
        frames = self._stated_frames() if self._kind in _TELL_THE_LENGTH else None
        subtype = self._stream.codec_context.name
        return AudioInfo(path, self._sample_rate, self._first.shape[1], self._kind, subtype, frames)

    def _stated_frames(self) -> int | None:
        if self._stream.duration is not None and self._stream.time_base is not None:
            return round(self._stream.duration * self._stream.time_base * self._sample_rate)
        if self._container.duration is not None:
            return round(self._container.duration * self._sample_rate / av.time_base)
        return None

    def blocks(self, start: int, stop: int | None) -> Iterator[Block]:
        return selected(self._gather(stop), start, stop)

    def _gather(self, stop: int | None) -> Iterator[Block]:
        """Blocks of a useful size from FFmpeg's short frames."""
        waiting: list[Block] = []
        count = 0
        array: Block | None = self._first
        while array is not None:
            waiting.append(array)
            count += len(array)
            self._position += len(array)
            if count >= BLOCK_FRAMES or (stop is not None and self._position >= stop):
                yield np.concatenate(waiting)
                waiting, count = [], 0
            array = self._next()
        if waiting:
            yield np.concatenate(waiting)
        self._require_whole()

    def _next(self) -> Block | None:
        try:
            array = next(self._arrays, None)
        except _Damage as damage:
            raise broken(self.info, self._position, damage) from damage
        if array is not None and array.shape[1] != self.info.channels:
            raise broken(self.info, self._position, "the number of channels changes")
        return array

    def _decode(self) -> Iterator[Block]:
        """The samples of each frame. The last is cut to its stated duration, where encoders put their padding."""
        ready: list[Block] = []  # silence too is held back, so that a file of nothing but damage gives nothing
        previous: av.AudioFrame | None = None
        for packet in self._packets():
            frames = _frames(packet)
            for frame in frames or ():
                yield from ready
                ready = [_samples(self._at_the_rate(frame, is_first=previous is None))]
                previous = frame
            if frames is None:
                self._count_damage()
                ready.append(self._silence_for(packet))
        if previous is not None:
            yield ready[0][: self._stated_length(previous)] if len(ready) == 1 else ready[0]
            yield from ready[1:]

    def _packets(self) -> Iterator[AudioPacket]:
        try:
            yield from self._container.demux(self._stream)
        except av.FFmpegError as error:
            raise _Damage(error.strerror) from error

    def _at_the_rate(self, frame: av.AudioFrame, *, is_first: bool) -> av.AudioFrame:
        if is_first:  # some codecs state half of it in their header
            self._sample_rate = frame.sample_rate
        elif frame.sample_rate != self._sample_rate:
            raise _Damage("the sample rate changes")
        return frame

    def _count_damage(self) -> None:
        self._damaged += 1
        if self._damaged > _MAX_DAMAGED_PACKETS:
            raise _Damage(f"more than {_MAX_DAMAGED_PACKETS} packets are damaged")

    def _silence_for(self, packet: AudioPacket) -> Block:
        codec = self._stream.codec_context
        duration = (packet.duration or 0) * (packet.time_base or 0)
        return np.zeros((round(duration * self._sample_rate), codec.layout.nb_channels), np.float32)

    def _stated_length(self, frame: av.AudioFrame) -> int:
        if self._kind not in _TELL_IT_EXACTLY or not frame.duration or not frame.time_base:
            return frame.samples
        if frame.time_base * frame.sample_rate > _COARSEST_TICK_FRAMES:
            return frame.samples
        return round(frame.duration * frame.time_base * frame.sample_rate)

    def _require_whole(self) -> None:
        if self._file.fault is not None:
            raise broken(self.info, self._position, self._file.fault.strerror) from self._file.fault
        missing = (self.info.frames or 0) - self._position
        if self._kind in _TELL_IT_EXACTLY and missing > self.tolerated_frames:
            raise cut_off(self.info, self._position)

    def close(self) -> None:
        self._container.close()
        self._file.close()


def _frames(packet: AudioPacket) -> list[av.AudioFrame] | None:
    """The frames in a packet; None if it is damaged."""
    try:
        return list(packet.decode())
    except av.FFmpegError:
        return None


def _open(file: GuardedFile) -> av.container.InputContainer:
    try:
        return av.open(file, "r", container_options=_OPTIONS)
    except av.FFmpegError as error:
        raise Declined(f"FFmpeg: {error.strerror}") from error


def _samples(frame: av.AudioFrame) -> Block:
    """A frame as (samples, channels) floats with full scale at 1."""
    array: NDArray[Any] = frame.to_ndarray()
    array = array.T if frame.format.is_planar else array.reshape(-1, frame.layout.nb_channels)
    return np.ascontiguousarray(_to_float(array), dtype=np.float32)


def _to_float(array: NDArray[Any]) -> NDArray[np.floating[Any]]:
    if array.dtype == np.uint8:
        return np.asarray(array.astype(np.float32) - 128) / 128
    if np.issubdtype(array.dtype, np.integer):
        return np.asarray(array / -float(np.iinfo(array.dtype).min))
    return np.asarray(array)
