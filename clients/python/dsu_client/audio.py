"""Samples to and from WAV files: NumPy arrays of `(channels, samples)` where NumPy is installed, else an `array` a channel.

Files are written and read in blocks. What is written is float, so nothing is rounded or clipped on the way.
"""

from __future__ import annotations

import importlib
import struct
import sys
from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias

from .errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    # Without NumPy it is a `list[array[float]]`, one for each channel.
    Samples: TypeAlias = NDArray[Any]
    Sound: TypeAlias = NDArray[Any] | Sequence[array[float]]

BLOCK_FRAMES = 1 << 16
MOST_CHANNELS = 64
PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
# More does not fit into a RIFF file.
MOST_BYTES = 0xFFFFFFFF - 4096


class NamedSamples(Mapping[str, "Samples"]):
    """Samples by the names of stems, with their rate."""

    def __init__(self, samples: Mapping[str, Samples], sample_rate: int) -> None:
        self._samples = dict(samples)
        self.sample_rate = sample_rate

    def __getitem__(self, name: str) -> Samples:
        return self._samples[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._samples)

    def __len__(self) -> int:
        return len(self._samples)


def find_numpy() -> Any:
    """NumPy, or None."""
    try:
        return importlib.import_module("numpy")
    except ImportError:
        return None


def write_wav(path: Path, sound: Sound, sample_rate: int) -> None:
    """Write samples between -1 and 1, or integers of their type's full range, as 32-bit float."""
    channels = _channels_of(sound)
    length = len(channels[0])
    size = length * len(channels) * 4
    if size > MOST_BYTES:
        raise InputError("The audio is too long for a WAV file; give the path of a file instead.", code="audio_invalid")
    rate = int(sample_rate)
    form = struct.pack("<HHIIHH", FLOAT, len(channels), rate, rate * 4 * len(channels), 4 * len(channels), 32)
    fact = struct.pack("<I", length)
    head = b"WAVE" + _chunk(b"fmt ", form) + _chunk(b"fact", fact) + b"data" + struct.pack("<I", size)
    with path.open("wb") as file:
        file.write(b"RIFF" + struct.pack("<I", len(head) + size) + head)
        for start in range(0, length, BLOCK_FRAMES):
            file.write(_interleaved([channel[start : start + BLOCK_FRAMES] for channel in channels]))


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content


def _channels_of(sound: Any) -> Sequence[Any]:
    """A sequence for each channel, of one length."""
    numpy = find_numpy()
    if numpy is not None and not (isinstance(sound, list | tuple) and all(isinstance(part, array) for part in sound)):
        whole = numpy.asarray(sound)
        if whole.ndim == 1:
            whole = whole[None]
        if whole.ndim == 2 and whole.dtype.kind in "if" and 0 < whole.shape[0] <= MOST_CHANNELS and whole.shape[1]:
            rows: Sequence[Any] = whole
            return rows
        raise _wrong(f"an array of {whole.dtype} with the shape {whole.shape}")
    parts = [sound] if isinstance(sound, array) else list(sound)
    lengths = {len(part) for part in parts}
    if not 0 < len(parts) <= MOST_CHANNELS or len(lengths) != 1 or lengths == {0}:
        raise _wrong(f"{len(parts)} channels of {sorted(lengths)} samples")
    return parts


def _wrong(what: str) -> InputError:
    return InputError(
        f"Audio is numbers in the shape (channels, samples), not {what}. Transpose it if its samples come first.",
        code="audio_invalid",
    )


def _interleaved(channels: Sequence[Any]) -> bytes:
    numpy = find_numpy()
    if numpy is not None:
        block = numpy.stack([numpy.asarray(channel) for channel in channels], axis=1)
        if block.dtype.kind == "i":
            block = block / float(1 << (8 * block.dtype.itemsize - 1))
        data: bytes = block.astype("<f4").tobytes()
        return data
    frames = array("f", bytes(4 * len(channels) * len(channels[0])))
    for index, channel in enumerate(channels):
        frames[index :: len(channels)] = array("f", channel)
    return _little_endian(frames).tobytes()


def _little_endian(samples: array[float]) -> array[float]:
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


# Reading ------------------------------------------------------------------------------------------------------------


def read_wav(path: Path) -> tuple[Samples, int]:
    """The samples of a WAV file of 32-bit float, and their rate."""
    with path.open("rb") as file:
        kind, channels, rate, bits = _find_format(file)
        if (kind, bits) != (FLOAT, 32):
            raise InputError(f"`{path.name}` is not a WAV file of 32-bit float.")
        data = file.read(_seek_data(file))
    data = data[: len(data) // (4 * channels) * 4 * channels]
    numpy = find_numpy()
    if numpy is not None:
        return numpy.ascontiguousarray(numpy.frombuffer(data, dtype="<f4").reshape(-1, channels).T), rate
    frames = array("f")
    frames.frombytes(data)
    rows: Any = [_little_endian(frames)[index::channels] for index in range(channels)]
    return rows, rate


def _chunks(file: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """The name and the size of each chunk, with the file standing at its content."""
    while len(head := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", head)
        start = file.tell()
        yield name, size
        file.seek(start + size + size % 2)


def _find_format(file: IO[bytes]) -> tuple[int, int, int, int]:
    if file.read(12)[8:] == b"WAVE":
        for name, size in _chunks(file):
            if name == b"fmt " and size >= 16:
                content = file.read(min(size, 40))
                kind, channels, rate, _, _, bits = struct.unpack("<HHIIHH", content[:16])
                if kind == EXTENSIBLE and len(content) >= 26:
                    kind = struct.unpack("<H", content[24:26])[0]
                if content[16:]:
                    file.seek(size - len(content), 1)
                file.seek(size % 2, 1)
                return kind, channels, rate, bits
    raise InputError("The worker wrote no WAV file.")


def _seek_data(file: IO[bytes]) -> int:
    for name, size in _chunks(file):
        if name == b"data":
            return size
    return 0
