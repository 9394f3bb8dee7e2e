"""Any audio file as a stream of blocks at a given sample rate and number of channels.

Memory does not grow with the file. NaN, infinity and files that end earlier than their header says are errors here,
so that nothing after the reader has to check for them.
"""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from utils.audio.channels import MAX_CHANNELS, Block, mix_channels
from utils.audio.decoding import HIGHEST_SAMPLE_RATE, AudioInfo, Declined, Decoder, cut_off_error
from utils.audio.ffmpeg import FfmpegDecoder
from utils.audio.paths import absolute, os_path, shown
from utils.audio.resampling import StreamResampler, resampled_frames
from utils.audio.sndfile import SndfileDecoder
from utils.core.errors import InputEmpty, InputNotFound, InputUnreadable, InvalidRequest, did_you_mean, nearest
from utils.core.settings import LOWEST_SAMPLE_RATE

__all__ = ["AudioInfo", "AudioReader", "open_audio", "open_decoder", "probe", "require_rate"]

_MAX_NEIGHBOURS = 2000


_LAST = 1 << 52  # no sample of a file comes after it; the product of a time and a rate may be infinite


def probe(path: Path, *, lowest_rate: int = LOWEST_SAMPLE_RATE) -> AudioInfo:
    """What the header of a file says. Raises `InputNotFound`, `InputEmpty` or `InputUnreadable`.

    A wrong or hostile header may claim any rate, and a second of audio becomes a model's 44,100 samples whatever it says.
    """
    decoder = _open(Path(path))
    decoder.close()
    require_rate(decoder.info, lowest_rate)
    return decoder.info


def require_rate(info: AudioInfo, lowest_rate: int) -> None:
    """Raise `InputUnreadable` for a rate that no song has."""
    if info.sample_rate < lowest_rate:
        raise InputUnreadable(
            f"'{shown(info.path)}' has a sample rate of {info.sample_rate} Hz; songs need at least {lowest_rate} Hz.",
            hint="If its header is wrong, export the file again. `lowest_sample_rate` sets the limit.",
        )


def open_audio(
    path: Path,
    *,
    sample_rate: int,
    channels: int,
    start_s: float = 0.0,
    duration_s: float | None = None,
    checkpoint: Callable[[], None] | None = None,
) -> AudioReader:
    """A reader of the whole file, or of the part that begins at `start_s`. `checkpoint` is called for each block."""
    if start_s < 0 or (duration_s is not None and duration_s <= 0):
        raise InvalidRequest("A preview must start at 0 s or later and last longer than 0 s.", field="preview")
    decoder = _open(Path(path))
    try:
        return AudioReader(decoder, sample_rate, channels, (start_s, duration_s), checkpoint)
    except BaseException:
        decoder.close()
        raise


class AudioReader:
    """Iterates over float32 blocks (channels, samples), each contiguous. Use it once, as a context manager.

    In total it gives exactly `resampled_frames(source_frames, …)` samples.
    """

    def __init__(
        self,
        decoder: Decoder,
        sample_rate: int,
        channels: int,
        part_s: tuple[float, float | None],
        checkpoint: Callable[[], None] | None = None,
    ) -> None:
        self.info = decoder.info
        self.sample_rate = sample_rate
        self.channels = channels
        self.source_frames = 0
        self._decoder = decoder
        self._checkpoint = checkpoint or (lambda: None)
        start_s, duration_s = part_s
        source_rate = self.info.sample_rate
        self._start = math.floor(min(start_s * source_rate, _LAST) + 0.5)
        self._stop = None
        if duration_s is not None:
            self._stop = self._start + max(math.floor(min(duration_s * source_rate, _LAST) + 0.5), 1)
        self._require_held()
        self._blocks = self._generate()

    @property
    def warnings(self) -> list[str]:
        """What the user should know; complete when everything has been read."""
        return list(self._decoder.warnings)

    @property
    def expected_frames(self) -> int | None:
        """About how many samples there will be, if the header states the length. Only for progress."""
        if self.info.frames is None:
            return None
        stop = self.info.frames if self._stop is None else min(self._stop, self.info.frames)
        return resampled_frames(max(stop - self._start, 0), self.info.sample_rate, self.sample_rate)

    def __iter__(self) -> Iterator[Block]:
        return self

    def __next__(self) -> Block:
        return next(self._blocks)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. Nothing more can be read."""
        self._blocks.close()
        self._decoder.close()

    def _require_held(self) -> None:
        """Raise at once if the decoder knows, before reading, that the file is cut off within the part."""
        held, promised = self._decoder.held_frames, self.info.frames
        if held is None or promised is None or promised - held <= self._decoder.tolerated_frames:
            return
        if self._stop is None or self._stop > held:
            raise cut_off_error(self.info, held)

    def _generate(self) -> Generator[Block]:
        resampler = StreamResampler(self.info.sample_rate, self.sample_rate, self.channels)
        for block in self._decoder.blocks(self._start, self._stop):
            self._checkpoint()
            self._require_finite(block)
            self.source_frames += len(block)
            for ready in resampler.push(mix_channels(block, self.channels)):
                yield np.ascontiguousarray(ready.T)
        if self.source_frames == 0:
            raise self._empty_error()
        rest = resampler.finish()
        if len(rest):
            yield np.ascontiguousarray(rest.T)

    def _require_finite(self, block: Block) -> None:
        with np.errstate(invalid="ignore"):  # infinities of both signs add up to NaN, which is found like any other
            if math.isfinite(float(block.sum(dtype=np.float64))):
                return
        bad = ~np.isfinite(block)
        first = self._start + self.source_frames + int(np.argmax(bad.any(axis=1)))
        raise InputUnreadable(
            f"'{shown(self.info.path)}' has NaN or infinite samples: "
            f"{int(bad.sum())} of them from {first / self.info.sample_rate:.3f} s on.",
            hint="Export the file again from the program that made it.",
        )

    def _empty_error(self) -> InputEmpty:
        if self._start == 0:
            return _no_samples(self.info.path)
        length = f", which lasts {self.info.frames / self.info.sample_rate:.1f} s" if self.info.frames else ""
        start_s = self._start / self.info.sample_rate
        return InputEmpty(
            f"The preview starts at {start_s:.1f} s, after the end of '{shown(self.info.path)}'{length}.",
            hint="Choose an earlier start.",
            field="preview",
        )


# Opening ------------------------------------------------------------------------------------------------------------


def _open(path: Path) -> Decoder:
    _require_file(path)
    try:
        return open_decoder(path)
    except OSError as error:
        raise InputUnreadable(
            f"'{shown(path)}' cannot be opened: {error.strerror or error}. Check that this program may read it."
        ) from error


def open_decoder(path: Path) -> Decoder:
    """The first decoder that takes the file: libsndfile's, or else FFmpeg's.

    Raises `InputEmpty`, or `InputUnreadable` with the reason of each.
    """
    reasons: list[Declined] = []
    for decoder_class in (SndfileDecoder, FfmpegDecoder):
        try:
            decoder: Decoder = decoder_class(path)
        except Declined as reason:
            reasons.append(reason)
            continue
        channels = decoder.info.channels
        if channels > MAX_CHANNELS:
            decoder.close()
            raise InputUnreadable(
                f"'{shown(path)}' has {channels} channels; at most {MAX_CHANNELS} are supported.",
                hint="Mix it down to stereo first.",
            )
        rate = decoder.info.sample_rate
        if not 1 <= rate <= HIGHEST_SAMPLE_RATE:
            decoder.close()
            raise InputUnreadable(
                f"'{shown(path)}' has a sample rate of {rate} Hz; at most {HIGHEST_SAMPLE_RATE} Hz are supported.",
                hint="If its header is wrong, export the file again; otherwise resample it first.",
            )
        return decoder
    if any(reason.empty for reason in reasons):
        raise _no_samples(path)
    raise InputUnreadable(
        f"'{shown(path)}' cannot be read as audio ({'; '.join(str(reason) for reason in reasons)}).",
        hint="Check that it is an intact audio file; converting it to WAV or FLAC may help.",
    )


def _no_samples(path: Path) -> InputEmpty:
    return InputEmpty(f"'{shown(path)}' has no samples. Choose a file with audio in it.")


def _require_file(path: Path) -> None:
    try:
        found = os.stat(os_path(path))  # noqa: PTH116 - a Path would undo the extended form
    except (FileNotFoundError, NotADirectoryError) as error:
        near = nearest(path.name, _neighbours(path))
        message = f"There is no file '{shown(absolute(path))}'.{did_you_mean(near)}"
        raise InputNotFound(message, suggestions=near, field="input") from error
    except (OSError, ValueError) as error:
        raise InputUnreadable(f"'{shown(path)}' cannot be opened: {error}.") from error
    if stat.S_ISDIR(found.st_mode):
        raise InputNotFound(f"'{shown(path)}' is a folder. Name an audio file in it.", field="input")
    if not stat.S_ISREG(found.st_mode):
        raise InputUnreadable(f"'{shown(path)}' is not a regular file. Copy its content to one first.")
    if found.st_size == 0:
        raise InputEmpty(f"'{shown(path)}' is empty (0 bytes). Download or export it again.")


def _neighbours(path: Path) -> list[str]:
    """The files in the folder where `path` should be; none if it cannot be listed."""
    try:
        with os.scandir(os_path(absolute(path).parent)) as entries:
            return [shown(entry.name) for _, entry in zip(range(_MAX_NEIGHBOURS), entries, strict=False)]
    except OSError:
        return []
