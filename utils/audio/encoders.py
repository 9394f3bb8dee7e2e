"""Encodes float blocks to files: through libsndfile, except for MP4 and Matroska, which FFmpeg (PyAV) writes, and WAV
files of floats.

Integer samples are rounded to nearest and limited to full scale here, since libsndfile would truncate them. So a file
that is read back differs from what was written by half a step at most.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol, TypeAlias, cast

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

from utils.audio.channels import Block
from utils.audio.disk import output_error
from utils.audio.float_wav import FloatWav
from utils.audio.formats import MAX_RIFF_BYTES, Codec, OutputFormat
from utils.audio.guarded import GuardedFile
from utils.audio.ogg_serial import set_serial
from utils.audio.paths import shown
from utils.audio.stem_atom import add_stem_atom, stem_description
from utils.audio.tagging import TagSet, matroska_texts
from utils.core.errors import OutputNotWritable

# Nominal kbit/s of stereo Vorbis at 44.1 kHz for the qualities 0 to 10.
_VORBIS_KILOBITS = (64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 500)
_MP3_RANGES = (
    (32000, 32, 320),
    (16000, 8, 160),
    (0, 8, 64),
)  # lowest sample rate; lowest and highest kbit/s from there
_HIGHEST_LEVEL = 0.9999  # libsndfile refuses 1 for MP3
_PEAK_SEARCH_BYTES = 4096

_PACKET_FRAMES = 4096  # of codecs that have no frames of their own
# FFmpeg's encoder and its type of samples, by codec and the bits of an integer sample.
_FFMPEG_CODECS: dict[tuple[Codec, int | None], tuple[str, str]] = {
    ("aac", None): ("aac", "fltp"),
    ("alac", 16): ("alac", "s16p"),
    ("alac", 24): ("alac", "s32p"),
    ("flac", 16): ("flac", "s16"),
    ("flac", 24): ("flac", "s32"),
    ("opus", None): ("libopus", "flt"),
    ("pcm", 32): ("pcm_s32le", "s32"),
    ("pcm", None): ("pcm_f32le", "flt"),
}

AudioPacket: TypeAlias = "av.Packet[av.AudioStream]"


@dataclass(frozen=True)
class Contents:
    """What a file says of itself: the stems that are its tracks, and its tags where its encoder has to write them."""

    tracks: Sequence[str] = ("",)
    tags: TagSet | None = None

    @property
    def titles(self) -> list[str]:
        return [name[:1].upper() + name[1:] for name in self.tracks]


class Encoder(Protocol):
    """One file being written."""

    def write(self, block: Block, track: int = 0) -> None:
        """Append a (samples, channels) block to a track."""

    def close(self) -> None:
        """Write what is left. Raises if anything could not be written."""

    def abandon(self) -> None:
        """Close the file as it is. May be called from any thread."""


def open_encoder(
    path: Path, output: OutputFormat, *, channels: int, frames: int, contents: Contents | None = None
) -> Encoder:
    """An encoder to a new file at `path`. `frames` decides whether a WAV file has to be RF64."""
    try:
        if output.name in ("m4a", "stem.m4a", "mka"):
            return FfmpegEncoder(path, output, channels, contents or Contents())
        if output.is_float_wav:
            return FloatWav(path, output.file_rate, channels)
        return SndfileEncoder(path, output, channels, frames)
    except OSError as error:
        raise output_error(error, path) from error


def quantised(block: Block, bits: int) -> NDArray[np.int16] | NDArray[np.int32]:
    """Floats as integers of 16, 24 or 32 bits, rounded and saturated. 24 bits are the upper ones of 32."""
    full = float(1 << (bits - 1))
    scaled = np.rint(block.astype(np.float64) * full)
    np.clip(scaled, -full, full - 1, out=scaled)
    if bits == 16:
        return scaled.astype(np.int16)
    return scaled.astype(np.int32) << np.int32(32 - bits)


def full_scale(output: OutputFormat) -> float:
    """The largest sample value that rescaled stems may have."""
    return 1.0 - 2.0 ** (1 - min(output.pcm_bits or 16, 24))


class SndfileEncoder:
    """WAV, AIFF, FLAC, MP3, Ogg Vorbis or Opus."""

    def __init__(self, path: Path, output: OutputFormat, channels: int, frames: int) -> None:
        self._path = path
        self._bits = output.pcm_bits
        self._has_peaks = output.holds_overs
        self._is_ogg = output.name in ("ogg", "opus")
        self._content = 0  # a checksum of the samples
        settings = _sndfile_settings(output, channels, frames)
        self._file = GuardedFile(path, "w+b")
        try:
            self._sound = soundfile.SoundFile(self._file, "w", output.file_rate, channels, **settings)
        except BaseException:
            self._file.close()
            raise

    def write(self, block: Block, track: int = 0) -> None:
        del track  # there is only one
        data = np.ascontiguousarray(block) if self._bits is None else quantised(block, self._bits)
        if self._is_ogg:
            self._content = zlib.crc32(data.data, self._content)
        try:
            self._sound.write(data)
        except (soundfile.SoundFileError, AssertionError) as error:  # it asserts that all was written
            self._file.require_written()
            raise _encoder_failed(self._path, error) from error
        self._file.require_written()

    def close(self) -> None:
        try:
            self._sound.close()
        except soundfile.SoundFileError as error:
            self._file.require_written()
            raise _encoder_failed(self._path, error) from error
        if self._has_peaks:
            self._clear_peak_time()
        if self._is_ogg:
            set_serial(self._file, self._content)
        self._file.close()
        self._file.require_written()

    def abandon(self) -> None:
        self._file.close()

    def _clear_peak_time(self) -> None:
        """Clear the time stamp in the PEAK chunk, so that the same samples give the same bytes."""
        self._file.seek(0)
        found = self._file.read(_PEAK_SEARCH_BYTES).find(b"PEAK")
        if found >= 0:
            self._file.seek(found + 12)
            self._file.write(bytes(4))


def _sndfile_settings(output: OutputFormat, channels: int, frames: int) -> dict[str, Any]:
    """Format, subtype and bit rate as libsndfile takes them. A `compression_level` of 0 is the highest bit rate."""
    kilobits = output.kilobits(channels) if output.is_lossy else 0
    match output.name:
        case "mp3":
            low, high = next((low, high) for lowest, low, high in _MP3_RANGES if output.file_rate >= lowest)
            return {
                "format": "MP3",
                "subtype": "MPEG_LAYER_III",
                "compression_level": min((high - kilobits) / (high - low), _HIGHEST_LEVEL),
                "bitrate_mode": "CONSTANT",
            }
        case "ogg":  # Vorbis takes a quality; this is the one whose nominal bit rate is nearest
            as_stereo = kilobits * 2 / channels * 44100 / min(output.file_rate, 44100)
            quality = float(np.interp(as_stereo, _VORBIS_KILOBITS, range(11))) / 10
            return {"format": "OGG", "subtype": "VORBIS", "compression_level": 1.0 - quality}
        case "opus":
            high = 256 * channels
            return {"format": "OGG", "subtype": "OPUS", "compression_level": (high - kilobits) / (high - 6)}
        case "wav" if output.size_bytes(frames, channels) > MAX_RIFF_BYTES:
            return {"format": "RF64", "subtype": output.sample_type}
        case name:
            return {"format": name.upper(), "subtype": output.sample_type}


class FfmpegEncoder:
    """The tracks of an MP4 or Matroska file, which start together and end at the same sample.

    In MP4, an edit list skips what an encoder adds at the start; Matroska has fields for that.
    """

    def __init__(self, path: Path, output: OutputFormat, channels: int, contents: Contents) -> None:
        self._path = path
        self._is_matroska = output.name == "mka"
        self._description = stem_description(contents.titles[1:]) if output.name == "stem.m4a" else None
        self._file = GuardedFile(path, "w+b")
        try:
            # The edit list counts in the movie's time scale, and is exact if that is the sample rate. Matroska files have
            # the time and random numbers in them, unless all is to be exact.
            exact = {"fflags": "+bitexact"} if self._is_matroska else {"movie_timescale": str(output.file_rate)}
            kind = "matroska" if self._is_matroska else "ipod"
            self._container = av.open(cast(Any, self._file), "w", format=kind, options=exact)
            self._tracks = [_FfmpegTrack(self._container, output, channels) for _ in contents.tracks]
            if output.is_joint:
                for track, title in zip(self._tracks, contents.titles, strict=True):
                    track.stream.metadata["title" if self._is_matroska else "handler_name"] = title
            if self._is_matroska and contents.tags is not None:
                self._tag(contents.tags, contents.tracks)
        except BaseException:
            self._file.close()
            raise

    def _tag(self, tags: TagSet, stems: Sequence[str]) -> None:
        self._container.metadata.update(matroska_texts(tags, stems))
        if tags.source is not None and tags.source.cover is not None:
            kind = "png" if tags.source.cover.mime == "image/png" else "jpeg"
            name = {"png": "cover.png", "jpeg": "cover.jpg"}[kind]
            self._container.add_attachment(name, f"image/{kind}", tags.source.cover.data)

    def write(self, block: Block, track: int = 0) -> None:
        with self._noticing():
            for packets in self._tracks[track].encode(block):
                self._container.mux(packets)

    def close(self) -> None:
        with self._noticing():
            for track in self._tracks:
                for packets in track.finish():
                    self._container.mux(packets)
            self._container.close()
        if self._description is not None:
            add_stem_atom(self._file, self._description)
        self._file.close()
        self._file.require_written()

    @contextmanager
    def _noticing(self) -> Iterator[None]:
        """Raise what has kept the file from being written."""
        try:
            yield
        except av.FFmpegError as error:
            self._file.require_written()
            raise _encoder_failed(self._path, error) from error
        self._file.require_written()

    def abandon(self) -> None:
        self._file.close()


class _FfmpegTrack:
    """One track of a file, and the samples that wait until there are enough for a packet."""

    def __init__(self, container: av.container.OutputContainer, output: OutputFormat, channels: int) -> None:
        codec, self._samples = _FFMPEG_CODECS[output.codec, output.pcm_bits]
        self._rate = output.file_rate
        self._bits = output.pcm_bits
        self._layout = "mono" if channels == 1 else "stereo"
        self._position = 0
        self._waiting = av.AudioFifo()
        self.stream = cast(av.AudioStream, container.add_stream(codec, rate=self._rate, layout=self._layout))
        self.stream.codec_context.format = av.AudioFormat(self._samples)
        if output.is_lossy:
            self.stream.bit_rate = 1000 * output.kilobits(channels)

    def encode(self, block: Block) -> Iterator[list[AudioPacket]]:
        samples: NDArray[Any] = block if self._bits is None else quantised(block, self._bits)
        samples = samples.T if self._samples.endswith("p") else samples.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format=self._samples, layout=self._layout)
        frame.sample_rate = self._rate
        frame.time_base = Fraction(1, self._rate)
        frame.pts = self._position
        self._position += len(block)
        self._waiting.write(frame)
        for ready in self._waiting.read_many(_PACKET_FRAMES):
            yield self.stream.encode(ready)

    def finish(self) -> Iterator[list[AudioPacket]]:
        for last in self._waiting.read_many(_PACKET_FRAMES, partial=True):
            yield self.stream.encode(last)
        yield self.stream.encode(None)


def _encoder_failed(path: Path, error: Exception) -> OutputNotWritable:
    return OutputNotWritable(f"'{shown(path)}' cannot be written: the encoder failed ({error}).", field="output")
