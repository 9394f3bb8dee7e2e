"""Signals that are finished in any order: files of floats that have their full length from the start, silent where nothing is yet.

Others may read them meanwhile. When all is there, it is read back from start to end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from utils.audio.channels import Block
from utils.audio.disk import check_disk_space, output_error
from utils.audio.float_wav import SAMPLE_BYTES, FloatWav
from utils.audio.temporary import HeldFile
from utils.core.cleanup import undone_on_exit

_BLOCK_FRAMES = 1 << 16


class Canvas:
    """A temporary file near each of `targets`, as a context manager that removes them."""

    def __init__(self, targets: Mapping[str, Path], *, rate: int, channels: int, frames: int) -> None:
        self._targets = targets
        self._rate, self._channels, self._frames = rate, channels, frames
        self._held: dict[str, HeldFile] = {}
        self._files: dict[str, FloatWav] = {}
        self._registered = ExitStack()

    def __enter__(self) -> Self:
        for target in self._targets.values():
            check_disk_space(target.parent, len(self._targets) * self._frames * self._channels * SAMPLE_BYTES)
        self._registered.enter_context(undone_on_exit(self._remove))
        try:
            for name, target in self._targets.items():
                try:
                    self._held[name] = held = HeldFile(target)
                except OSError as error:
                    raise output_error(error, target) from error
                self._files[name] = file = FloatWav(held.path, self._rate, self._channels)
                file.extend_to(self._frames)
                file.show()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *unused: object) -> None:
        self._remove()
        self._registered.close()

    def _remove(self) -> None:
        for file in self._files.values():
            file.abandon()
        for held in self._held.values():
            held.discard()

    @property
    def growing(self) -> dict[str, Path]:
        """The files, which others may read."""
        return {name: held.path for name, held in self._held.items()}

    def put(self, start: int, signals: Mapping[str, Block]) -> None:
        """Write (samples, channels) blocks of the signals from the sample `start` on."""
        for name, block in signals.items():
            self._files[name].write_at(start, block)

    def show(self) -> None:
        """Let others read what was written so far."""
        for file in self._files.values():
            file.show()

    def blocks(self) -> Iterator[tuple[int, dict[str, Block]]]:
        """Everything from start to end, in stretches that begin at the sample that comes with them."""
        for start in range(0, self._frames, _BLOCK_FRAMES):
            yield start, {name: file.read(start, _BLOCK_FRAMES) for name, file in self._files.items()}
