"""Any audio file as a stream of blocks at the wanted rate and number of channels.

Memory does not grow with the file. Samples that are not numbers, and files that end before their header says, are
errors here, so that nothing after the reader needs to look.
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

from utils.audio.channels import Block, mix_channels
from utils.audio.decoding import AudioInfo, Decoder, cut_off, open_decoder
from utils.audio.paths import absolute, os_path, shown
from utils.audio.resampling import StreamResampler, resampled_frames
from utils.core.errors import InputEmpty, InputNotFound, InputUnreadable, InvalidRequest, did_you_mean, nearest

__all__ = ["AudioInfo", "AudioReader", "open_audio", "probe"]

_MAX_NEIGHBOURS = 2000


def probe(path: Path) -> AudioInfo:
    """What the file says of itself. Raises `InputNotFound`, `InputEmpty`, `InputUnreadable`."""
    decoder = _open(Path(path))
    decoder.close()
    return decoder.info


def open_audio(
    path: Path,
    *,
    sample_rate: int,
    channels: int,
    start_s: float = 0.0,
    duration_s: float | None = None,
    checkpoint: Callable[[], None] | None = None,
) -> AudioReader:
    """A reader of the whole file or of the part that begins at `start_s`. `checkpoint` is called at each block."""
    if start_s < 0 or (duration_s is not None and duration_s <= 0):
        raise InvalidRequest("A preview starts at 0 s or later and lasts longer than 0 s.", field="preview")
    decoder = _open(Path(path))
    try:
        return AudioReader(decoder, sample_rate, channels, (start_s, duration_s), checkpoint)
    except BaseException:
        decoder.close()
        raise


class AudioReader:
    """Iterates over float32 blocks (channels, samples), each contiguous. Use it as a context manager, and once.

    The samples given in total are exactly `resampled_frames(source_frames, …)` of the source's samples in the part.
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
        self._start, self._stop = _frames_of(part_s, self.info.sample_rate)
        _require_held(decoder, self._stop)
        self._blocks = self._generate()

    @property
    def warnings(self) -> list[str]:
        """What the user should know; complete once everything was read."""
        return list(self._decoder.warnings)

    @property
    def expected_frames(self) -> int | None:
        """About how many samples will be given, if the header tells. For progress only."""
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
        """Close the file. Reading on gives nothing more."""
        self._blocks.close()
        self._decoder.close()

    def _generate(self) -> Generator[Block]:
        resampler = StreamResampler(self.info.sample_rate, self.sample_rate, self.channels)
        for block in self._decoder.blocks(self._start, self._stop):
            self._checkpoint()
            _require_numbers(block, self.info, self._start + self.source_frames)
            self.source_frames += len(block)
            ready = resampler.push(mix_channels(block, self.channels))
            if len(ready):
                yield np.ascontiguousarray(ready.T)
        if self.source_frames == 0:
            raise _empty(self.info, self._start)
        rest = resampler.finish()
        if len(rest):
            yield np.ascontiguousarray(rest.T)


def _frames_of(part_s: tuple[float, float | None], rate: int) -> tuple[int, int | None]:
    start_s, duration_s = part_s
    start = math.floor(start_s * rate + 0.5)
    return start, None if duration_s is None else start + max(math.floor(duration_s * rate + 0.5), 1)


def _require_held(decoder: Decoder, stop: int | None) -> None:
    """Tell at once if the wanted part is cut off, where the decoder knows before reading."""
    held, promised = decoder.held_frames, decoder.info.frames
    if held is None or promised is None or promised - held <= decoder.tolerated_frames:
        return
    if stop is None or stop > held:
        raise cut_off(decoder.info, held)


def _require_numbers(block: Block, info: AudioInfo, position: int) -> None:
    with np.errstate(invalid="ignore"):  # the sum of opposite infinities is no number, which is what is asked
        if math.isfinite(float(block.sum(dtype=np.float64))):
            return
    bad = ~np.isfinite(block)
    first = position + int(np.argmax(bad.any(axis=1)))
    raise InputUnreadable(
        f"'{shown(info.path)}' holds samples that are no numbers (NaN or infinite): "
        f"{int(bad.sum())} from {first / info.sample_rate:.3f} s on.",
        hint="Export the file again from the program that made it.",
    )


def _empty(info: AudioInfo, start: int) -> InputEmpty:
    if start == 0:
        return InputEmpty(f"'{shown(info.path)}' holds no samples. Choose a file with audio in it.")
    length = f", which lasts {info.frames / info.sample_rate:.1f} s" if info.frames else ""
    return InputEmpty(
        f"The preview starts at {start / info.sample_rate:.1f} s, after the end of '{shown(info.path)}'{length}.",
        hint="Choose an earlier start.",
        field="preview",
    )


def _open(path: Path) -> Decoder:
    _require_file(path)
    try:
        return open_decoder(path)
    except OSError as error:
        raise InputUnreadable(
            f"'{shown(path)}' cannot be opened: {error.strerror or error}. Check that this program may read it."
        ) from error


def _require_file(path: Path) -> None:
    try:
        found = os.stat(os_path(path))  # noqa: PTH116 - a Path would undo the extended form
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _not_found(path) from error
    except (OSError, ValueError) as error:
        raise InputUnreadable(f"'{shown(path)}' cannot be opened: {error}.") from error
    if stat.S_ISDIR(found.st_mode):
        raise InputNotFound(f"'{shown(path)}' is a folder. Name an audio file in it.", field="input")
    if not stat.S_ISREG(found.st_mode):
        raise InputUnreadable(f"'{shown(path)}' is no regular file. Copy its content into one first.")
    if found.st_size == 0:
        raise InputEmpty(f"'{shown(path)}' is empty: it holds 0 bytes. Fetch or export it again.")


def _not_found(path: Path) -> InputNotFound:
    near = nearest(path.name, _neighbours(path))
    return InputNotFound(
        f"There is no file '{shown(absolute(path))}'.{did_you_mean(near)}", suggestions=near, field="input"
    )


def _neighbours(path: Path) -> list[str]:
    """Names of files in the folder where `path` should be; none if it cannot be listed."""
    try:
        with os.scandir(os_path(absolute(path).parent)) as entries:
            return [shown(entry.name) for _, entry in zip(range(_MAX_NEIGHBOURS), entries, strict=False)]
    except OSError:
        return []
