"""Decodes through FFmpeg (PyAV) what libsndfile does not: M4A, AAC, WMA, MP4, Matroska, WebM and many more.

The first audio stream is used. Priming and padding are removed as far as the container states them. A packet that
cannot be decoded becomes silence, so that what follows keeps its position; too many of them are an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import av
import numpy as np
from numpy.typing import NDArray

from utils.audio.channels import Block
from utils.audio.containers import OPTIONS, USUAL, Unopened, unusual_container
from utils.audio.decoding import BLOCK_FRAMES, AudioInfo, Declined, cropped, cut_off_error, damage_error
from utils.audio.guarded import GuardedFile
from utils.audio.paths import shown

AudioPacket: TypeAlias = "av.Packet[av.AudioStream]"

_MAX_DAMAGED_PACKETS = 50
_TOLERATED_S = 1.0

# Other containers state no length, or estimate it from the bit rate.
_STATES_LENGTH = {"mov", "matroska", "asf", "ogg", "flac", "wav", "aiff", "caf", "avi", "w64"}
_STATES_EXACT_LENGTH = {"mov"}
_COARSEST_TICK_FRAMES = 2  # if the time base counts at the core rate of HE-AAC


class _DecodingFailed(Exception):
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
            try:
                self._container = self._open()
            except av.FFmpegError as error:
                raise Declined(f"FFmpeg: {error.strerror}") from error
            except Unopened as error:
                raise Declined(f"FFmpeg: {error}") from error
            self._stream = self._first_stream()
            self._kind = self._container.format.name.split(",")[0]
            self._sample_rate = self._stream.codec_context.sample_rate
            self._arrays = self._decode()
            self._first = self._decode_first()
        except BaseException:
            self._file.close()
            raise
        frames = self._stated_frames()
        codec = self._stream.codec_context.name
        self.info = AudioInfo(path, self._sample_rate, self._first.shape[1], self._kind, codec, frames)

    def _open(self) -> av.container.InputContainer:
        try:
            return av.open(self._file, "r", container_options={**OPTIONS, "format_whitelist": USUAL})
        except av.ArgumentError:  # it is another one
            found = unusual_container(self._file.path)
            self._file.seek(0)
            return av.open(self._file, "r", container_options={**OPTIONS, "format_whitelist": found})

    @property
    def tolerated_frames(self) -> int:
        return int(_TOLERATED_S * self.info.sample_rate)

    @property
    def warnings(self) -> list[str]:
        if not self._damaged:
            return self._notes
        packets = "packet" if self._damaged == 1 else "packets"
        return [
            *self._notes,
            f"{self._damaged} damaged {packets} in '{shown(self._file.path)}' were replaced by silence.",
        ]

    def _first_stream(self) -> av.AudioStream:
        streams = self._container.streams.audio
        if not streams:
            raise Declined("FFmpeg: it has no audio stream")
        if streams[0].codec_context is None:
            raise Declined("FFmpeg: the coding of its samples is unknown")
        if len(streams) > 1:
            name = shown(self._file.path)
            self._notes.append(f"'{name}' has {len(streams)} audio streams; the first one is used.")
        return streams[0]

    def _decode_first(self) -> Block:
        """The first samples. They determine the rate and the channels, and prove that something can be decoded."""
        try:
            first = next(self._arrays, None)
        except _DecodingFailed as failure:
            raise Declined(f"FFmpeg: {failure}") from failure
        if first is None:
            reason = "none of it can be decoded" if self._damaged else "no samples"
            raise Declined(f"FFmpeg: {reason}", empty=not self._damaged)
        return first

    def _stated_frames(self) -> int | None:
        if self._kind not in _STATES_LENGTH:
            return None
        if self._stream.duration is not None and self._stream.time_base is not None:
            return round(self._stream.duration * self._stream.time_base * self._sample_rate)
        if self._container.duration is not None:
            return round(self._container.duration * self._sample_rate / av.time_base)
        return None

    def blocks(self, start: int, stop: int | None) -> Iterator[Block]:
        return cropped(self._joined(stop), start, stop)

    def _joined(self, stop: int | None) -> Iterator[Block]:
        """FFmpeg's short frames, joined to blocks of a useful size."""
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
            try:
                array = next(self._arrays, None)
            except _DecodingFailed as failure:
                raise damage_error(self.info, self._position, failure) from failure
            if array is not None and array.shape[1] != self.info.channels:
                raise damage_error(self.info, self._position, "the number of channels changes")
        if waiting:
            yield np.concatenate(waiting)
        self._require_complete()

    def _decode(self) -> Iterator[Block]:
        """The samples of each frame. The last one is cut to its stated duration, since encoders pad it."""
        ready: list[Block] = []  # silence is held back too, so that a file of nothing but damage gives nothing
        previous: av.AudioFrame | None = None
        for packet in self._packets():
            try:
                frames = list(packet.decode())
            except av.FFmpegError as error:
                self._damaged += 1
                if self._damaged > _MAX_DAMAGED_PACKETS:
                    raise _DecodingFailed(f"more than {_MAX_DAMAGED_PACKETS} packets are damaged") from error
                ready.append(self._silence_for(packet))
                continue
            for frame in frames:
                if previous is None:
                    self._sample_rate = frame.sample_rate  # some codecs state half of it in their header
                elif frame.sample_rate != self._sample_rate:
                    raise _DecodingFailed("the sample rate changes")
                yield from ready
                ready = [_samples(frame)]
                previous = frame
        if previous is not None:
            yield ready[0][: self._stated_length(previous)] if len(ready) == 1 else ready[0]
            yield from ready[1:]

    def _packets(self) -> Iterator[AudioPacket]:
        try:
            yield from self._container.demux(self._stream)
        except av.FFmpegError as error:
            raise _DecodingFailed(error.strerror) from error

    def _silence_for(self, packet: AudioPacket) -> Block:
        duration = (packet.duration or 0) * (packet.time_base or 0)
        channels = self._stream.codec_context.layout.nb_channels
        return np.zeros((round(duration * self._sample_rate), channels), np.float32)

    def _stated_length(self, frame: av.AudioFrame) -> int:
        if self._kind not in _STATES_EXACT_LENGTH or not frame.duration or not frame.time_base:
            return frame.samples
        if frame.time_base * frame.sample_rate > _COARSEST_TICK_FRAMES:
            return frame.samples
        return round(frame.duration * frame.time_base * frame.sample_rate)

    def _require_complete(self) -> None:
        if self._file.fault is not None:
            raise damage_error(self.info, self._position, self._file.fault.strerror) from self._file.fault
        missing = (self.info.frames or 0) - self._position
        if self._kind in _STATES_EXACT_LENGTH and missing > self.tolerated_frames:
            raise cut_off_error(self.info, self._position)

    def close(self) -> None:
        self._container.close()
        self._file.close()


def _samples(frame: av.AudioFrame) -> Block:
    """A frame as (samples, channels) floats with full scale at 1."""
    array: NDArray[Any] = frame.to_ndarray()
    array = array.T if frame.format.is_planar else array.reshape(-1, frame.layout.nb_channels)
    if array.dtype == np.uint8:
        array = (array.astype(np.float32) - 128) / 128
    elif np.issubdtype(array.dtype, np.integer):
        array = array / -float(np.iinfo(array.dtype).min)
    return np.ascontiguousarray(array, dtype=np.float32)
